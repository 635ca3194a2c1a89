package detector

import (
	"math"

	"github.com/memberwatch/memberwatch/detector/codec"
)

// What a series keeps of the values it has learnt. There are some fifteen series that
// have moved for each of many thousands of apps, so what is kept for each slot of the
// season is a whole number of steps of an ln unit in 16 bits: finer would only keep
// sampling noise. It lies for what is out of range, which is kept as the nearest in
// range, and for a level that moves by less than half a step, which stands still.

// countSteps are the steps of an ln unit in which series of counts keep theirs: a
// tenth of a percent, as far as 7.9e13.
const countSteps = 1 << 10

// seriesBody holds the numbers of a series that has moved.
type seriesBody struct {
	level  [2]float32
	spread [experts]float32 // EW mean of squared residuals
	logW   [experts]float32
	tested [experts]uint16 // residuals behind each scale, saturating
	// steps are, one after the other: for each slot its offset from the slow level,
	// then its own EW level; the newest values, of each slot, of all, or none; those
	// that wait for their lag, oldest first.
	steps []int16
	// octets are the number of values seen in each slot, saturating, and the newest
	// value of each hour of the week, in weekUnit.
	octets []uint8
}

func newBody(sh *shape) *seriesBody {
	return &seriesBody{
		steps:  make([]int16, sh.queueAt()+sh.lag),
		octets: make([]uint8, sh.slots+sh.week),
	}
}

// queueAt is the place of the first value that waits.
func (sh *shape) queueAt() int { return 2*sh.slots + sh.echoes }

// inSteps is the number of steps nearest to x.
func (sh *shape) inSteps(x float64) int16 {
	return int16(math.RoundToEven(min(max(x*sh.steps, math.MinInt16), math.MaxInt16)))
}

func (sh *shape) ofSteps(n int16) float64 { return float64(n) / sh.steps }

// rounded is x as it would be kept.
func (sh *shape) rounded(x float64) float64 { return sh.ofSteps(sh.inSteps(x)) }

// season is a slot's offset from the slow level.
func (b *seriesBody) season(sh *shape, slot int) float64 { return sh.ofSteps(b.steps[slot]) }

// slot is a slot's own level.
func (b *seriesBody) slot(sh *shape, slot int) float64 { return sh.ofSteps(b.steps[sh.slots+slot]) }

// last is the newest value that is remembered for a slot.
func (b *seriesBody) last(sh *shape, slot int) float64 {
	return sh.ofSteps(b.steps[2*sh.slots+slot%sh.echoes])
}

// echo is what was in the same hour a week ago.
func (b *seriesBody) echo(sh *shape, slot int) float64 {
	return float64(b.octets[sh.slots+slot]) * weekUnit
}

// push puts a value at the end of those that wait, and returns the oldest if there
// are as many as the lag.
func (s *series) push(sh *shape, x float64) (oldest float64, full bool) {
	q := s.body.steps[sh.queueAt():]
	if int(s.wait) < sh.lag {
		q[s.wait] = sh.inSteps(x)
		s.wait++
		return 0, false
	}
	oldest = sh.ofSteps(q[0])
	copy(q, q[1:])
	q[len(q)-1] = sh.inSteps(x)
	return oldest, true
}

// waiting are the values that wait for their lag, oldest first, in steps.
func (s *series) waiting(sh *shape) []int16 { return s.body.steps[sh.queueAt():][:s.wait] }

func (s *series) encode(e *codec.Encoder, sh *shape) {
	e.Uint(uint64(s.n))
	e.Bool(s.body != nil)
	e.Uint(uint64(s.wait))
	if s.body == nil {
		return
	}
	b := s.body
	for _, part := range [][]float32{b.level[:], b.spread[:], b.logW[:]} {
		e.Floats(part)
	}
	for _, n := range b.tested {
		e.Uint(uint64(n))
	}
	for _, n := range b.steps[:sh.queueAt()+int(s.wait)] {
		e.I16(n)
	}
	e.Raw(b.octets)
}

func (s *series) decode(d *codec.Decoder, sh *shape) {
	*s = series{n: uint32(min(d.Uint(), math.MaxUint32))}
	moved := d.Bool()
	wait := d.Uint()
	if wait > uint64(sh.lag) {
		d.Fail("more values wait than the lag has windows")
		return
	}
	s.wait = uint8(wait)
	if !moved {
		return
	}
	b := newBody(sh)
	for _, part := range [][]float32{b.level[:], b.spread[:], b.logW[:]} {
		d.Floats(part)
	}
	for i := range b.tested {
		b.tested[i] = uint16(min(d.Uint(), math.MaxUint16))
	}
	for i := range b.steps[:sh.queueAt()+int(s.wait)] {
		b.steps[i] = d.I16()
	}
	copy(b.octets, d.Take(len(b.octets)))
	s.body = b
}
