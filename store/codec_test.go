package store

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	"pgregory.net/rapid"
)

func anyTime(t *rapid.T) time.Time {
	if rapid.Bool().Draw(t, "zero") {
		return time.Time{}
	}
	return time.Unix(rapid.Int64Range(-1<<40, 1<<40).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanos")).UTC()
}

func anyText(t *rapid.T) string { return rapid.StringN(0, 8, -1).Draw(t, "text") }

func anyApps(t *rapid.T) []memberwatch.AppID {
	var apps []memberwatch.AppID
	for range rapid.IntRange(0, 3).Draw(t, "apps") {
		apps = append(apps, memberwatch.AppID(anyText(t)))
	}
	return apps
}

func anyApp(t *rapid.T) memberwatch.App {
	a := memberwatch.App{
		ID: memberwatch.AppID(anyText(t)), Developer: memberwatch.DeveloperID(anyText(t)), DisplayName: anyText(t),
		Category: anyText(t), Installs: rapid.Int64().Draw(t, "installs"), Admins: rapid.Int64().Draw(t, "admins"),
		Certified: anyTime(t), Expires: anyTime(t), Created: anyTime(t), Updated: anyTime(t),
	}
	for range rapid.IntRange(0, 2).Draw(t, "purposes") {
		a.Purposes = append(a.Purposes, memberwatch.Purpose{Class: memberwatch.DataClass(anyText(t)), Purpose: anyText(t), Expires: anyTime(t)})
	}
	return a
}

func anyChange(t *rapid.T) memberwatch.Change {
	c := memberwatch.Change{Revision: rapid.Int64().Draw(t, "revision"), Time: anyTime(t)}
	switch rapid.IntRange(0, 4).Draw(t, "what") {
	case 4:
		c.Tuning = &memberwatch.Tuning{
			Configured: rapid.Bool().Draw(t, "configured"), Budget: rapid.Float64().Draw(t, "budget"), From: anyTime(t), Comment: anyText(t), Revision: c.Revision,
			Weights: map[string]float64{anyText(t): rapid.Float64().Draw(t, "weight")}, Shadow: []memberwatch.Kind{memberwatch.Kind(anyText(t))},
		}
		return c
	case 0:
		c.App = new(anyApp(t))
		return c
	case 1:
		c.Canaries = &memberwatch.Canaries{Withdrawn: rapid.Bool().Draw(t, "withdrawn")}
		for range rapid.IntRange(0, 3).Draw(t, "canaries") {
			c.Canaries.Members = append(c.Canaries.Members, memberwatch.MemberID(rapid.Uint64().Draw(t, "canary")))
		}
		return c
	case 2:
		c.Attestation = &memberwatch.Attestation{App: memberwatch.AppID(anyText(t)), Time: anyTime(t), Note: anyText(t), Revision: c.Revision}
		return c
	}
	c.Restriction = &memberwatch.Restriction{
		ID: memberwatch.RestrictionID(anyText(t)), Class: memberwatch.DataClass(anyText(t)), Endpoint: anyText(t),
		Apps: anyApps(t), Exempt: anyApps(t), Effective: anyTime(t), Grace: time.Duration(rapid.Int64().Draw(t, "grace")),
		Lifted: anyTime(t), Reason: anyText(t), Revision: c.Revision,
	}
	return c
}

func anyFinding(t *rapid.T) memberwatch.Finding {
	number := rapid.Float64().Draw
	f := memberwatch.Finding{
		Kind: memberwatch.Kind(anyText(t)), Number: rapid.Int64().Draw(t, "number"), Time: rapid.Int64().Draw(t, "time"),
		Window:   memberwatch.Window{Scale: memberwatch.Scale(rapid.IntRange(0, 1).Draw(t, "scale")), Start: rapid.Int64().Draw(t, "start")},
		Stream:   memberwatch.Stream(rapid.IntRange(0, 2).Draw(t, "stream")),
		Sentence: anyText(t), ReturnPeriod: number(t, "period"), FleetFactor: number(t, "fleet"),
		Provisional: rapid.Bool().Draw(t, "provisional"), Restriction: memberwatch.RestrictionID(anyText(t)),
		Members:  memberwatch.Estimate{Value: number(t, "value"), Low: number(t, "low"), High: number(t, "high")},
		Severity: memberwatch.Severity(rapid.IntRange(0, 4).Draw(t, "severity")),
		Basis: memberwatch.Basis{
			App: memberwatch.AppID(anyText(t)), Developer: memberwatch.DeveloperID(anyText(t)), Model: anyText(t), Calibration: rapid.Int64().Draw(t, "calibration"),
			Control: rapid.Int64().Draw(t, "control"), Learning: memberwatch.Learning(rapid.IntRange(0, 3).Draw(t, "learning")), LearningDays: rapid.Int32().Draw(t, "days"),
		},
	}
	if b := rapid.SliceOfN(rapid.Byte(), 0, 5).Draw(t, "record"); len(b) > 0 {
		f.Record = b
	}
	for range rapid.IntRange(0, 3).Draw(t, "factors") {
		f.Factors = append(f.Factors, memberwatch.Factor{
			Feature: anyText(t), Observed: number(t, "observed"), Expected: number(t, "expected"), Low: number(t, "low"),
			High: number(t, "high"), P: number(t, "p"), ReturnPeriod: number(t, "period"), Share: number(t, "share"), Text: anyText(t), Peers: number(t, "peers"),
		})
		f.Caveats = append(f.Caveats, anyText(t))
		f.Influences = append(f.Influences, memberwatch.Influence{
			Dimension: anyText(t), Name: anyText(t), Share: number(t, "share"), Without: number(t, "without"), P: number(t, "p"), Text: anyText(t),
		})
	}
	return f
}

func anyUpdate(t *rapid.T) memberwatch.Update {
	i := rapid.Int64().Draw
	u := memberwatch.Update{Signal: memberwatch.Signal{
		ID: memberwatch.SignalID(anyText(t)), App: memberwatch.AppID(anyText(t)), Developer: memberwatch.DeveloperID(anyText(t)),
		Network: anyText(t), Kind: memberwatch.Kind(anyText(t)), Severity: memberwatch.Severity(rapid.IntRange(0, 4).Draw(t, "severity")),
		Sentence: anyText(t), Opened: i(t, "opened"), Last: i(t, "last"), Ended: i(t, "ended"), Occurrences: i(t, "n"),
		Revision: i(t, "revision"), Strongest: anyFinding(t), Learning: memberwatch.Learning(rapid.IntRange(0, 3).Draw(t, "learning")),
		LearningDays: rapid.Int32().Draw(t, "days"), Model: anyText(t), Calibration: i(t, "calibration"), Control: i(t, "control"),
	}}
	for range rapid.IntRange(0, 3).Draw(t, "apps") {
		u.Signal.Apps = append(u.Signal.Apps, memberwatch.AppID(anyText(t)))
	}
	if rapid.Bool().Draw(t, "finding") {
		u.Finding = new(anyFinding(t))
	}
	return u
}

func TestRecordsReadBackAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		update := anyUpdate(t)
		if got, err := decodeUpdate(encodeUpdate(&update)); err != nil || !reflect.DeepEqual(got, update) {
			t.Fatalf("update: %v\n got %+v\nwant %+v", err, got, update)
		}
		change := anyChange(t)
		if got, err := decodeChange(encodeChange(&change)); err != nil || !reflect.DeepEqual(got, change) {
			t.Fatalf("change: %v\n got %+v\nwant %+v", err, got, change)
		}
		app := anyApp(t)
		if got, err := decodeApp(encodeApp(&app)); err != nil || !reflect.DeepEqual(got, app) {
			t.Fatalf("app: %v\n got %+v\nwant %+v", err, got, app)
		}
	})
}

