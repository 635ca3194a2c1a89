package detector

import (
	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/codec"
)

// pending is a closed window that waits for the fleet's word.
type pending struct {
	memberwatch.Window
	values       values
	members      memberwatch.Estimate
	fired        uint8 // counts that crossed their critical value while it was open
	days         int32 // of the app's own that the expectation rested on
	through      int32 // day of the calibration
	tests        []comparison
	misses       float64 // part of the look-ups that missed, for the sentence
	first        bool    // everybody is new: to be compared with the others of the day
	prefix, lead string  // of a developer's: through how many apps, and which most
	total        totals  // where somebody may ask for its pieces
	pieces       pieces
	rule         memberwatch.RestrictionID // whose loss came back
	moved        float64                   // part of it
	way          string                    // by which alone
	sets         []newSet                  // of data classes, where they shifted
}

func (p *pending) encode(e *codec.Encoder) {
	encodeWindow(e, p.Window)
	for _, v := range p.values.v {
		e.F64(v)
	}
	e.F64(p.values.actors)
	encodeEstimate(e, p.members)
	e.Uint(uint64(p.fired))
	e.Int(int64(p.days))
	e.Int(int64(p.through))
	e.F64(p.misses)
	e.Bool(p.first)
	e.Text(p.prefix)
	e.Text(p.lead)
	p.total.encode(e)
	p.pieces.encode(e)
	e.Text(string(p.rule))
	e.F64(p.moved)
	e.Text(p.way)
	e.Uint(uint64(len(p.sets)))
	for i := range p.sets {
		p.sets[i].encode(e)
	}
	e.Uint(uint64(len(p.tests)))
	for i := range p.tests {
		p.tests[i].encode(e)
	}
}

func (p *pending) decode(d *codec.Decoder) {
	p.Window = decodeWindow(d)
	for f := range p.values.v {
		p.values.v[f] = d.F64()
	}
	p.values.actors = d.F64()
	p.members = decodeEstimate(d)
	p.fired, p.days, p.through = uint8(d.Uint()), int32(d.Int()), int32(d.Int())
	p.misses, p.first = d.F64(), d.Bool()
	p.prefix, p.lead = d.Text(), d.Text()
	p.total.decode(d)
	p.pieces.decode(d)
	p.rule, p.moved, p.way = memberwatch.RestrictionID(d.Text()), d.F64(), d.Text()
	for range d.Count(18) {
		var n newSet
		n.decode(d)
		p.sets = append(p.sets, n)
	}
	for range d.Count(minComparison) {
		var c comparison
		c.decode(d)
		p.tests = append(p.tests, c)
	}
}
