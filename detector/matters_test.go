package detector

import (
	"math"
	"testing"

	"github.com/memberwatch/memberwatch"
	"pgregory.net/rapid"
)

// TestHoursThatDoNotMatterSayNothing: whatever an hour's comparisons, the budget and the
// fleet's word, nothing comes of an hour that need not wait for it.
func TestHoursThatDoNotMatterSayNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := DefaultConfig()
		cfg.Budget = math.Exp(rapid.Float64Range(0, 9).Draw(t, "ln budget"))
		e, s := New(cfg), NewState("a", "d")
		s.actors = rapid.Bool().Draw(t, "actors")
		w := &window{Window: memberwatch.WindowAt(memberwatch.Hour, 1_767_571_200e9)}
		p := pending{Window: w.Window}
		for _, f := range []Feature{Reach, Misses, ReachPerActor} {
			c := comparison{stream: hourBurst, feature: f}
			c.p = math.Exp(rapid.Float64Range(-20, 0).Draw(t, "ln p"))
			p.tests = append(p.tests, c)
		}
		w.fired = rapid.SampledFrom([]uint8{0, 0, 1 << Reach}).Draw(t, "fired")
		p.fired = w.fired
		matters := e.matters(s, w, p.tests)
		j := Judgement{Window: w.Window}
		factor := rapid.SampledFrom([]float64{1, 1, 3}).Draw(t, "factor")
		for f := range j.Factor {
			j.Factor[f] = factor
		}
		e.judge(s, &p, &j)
		if said := len(e.TakeUpdates()) + len(e.TakeClues()); said > 0 && !matters {
			t.Fatalf("%d signals and clues of an hour that did not matter", said)
		}
	})
}
