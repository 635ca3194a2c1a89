package detector

import (
	"encoding/json"
	"fmt"

	"github.com/memberwatch/memberwatch"
)

// The parts of a state as they are stored, each with its version.

const stateVersion = 10

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
// in the hot part. The error wraps ErrCorrupt.
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
	e := newEncoder(b, stateVersion)
	e.int(s.first)
	e.int(s.last)
	e.uint(s.events)
	e.uint(s.late)
	e.bool(s.actors)
	e.int(int64(s.back))
	e.uint(s.asking)
	for i := range s.names {
		s.names[i].encode(e)
	}
	e.uint(uint64(len(s.open)))
	for _, w := range s.open {
		e.uint(w.calls)
		e.uint(w.records)
		e.uint(w.misses)
		e.uint(w.denials)
		e.uint(w.listed)
		e.uint(w.unattended)
		e.uint(w.disclosed)
		w.encodeSets(e)
		if w.Scale == memberwatch.Day {
			w.encodeDay(e)
		} else {
			w.encodeParts(e)
			w.pieces.encode(e)
		}
	}
	s.recent.encode(e)
	return e.finish()
}

func (s *State) loadTotals(b []byte) error {
	d := newDecoder(b, stateVersion, "totals")
	s.first, s.last, s.events, s.late, s.actors = d.int(), d.int(), d.uint(), d.uint(), d.bool()
	s.back, s.asking = int32(d.int()), d.uint()
	for i := range s.names {
		s.names[i].decode(d)
	}
	if n := d.uint(); n != uint64(len(s.open)) {
		d.fail(fmt.Sprintf("counts of %d windows, %d are open", n, len(s.open)))
	}
	for _, w := range s.open {
		w.calls, w.records, w.misses, w.denials = d.uint(), d.uint(), d.uint(), d.uint()
		w.listed, w.unattended, w.disclosed = d.uint(), d.uint(), d.uint()
		w.decodeSets(d)
		if w.Scale == memberwatch.Day {
			w.decodeDay(d)
		} else {
			w.decodeParts(d)
			w.pieces.decode(d)
		}
	}
	s.recent.decode(d, s)
	return d.finish()
}

func (s *State) appendHistory(b []byte) ([]byte, error) {
	e := newEncoder(b, stateVersion)
	e.nested(&s.history)
	e.bool(s.attested != nil)
	if s.attested != nil {
		s.attested.encode(e)
	}
	return e.finish()
}

func (s *State) loadHistory(b []byte) error {
	d := newDecoder(b, stateVersion, "history")
	d.nested(&s.history)
	s.attested = nil
	if d.bool() {
		s.attested = new(attested)
		s.attested.decode(d)
	}
	return d.finish()
}

func (s *State) appendHot(b []byte) ([]byte, error) {
	e := newEncoder(b, stateVersion)
	e.int(s.wake)
	e.uint(uint64(s.silence))
	e.uint(uint64(len(s.open)))
	for _, w := range s.open {
		w.encode(e)
	}
	e.uint(uint64(len(s.pending)))
	for i := range s.pending {
		s.pending[i].encode(e)
	}
	e.uint(uint64(len(s.episodes)))
	for i := range s.episodes {
		body, err := json.Marshal(&s.episodes[i]) // rare, wide, and never on the hot path
		if err != nil && e.err == nil {
			e.err = err
		}
		e.string(string(body))
	}
	e.nested(&s.fresh)
	return e.finish()
}

func (s *State) loadHot(b []byte) error {
	d := newDecoder(b, stateVersion, "hot state")
	s.wake = d.int()
	s.silence = int32(d.uint())
	s.open, s.pending, s.episodes = nil, nil, nil
	for range d.count(10) {
		w := new(window)
		w.decode(d)
		s.open = append(s.open, w)
	}
	for range d.count(10) {
		var p pending
		p.decode(d)
		s.pending = append(s.pending, p)
	}
	for range d.count(2) {
		var ep episode
		if err := json.Unmarshal(d.bytes(), &ep); err != nil {
			d.fail("episode: " + err.Error())
		}
		s.episodes = append(s.episodes, ep)
	}
	d.nested(&s.fresh)
	for _, w := range s.open {
		if w.Scale == memberwatch.Day {
			s.owe(w)
		}
	}
	return d.finish()
}

// eachSeries visits all expectations in a fixed order.
func (s *State) eachSeries(visit func(stream streamID, x *series)) {
	for stream, all := range [streams]*[Features]series{&s.hour, &s.day, &s.slow} {
		for f := range all {
			visit(streamID(stream), &all[f])
		}
	}
}

func (s *State) appendBaseline(b []byte) ([]byte, error) {
	e := newEncoder(b, stateVersion)
	e.string(string(s.Developer))
	for _, t := range s.closed {
		e.int(t)
	}
	s.eachSeries(func(stream streamID, x *series) { x.encode(e, &shapes[stream]) })
	for f := range s.rise {
		s.rise[f].encode(e)
	}
	e.f64(s.infant.reach)
	e.f64(s.infant.actors)
	e.f64(s.infant.hours[0])
	e.f64(s.infant.hours[1])
	e.uint(uint64(s.infant.done))
	e.u64(s.shape)
	s.mix.encode(e)
	e.int(s.unlearnt)
	for _, l := range s.learnt {
		e.uint(uint64(l))
	}
	s.habit.encode(e)
	e.uint(uint64(len(s.losses)))
	for i := range s.losses {
		s.losses[i].encode(e)
	}
	e.f32(s.admins)
	return e.finish()
}

func (s *State) loadBaseline(b []byte) error {
	d := newDecoder(b, stateVersion, "baseline")
	s.Developer = memberwatch.DeveloperID(d.string())
	for i := range s.closed {
		s.closed[i] = d.int()
	}
	s.eachSeries(func(stream streamID, x *series) { x.decode(d, &shapes[stream]) })
	for f := range s.rise {
		s.rise[f].decode(d)
	}
	s.infant = infancy{reach: d.f64(), actors: d.f64(), hours: [2]float64{d.f64(), d.f64()}, done: uint8(d.uint())}
	s.shape = d.u64()
	s.mix.decode(d)
	s.unlearnt = d.int()
	for f := range s.learnt {
		s.learnt[f] = learnt(d.uint())
	}
	s.habit.decode(d)
	s.losses = nil
	for range d.count(40) {
		var l loss
		l.decode(d)
		s.losses = append(s.losses, l)
	}
	s.admins = d.f32()
	return d.finish()
}
