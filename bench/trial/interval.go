package trial

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"
)

// Jeffreys returns the 95 % interval of a share of which k in n were seen: the
// central part of a Beta(k+1/2, n-k+1/2), reaching to 0 and 1 where nothing or
// everything was seen. Its coverage stays close to nominal for small n.
// Source: Brown, Cai and DasGupta, "Interval estimation for a binomial
// proportion", 2001. It lies when the cases are not alike and independent.
func Jeffreys(k, n int) (low, high float64) {
	if n == 0 {
		return 0, 1
	}
	a, b := float64(k)+0.5, float64(n-k)+0.5
	low, high = 0, 1
	if k > 0 {
		low = mathext.InvRegIncBeta(a, b, 0.025)
	}
	if k < n {
		high = mathext.InvRegIncBeta(a, b, 0.975)
	}
	return low, high
}

// Counted returns the 95 % interval of the mean behind a count: the central part
// of a Gamma(k+1/2), after the same authors.
func Counted(k int) (low, high float64) {
	g := distuv.Gamma{Alpha: float64(k) + 0.5, Beta: 1}
	if k > 0 {
		low = g.Quantile(0.025)
	}
	return low, g.Quantile(0.975)
}

// quantile returns the least value that a share q of all does not exceed; 0 of
// nothing.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(int(math.Ceil(float64(len(sorted))*q))-1, 0)]
}
