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