// Bytes that decode must be the ones that encoding gives: else two directories
// with equal content could differ.
func FuzzDecode(f *testing.F) {
	f.Add(encodeUpdate(&memberwatch.Update{Signal: memberwatch.Signal{ID: "s", App: "a", Opened: 5}, Finding: &memberwatch.Finding{
		Number: 1, ReturnPeriod: math.Pi, Factors: []memberwatch.Factor{{Feature: "reach", Share: 1}}, Caveats: []string{"young"},
	}}))
	f.Add(encodeChange(&memberwatch.Change{Revision: 3, Time: time.Unix(9, 9), Restriction: &memberwatch.Restriction{ID: "r", Apps: []memberwatch.AppID{"a"}}}))
	f.Add(encodeApp(&memberwatch.App{ID: "a", Purposes: []memberwatch.Purpose{{Class: "c", Purpose: "p"}}, Created: time.Unix(1, 2)}))
	f.Add(sealRow(&memberwatch.LedgerRow{Calls: 300, Members: []byte("abc")}, nil))
	f.Add(sealRow(&memberwatch.LedgerRow{Calls: 300, Members: []byte("abc")}, []part{{endpoint: "/members"}}))
	f.Add(sealRow(&memberwatch.LedgerRow{Calls: 9}, []part{{endpoint: "/a", calls: 2, members: []byte("a")}, {endpoint: "/b", calls: 3, lost: true}, {rest: true, calls: 4}}))
	f.Add(sealSpan(&spanSum{days: 5, row: memberwatch.LedgerRow{Calls: 9, Members: []byte("ab")}, parts: []spanPart{
		{endpoint: "/a", days: 5, calls: 9, members: []byte("ab"), exact: true},
		{endpoint: "/b", days: 1, calls: 2, members: []byte("b"), sure: []byte("c"), groups: []byte("g")},
		{rest: true, days: 4},
	}}))
	f.Add(sealSpan(&spanSum{days: 1 << 63, coarse: true}))
	f.Add(encodeMark(&Mark{Sequence: 7, Newest: 8, Live: true}))
	f.Add(encodeProgress(&Progress{Closed: 1 << 60, Lost: -1}))
	f.Fuzz(func(t *testing.T, record []byte) {
		check := func(what string, again []byte, err error) {
			if err == nil && !bytes.Equal(again, record) {
				t.Errorf("%s: %x reads as %x", what, record, again)
			}
			if err != nil && !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: %v is not ErrCorrupt", what, err)
			}
		}
		u, err := decodeUpdate(record)
		check("update", encodeUpdate(&u), err)
		s, err := decodeSignal(record)
		check("signal", encodeSignal(&s), err)
		finding, err := decodeFinding(record)
		check("finding", encodeFinding(&finding), err)
		if c, err := decodeChange(record); err == nil {
			check("change", encodeChange(&c), nil)
		}
		a, err := decodeApp(record)
		check("app", encodeApp(&a), err)
		r, err := decodeRestriction(record)
		check("restriction", encodeRestriction(&r), err)
		m, err := decodeMark([]byte("gw"), record)
		check("mark", encodeMark(&m), err)
		p, err := decodeProgress(record)
		check("progress", encodeProgress(&p), err)
		var v LedgerView
		err = v.decodeDay(record)
		var parts []part
		if err == nil && v.byEndpoint != nil {
			parts, err = v.parts()
		}
		row := memberwatch.LedgerRow{Calls: v.Calls, Records: v.Records, Denials: v.Denials, Late: v.Late, Members: v.Members, Groups: v.Groups}
		check("row", sealRow(&row, parts), err)
		if v = (LedgerView{}); v.decode(0, record) == nil {
			if list, coarse, err := v.spanParts(); err == nil {
				check("span", sealSpan(&spanSum{days: v.Days, row: v.counts(), parts: list, coarse: coarse}), nil)
			}
		}
		// The checksum keeps most damage from the decoders: let them see some.
		d := decoder{b: record}
		d.signal()
		d = decoder{b: record}
		d.restriction()
		for r := (spanReader{d: decoder{b: record}, v: &v, left: uint64(len(record))}); r.left > 0; {
			r.next()
		}
	})
}

