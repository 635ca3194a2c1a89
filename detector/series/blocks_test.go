package series

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// TestBlocksAreGumbel: the score of an evidence is the return period of a Gumbel
// law with the moments of the maxima.
func TestBlocksAreGumbel(t *testing.T) {
	b := blocks{n: 40, mean: 2, vari: 0.3}
	mean, variance := b.moments()
	law := distuv.GumbelRight{Beta: math.Sqrt(6*variance) / math.Pi}
	law.Mu = mean - law.Beta*euler
	near(t, "mean", law.Mean(), mean, 1e-12)
	near(t, "variance", law.Variance(), variance, 1e-12)
	for _, e := range []float64{4, 5, 7} { // far out 1 - F is exp(-(e-mu)/beta)
		near(t, "score", b.score(e), -math.Log10(1-law.CDF(e)), 0.02)
	}
}
