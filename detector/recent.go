package detector

import (
	"math"
	"math/bits"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/sketch"
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
	members []uint64 // those of one event after those of the other, mixed as sketches do
	heads   []uint64 // for each event a head, and its group and actor if any, mixed too
	groups  int32    // that were read, among heads
	booked  struct{ members, heads int32 } // words that the ledger's deltas have
}

// recentWords is how many words make it worth while: some twenty events of ten
// members. A dense sketch has 192 cache lines: so many members share them.
const recentWords = 256

// eventWords is how many words an event takes beside its members.
const eventWords = 3

// deltaSet is a set of indices of ledger deltas, those below mostDeltas.
type deltaSet uint32

const (
	mostDeltas          = 31
	noDelta    deltaSet = 0
	anyDelta   deltaSet = 1 << 31
)

// moved returns the set when the deltas have gone to other places.
func (set deltaSet) moved(place *[mostDeltas]int) deltaSet {
	moved := set & anyDelta
	for rest := uint32(set &^ anyDelta); rest != 0; rest &= rest - 1 {
		moved |= 1 << place[bits.TrailingZeros32(rest)]
	}
	return moved
}

// head is what an event's words begin with: the number of its members, whether it
// disclosed records, whether there are a group and an actor, and its deltas.
type head uint64

const (
	hasRecords head = 1 << 29
	hasGroup   head = 1 << 30
	hasActor   head = 1 << 31
	deltaShift      = 32
)

func (h head) members() int     { return int(h & (hasRecords - 1)) }
func (h head) deltas() deltaSet { return deltaSet(h >> deltaShift) }

// reads tells whether the event read a group: posting in one is no reading.
func (h head) reads() bool { return h&(hasGroup|hasRecords) == hasGroup|hasRecords }

// takes tells whether there is room for an event before the others are absorbed.
func (r *recent) takes(ev *memberwatch.Event) bool {
	return len(r.members)+len(r.heads)+eventWords+len(ev.Disclosed) <= recentWords
}

// add appends an event.
func (r *recent) add(ev *memberwatch.Event, deltas deltaSet) {
	h := head(len(ev.Disclosed)) | head(deltas)<<deltaShift
	if ev.RecordCount() > 0 {
		h |= hasRecords
	}
	if ev.Actor != 0 {
		h |= hasActor
	}
	if ev.Group != "" {
		h |= hasGroup
	}
	if h.reads() {
		r.groups++
	}
	r.heads = append(grown(r.heads, eventWords), uint64(h))
	if ev.Group != "" {
		r.heads = append(r.heads, sketch.Mix(hash64(ev.Group)))
	}
	if ev.Actor != 0 {
		r.heads = append(r.heads, sketch.Mix(ev.Actor))
	}
	r.members = sketch.AppendMixed(grown(r.members, len(ev.Disclosed)), ev.Disclosed)
}

// grown returns the words with room for n more, and takes no more memory than full
// runs need.
func grown(words []uint64, n int) []uint64 {
	if n += len(words); n > cap(words) {
		words = append(make([]uint64, 0, max(n, min(2*cap(words), recentWords))), words...)
	}
	return words
}

// reset forgets the events. It keeps the memory, unless a single event was huge.
func (r *recent) reset() {
	if cap(r.members) > recentWords {
		r.members = nil
	}
	r.members, r.heads, r.groups, r.booked.members, r.booked.heads = r.members[:0], r.heads[:0], 0, 0, 0
}

// next cuts the first event off the heads. The group and the actor are 0 if there is
// none.
func next(heads []uint64) (h head, group, actor uint64, rest []uint64) {
	h, rest = head(heads[0]), heads[1:]
	if h&hasGroup != 0 {
		group, rest = rest[0], rest[1:]
	}
	if h&hasActor != 0 {
		actor, rest = rest[0], rest[1:]
	}
	return h, group, actor, rest
}

// share notes the deltas of a call in an hour. As long as all calls of the hour
// have the same ones, the deltas get members and groups from the hour's sketches
// when they are asked for; with the first that differs they get their own.
func (s *State) share(hour *window, deltas deltaSet) {
	switch hour.deltas {
	case deltas, noDelta:
	case anyDelta:
		hour.deltas = deltas
	default:
		s.unshare()
	}
}

// unshare gives the deltas of all hours members and groups of their own.
func (s *State) unshare() {
	for _, w := range s.open {
		if w.Scale == memberwatch.Hour && w.deltas != anyDelta {
			s.bookHour(w)
			w.deltas = noDelta
		}
	}
	s.book()
}

// bookHour puts what the sketches of an hour hold into the deltas that all its
// calls have in common, if anything was added to them.
func (s *State) bookHour(hour *window) {
	if hour.deltas == anyDelta {
		return
	}
	for set := uint32(hour.deltas); set != 0; set &= set - 1 {
		if d := &s.ledger[bits.TrailingZeros32(set)]; d.Calls > 0 {
			d.Members.Merge(&hour.members)
			d.Groups.Merge(&hour.groups)
		}
	}
}

