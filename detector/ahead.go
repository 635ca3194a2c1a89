package detector

import (
	"math/bits"

	"github.com/memberwatch/memberwatch"
)

// Call is an event with the state of its app.
type Call struct {
	State *State
	Event *memberwatch.Event
	Late  bool
}

// ahead is how many calls' states are looked at together: enough to fetch them side
// by side, and so few that they are still in the nearest cache when their turn
// comes. 8 and 16 measured alike, 32 no better.
const ahead = 16

// ObserveAll folds events into their apps' states in their order, like Observe for
// each of them. Of thousands of apps most are in no cache of the processor, so
// what the next few calls will need is fetched from memory together.
func (e *Engine) ObserveAll(calls []Call) {
	for len(calls) > 0 {
		next := calls[:min(len(calls), ahead)]
		e.touch(next)
		for i := range next {
			e.Observe(next[i].State, next[i].Event, next[i].Late)
		}
		calls = calls[len(next):]
	}
}

// touch reads a word of each cache line that a call which repeats others will use.
// No read waits for another, except that pointers are read before what they lead
// to.
func (e *Engine) touch(calls []Call) {
	sum := uint64(0)
	for i := range calls {
		s := calls[i].State
		sum += s.touchTab()
	}
	for i := range calls {
		s := calls[i].State
		sum += s.recent.touchRoom(len(calls[i].Event.Disclosed))
		if hour := s.tab.hour; hour != nil && !s.recent.takes(calls[i].Event) {
			sum += uint64(s.fresh.Len()) + uint64(len(s.open)) // for these the run is absorbed
			sum += uint64(hour.Start) + uint64(hour.deltas) + hour.members.Touch(nil) + hour.groups.Touch(nil) + hour.actors.Touch(nil) + uint64(s.tab.day.deltas)
		}
	}
	e.touched = sum // or else the compiler would leave out the reads
}

// touchRoom reads where an event that discloses so many members will be added.
func (r *recent) touchRoom(members int) uint64 {
	room := r.words[r.members : len(r.words)-int(r.heads)]
	if len(room) < members+eventWords {
		return 0
	}
	sum := room[len(room)-1] + room[len(room)-eventWords]
	for at := 0; at < members; at += 8 {
		sum += room[at]
	}
	return sum + room[members]
}

// CloseAll closes the windows of apps, one after the other, like Close for each of
// them.
func (e *Engine) CloseAll(states []*State, at memberwatch.Window) {
	for len(states) > 0 {
		next := states[:min(len(states), aheadClosing)]
		e.touchClosing(next, at)
		for _, s := range next {
			e.Close(s, at)
		}
		states = states[len(next):]
	}
}

// aheadClosing is how many states are looked at together before their windows close.
const aheadClosing = 8

// touchClosing is to Close what touch is to Observe. Days need more than it reads,
// but there are few.
func (e *Engine) touchClosing(states []*State, at memberwatch.Window) {
	sum := uint64(0)
	for _, s := range states {
		sum += s.touch()
	}
	for _, s := range states {
		sum += s.touchParts(e.heeded[hourBurst])
	}
	if at.Scale == memberwatch.Hour {
		i := slot(hourBurst, at)
		for _, s := range states {
			for _, f := range e.heeded[hourBurst] {
				sum += s.hour[f].TouchSlot(&shapes[hourBurst], i)
			}
		}
	}
	e.touched = sum
}

// touchTab reads the lines of a state with what every event touches, and the first row
// with most of its names.
func (s *State) touchTab() uint64 {
	t := &s.tab
	r := &t.first
	return uint64(s.control) + uint64(s.recent.heads) + t.span + r.calls + uint64(r.names[rowNames/6])
}

// touch reads the state's own lines.
func (s *State) touch() uint64 {
	sum := s.touchTab() + uint64(s.first) + uint64(len(s.open)) + uint64(len(s.pending)) + uint64(s.fresh.Len()) + uint64(s.closed[0]) + uint64(s.days())
	for f := 0; f < len(s.hour); f += 4 {
		sum += uint64(s.hour[f].Learnt())
	}
	return sum
}

// touchParts reads what the state leads to.
func (s *State) touchParts(heeded []Feature) uint64 {
	sum := uint64(0)
	members, heads := s.recent.since(0, 0)
	for _, w := range s.open {
		sum += w.touch(members)
		for set := uint32(w.deltas &^ anyDelta); set != 0; set &= set - 1 {
			d := &s.ledger[bits.TrailingZeros32(set)]
			sum += d.Calls + d.Members.Touch(members)
		}
	}
	for _, f := range heeded {
		sum += s.hour[f].Touch()
	}
	for i := 0; i < len(members); i += 8 {
		sum += members[i]
	}
	for i := 0; i < len(heads); i += 8 {
		sum += heads[i]
	}
	return sum
}

// touch reads the lines of a window, and what it counts its members in.
func (w *window) touch(members []uint64) uint64 {
	return uint64(w.Start) + w.listed + uint64(w.deltas) + uint64(w.owed[0]) + w.members.Touch(members) + w.actors.Touch(nil) + uint64(len(w.broken)) +
		w.asking + w.strange.calls + uint64(len(w.pieces)) + uint64(w.hours[10]) + uint64(len(w.touched)) + uint64(w.parts[5])
}