func TestDamageIsNoticed(t *testing.T) {
	record := encodeApp(&memberwatch.App{ID: "crm", Developer: "acme"})
	for i := range record {
		damaged := bytes.Clone(record)
		damaged[i] ^= 0x10
		if _, err := decodeApp(damaged); !errors.Is(err, ErrCorrupt) {
			t.Errorf("byte %d: %v", i, err)
		}
	}
	for n := range record {
		if _, err := decodeApp(record[:n]); !errors.Is(err, ErrCorrupt) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
}

func TestKeysSortLikeWhatTheyName(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Int64().Draw(t, "a"), rapid.Int64().Draw(t, "b")
		if (a < b) != (bytes.Compare(appendKeyInt64(nil, a), appendKeyInt64(nil, b)) < 0) {
			t.Fatalf("keys of %d and %d", a, b)
		}
		want := memberwatch.LedgerKey{
			Day: rapid.Int32().Draw(t, "day"), Class: memberwatch.DataClass(anyText(t)), App: memberwatch.AppID(anyText(t)), After: rapid.Bool().Draw(t, "after"),
		}
		key, err := appendLedgerKey(nil, &want)
		if err != nil {
			t.Fatal(err)
		}
		var v LedgerView
		if err := v.parseKey(key); err != nil {
			t.Fatal(err)
		}
		got := memberwatch.LedgerKey{Day: v.Day, Class: memberwatch.DataClass(v.Class), App: memberwatch.AppID(v.App), After: v.After}
		if got != want {
			t.Fatalf("key %x reads as %+v, want %+v", key, got, want)
		}
	})
}

func sealSpan(s *spanSum) []byte {
	e := newEncoder(s.bytes())
	s.encode(e)
	return e.b
}

// sealRow is the record of a ledger row, of version 1 without parts.
func sealRow(r *memberwatch.LedgerRow, parts []part) []byte {
	e := newEncoder(rowBytes + len(r.Members) + len(r.Groups))
	e.row(r)
	if parts != nil {
		e.b[0] = ledgerVersion
		e.parts(parts)
	}
	return e.seal()
}
