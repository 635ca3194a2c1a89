package tails

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// least is the smallest probability that is answered, where the true one may be none:
// its logarithm is still a number.
const least = 1e-300

// Normal is P(Z > z) of the standard normal law.
func Normal(z float64) float64 { return math.Erfc(z/math.Sqrt2) / 2 }

// NormalQuantile is Phi^-1(p), the z below which the normal law has p, for p in [0, 1]:
// a finite number at its ends too.
func NormalQuantile(p float64) float64 {
	p = min(max(p, least), 1-1e-16)
	return -math.Sqrt2 * math.Erfcinv(2*p)
}

// Student is P(T > z) of Student's t with 4 degrees of freedom, and its density:
// (1-u)^2 (2+u)/4 and 3/16 r (1-u^2)^3 with r = sqrt(4+z^2), u = z/r; 1-|u| is written
// without cancellation.
func Student(z float64) (tail, density float64) {
	r := math.Sqrt(float64(z*z) + 4)
	rest := 4 / (r * (r + math.Abs(z)))
	tail = rest * rest * (3 - rest) / 4
	if z < 0 {
		tail = 1 - tail
	}
	square := rest * (2 - rest)
	return tail, 3.0 / 16 * r * square * square * square
}

// StudentQuantile is the z of which Student's tail is q.
// Source: Shaw, "Sampling Student's T distribution", 2006.
func StudentQuantile(q float64) float64 {
	root := 2 * math.Sqrt(q*(1-q))
	z := 2 * math.Sqrt(max(math.Cos(math.Acos(root)/3)/root-1, 0))
	if q > 0.5 {
		return -z
	}
	return z
}

// Pareto is P(X > y), y >= 0, of the standard generalised Pareto law of shape xi.
func Pareto(y, xi float64) float64 {
	if math.Abs(xi) < 1e-9 {
		return math.Exp(-y)
	}
	base := 1 + float64(xi*y)
	if base <= 0 {
		return least
	}
	return max(math.Pow(base, -1/xi), least)
}

// Poisson is P(X >= n) of a Poisson count of a mean: the regularised incomplete gamma
// function P(n, mean).
func Poisson(n int, mean float64) float64 {
	switch {
	case n <= 0:
		return 1
	case mean <= 0:
		return least
	default:
		return min(max(mathext.GammaIncReg(float64(n), mean), least), 1)
	}
}

// NegativeBinomial is P(X >= n), n >= 1, of a negative binomial count of a size and
// mean: the regularised incomplete beta function. The smaller the size, the more the
// count varies beyond Poisson.
func NegativeBinomial(n, size, mean float64) float64 {
	return mathext.RegIncBeta(n, size, mean/(mean+size))
}