// book puts members and groups of recent events into the ledger's deltas.
func (s *State) book() {
	r := &s.recent
	members, heads := r.members[r.booked.members:], r.heads[r.booked.heads:]
	var memory [2][recentWords]uint64 // for all but huge events
	for len(heads) > 0 {
		deltas, n, groups := head(heads[0]).deltas(), 0, memory[0][:0]
		for len(heads) > 0 && head(heads[0]).deltas() == deltas { // mostly all
			h, group, _, rest := next(heads)
			heads = rest
			if n += h.members(); h&hasGroup != 0 {
				groups = append(groups, group)
			}
		}
		for set := uint32(deltas); set != 0; set &= set - 1 {
			d := &s.ledger[bits.TrailingZeros32(set)]
			d.Members.InsertMixed(append(memory[1][:0], members[:n]...))
			d.Groups.InsertMixed(append(memory[1][:0], groups...))
		}
		members = members[n:]
	}
	r.bookedAll()
}

// bookedAll notes that the ledger's deltas have all recent events.
func (r *recent) bookedAll() {
	r.booked.members, r.booked.heads = int32(len(r.members)), int32(len(r.heads))
}

// book puts an event's members and group into the delta at once.
func (d *LedgerDelta) book(ev *memberwatch.Event) {
	for _, m := range ev.Disclosed {
		d.Members.Insert(m)
	}
	if ev.Group != "" {
		d.Groups.Insert(hash64(ev.Group))
	}
}

// recentHour returns the window of recent events, nil if it is not open.
func (s *State) recentHour() *window {
	return s.openAt(memberwatch.WindowAt(memberwatch.Hour, s.recent.hour))
}

// absorb folds recent events into the sketches of their hour. The day takes those
// in when it is asked.
func (s *State) absorb() {
	r := &s.recent
	if len(r.heads) == 0 {
		return
	}
	hour := s.recentHour()
	if hour.deltas == noDelta {
		s.book()
	}
	var memory [2][recentWords / 2]uint64
	groups, actors := memory[0][:0], memory[1][:0]
	for heads := r.heads; len(heads) > 0; {
		h, group, actor, rest := next(heads)
		heads = rest
		if h.reads() {
			groups = append(groups, group)
		}
		if h&hasActor != 0 {
			actors = append(actors, actor)
		}
	}
	hour.groups.InsertMixed(groups)
	hour.actors.InsertMixed(actors)
	members := r.members
	stamp := hourStamp(r.hour)
	if !hour.members.Exact() { // mostly all have been met in this hour, as the sample knows
		members = s.fresh.Unsettled(members, stamp)
	}
	s.fresh.AddUnknown(hour.members.InsertMixed(members), stamp, &s.history)
	hour.weigh()
	s.owe(s.openAt(memberwatch.WindowAt(memberwatch.Day, r.hour)))
	r.reset()
	s.dirty |= PartHot
}

// settle brings a window's sketches up to date: a day takes in those of its hours.
func (s *State) settle(w *window) {
	s.bookTab()
	s.tab.arms = math.MinInt64 // the next event measures it anew
	s.absorb()
	if w.Scale != memberwatch.Day {
		return
	}
	for _, hour := range s.open {
		if hour.Scale == memberwatch.Hour && w.holds(hour) {
			w.takeIn(hour)
		}
	}
	s.owe(w)
	s.dirty |= PartHot
}

// holds tells whether an hour is one of a day's.
func (w *window) holds(hour *window) bool { return hour.Start >= w.Start && hour.Start < w.End() }

// takeIn adds an hour's sketches to its day's.
func (w *window) takeIn(hour *window) {
	w.members.Merge(&hour.members)
	w.groups.Merge(&hour.groups)
	w.actors.Merge(&hour.actors)
	hour.given = [2]float64{hour.reach, hour.breadth}
	w.weigh()
}

// owe sums what the open hours of a day have that it has not taken in.
func (s *State) owe(day *window) {
	if day == nil {
		return
	}
	day.owed = [2]float64{}
	for _, hour := range s.open {
		if hour.Scale == memberwatch.Hour && day.holds(hour) {
			day.owed[0] += hour.reach - hour.given[0]
			day.owed[1] += hour.breadth - hour.given[1]
		}
	}
}

// hourStamp numbers hours modulo 2^16 for the novelty sample.
func hourStamp(start int64) uint16 { return uint16(start / memberwatch.Hour.Length()) }

func (r *recent) encode(e *encoder) {
	e.uint(uint64(len(r.heads)))
	if len(r.heads) == 0 {
		return
	}
	e.int(r.hour)
	for heads := r.heads; len(heads) > 0; {
		h, _, _, rest := next(heads)
		e.u64(uint64(h & (1<<deltaShift - 1))) // the deltas are written already
		for _, w := range heads[1 : len(heads)-len(rest)] {
			e.u64(w)
		}
		heads = rest
	}
	e.uint(uint64(len(r.members)))
	for _, m := range r.members {
		e.u64(m)
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
		r.heads = append(r.heads, d.u64())
	}
	for range d.count(8) {
		r.members = append(r.members, d.u64())
	}
	members := 0
	for heads := r.heads; len(heads) > 0; {
		h := head(heads[0])
		n := 1 + bits.OnesCount64(uint64(h&(hasGroup|hasActor)))
		if n > len(heads) {
			d.fail("recent events cut short")
			break
		}
		if h.reads() {
			r.groups++
		}
		members += h.members()
		heads = heads[n:]
	}
	if members != len(r.members) {
		d.fail("recent events without their members")
	}
	if r.bookedAll(); d.err != nil {
		r.reset()
	}
}
