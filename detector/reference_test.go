package detector

import (
	"fmt"
	"math"
	"testing"
)

// TestReferenceTables holds the tails against values that were not made by floating
// point libraries of this kind: sums of the laws' own terms with 60 decimal digits,
// and, for the normal and Student laws, tables in print; far out, where a library may
// lose all its digits, too.
func TestReferenceTables(t *testing.T) {
	relative := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got/want-1) > 1e-9 {
			t.Errorf("%s = %.12e, want %.12e", what, got, want)
		}
	}
	for _, x := range []struct {
		n          int
		mean, want float64
	}{
		{1, 0.1, 9.516258196404043e-02},
		{3, 1e-6, 1.666665416667167e-19},
		{5, 1, 3.659846827343712e-03},
		{10, 3, 1.102488130115480e-03},
		{30, 10, 2.509951201527908e-07},
		{200, 120, 1.637784144906892e-11},
		{50, 0.5, 1.788776510435136e-80},
		{2, 1000, 1},
		{0, 3, 1},
	} {
		relative(fmt.Sprintf("poissonTail(%d, %g)", x.n, x.mean), poissonTail(x.n, x.mean), x.want)
	}
	for _, x := range []struct{ n, size, mean, want float64 }{
		{1, 0.5, 0.01, 9.852457023325691e-03},
		{5, 0.5, 0.01, 7.191648449195742e-10},
		{10, 0.5, 1, 4.899976849549482e-03},
		{30, 2.5, 5, 1.450320993357487e-04},
		{40, 20, 29, 1.115223936479852e-01},
		{190, 20, 29, 1.053277921590916e-24},
		{400, 3.5, 2, 5.835063848713727e-171},
	} {
		relative(fmt.Sprintf("negativeBinomialTail(%g, %g, %g)", x.n, x.size, x.mean), negativeBinomialTail(x.n, x.size, x.mean), x.want)
	}
	// Abramowitz and Stegun, tables 26.1 and 26.2, and log Q(z) for large z.
	for z, want := range map[float64]float64{
		0: 0.5, 1: 0.15865525393145705, 5: 2.866515718791939e-07, 10: 7.619853024160526e-24, 20: 2.753624118606234e-89, 37: 5.725571222524e-300,
	} {
		relative(fmt.Sprintf("normalTail(%g)", z), normalTail(z), want)
		if z > 0 && z < 8 {
			relative(fmt.Sprintf("normalQuantile of that at %g", z), -normalQuantile(want), z)
		}
	}
	// With 4 degrees of freedom the tail has a closed form.
	for _, z := range []float64{0.1, 2.776445105197793, 30, 1e4, 1e8} {
		u := z / math.Hypot(2, z)
		v := 4 / (math.Hypot(2, z) * (math.Hypot(2, z) + z)) // 1 - u without loss
		tail, _ := student(z)
		relative(fmt.Sprintf("tail at %g", z), tail, v*v*(2+u)/4)
	}
}

// TestSumOfLognormals: one summand is itself, and the mean and variance of many are
// those that the interval's law has.
func TestSumOfLognormals(t *testing.T) {
	var one, many volume
	one.add(stand{value: 1, mid: 3, spread: 0.7})
	mid, low, high := one.expected()
	near(t, "middle", mid, math.Exp(3), 1e-12)
	near(t, "low", low, math.Exp(3-1.96*0.7), 1e-12)
	near(t, "high", high, math.Exp(3+1.96*0.7), 1e-12)
	for range 50 {
		many.add(stand{value: 1, mid: 3, spread: 0.7})
	}
	mid, _, high = many.expected()
	square := math.Pow(math.Log(high/mid)/1.96, 2)
	mean := mid * math.Exp(square/2)
	near(t, "mean", mean, 50*math.Exp(3+0.7*0.7/2), 1e-12)
	near(t, "variance", mean*mean*math.Expm1(square), 50*math.Exp(6+0.7*0.7)*math.Expm1(0.7*0.7), 1e-9)
}
