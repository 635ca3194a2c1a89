package series

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// TestPredictionAgrees: tail, quantile and surprise speak of one distribution.
func TestPredictionAgrees(t *testing.T) {
	var s Series
	rng := rand.New(rand.NewPCG(3, 3))
	for day := range 60 {
		s.Learn(&days, day%7, 100+20*rng.NormFloat64(), 1, nil)
	}
	p := s.Expect(&days, 3, 1)
	for _, q := range []float64{0.9, 0.5, 0.1, 1e-3, 1e-6} {
		near(t, "tail(quantile)", p.tail(p.Quantile(q))/q, 1, 1e-4)
	}
	mid, low, high := p.Expected()
	if mid < 80 || mid > 120 || low < 20 || low > mid || high < mid || high > 250 {
		t.Errorf("expected %.0f in %.0f-%.0f after a level of 100", mid, low, high)
	}
	if a, b := p.Surprise(120, false), p.Surprise(240, false); a >= b {
		t.Errorf("surprise does not rise: %v, %v", a, b)
	}
}

// TestQuantileIsTheFirstAnswer: whatever the mixture, the quantile is the answer that
// halving the bounds 26 times finds.
func TestQuantileIsTheFirstAnswer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, sum := Prediction{OK: true}, 0.0
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
		if got := p.Quantile(q); got != hi {
			t.Fatalf("quantile(%g) of %+v is %v, want %v", q, p, got, hi)
		}
	})
}
