package detector

import (
	"slices"
	"testing"

	"github.com/memberwatch/memberwatch"
)

// TestClues come to as many signals as the same findings make in the engine, of the same
// kinds and at the same times.
func TestClues(t *testing.T) {
	const start = 1_767_571_200e9
	at := func(scale memberwatch.Scale, hours int64) memberwatch.Window {
		return memberwatch.WindowAt(scale, start+hours*3600e9)
	}
	day, hour := memberwatch.Day, memberwatch.Hour
	type clue struct {
		scale   memberwatch.Scale
		hours   int64
		feature Feature
	}
	for _, c := range []struct {
		name  string
		clues []clue
		want  int
	}{
		{"none", nil, 0},
		{"a harvest seen in five ways", []clue{{day, 0, ReachPerActor}, {day, 0, NoveltyPerActor}, {day, 0, Reach}, {day, 0, Breadth}, {day, 0, Unattended}}, 1},
		{"a harvest and guesses", []clue{{day, 0, Reach}, {day, 0, Misses}}, 2},
		{"an hour, and one two days later", []clue{{hour, 1, Reach}, {hour, 50, Reach}}, 2},
		{"an hour, its day, and one two days later", []clue{{hour, 1, Reach}, {day, 0, Breadth}, {hour, 60, Reach}}, 1},
		{"days a week apart", []clue{{day, 0, Reach}, {day, 7 * 24, Reach}, {day, 15 * 24, Reach}}, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := DefaultConfig()
			e, s := New(cfg), NewState("a", "d")
			var clues []memberwatch.Clue
			for _, x := range c.clues {
				stream := burstOf(x.scale)
				w := at(x.scale, x.hours)
				clues = append(clues, memberwatch.Clue{App: "a", Developer: "d", Window: w, Kind: x.feature.kind(stream), Feature: x.feature.String(), Period: 1e8, Share: 0.05})
				e.raise(s, "", memberwatch.Finding{Kind: x.feature.kind(stream), Window: w, Time: w.End() - 1, Stream: memberwatch.StreamBurst, ReturnPeriod: 1e8})
			}
			var engine []memberwatch.TrialSignal
			for _, u := range e.TakeUpdates() {
				if u.Signal.Revision == 1 {
					engine = append(engine, memberwatch.TrialSignal{App: "a", Developer: "d", Kind: u.Signal.Kind, Opened: u.Signal.Opened})
				}
			}
			got := cfg.Decide(clues)
			for i := range got {
				got[i].Last = 0
			}
			if !slices.Equal(got, engine) || len(got) != c.want {
				t.Errorf("clues come to %v, the engine has %v, want %d", got, engine, c.want)
			}
		})
	}
}
