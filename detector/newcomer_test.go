package detector

import (
	"math"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
)

// TestFirstDaysSayWhoIsKnown: a finding about an app without a past names as peers
// only apps that there are.
func TestFirstDaysSayWhoIsKnown(t *testing.T) {
	for name, test := range map[string]struct {
		others         int // that miss anything
		caveat, factor string
	}{
		"nobody else": {0, "no past yet, and of 25 new apps of the day 0 others made any: compared with what is usual elsewhere", "400 missed look-ups in a day, usual of new apps is 0–28"},
		"a few":       {3, "no past yet, and of 25 new apps of the day 3 others made any: compared with what is usual elsewhere", "400 missed look-ups in a day, usual of new apps is 0–23"},
		"enough":      {24, "no past yet: compared with 24 other new apps of the day", "400 missed look-ups in a day, others 0.1–7"},
	} {
		t.Run(name, func(t *testing.T) {
			p := pending{Window: memberwatch.WindowAt(memberwatch.Day, time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC).UnixNano())}
			p.values.v[Misses] = 400
			j := Judgement{Window: p.Window}
			j.first[Reach].n = 25
			j.first[Misses].see(math.Log1p(400))
			for range test.others {
				j.first[Misses].see(math.Log1p(2))
			}
			e := New(DefaultConfig())
			e.judgeFirst(NewState("a", ""), &p, &j)
			list := e.TakeUpdates()
			if len(list) != 1 || list[0].Finding.Caveats[0] != test.caveat || list[0].Finding.Factors[0].Text != test.factor {
				t.Errorf("raised %+v, want one that says %q, %q", list, test.caveat, test.factor)
			}
		})
	}
}

// TestWatchedForAWeek: an app counts as new once the platform has been watched for a
// week before it, and a late event from long ago does not count as watching.
func TestWatchedForAWeek(t *testing.T) {
	for name, test := range map[string]struct {
		day   int64 // of the app's first call
		stray bool
		want  bool
	}{
		"on the second day":                 {1, false, false},
		"on the second day, one comes late": {1, true, false},
		"after a week":                      {8, false, true},
		"after a week, one comes late":      {8, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			r, start := newReplay(t, DefaultConfig()), time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC).UnixNano()
			r.observe(&memberwatch.Event{App: "old", Time: start, Records: 1})
			if test.stray {
				r.observe(&memberwatch.Event{App: "stray", Time: start - 30*dayLength, Records: 1})
			}
			r.observe(&memberwatch.Event{App: "a", Time: start + test.day*dayLength, Records: 1})
			if _, young := r.engine.inFirstWeek(r.states["a"], dayOf(start+test.day*dayLength)); young != test.want {
				t.Errorf("the app counts as new: %v, want %v", young, test.want)
			}
		})
	}
}
