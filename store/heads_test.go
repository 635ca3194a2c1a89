package store_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/store"
)

// TestFilteredPagesStandStill pages through signals by filters of every field of
// the heads while signals open, change, end and move in triage between any two
// pages. What matched all along comes exactly once, what never did not at all.
func TestFilteredPagesStandStill(t *testing.T) {
	filters := map[string]func(*memberwatch.Signal) bool{
		"app":       func(s *memberwatch.Signal) bool { return s.App == "a1" },
		"developer": func(s *memberwatch.Signal) bool { return s.Developer == "d1" },
		"kind":      func(s *memberwatch.Signal) bool { return s.Kind == memberwatch.KindCanary },
		"severity":  func(s *memberwatch.Signal) bool { return s.Severity >= memberwatch.SeverityHigh },
		"opened":    func(s *memberwatch.Signal) bool { return s.Opened > 3 },
		"ended":     func(s *memberwatch.Signal) bool { return !s.Open() },
		"triage":    func(s *memberwatch.Signal) bool { return s.Triage.State == memberwatch.TriageLinked },
		"case":      func(s *memberwatch.Signal) bool { return s.Triage.Case == "c2" },
		"verdict":   func(s *memberwatch.Signal) bool { return s.Triage.Verdict == memberwatch.VerdictAbuse },
		"all":       nil,
	}
	names := slices.Sorted(maps.Keys(filters))
	s, err := store.Open(t.TempDir(), store.Options{Partitions: 1, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, s)
	next, known := uint64(0), make(map[memberwatch.SignalID]memberwatch.Signal)
	rapid.Check(t, func(t *rapid.T) {
		move := func() {
			id := memberwatch.SignalID(fmt.Sprint("s", rapid.IntRange(0, 40).Draw(t, "signal")))
			signal, old := known[id]
			if old && rapid.Bool().Draw(t, "triage") {
				signal.Triage.State = memberwatch.TriageState(rapid.IntRange(0, 2).Draw(t, "state"))
				signal.Triage.Case = memberwatch.CaseID(rapid.SampledFrom([]string{"", "c1", "c2"}).Draw(t, "case"))
				signal.Triage.Verdict = memberwatch.Verdict(rapid.IntRange(0, 2).Draw(t, "verdict"))
				if err := s.Platform.Review(func(r *store.Review) error { return r.PutTriage(id, &signal.Triage) }); err != nil {
					t.Fatal(err)
				}
				known[id] = signal
				return
			}
			if !old {
				signal.ID, signal.Opened = id, rapid.Int64Range(0, 9).Draw(t, "opened")
				signal.App = memberwatch.AppID(rapid.SampledFrom([]string{"", "a1", "a2"}).Draw(t, "app"))
				signal.Developer = memberwatch.DeveloperID(rapid.SampledFrom([]string{"", "d1"}).Draw(t, "developer"))
				signal.Kind = rapid.SampledFrom([]memberwatch.Kind{memberwatch.KindCanary, memberwatch.KindRestricted}).Draw(t, "kind")
			}
			signal.Revision++
			signal.Ended = rapid.Int64Range(0, 1).Draw(t, "ended")
			signal.Severity = memberwatch.Severity(rapid.IntRange(0, 4).Draw(t, "severity"))
			next++
			row := store.OutboxRow{Sequence: next, Update: memberwatch.Update{Signal: signal}}
			row.Update.Signal.Triage = memberwatch.Triage{} // the detector knows none
			if err := s.Platform.Publish(0, []store.OutboxRow{row}); err != nil {
				t.Fatal(err)
			}
			known[id] = signal
		}
		for range rapid.IntRange(0, 30).Draw(t, "before") {
			move()
		}
		name := rapid.SampledFrom(names).Draw(t, "filter")
		match := filters[name]
		passes := func(id memberwatch.SignalID) bool {
			signal, ok := known[id]
			return ok && (match == nil || match(&signal))
		}
		always, ever := make(map[memberwatch.SignalID]bool), make(map[memberwatch.SignalID]bool)
		look := func(first bool) {
			for id := range known {
				ok := passes(id)
				always[id] = ok && (first || always[id])
				ever[id] = ok || ever[id]
			}
		}
		look(true)
		limit, cursor := rapid.IntRange(1, 9).Draw(t, "limit"), ""
		found := make(map[memberwatch.SignalID]int)
		for {
			page, following, err := s.Platform.Signals(memberwatch.Order{}, cursor, limit, match)
			if err != nil {
				t.Fatal(err)
			}
			for i := range page {
				if got := &page[i]; !passes(got.ID) || got.Revision != known[got.ID].Revision {
					t.Fatalf("%s: %+v came, known is %+v", name, *got, known[got.ID])
				}
				found[page[i].ID]++
			}
			if cursor = following; cursor == "" {
				break
			}
			for range rapid.IntRange(0, 3).Draw(t, "between") {
				move()
				look(false)
			}
		}
		for id := range known {
			if n := found[id]; n > 1 || n == 0 && always[id] || n > 0 && !ever[id] {
				t.Fatalf("%s: %s came %d times, matched always: %v, ever: %v", name, id, n, always[id], ever[id])
			}
		}
	})
}
