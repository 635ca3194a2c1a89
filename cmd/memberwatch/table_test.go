package main

import (
	"strings"
	"testing"
	"time"

	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

func TestTable(t *testing.T) {
	tb := table{columns: []column{left("APP"), right("MEMBERS"), left("KIND")}}
	tb.add("café", number(1234567), "burst")
	tb.addNoted("read far more members than it ever did and more than its peers do on a day like this one, three times over",
		"crm", number(-12), "")
	var got strings.Builder
	if err := tb.writeTo(&got); err != nil {
		t.Fatal(err)
	}
	want := `
APP     MEMBERS  KIND
café  1,234,567  burst
crm         -12
    read far more members than it ever did and more than its peers do on a day like this one, three
    times over
`[1:]
	if got.String() != want {
		t.Errorf("got\n%swant\n%s", got.String(), want)
	}
}

func TestNumbers(t *testing.T) {
	for got, want := range map[string]string{
		number(0): "0", number(999): "999", number(1000): "1,000", number(int64(-1234567)): "-1,234,567",
		decimal(0.25): "0.3", decimal(9.96): "10", decimal(0.04): "0", decimal(3): "3", decimal(12345.6): "12,346",
		estimate(&pb.Estimate{Value: 7, Low: 7, High: 7}): "7", estimate(&pb.Estimate{Value: 1000, Low: 950, High: 1050}): "1,000 (950-1,050)",
		byteSize(1 << 20): "1.0 MiB", chance(0): "never: a rule", chance(3650): "once in 10 years", plural(1, "event"): "1 event",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestProgressLine(t *testing.T) {
	got := progressLine(250, 1000, 50_000, "events", 10*time.Second)
	if want := "███████░░░░░░░░░░░░░░░░░░░░░░░  25 %  50,000 events, 5,000/s, 30s left"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := progressLine(9, 0, 10, "events", time.Second), "10 events, 10/s"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestParseMoment(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"now": "2026-03-01T12:00:00Z", "60d": "2025-12-31T12:00:00Z", "36h": "2026-02-28T00:00:00Z",
		"2026-01-31": "2026-01-31T00:00:00Z", "2026-01-31T01:00:00+02:00": "2026-01-30T23:00:00Z",
	} {
		got, err := parseMoment(text, now)
		if err != nil || got.UTC().Format(time.RFC3339) != want {
			t.Errorf("%s: got %v, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "yesterday", "-3h", "5dd", "2026-13-01", "99999d"} {
		if got, err := parseMoment(text, now); err == nil {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}
