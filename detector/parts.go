package detector

import (
	"fmt"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/codec"
	"github.com/memberwatch/memberwatch/detector/series"
)

// The parts of a state as they are stored, each with its version.

const stateVersion = 12

// AppendPart appends the canonical encoding of one part. An empty addition
// means that there is nothing to keep and the stored value should go.
func (s *State) AppendPart(p Part, b []byte) ([]byte, error) {
	switch p {
	case PartHistory:
		if s.history.Len() == 0 && s.attested == nil {
			return b, nil
		}
		return s.appendHistory(b)
	case PartHot:
		if !s.active() {
			return b, nil
		}
		return s.appendHot(b)
	case PartTotals:
		return s.appendTotals(b)
	default:
		return s.appendBaseline(b)
	}
}

// LoadPart reads one part; the totals come last, as they speak of the windows
// in the hot part. The error wraps codec.ErrCorrupt.
func (s *State) LoadPart(p Part, b []byte) error {
	switch p {
	case PartHistory:
		return s.loadHistory(b)
	case PartHot:
		return s.loadHot(b)
	case PartTotals:
		return s.loadTotals(b)
	default:
		return s.loadBaseline(b)
	}
}

func (s *State) appendTotals(b []byte) ([]byte, error) {
	s.bookTab()
	e := codec.NewEncoder(b, stateVersion)
	e.Int(s.first)
	e.Int(s.last)
	e.Uint(s.events)
	e.Uint(s.late)
	e.Bool(s.actors)
	e.Int(int64(s.back))
	e.Int(s.wake)
	e.Uint(uint64(s.silence))
	e.Uint(s.asking)
	for i := range s.names {
		s.names[i].encode(e)
	}
	e.Uint(uint64(len(s.open)))
	for _, w := range s.open {
		e.Uint(w.calls)
		e.Uint(w.records)
		e.Uint(w.misses)
		e.Uint(w.denials)
		e.Uint(w.listed)
		e.Uint(w.unattended)
		e.Uint(w.disclosed)
		w.encodeSets(e)
		if w.Scale == memberwatch.Day {
			w.encodeDay(e)
		} else {
			w.encodeParts(e)
			w.pieces.encode(e)
		}
	}
	s.recent.encode(e)
	return e.Finish()
}

func (s *State) loadTotals(b []byte) error {
	d := codec.NewDecoder(b, stateVersion, "totals")
	s.first, s.last, s.events, s.late, s.actors = d.Int(), d.Int(), d.Uint(), d.Uint(), d.Bool()
	s.back, s.wake, s.silence, s.asking = int32(d.Int()), d.Int(), int32(d.Uint()), d.Uint()
	for i := range s.names {
		s.names[i].decode(d)
	}
	if n := d.Uint(); n != uint64(len(s.open)) {
		d.Fail(fmt.Sprintf("counts of %d windows, %d are open", n, len(s.open)))
	}
	for _, w := range s.open {
		w.calls, w.records, w.misses, w.denials = d.Uint(), d.Uint(), d.Uint(), d.Uint()
		w.listed, w.unattended, w.disclosed = d.Uint(), d.Uint(), d.Uint()
		w.decodeSets(d)
		if w.Scale == memberwatch.Day {
			w.decodeDay(d)
		} else {
			w.decodeParts(d)
			w.pieces.decode(d)
		}
	}
	s.recent.decode(d, s)
	return d.Finish()
}

func (s *State) appendHistory(b []byte) ([]byte, error) {
	e := codec.NewEncoder(b, stateVersion)
	e.Nested(&s.history)
	e.Bool(s.attested != nil)
	if s.attested != nil {
		s.attested.encode(e)
	}
	return e.Finish()
}

func (s *State) loadHistory(b []byte) error {
	d := codec.NewDecoder(b, stateVersion, "history")
	d.Nested(&s.history)
	s.attested = nil
	if d.Bool() {
		s.attested = new(attested)
		s.attested.decode(d)
	}
	return d.Finish()
}

func (s *State) appendHot(b []byte) ([]byte, error) {
	e := codec.NewEncoder(b, stateVersion)
	e.Uint(uint64(len(s.open)))
	for _, w := range s.open {
		w.encode(e)
	}
	e.Uint(uint64(len(s.pending)))
	for i := range s.pending {
		s.pending[i].encode(e)
	}
	encodeEpisodes(e, s.episodes)
	e.Nested(&s.fresh)
	return e.Finish()
}

func (s *State) loadHot(b []byte) error {
	d := codec.NewDecoder(b, stateVersion, "hot state")
	s.open, s.pending = nil, nil
	for range d.Count(10) {
		w := new(window)
		w.decode(d)
		s.open = append(s.open, w)
	}
	for range d.Count(10) {
		var p pending
		p.decode(d)
		s.pending = append(s.pending, p)
	}
	s.episodes = decodeEpisodes(d)
	d.Nested(&s.fresh)
	for _, w := range s.open {
		if w.Scale == memberwatch.Day {
			s.owe(w)
		}
	}
	return d.Finish()
}

// eachSeries visits all expectations in a fixed order.
func (s *State) eachSeries(visit func(stream streamID, x *series.Series)) {
	for stream, all := range [streams]*[Features]series.Series{&s.hour, &s.day, &s.slow} {
		for f := range all {
			visit(streamID(stream), &all[f])
		}
	}
}

func (s *State) appendBaseline(b []byte) ([]byte, error) {
	e := codec.NewEncoder(b, stateVersion)
	e.Text(string(s.Developer))
	for _, t := range s.closed {
		e.Int(t)
	}
	s.eachSeries(func(stream streamID, x *series.Series) { x.Encode(e, &shapes[stream]) })
	for f := range s.rise {
		s.rise[f].Encode(e)
	}
	e.F64(s.infant.reach)
	e.F64(s.infant.actors)
	e.F64(s.infant.hours[0])
	e.F64(s.infant.hours[1])
	e.Uint(uint64(s.infant.done))
	e.U64(s.shape)
	s.mix.encode(e)
	e.Int(s.unlearnt)
	for _, l := range s.learnt {
		e.Uint(uint64(l))
	}
	s.habit.encode(e)
	e.Uint(uint64(len(s.losses)))
	for i := range s.losses {
		s.losses[i].encode(e)
	}
	e.F32(s.admins)
	return e.Finish()
}

func (s *State) loadBaseline(b []byte) error {
	d := codec.NewDecoder(b, stateVersion, "baseline")
	s.Developer = memberwatch.DeveloperID(d.Text())
	for i := range s.closed {
		s.closed[i] = d.Int()
	}
	s.eachSeries(func(stream streamID, x *series.Series) { x.Decode(d, &shapes[stream]) })
	for f := range s.rise {
		s.rise[f].Decode(d)
	}
	s.infant = infancy{reach: d.F64(), actors: d.F64(), hours: [2]float64{d.F64(), d.F64()}, done: uint8(d.Uint())}
	s.shape = d.U64()
	s.mix.decode(d)
	s.unlearnt = d.Int()
	for f := range s.learnt {
		s.learnt[f] = learnt(d.Uint())
	}
	s.habit.decode(d)
	s.losses = nil
	for range d.Count(40) {
		var l loss
		l.decode(d)
		s.losses = append(s.losses, l)
	}
	s.admins = d.F32()
	return d.Finish()
}
