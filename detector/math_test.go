package detector

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/memberwatch/memberwatch"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance*math.Max(1, math.Abs(want)) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

// TestWeightsSplitTheBudget: the union bound holds without actors, and with them
// except for what overlaps.
func TestWeightsSplitTheBudget(t *testing.T) {
	cfg := DefaultConfig()
	for _, actors := range []bool{true, false} {
		sum := cfg.FirstSeen
		for f := range Features {
			for stream := range streams {
				w := cfg.streamWeight(f, stream, actors)
				if f.overlaps(stream) {
					w /= cfg.Overlap
				}
				sum += w
			}
		}
		near(t, "sum of weights", sum, 1, 1e-12)
	}
}

// TestCalibrationKeepsItsWord draws surprises from a known law and wants the
// p-values back, inside the ranks and beyond them.
func TestCalibrationKeepsItsWord(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	id := cellID(bySurprise, dayBurst, Reach, 3)
	fleet := NewFleet(DefaultConfig())
	for day := range int32(40) {
		tally := newTally(memberwatch.Window{Scale: memberwatch.Day, Start: int64(day+1) * dayLength})
		for range 3000 {
			tally.add(&comparison{stream: dayBurst, feature: Reach, stratum: 3, reach: [measures]float64{rng.ExpFloat64() * 0.5}, p: 1}) // P(S > s) = exp(-2 s)
		}
		fleet.Judge(tally)
		fleet.EndDay(day + 1)
	}
	c := fleet.Calibration()
	for _, p := range []float64{0.1, 1e-2, 1e-3, 1e-4, 1e-5} {
		s := -math.Log(p) / 2
		cautious := 1.7 // beyond the ranks the tail is heavier than this law's, on purpose
		if p < 1e-3 {
			cautious = 6
		}
		if got := c.p(id, s) / p; got < 0.6 || got > cautious {
			t.Errorf("p at %g: %.2f times its word", p, got)
		}
		if got := c.reachAt(id, p) / s; got < 0.93 || got > 1.3 {
			t.Errorf("reachAt(%g) = %.3f of the true one", p, got)
		}
	}
}

// TestPValuesFall: over every cell p falls with the surprise and stays in (0, 1].
func TestPValuesFall(t *testing.T) {
	var c Calibration
	for id := range cellCount {
		before := 1.0
		for s := 0.0; s < 35; s += 0.01 {
			p := c.p(id, s)
			if p <= 0 || p > 1 || p > before+1e-12 {
				t.Fatalf("cell %d surprise %.2f: p %v after %v", id, s, p, before)
			}
			before = p
		}
	}
}

// TestFleetFactor follows the formula: 100 ready apps, 40 of them below 5 %.
func TestFleetFactor(t *testing.T) {
	tally := newTally(memberwatch.Window{Scale: memberwatch.Day, Start: dayLength})
	for i := range 100 {
		p := 0.5
		if i < 40 {
			p = 0.04
		}
		tally.add(&comparison{stream: dayBurst, feature: Reach, reach: [measures]float64{1, 0.72}, p: p})
	}
	j := NewFleet(DefaultConfig()).Judge(tally)
	near(t, "factor", j.Factor[Reach], 40/(5+3*math.Sqrt(5)+1), 1e-12)
	near(t, "shift", j.Shift[Reach], 0.75, 1e-9)
	near(t, "factor of another feature", j.Factor[Misses], 1, 0)
	if j.Ready != 100 {
		t.Errorf("ready %d, want 100", j.Ready)
	}
	small := newTally(tally.Window)
	for range 20 {
		small.add(&comparison{stream: dayBurst, feature: Reach, reach: [measures]float64{1}, p: 0.001})
	}
	near(t, "factor of a fleet of 20", NewFleet(DefaultConfig()).Judge(small).Factor[Reach], 1, 0)
}

// TestSlowEvidence: a run of slightly small p-values multiplies up, quiet resets.
func TestSlowEvidence(t *testing.T) {
	var x evidence
	for range 30 {
		x.update(0.05, 1400)
	}
	if x.m < 100 {
		t.Errorf("30 windows at p = 0.05 give M = %.1f, want strong evidence", x.m)
	}
	for range quietReset {
		x.update(0.9, 1400)
	}
	if x.m != 0 {
		t.Errorf("after %d quiet windows M = %v, want a new start", quietReset, x.m)
	}
	for range 300 {
		x.update(1e-12, 1400)
	}
	near(t, "capped M", x.m, slowCap*1400, 1e-12)
}

// TestPredictionAgrees: tail, quantile and surprise speak of one distribution.
func TestPredictionAgrees(t *testing.T) {
	var s series
	rng := rand.New(rand.NewPCG(3, 3))
	for day := range 60 {
		s.learn(&shapes[dayBurst], day%7, 100+20*rng.NormFloat64(), 1, nil)
	}
	p := s.predict(&shapes[dayBurst], 3, 1)
	for _, q := range []float64{0.9, 0.5, 0.1, 1e-3, 1e-6} {
		near(t, "tail(quantile)", p.tail(p.quantile(q))/q, 1, 1e-4)
	}
	mid, low, high := p.expected()
	if mid < 80 || mid > 120 || low < 20 || low > mid || high < mid || high > 250 {
		t.Errorf("expected %.0f in %.0f-%.0f after a level of 100", mid, low, high)
	}
	if a, b := p.surprise(120, false), p.surprise(240, false); a >= b {
		t.Errorf("surprise does not rise: %v, %v", a, b)
	}
}

// TestQuantileIsTheFirstAnswer: whatever the mixture, the quantile is the answer that
// halving the bounds 26 times finds.
func TestQuantileIsTheFirstAnswer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, sum := prediction{ok: true}, 0.0
		for i := range experts {
			p.mean[i] = rapid.Float64Range(0, 25).Draw(t, "mean")
			p.sd[i] = math.Exp(rapid.Float64Range(-7, 2).Draw(t, "ln sd"))
			p.w[i] = rapid.SampledFrom([]float64{0, 1e-12, 1e-3, 1}).Draw(t, "weight")
			sum += p.w[i]
		}
		if sum == 0 {
			t.Skip("nobody speaks")
		}
		for i := range experts {
			p.w[i] /= sum
		}
		q := math.Pow(10, -rapid.Float64Range(0.01, 12).Draw(t, "decades"))
		lo, hi := -1.0, 40.0
		for range 26 {
			if mid := (lo + hi) / 2; p.tail(mid) > q {
				lo = mid
			} else {
				hi = mid
			}
		}
		if got := p.quantile(q); got != hi {
			t.Fatalf("quantile(%g) of %+v is %v, want %v", q, p, got, hi)
		}
	})
}

// TestZeroSeriesGrows: a feature that was always zero costs no body, and learns
// like one that had it from the start.
func TestZeroSeriesGrows(t *testing.T) {
	for stream := range streams {
		var lazy, full series
		full.grow(&shapes[stream])
		for day := range 20 {
			lazy.learn(&shapes[stream], day%7, 0, 1, nil)
			full.learn(&shapes[stream], day%7, 0, 1, nil)
		}
		if lazy.body != nil {
			t.Fatal("a zero series has a body")
		}
		if lazy.n != full.n {
			t.Errorf("stream %d: learnt %d and %d windows", stream, lazy.n, full.n)
		}
		lazy.learn(&shapes[stream], 6, 30, 1, nil)
		if lazy.body == nil {
			t.Fatal("a moved series has no body")
		}
	}
}
