package series

import (
	"math"

	"github.com/memberwatch/memberwatch/detector/codec"
)

// What a series keeps of the values it has learnt. There may be a million series that
// have moved, so what is kept for each slot of the season is a whole number of steps of an ln unit in 16 bits: finer would only keep
// sampling noise. It lies for what is out of range, which is kept as the nearest in
// range, and for a level that moves by less than half a step, which stands still.

// body holds the numbers of a series that has moved.
type body struct {
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

func newBody(sh *Shape) *body {
	return &body{
		steps:  make([]int16, sh.queueAt()+sh.Lag),
		octets: make([]uint8, sh.Slots+sh.Week),
	}
}

// season is a slot's offset from the slow level.
func (b *body) season(sh *Shape, slot int) float64 { return sh.ofSteps(b.steps[slot]) }

// slot is a slot's own level.
func (b *body) slot(sh *Shape, slot int) float64 { return sh.ofSteps(b.steps[sh.Slots+slot]) }

// last is the newest value that is remembered for a slot.
func (b *body) last(sh *Shape, slot int) float64 {
	return sh.ofSteps(b.steps[2*sh.Slots+slot%sh.Echoes])
}

// echo is the value of the same hour a week ago.
func (b *body) echo(sh *Shape, slot int) float64 {
	return float64(b.octets[sh.Slots+slot]) * weekUnit
}

// Touch reads a word of each cache line of what the series leads to, so that those of
// several series are fetched together.
func (s *Series) Touch() uint64 {
	b := s.body
	if b == nil {
		return 0
	}
	return uint64(b.tested[0]) + uint64(len(b.steps)) + uint64(len(b.octets))
}

// TouchSlot is to a slot what Touch is to the series; it reads what that leads to.
func (s *Series) TouchSlot(sh *Shape, slot int) uint64 {
	b := s.body
	if b == nil {
		return 0
	}
	fold := sh.fold(slot)
	return uint64(b.steps[fold]) + uint64(b.steps[sh.Slots+fold]) + uint64(b.octets[fold]) + uint64(b.octets[sh.Slots+slot])
}

// Encode writes the series.
func (s *Series) Encode(e *codec.Encoder, sh *Shape) {
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

// Decode reads what Encode wrote.
func (s *Series) Decode(d *codec.Decoder, sh *Shape) {
	*s = Series{n: uint32(min(d.Uint(), math.MaxUint32))}
	moved := d.Bool()
	wait := d.Uint()
	if wait > uint64(sh.Lag) {
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
