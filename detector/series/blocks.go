package series

import (
	"math"

	"github.com/memberwatch/memberwatch/detector/codec"
)

// Calibration of a series on its own: the maxima of its evidence in blocks
// follow a Gumbel law, whose moments are shrunk to those of an ordinary series.
//
//	m = (1.5 k0 + bM k)/(k0 + k),  v = (0.49 k0 + bV k)/(k0 + k),  k0 = 4
//	beta = sqrt(6 v)/pi,  mu = m - 0.5772 beta
//	log10 return period = max(0, (E - mu)/(beta ln 10))
//
// Assumption: blocks are alike and longer than the evidence's memory. It lies
// for a series that changes for good, until the maxima of the new kind are in.
// Source: Gumbel, "Statistics of Extremes", 1958; the prior moments and the cap
// on what one block may teach are the project's recipe for single series.
type blocks struct {
	n          uint32  // blocks that have ended
	values     uint16  // in the running block
	most       float32 // its maximum
	mean, vari float32 // of the maxima
}

// Constants of the recipe.
const (
	blockLength   = 144
	blockRate     = 1.0 / 100
	blockPrior    = 4.0 // blocks the prior is worth
	blockMean     = 1.5
	blockVariance = 0.49
	evidenceAfter = 100 // values before the first block
	euler         = 0.5772156649015329
)

// moments returns the shrunk mean and variance of the maxima.
func (b *blocks) moments() (mean, variance float64) {
	k := float64(b.n)
	mean = (blockMean*blockPrior + float64(float64(b.mean)*k)) / (blockPrior + k)
	variance = (blockVariance*blockPrior + float64(float64(b.vari)*k)) / (blockPrior + k)
	return mean, variance
}

// score is log10 of the return period of an evidence, in blocks.
func (b *blocks) score(evidence float64) float64 {
	mean, variance := b.moments()
	beta := math.Sqrt(6*variance) / math.Pi
	mu := mean - float64(euler*beta)
	return max(0, (evidence-mu)/(beta*math.Ln10))
}

// add counts an evidence towards the running block.
func (b *blocks) add(evidence float64) {
	b.most = max(b.most, float32(evidence))
	if b.values++; b.values < blockLength {
		return
	}
	mean, variance := b.moments()
	y := min(float64(b.most), mean+2*math.Sqrt(variance))
	b.n++
	g := max(1/float64(b.n), blockRate)
	d := y - float64(b.mean)
	b.mean = float32(float64(b.mean) + float64(g*d))
	b.vari = float32((1 - g) * (float64(b.vari) + float64(g*d*d)))
	b.values, b.most = 0, 0
}

func (b *blocks) encode(e *codec.Encoder) {
	e.Uint(uint64(b.n))
	e.Uint(uint64(b.values))
	e.Floats([]float32{b.most, b.mean, b.vari})
}

func (b *blocks) decode(d *codec.Decoder) {
	b.n, b.values = uint32(min(d.Uint(), math.MaxUint32)), uint16(min(d.Uint(), blockLength))
	b.most, b.mean, b.vari = d.F32(), d.F32(), d.F32()
}
