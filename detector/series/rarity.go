package series

import (
	"math"
	"slices"

	"github.com/memberwatch/memberwatch/detector/codec"
	"github.com/memberwatch/memberwatch/detector/tails"
)

// What prediction misses: a value that is ordinary for the hour may still be
// one the series has never taken, and many small surprises may make a large one.
//
//	rarity  = -log10((c[b-1] + c[b] + c[b+1] + 0.5)/(N + 1))   histogram of x
//	record  = 3 when x lies outside all it has ever been by more than 5 %
//	run_k   = -log10 P(Z > (m - M)/(sd + 0.05)),  m the mean of the last k values
//
// Assumptions: values repeat within 24 bins; a run's mean is about normal. It
// lies for a series that trends, whose values are all records (calibration on
// the series' own maxima then raises the bar), and can be widened by whoever
// can move the range, which is why counts are halved as they grow.
// Source: the project's recipe for single series, sections 2.4 and 3; run_k is
// the anomaly likelihood of Lavin and Ahmad, 2015.

// Constants of the recipe.
const (
	rarityBins  = 24
	rarityFirst = 40   // values that set the first range
	rarityAfter = 50   // values before rarity says anything
	rarityFull  = 5000 // values after which counts are halved
	recordBy    = 0.05 // part of the range by which a record must exceed it
	recordWorth = 3.0  // decades of surprise that a record adds
)

// rarity is an adaptive histogram of a series' values with their range.
type rarity struct {
	n        uint32    // values seen
	lo, step float32   // left edge and width of the bins
	bins     []float32 // counts; while values are few, the values themselves
}

// score is how rare x is, in decades, before it is added.
func (r *rarity) score(x float64) float64 {
	if r.n < rarityAfter {
		return 0
	}
	near, total := 0.5, 1.0
	b := r.bin(x)
	for i, c := range r.bins {
		total += float64(c)
		if i >= b-1 && i <= b+1 {
			near += float64(c)
		}
	}
	return max(0, -math.Log10(near/total))
}

// bin is the place of x, possibly outside the range.
func (r *rarity) bin(x float64) int {
	at := math.Floor((x - float64(r.lo)) / float64(r.step))
	return int(min(max(at, -2), rarityBins+1))
}

// add counts x.
func (r *rarity) add(x float64) {
	r.n++
	if r.n <= rarityFirst {
		if r.bins = append(r.bins, float32(x)); r.n == rarityFirst {
			r.begin()
		}
		return
	}
	r.count(x)
}

// begin turns the first values into a histogram with room on both sides.
func (r *rarity) begin() {
	first := r.bins
	low, high := float64(slices.Min(first)), float64(slices.Max(first))
	span := high - low
	if span == 0 {
		span = max(1e-6, 0.01*math.Abs(high))
	}
	r.lo, r.step = float32(low-span/2), float32(2*span/rarityBins)
	r.bins = make([]float32, rarityBins)
	for _, x := range first {
		r.count(float64(x))
	}
}

// count puts x into its bin, doubling the range until it fits.
func (r *rarity) count(x float64) {
	for r.bin(x) < 0 || r.bin(x) >= rarityBins {
		r.double(x < float64(r.lo))
	}
	r.bins[r.bin(x)]++
	if r.n%rarityFull != 0 {
		return
	}
	for i := range r.bins {
		r.bins[i] /= 2
	}
}

// double merges pairs of bins into one half and leaves the other empty.
func (r *rarity) double(below bool) {
	var merged [rarityBins]float32
	half := 0
	if below {
		half = rarityBins / 2
		r.lo -= rarityBins * r.step
	}
	for i := range rarityBins / 2 {
		merged[half+i] = r.bins[2*i] + r.bins[2*i+1]
	}
	copy(r.bins, merged[:])
	r.step *= 2
}

// extremes is the range of all values of a series.
type extremes struct {
	n        uint32
	min, max float64
}

// record is what a value earns by leaving the range, in decades.
func (x *extremes) record(v float64) float64 {
	by := float64(recordBy * (x.max - x.min))
	if x.n >= rarityAfter && (v > x.max+by || v < x.min-by) {
		return recordWorth
	}
	return 0
}

func (x *extremes) add(v float64) {
	if x.n++; x.n == 1 {
		x.min, x.max = v, v
	}
	x.min, x.max = min(x.min, v), max(x.max, v)
}

// run tells how unusual the mean of a series' last values is for it.
type run struct {
	n          uint32
	mean, vari float32   // of past means of the last values
	ring       []float32 // the last values
}

// Constants of runs.
const (
	runFirst = 70   // values before a run says anything
	runRate  = 1e-3 // of its moments
	runFloor = 0.05 // of its spread
	runClip  = 10.0 // spreads by which its moments may be pulled at once
)

// add takes the next value and returns the run's rarity in decades.
func (r *run) add(x float64, length int) float64 {
	if r.ring == nil {
		r.ring = make([]float32, length)
	}
	r.ring[int(r.n)%length] = float32(x)
	r.n++
	m := 0.0
	for _, v := range r.ring {
		m += float64(v)
	}
	m /= float64(length)
	mean, sd := float64(r.mean), math.Sqrt(float64(r.vari))+runFloor
	score := 0.0
	if r.n > runFirst {
		score = -math.Log10(max(tails.Normal((m-mean)/sd), 1e-300))
		m = mean + clip(m-mean, runClip*sd)
	}
	g := max(1/float64(r.n), runRate)
	d := m - mean
	r.mean = float32(mean + float64(g*d))
	r.vari = float32((1 - g) * (float64(r.vari) + float64(g*d*d)))
	return score
}

func (r *rarity) encode(e *codec.Encoder) {
	e.Uint(uint64(r.n))
	e.Floats([]float32{r.lo, r.step})
	e.Floats(r.bins)
}

func (r *rarity) decode(d *codec.Decoder) {
	*r = rarity{n: uint32(min(d.Uint(), math.MaxUint32))}
	r.lo, r.step = d.F32(), d.F32()
	size := rarityBins
	if r.n < rarityFirst {
		size = int(r.n)
	} else if !(r.step > 0) {
		d.Fail("histogram without width")
	}
	r.bins = make([]float32, size, rarityFirst)
	d.Floats(r.bins)
}

func (x *extremes) encode(e *codec.Encoder) {
	e.Uint(uint64(x.n))
	e.F64(x.min)
	e.F64(x.max)
}

func (x *extremes) decode(d *codec.Decoder) {
	*x = extremes{n: uint32(min(d.Uint(), math.MaxUint32)), min: d.F64(), max: d.F64()}
}

func (r *run) encode(e *codec.Encoder) {
	e.Uint(uint64(r.n))
	e.Floats([]float32{r.mean, r.vari})
	e.Floats(r.ring)
}

func (r *run) decode(d *codec.Decoder, length int) {
	*r = run{n: uint32(min(d.Uint(), math.MaxUint32))}
	r.mean, r.vari = d.F32(), d.F32()
	if r.n > 0 {
		r.ring = make([]float32, length)
		d.Floats(r.ring)
	}
}
