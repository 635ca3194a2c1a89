package series

import (
	"math"
	"time"

	"github.com/memberwatch/memberwatch/detector/codec"
)

// Lone scores one series that has no others beside it: measurements at an even
// pace. It predicts with the expectation that counts have, adds what prediction
// misses, and calibrates on the series' own maxima instead of the ranks of others.
//
//	x = asinh(v/u),  u = 0.2 mean |v| of the first 50 values
//	S = -log10(2 min(P(X > x), P(X < x)))
//	E = cbrt((0.7 run_10(min(S, 3)))^3 + rarity^3 + run_30(rarity)^3) + record
//
// The score is log10 of the return period of E in blocks of 144 values. It lies
// for a series shorter than its season, and calls any lasting change rare until
// its maxima have taken it in.
// Source: the project's recipe for single series; docs/decisions says what each
// part is worth on the Numenta benchmark.
type Lone struct {
	n        uint32
	unit     float64 // mean |v| of the first values
	series   Series
	rarity   rarity
	extremes extremes
	surprise run
	rareRun  run
	block    blocks
}

// loneShape is the expectation of a series of its own: levels of 20 and 300
// values, the last value, and the hour of day.
var loneShape = Shape{
	Fast: 1.0 / 20, Slow: 1.0 / 300, Spread: 1e-3, Slot: 1.0 / 20, Slots: 24, Steps: 1 << 12, Echoes: 1, Measured: true,
}

// Constants of the recipe.
const (
	unitValues    = 50  // values that set the unit
	unitPart      = 0.2 // of their mean size
	surpriseAfter = 20  // values before a surprise is believed
	surpriseMost  = 3.0 // decades of one surprise that count
	surpriseWorth = 0.7
	surpriseRun   = 10
	rareRunLength = 30
)

// Score takes the next value, v at a time whose hour of day counts, and returns log10 of its return period in blocks.
func (s *Lone) Score(at time.Time, v float64) float64 {
	s.n++
	if s.n <= unitValues {
		s.unit += (math.Abs(v) - s.unit) / float64(s.n)
	}
	x := float64(float32(math.Asinh(v / (float64(unitPart*s.unit) + 1e-9))))
	evidence := s.evidence(at.UTC().Hour(), x) + s.extremes.record(v)
	s.extremes.add(v)
	score := s.block.score(evidence)
	if s.n > evidenceAfter {
		s.block.add(evidence)
	}
	return score
}

// evidence scores x with the old state, then learns it.
func (s *Lone) evidence(slot int, x float64) float64 {
	surprise := 0.0
	if s.n > surpriseAfter {
		var expected Outlook
		s.series.predict(&loneShape, slot, 1, &expected)
		surprise = expected.oddity(x)
	}
	rare := s.rarity.score(x)
	s.series.grow(&loneShape)
	s.series.absorb(&loneShape, slot, x, 1, nil)
	s.rarity.add(x)
	often := float64(surpriseWorth * s.surprise.add(min(surprise, surpriseMost), surpriseRun))
	lasting := s.rareRun.add(rare, rareRunLength)
	return math.Cbrt(cube(often) + cube(rare) + cube(lasting))
}

// oddity is the surprise at x on either side, in decades.
func (p *Prediction) oddity(x float64) float64 {
	if !p.OK {
		return 0
	}
	up := p.tail(x)
	return max(0, -math.Log10(max(2*min(up, 1-up), 1e-30)))
}

const loneVersion = 2

// AppendBinary appends the canonical encoding: a restored series gives the same
// scores, bit for bit.
func (s *Lone) AppendBinary(b []byte) ([]byte, error) {
	e := codec.NewEncoder(b, loneVersion)
	e.Uint(uint64(s.n))
	e.F64(s.unit)
	s.series.Encode(e, &loneShape)
	s.rarity.encode(e)
	s.extremes.encode(e)
	s.surprise.encode(e)
	s.rareRun.encode(e)
	s.block.encode(e)
	return e.Finish()
}

// UnmarshalBinary reads what AppendBinary wrote. The error wraps codec.ErrCorrupt.
func (s *Lone) UnmarshalBinary(b []byte) error {
	d := codec.NewDecoder(b, loneVersion, "lone series")
	*s = Lone{n: uint32(min(d.Uint(), math.MaxUint32)), unit: d.F64()}
	s.series.Decode(d, &loneShape)
	s.rarity.decode(d)
	s.extremes.decode(d)
	s.surprise.decode(d, surpriseRun)
	s.rareRun.decode(d, rareRunLength)
	s.block.decode(d)
	return d.Finish()
}

func cube(x float64) float64 { return x * x * x }
