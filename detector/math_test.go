package detector

import (
	"math"
	"math/rand/v2"
	"testing"

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

// TestSilentWindows: the p-value of having anything is at most the part of the windows that
// had, and the first of a fleet is one of all windows so far.
func TestSilentWindows(t *testing.T) {
	for _, c := range []struct {
		name           string
		silent, speaks int
		want           float64
	}{
		{"no windows yet", 0, 0, 1},
		{"the first", 9_999, 0, 1e-4},
		{"one in ten", 900, 100, 101.0 / 1001},
	} {
		t.Run(c.name, func(t *testing.T) {
			tally := newTally(memberwatch.Window{Scale: memberwatch.Day, Start: dayLength})
			for range c.silent {
				tally.addSilent(dayBurst, Unattended, 0)
			}
			for range c.speaks {
				tally.add(&comparison{stream: dayBurst, feature: Unattended})
			}
			f := NewFleet(DefaultConfig())
			f.Judge(tally)
			cal := f.EndDay(1)
			id := cellID(bySurprise, dayBurst, Unattended, 0)
			near(t, "p of having any", cal.p(id, 0)/c.want, 1, 1e-6)
			if p, q := cal.p(id, 3), cal.p(id, 0); !(p < q) {
				t.Errorf("p of much is %g, of any %g", p, q)
			}
		})
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
