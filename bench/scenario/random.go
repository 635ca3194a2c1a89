package scenario

import (
	"math"
	"math/bits"
	"math/rand/v2"
)

// mix spreads x over all 64 bits, one to one. Source: Steele, Lea and Flood
// 2014, "Fast splittable pseudorandom number generators" (SplitMix64).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// key derives the key of a stream of randomness from its parent's key and its
// own number, so that one stream's draws never move another's.
func key(parent, number uint64) uint64 { return mix(parent ^ mix(number)) }

// scaled maps a uniform 64-bit value onto 0..n-1 without division.
func scaled(x, n uint64) uint64 {
	hi, _ := bits.Mul64(x, n)
	return hi
}

// unit maps a uniform 64-bit value onto [0, 1).
func unit(x uint64) float64 { return float64(x>>11) * 0x1p-53 }

// dice is a reseedable source of the distributions that the simulator draws
// from. Every event and every window seeds it anew from what they are, so a
// draw depends on nothing drawn before.
type dice struct {
	pcg rand.PCG
	r   *rand.Rand
}

func newDice() *dice {
	d := &dice{}
	d.r = rand.New(&d.pcg)
	return d
}

// seed starts the stream that belongs to a key and a number.
func (d *dice) seed(parent, number uint64) { d.pcg.Seed(key(parent, number), parent) }

// float returns a uniform value in [0, 1).
func (d *dice) float() float64 { return unit(d.pcg.Uint64()) }

// below returns a uniform value in 0..n-1; n must be positive.
func (d *dice) below(n int64) int64 { return int64(scaled(d.pcg.Uint64(), uint64(n))) }

// between returns a uniform value in low..high, both included.
func (d *dice) between(low, high int) int { return low + int(d.below(int64(high-low+1))) }

// poisson draws from the Poisson distribution. Below 30 it multiplies uniforms
// (Knuth 1969); above it rejects from a transformed uniform (PTRS, Hörmann
// 1993, "The transformed rejection method for generating Poisson random
// variables").
func (d *dice) poisson(mean float64) int {
	if mean <= 0 {
		return 0
	}
	if mean < 30 {
		limit, product, n := math.Exp(-mean), d.float(), 0
		for product > limit {
			product *= d.float()
			n++
		}
		return n
	}
	b := 0.931 + 2.53*math.Sqrt(mean)
	a := -0.059 + 0.02483*b
	logMean, alpha, accept := math.Log(mean), 1.1239+1.1328/(b-3.4), 0.9277-3.6224/(b-2)
	for {
		u, v := d.float()-0.5, d.float()
		us := 0.5 - math.Abs(u)
		k := math.Floor((2*a/us+b)*u + mean + 0.43)
		if us >= 0.07 && v <= accept {
			return int(k)
		}
		if k < 0 || us < 0.013 && v > us {
			continue
		}
		factorial, _ := math.Lgamma(k + 1)
		if math.Log(v)+math.Log(alpha)-math.Log(a/(us*us)+b) <= k*logMean-mean-factorial {
			return int(k)
		}
	}
}

// gamma draws from the gamma distribution of mean 1 and the given shape, which
// must be at least 1. Source: Marsaglia and Tsang 2000, "A simple method for
// generating gamma variables".
func (d *dice) gamma(shape float64) float64 {
	a := shape - 1.0/3
	c := 1 / math.Sqrt(9*a)
	for {
		z := d.r.NormFloat64()
		v := 1 + c*z
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(1-d.float()) < z*z/2+a*(1-v+math.Log(v)) {
			return a * v / shape
		}
	}
}

// gammaAt returns the value of the gamma distribution of mean 1 and the given
// shape that lies where the normal value z does, so that correlated normals
// become correlated gammas. Source: Wilson and Hilferty 1931; good to some
// per cent for shapes from 2.
func gammaAt(shape, z float64) float64 {
	v := 1 - 1/(9*shape) + z/(3*math.Sqrt(shape))
	return max(v*v*v, 0.02)
}
