package detector

import (
	"math/bits"

	"github.com/memberwatch/memberwatch"
)

// recent holds whom an app's newest events disclosed, in order of arrival, until
// there are enough of them to be worth the way through the app's sketches. Of
// the thousands of apps that take turns most are not in the processor's caches,
// where one key costs as much as many; and a checkpoint writes these few words
// instead of the sketches.
//
// When they are absorbed follows from the app's events alone, and they are
// stored as they are, so a restart changes nothing.
type recent struct {
	hour    int64    // start of the hour they belong to
	words   []uint64 // for each event a head, its group and actor if any, its members
	members int      // among words
	groups  int
	booked  int // words that the ledger's deltas have
}

// recentWords is how many words make it worth while: some ten events of ten
// members.
const recentWords = 160

// deltaSet is a set of indices of ledger deltas, those below mostDeltas.
type deltaSet uint32

const mostDeltas = 32

// head is what an event's words begin with: the number of its members, whether
// there are a group and an actor, and its deltas.
type head uint64

const (
	hasGroup   head = 1 << 30
	hasActor   head = 1 << 31
	deltaShift      = 32
)

func (h head) members() int     { return int(h & (hasGroup - 1)) }
func (h head) deltas() deltaSet { return deltaSet(h >> deltaShift) }

// add appends an event.
func (r *recent) add(ev *memberwatch.Event, deltas deltaSet) {
	h := head(len(ev.Disclosed)) | head(deltas)<<deltaShift
	at := len(r.words)
	r.words = append(r.words, 0)
	if ev.Group != "" {
		h |= hasGroup
		r.words = append(r.words, hashName(ev.Group))
		r.groups++
	}
	if ev.Actor != 0 {
		h |= hasActor
		r.words = append(r.words, ev.Actor)
	}
	r.words[at] = uint64(h)
	r.words = append(r.words, ev.Disclosed...)
	r.members += len(ev.Disclosed)
}

// reset forgets the events. It keeps the memory, unless a single event was huge.
func (r *recent) reset() {
	if cap(r.words) > 4*recentWords {
		r.words = nil
	}
	r.words, r.members, r.groups, r.booked = r.words[:0], 0, 0, 0
}

// recalled is one event of recent.
type recalled struct {
	head
	group, actor uint64
	disclosed    []uint64
}

// next cuts the first event off the words.
func next(words []uint64) (ev recalled, rest []uint64) {
	ev.head, words = head(words[0]), words[1:]
	if ev.head&hasGroup != 0 {
		ev.group, words = words[0], words[1:]
	}
	if ev.head&hasActor != 0 {
		ev.actor, words = words[0], words[1:]
	}
	n := ev.members()
	ev.disclosed = words[:n]
	return ev, words[n:]
}

// book puts members and groups of recent events into the ledger's deltas.
func (s *State) book() {
	r := &s.recent
	for words := r.words[r.booked:]; len(words) > 0; {
		var ev recalled
		ev, words = next(words)
		for set := uint32(ev.deltas()); set != 0; set &= set - 1 {
			d := &s.ledger[bits.TrailingZeros32(set)]
			for _, m := range ev.disclosed {
				d.Members.Insert(m)
			}
			if ev.head&hasGroup != 0 {
				d.Groups.Insert(ev.group)
			}
		}
	}
	r.booked = len(r.words)
}

// book puts an event's members and group into the delta at once.
func (d *LedgerDelta) book(ev *memberwatch.Event) {
	for _, m := range ev.Disclosed {
		d.Members.Insert(m)
	}
	if ev.Group != "" {
		d.Groups.Insert(hashName(ev.Group))
	}
}

// recentHour returns the window of recent events, nil if it is not open.
func (s *State) recentHour() *window {
	return s.openAt(memberwatch.WindowAt(memberwatch.Hour, s.recent.hour))
}

// absorb folds recent events into the sketches of their windows.
func (s *State) absorb() {
	r := &s.recent
	if len(r.words) == 0 {
		return
	}
	s.book()
	hour, day := s.recentHour(), s.openAt(memberwatch.WindowAt(memberwatch.Day, r.hour))
	unseen := r.words[:0] // in the place of words that are done with
	for words := r.words; len(words) > 0; {
		var ev recalled
		ev, words = next(words)
		for _, w := range [2]*window{hour, day} {
			if ev.head&hasGroup != 0 {
				w.groups.Insert(ev.group)
			}
			if ev.head&hasActor != 0 {
				w.actors.Insert(ev.actor)
			}
		}
		for _, m := range ev.disclosed {
			exact := hour.members.Exact()
			if !hour.members.Insert(m) && exact {
				continue // seen in this hour: the day and the history know it too
			}
			day.members.Insert(m)
			unseen = append(unseen, m)
		}
	}
	s.fresh.AddUnknown(unseen, hourStamp(r.hour), &s.history)
	hour.weigh()
	day.weigh()
	r.reset()
	s.dirty |= PartHot
}

// hourStamp numbers hours modulo 2^16 for the novelty sample.
func hourStamp(start int64) uint16 { return uint16(start / memberwatch.Hour.Length()) }

func (r *recent) encode(e *encoder) {
	e.uint(uint64(len(r.words)))
	if len(r.words) == 0 {
		return
	}
	e.int(r.hour)
	for i, head := 0, 0; i < len(r.words); i++ {
		w := r.words[i]
		if i == head {
			_, rest := next(r.words[head:])
			head = len(r.words) - len(rest)
			w &= 1<<deltaShift - 1 // the deltas are written already
		}
		e.u64(w)
	}
}

// decode reads the events and checks that their words add up. The ledger has
// them all: it is written together with them.
func (r *recent) decode(d *decoder) {
	r.reset()
	n := d.count(8)
	if n == 0 {
		return
	}
	r.hour = d.int()
	for range n {
		r.words = append(r.words, d.u64())
	}
	r.booked = len(r.words)
	for words := r.words; len(words) > 0 && d.err == nil; {
		h := head(words[0])
		n := 1 + h.members()
		if h&hasGroup != 0 {
			n++
			r.groups++
		}
		if h&hasActor != 0 {
			n++
		}
		if n > len(words) {
			d.fail("recent events cut short")
			break
		}
		r.members += h.members()
		words = words[n:]
	}
	if d.err != nil {
		r.reset()
	}
}
