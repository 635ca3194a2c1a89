package detector

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/memberwatch/memberwatch/detector/tails"
)

// TestKnowledgeBoundHolds: the Chernoff bound is no less than the exact tail of the
// negative binomial law, a gamma mixture of Poisson laws, and not absurdly more.
func TestKnowledgeBoundHolds(t *testing.T) {
	for _, c := range []struct{ cold, calls, asking, before float64 }{
		{5, 100, 0, 1000}, {20, 100, 0, 1000}, {20, 400, 3, 1000}, {60, 1000, 30, 2000}, {300, 1000, 100, 1000},
	} {
		r, p := c.asking+0.5, c.calls/(c.before+c.calls)
		exact := 0.0
		for k := c.cold; k < c.cold+4000; k++ { // P(K = k) = C(k+r-1, k) (1-p)^r p^k
			a, _ := math.Lgamma(k + r)
			b, _ := math.Lgamma(r)
			d, _ := math.Lgamma(k + 1)
			exact += math.Exp(a - b - d + r*math.Log1p(-p) + k*math.Log(p))
		}
		bound := knowledgeBound(c.cold, c.calls, c.asking, c.before)
		if bound < exact || bound > 200*exact || bound > 1 {
			t.Errorf("%+v: bound %g, exact %g", c, bound, exact)
		}
	}
}

// TestBirthsAreLognormal compares the score of a new app with a lognormal law's
// tail.
func TestBirthsAreLognormal(t *testing.T) {
	law := distuv.LogNormal{Mu: 3, Sigma: 0.8}
	m := moments{n: 100}
	m.sum, m.squares = 100*3, 100*(0.8*0.8+9)
	for _, v := range []float64{10, 100, 1000} { // of v + 1: births take ln(v+1)
		near(t, "tail", tails.Normal(m.score(math.Log1p(v)))/law.Survival(v+1), 1, 1e-9)
	}
	_, low, high := m.central()
	near(t, "low", law.CDF(low+1), 0.025, 1e-3)
	near(t, "high", law.CDF(high+1), 0.975, 1e-3)
}

// TestFilterRate: a filter with n members takes a stranger for a known one as
// often as Bloom's formula says.
func TestFilterRate(t *testing.T) {
	var f memberFilter
	for m := range uint64(50_000) {
		f.add(m * 0x9e3779b97f4a7c15)
	}
	wrong := 0
	for m := range uint64(20_000) {
		if f.has((m + 1<<40) * 0xc2b2ae3d27d4eb4f) {
			wrong++
		}
	}
	want := math.Pow(1-math.Exp(-3*50_000.0/(1<<filterPlaces)), filterHashes)
	near(t, "rate", float64(wrong)/20_000, want, 0.01)
}
