package tails

import (
	"fmt"
	"math"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// near fails unless a value is within so much of another, relative to it beyond 1.
func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance*math.Max(1, math.Abs(want)) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

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
		relative(fmt.Sprintf("Poisson(%d, %g)", x.n, x.mean), Poisson(x.n, x.mean), x.want)
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
		relative(fmt.Sprintf("NegativeBinomial(%g, %g, %g)", x.n, x.size, x.mean), NegativeBinomial(x.n, x.size, x.mean), x.want)
	}
	// Abramowitz and Stegun, tables 26.1 and 26.2, and log Q(z) for large z.
	for z, want := range map[float64]float64{
		0: 0.5, 1: 0.15865525393145705, 5: 2.866515718791939e-07, 10: 7.619853024160526e-24, 20: 2.753624118606234e-89, 37: 5.725571222524e-300,
	} {
		relative(fmt.Sprintf("Normal(%g)", z), Normal(z), want)
		if z > 0 && z < 8 {
			relative(fmt.Sprintf("NormalQuantile of that at %g", z), -NormalQuantile(want), z)
		}
	}
	// With 4 degrees of freedom the tail has a closed form.
	for _, z := range []float64{0.1, 2.776445105197793, 30, 1e4, 1e8} {
		u := z / math.Hypot(2, z)
		v := 4 / (math.Hypot(2, z) * (math.Hypot(2, z) + z)) // 1 - u without loss
		tail, _ := Student(z)
		relative(fmt.Sprintf("tail at %g", z), tail, v*v*(2+u)/4)
	}
}

// TestAgainstOracle holds the laws against an independent implementation, over the
// range in which they are used.
func TestAgainstOracle(t *testing.T) {
	normal := distuv.UnitNormal
	law := distuv.StudentsT{Sigma: 1, Nu: 4}
	for z := -8.0; z <= 30; z += 0.37 {
		tail, density := Student(z)
		near(t, fmt.Sprintf("tail at %g", z), tail/law.Survival(z), 1, 1e-9)
		near(t, fmt.Sprintf("density at %g", z), density/law.Prob(z), 1, 1e-9)
		if z > -10 && z < 10 {
			near(t, "quantile of the tail", StudentQuantile(tail), z, 1e-9)
		}
		if z < 4 { // beyond, the oracle subtracts from 1
			near(t, fmt.Sprintf("Normal(%g)", z), Normal(z)/normal.Survival(z), 1, 1e-12)
		}
	}
	for p := 1e-12; p < 1; p *= 1.9 {
		near(t, fmt.Sprintf("NormalQuantile(%g)", p), NormalQuantile(p), normal.Quantile(p), 1e-6)
	}
	for _, xi := range []float64{-0.4, 0, 0.1, 0.2, 1} {
		for y := 0.0; y < 2.4; y += 0.1 { // the generalised Pareto law by its density
			near(t, fmt.Sprintf("Pareto(%g, %g)", y, xi), 1-integral(func(x float64) float64 {
				if xi == 0 {
					return math.Exp(-x)
				}
				return math.Pow(1+xi*x, -1/xi-1)
			}, y), Pareto(y, xi), 1e-6)
		}
	}
}

// integral integrates from 0 by Simpson's rule.
func integral(f func(float64) float64, to float64) float64 {
	const n = 2000
	sum, h := f(0)+f(to), to/n
	for i := 1; i < n; i++ {
		sum += f(float64(i)*h) * float64(2+2*(i%2))
	}
	return sum * h / 3
}

// TestStudentTail compares with R's pt(z, 4, lower.tail = FALSE).
func TestStudentTail(t *testing.T) {
	for z, want := range map[float64]float64{
		0: 0.5, 1: 0.1869504831500295, 2.776445105197793: 0.025, -1: 0.8130495168499705,
		10: 2.811078e-04, 50: 4.7847e-07,
	} {
		tail, _ := Student(z)
		near(t, "tail", tail/want, 1, 1e-3)
	}
}

// TestNormal compares with the usual table of the normal distribution.
func TestNormal(t *testing.T) {
	near(t, "NormalQuantile(0.975)", NormalQuantile(0.975), 1.959963984540054, 1e-9)
	near(t, "NormalQuantile(1e-6)", NormalQuantile(1e-6), -4.753424308822899, 1e-9)
	near(t, "Normal(3)", Normal(3), 0.0013498980316300933, 1e-9)
	if v := NormalQuantile(1); math.IsInf(v, 0) || math.IsNaN(v) {
		t.Errorf("NormalQuantile(1) = %v, want a number", v)
	}
}

// TestParetoTail: exponential at xi = 0, bounded below it, power law above.
func TestParetoTail(t *testing.T) {
	near(t, "xi 0", Pareto(2, 0), math.Exp(-2), 1e-12)
	near(t, "xi 0.5", Pareto(2, 0.5), 0.25, 1e-12)
	if v := Pareto(20, -0.1); v <= 0 || v > 1e-200 {
		t.Errorf("beyond the end of a bounded tail: %v, want the smallest positive", v)
	}
}
