package detector

import (
	"errors"
	"slices"
	"testing"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/codec"
)

// harvest plays a fleet with one burst and returns the findings with records.
func harvest(t *testing.T) []memberwatch.Finding {
	r := platform(t)
	events := traffic(11, 6, 6000, 26*dayLength)
	burst := events[len(events)-1]
	for i := range events {
		r.observe(&events[i])
	}
	for m := range uint64(30_000) {
		burst.Disclosed = append(burst.Disclosed, 1<<40+m)
	}
	burst.App = "f"
	r.observe(&burst)
	r.advance(burst.Time + 2*dayLength)
	var found []memberwatch.Finding
	for _, u := range r.updates {
		if u.Finding != nil {
			found = append(found, *u.Finding)
		}
	}
	if len(found) < 10 {
		t.Fatalf("%d findings: the test shows nothing", len(found))
	}
	return found
}

// TestRecordsTellWhoMadeThem: what is not ours, or no longer whole, is not made
// again, and says why.
func TestRecordsTellWhoMadeThem(t *testing.T) {
	f := harvest(t)[0]
	other := f
	at := slices.Index(other.Record, Model[0]) // the first byte of the name
	other.Record = slices.Clone(f.Record)
	other.Record[at+len(Model)-1]++
	for _, c := range []struct {
		name   string
		record []byte
		want   error
	}{
		{"none", nil, ErrNoRecord},
		{"other model", reseal(other.Record), ErrOtherModel},
		{"flipped bit", slices.Concat(f.Record[:20], []byte{f.Record[20] ^ 1}, f.Record[21:]), codec.ErrCorrupt},
		{"cut short", f.Record[:len(f.Record)/2], codec.ErrCorrupt},
		{"too long", reseal(append(slices.Clone(f.Record), 0, 0)), codec.ErrCorrupt},
	} {
		x := f
		x.Record = c.record
		if _, err := Recompute(&x); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// TestRecordsAreSmall: a record of a window holds its cells of the calibration,
// and a hundred of them are kept for a signal.
func TestRecordsAreSmall(t *testing.T) {
	for _, f := range harvest(t) {
		if len(f.Record) > 4<<10 {
			t.Errorf("%s: record of %d bytes", f.Kind, len(f.Record))
		}
	}
}

// FuzzRecompute: whatever the bytes are, they give a finding within bounds or an
// error.
func FuzzRecompute(f *testing.F) {
	r := platform(f)
	events := traffic(8, 2, 3000, 20*dayLength)
	for i := range events {
		r.observe(&events[i])
	}
	for _, u := range r.updates {
		if u.Finding != nil {
			f.Add(u.Finding.Record)
		}
	}
	f.Fuzz(func(t *testing.T, record []byte) {
		made, err := Recompute(&memberwatch.Finding{Record: reseal(record)})
		if err != nil {
			return
		}
		for _, x := range made.Factors {
			if !(x.Share >= -1e-9 && x.Share <= 1+1e-9) {
				t.Errorf("%s: share %v", x.Feature, x.Share)
			}
		}
	})
}
