package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/client"
)

func testHasher(t testing.TB) *client.Hasher {
	t.Helper()
	h, err := client.NewHasher([]byte(demoKey))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestRow reads one row by mappings that differ in one field each.
func TestRow(t *testing.T) {
	h := testHasher(t)
	header := []string{"app", "time", "a", "b", "status"}
	for _, tt := range []struct {
		name  string
		row   string // a, b and status
		alter func(*mapping)
		check func(memberwatch.Event) bool
		fails string
	}{
		{"template", "x|y|", func(m *mapping) { m.Endpoint = "{a}/v1-{b}" }, func(e memberwatch.Event) bool { return e.Endpoint == "x/v1-y" }, ""},
		{"fixed text", "||", func(m *mapping) { m.Group = "=all" }, func(e memberwatch.Event) bool { return e.Group == "all" }, ""},
		{"split members", "u;v;;u|", func(m *mapping) { m.Members = listMapping{Value: "a", Split: ";"} }, func(e memberwatch.Event) bool {
			return slices.Equal(e.Disclosed, []uint64{h.Hash("u"), h.Hash("v"), h.Hash("u")})
		}, ""},
		{"hashed members", "0x1f|7|", func(m *mapping) {
			m.Members, m.Actor = listMapping{Value: "a", Hashed: true}, listMapping{Value: "b", Hashed: true}
		}, func(e memberwatch.Event) bool { return slices.Equal(e.Disclosed, []uint64{31}) && e.Actor == 7 }, ""},
		{"members said to be hashed", "ann||", func(m *mapping) { m.Members = listMapping{Value: "a", Hashed: true} }, nil, `members: "ann" is no 64-bit hash`},
		{"not found", "u||404", func(m *mapping) { m.Members.Value, m.Outcome.Value = "a", "status" }, func(e memberwatch.Event) bool {
			return e.Outcome == memberwatch.OutcomeNotFound && e.Disclosed == nil && e.Missed == 1 && slices.Equal(e.Requested, []uint64{h.Hash("u")})
		}, ""},
		{"denied", "u|3|403", func(m *mapping) { m.Members.Value, m.Records, m.Outcome.Value = "a", "b", "status" }, func(e memberwatch.Event) bool {
			return e.Outcome == memberwatch.OutcomeDenied && e.RecordCount() == 0 && e.Missed == 0
		}, ""},
		{"throttled", "||429", func(m *mapping) { m.Outcome.Value = "status" }, func(e memberwatch.Event) bool { return e.Outcome == memberwatch.OutcomeThrottled }, ""},
		{"not modified is OK", "||304", func(m *mapping) { m.Outcome.Value = "status" }, func(e memberwatch.Event) bool { return e.Outcome == memberwatch.OutcomeOK }, ""},
		{"own class of statuses", "||503", func(m *mapping) {
			m.Outcome = outcomeMapping{Value: "status", Map: map[string]string{"5xx": "throttled"}}
		}, func(e memberwatch.Event) bool { return e.Outcome == memberwatch.OutcomeThrottled }, ""},
		{"unknown outcome", "||perhaps", func(m *mapping) { m.Outcome.Value = "status" }, nil, `"perhaps" is no outcome`},
		{"too many misses", "5000000000||", func(m *mapping) { m.Missed = "a" }, nil, `missed "5000000000" is no whole number`},
		{"milliseconds", "1767484800123||", func(m *mapping) { m.Time = timeMapping{Value: "a", Layout: "unix_ms"} }, func(e memberwatch.Event) bool {
			return e.Time == 1767484800123e6
		}, ""},
		{"seconds beyond nanoseconds", "99999999999||", func(m *mapping) { m.Time = timeMapping{Value: "a", Layout: "unix"} }, nil, "is no unix time"},
		{"zone in summer", "2026-07-01 12:00||", func(m *mapping) {
			m.Time = timeMapping{Value: "a", Layout: "2006-01-02 15:04", Zone: "Europe/Paris"}
		}, func(e memberwatch.Event) bool {
			return e.Time == time.Date(2026, 7, 1, 10, 0, 0, 0, time.UTC).UnixNano()
		}, ""},
		{"not UTF-8", "\xff||", func(*mapping) {}, nil, "not UTF-8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := mapping{App: "app", Time: timeMapping{Value: "time"}}
			tt.alter(&m)
			rows, err := newRowReader(m, header, h)
			if err != nil {
				t.Fatal(err)
			}
			row := append([]string{"crm", "2026-01-04T00:00:00Z"}, strings.Split(tt.row, "|")...)
			for len(row) < len(header) {
				row = append(row, "")
			}
			ev, err := rows.event(row)
			switch {
			case tt.fails == "" && err != nil:
				t.Error(err)
			case tt.fails != "" && (err == nil || !strings.Contains(err.Error(), tt.fails)):
				t.Errorf("error %v, want %s", err, tt.fails)
			case tt.fails == "" && !tt.check(ev):
				t.Errorf("event %+v", ev)
			}
		})
	}
}

// FuzzSource reads anything as a file: it must end, name a line for each bad
// one, and yield only events the service would take.
func FuzzSource(f *testing.F) {
	f.Add([]byte("app,time,members\ncrm,2026-01-04T00:00:00Z,ann\ncrm,\"x\"y\n"))
	f.Add([]byte("{\"app\":\"crm\",\"timeUnixNano\":\"1767484800000000000\"}\n{}\n\nx"))
	f.Add([]byte("\xef\xbb\xbfapp,time\n"))
	f.Add([]byte{0x1f, 0x8b})
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, err := z.Write([]byte("app,time\ncrm,2026-01-04T00:00:00Z\n"))
	if err = errors.Join(err, z.Close()); err != nil {
		f.Fatal(err)
	}
	f.Add(zipped.Bytes())
	f.Add(zipped.Bytes()[:zipped.Len()-9]) // cut off
	hasher := testHasher(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := openSource("-", bytes.NewReader(b), sourceOptions{hasher: hasher, consumed: new(atomic.Int64)})
		if err != nil {
			return
		}
		for line := 0; ; {
			ev, err := s.next()
			bad, isBad := errors.AsType[*badLine](err)
			switch {
			case errors.Is(err, io.EOF):
				return
			case isBad && bad.line <= line:
				t.Fatalf("line %d comes after line %d", bad.line, line)
			case isBad:
				line = bad.line
			case err != nil:
				return
			case ev.Validate(time.Now().UnixNano()) != nil:
				t.Fatalf("event %+v would be rejected", ev)
			}
		}
	})
}

// TestLongLine puts a line beyond the bound between two events.
func TestLongLine(t *testing.T) {
	good := `{"app":"crm","timeUnixNano":"1767484800000000000"}` + "\n"
	text := good + `{"app":"` + strings.Repeat("x", maxLine) + "\"}\n" + good
	s, err := openSource("-", strings.NewReader(text), sourceOptions{consumed: new(atomic.Int64)})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for {
		_, err := s.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			got = append(got, err.Error())
		} else {
			got = append(got, "event")
		}
	}
	want := []string{"event", "stdin:2: line has 8388619 bytes, the limit is 8388608", "event"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
