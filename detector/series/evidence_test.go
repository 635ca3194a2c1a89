package series

import (
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// TestSlowEvidence: a run of slightly small p-values multiplies up, quiet resets.
func TestSlowEvidence(t *testing.T) {
	var x Evidence
	for range 30 {
		x.Update(0.05, 1400)
	}
	if x.m < 100 {
		t.Errorf("30 windows at p = 0.05 give M = %.1f, want strong evidence", x.m)
	}
	for range quietReset {
		x.Update(0.9, 1400)
	}
	if x.m != 0 {
		t.Errorf("after %d quiet windows M = %v, want a new start", quietReset, x.m)
	}
	for range 300 {
		x.Update(1e-12, 1400)
	}
	near(t, "capped M", x.m, evidenceCap*1400, 1e-12)
}

// TestSlowEvidenceIsALikelihoodRatio: e is the ratio of the densities of a normal
// law shifted by a half and of one that is not, so under chance its mean is 1.
func TestSlowEvidenceIsALikelihoodRatio(t *testing.T) {
	shifted := distuv.Normal{Mu: evidenceShift, Sigma: 1}
	for _, z := range []float64{-2, 0, 1, 3, 5} {
		var x Evidence
		near(t, "e", x.Update(distuv.UnitNormal.Survival(z), 1e9), shifted.Prob(z)/distuv.UnitNormal.Prob(z), 1e-6)
	}
}

// TestHowLongARiseLasts: from the first window above the ordinary, whatever came before, up
// to the last; on a first day there is no rise yet.
func TestHowLongARiseLasts(t *testing.T) {
	for _, c := range []struct {
		name string
		p    []float64
		want int
	}{
		{"nothing", nil, 0},
		{"an ordinary day", []float64{0.5}, 0},
		{"a first day", []float64{0.5, 0.5, 1e-6}, 1},
		{"three days", []float64{1e-6, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.002, 0.002, 0.002}, 3},
		{"an ordinary day between", []float64{0.9, 0.001, 0.001, 0.5, 0.001}, 4},
		{"over", []float64{0.05, 0.9, 0.9, 0.9}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var x Evidence
			for _, p := range c.p {
				x.Update(p, 1e6)
			}
			if got := x.Long(); got != c.want {
				t.Errorf("%d windows, want %d", got, c.want)
			}
		})
	}
}

// TestSpellsEnd: a spell is taken once, with its largest evidence, when seven quiet
// windows have ended it.
func TestSpellsEnd(t *testing.T) {
	var x Evidence
	for range 40 {
		x.Update(0.01, 1e6)
	}
	highest := x.m
	for i := range 2 * quietReset {
		x.Update(0.9, 1e6)
		if i < quietReset-1 && x.ended != 0 {
			t.Fatalf("ended after %d quiet windows", i+1)
		}
	}
	if got := x.TakeEnded(); x.m > 1 || got != float64(float32(highest)) {
		t.Errorf("after the end: %+v, %g was taken, its highest evidence was %g", x, got, highest)
	}
	if got := x.TakeEnded(); got != 0 {
		t.Errorf("%g is taken a second time", got)
	}
}
