package detector

import (
	"math/bits"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/codec"
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
	hour    *window                        // that they belong to
	day     *window                        // that the hour belongs to
	words   []uint64                       // members from the front, heads from the back
	members int32                          // words: those of one event after those of the other, mixed as sketches do
	heads   int32                          // words: of each event a head, and its group and actor if any, mixed too
	groups  int32                          // that were read, among heads
	booked  struct{ members, heads int32 } // what the ledger's deltas have
}

// recentWords is how many words make it worth while: some twenty events of ten
// members. A dense sketch has 192 cache lines: so many members share them.
const recentWords = 256

// fewWords are enough for what most apps are heard of in an hour, some five events.
const fewWords = recentWords / 4

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
	return int(r.members+r.heads)+eventWords+len(ev.Disclosed) <= recentWords
}

// add appends an event.
func (r *recent) add(ev *memberwatch.Event, deltas deltaSet) {
	r.makeRoom(eventWords + len(ev.Disclosed))
	sketch.MixTo(r.words[r.members:], ev.Disclosed)
	r.members += int32(len(ev.Disclosed))
	words := r.words[:len(r.words)-int(r.heads)]
	h, at := head(len(ev.Disclosed))|head(deltas)<<deltaShift, len(words)-1
	if ev.RecordCount() > 0 {
		h |= hasRecords
	}
	if ev.Group != "" {
		h |= hasGroup
		at--
		words[at] = sketch.Mix(hash64(ev.Group))
	}
	if ev.Actor != 0 {
		h |= hasActor
		at--
		words[at] = sketch.Mix(ev.Actor)
	}
	if h.reads() {
		r.groups++
	}
	words[len(words)-1] = uint64(h)
	r.heads += int32(len(words) - at)
}

// makeRoom sees to it that so many more words fit: few, or else a full run.
func (r *recent) makeRoom(n int) {
	if n += int(r.members + r.heads); n > len(r.words) {
		size := fewWords
		if n > fewWords {
			size = max(n, recentWords)
		}
		words := make([]uint64, size)
		copy(words, r.words[:r.members])
		copy(words[len(words)-int(r.heads):], r.words[len(r.words)-int(r.heads):])
		r.words = words
	}
}

// reset forgets the events. It keeps the memory, unless a single event was huge.
func (r *recent) reset() {
	words := r.words
	if len(words) > recentWords {
		words = nil
	}
	*r = recent{hour: r.hour, day: r.day, words: words}
}

// since returns the members and heads behind those that come first.
func (r *recent) since(members, heads int32) (m, h []uint64) {
	return r.words[members:r.members], r.words[len(r.words)-int(r.heads) : len(r.words)-int(heads)]
}

// next cuts the first event off the heads, that is, off their back. The group is 0 if
// there is none.
func next(heads []uint64) (h head, group uint64, rest []uint64) {
	last := len(heads) - 1
	h = head(heads[last])
	if h&hasGroup != 0 {
		last--
		group = heads[last]
	}
	if h&hasActor != 0 {
		last--
	}
	return h, group, heads[:last]
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
	if r.booked.heads == r.heads {
		return
	}
	var memory [2][recentWords]uint64 // for all but huge events
	for members, heads := r.since(r.booked.members, r.booked.heads); len(heads) > 0; {
		deltas, n, groups := head(heads[len(heads)-1]).deltas(), 0, memory[0][:0]
		for len(heads) > 0 { // mostly all
			h, group, rest := next(heads)
			if h.deltas() != deltas {
				break
			}
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
func (r *recent) bookedAll() { r.booked.members, r.booked.heads = r.members, r.heads }

// book puts an event's members and group into the delta at once.
func (d *LedgerDelta) book(ev *memberwatch.Event) {
	for _, m := range ev.Disclosed {
		d.Members.Insert(m)
	}
	if ev.Group != "" {
		d.Groups.Insert(hash64(ev.Group))
	}
}

// absorb folds recent events into the sketches of their hour. The day takes those
// in when it is asked.
func (s *State) absorb() {
	r := &s.recent
	if r.heads == 0 {
		return
	}
	hour := r.hour
	if hour.deltas == noDelta {
		s.book()
	}
	var groups, actors [recentWords / 2]uint64
	read, acted := 0, 0
	members, heads := r.since(0, 0)
	for i := len(heads) - 1; i >= 0; i-- {
		h := head(heads[i])
		if h&hasGroup != 0 && i > 0 {
			i--
			groups[read%len(groups)] = heads[i]
			read += int(h & hasRecords / hasRecords)
		}
		if h&hasActor != 0 && i > 0 {
			i--
			actors[acted%len(actors)] = heads[i]
			acted++
		}
	}
	hour.groups.InsertMixed(groups[:read])
	hour.actors.InsertMixed(actors[:acted])
	stamp := hourStamp(hour.Start)
	if !hour.members.Exact() { // mostly all have been met in this hour, as the sample knows
		members = s.fresh.Unsettled(members, stamp)
	}
	s.fresh.AddUnknown(hour.members.InsertMixed(members), stamp, &s.history)
	hour.weigh()
	s.owe(r.day)
	r.reset()
	s.dirty |= PartHot
}

// settle brings a window's sketches up to date: a day takes in those of its hours.
func (s *State) settle(w *window) {
	s.bookTab()
	s.tab.span = 0 // the next event measures it anew
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

func (r *recent) encode(e *codec.Encoder) {
	e.Uint(uint64(r.heads))
	if r.heads == 0 {
		return
	}
	e.Int(r.hour.Start)
	members, heads := r.since(0, 0)
	e.Uint(uint64(len(members)))
	for _, m := range members {
		e.U64(m)
	}
	for len(heads) > 0 {
		h, _, rest := next(heads)
		e.U64(uint64(h & (1<<deltaShift - 1))) // the deltas are written already
		for i := len(heads) - 2; i >= len(rest); i-- {
			e.U64(heads[i])
		}
		heads = rest
	}
}

// decode reads the events and checks that their words add up. The ledger has
// them all: it is written together with them.
func (r *recent) decode(d *codec.Decoder, s *State) {
	r.reset()
	n := d.Count(8)
	if n == 0 {
		return
	}
	start := d.Int()
	r.hour, r.day = s.openAt(memberwatch.WindowAt(memberwatch.Hour, start)), s.openAt(memberwatch.WindowAt(memberwatch.Day, start))
	if r.hour == nil {
		d.Fail("recent events of a window that is not open")
	}
	if n > recentWords {
		d.Fail("more recent events than wait")
		return
	}
	members := d.Count(8)
	r.makeRoom(members + n)
	for i := range members {
		r.words[i] = d.U64()
	}
	r.members = int32(members)
	for range n {
		r.heads++
		r.words[len(r.words)-int(r.heads)] = d.U64()
	}
	for _, heads := r.since(0, 0); len(heads) > 0 && d.Err() == nil; {
		h := head(heads[len(heads)-1])
		n := 1 + bits.OnesCount64(uint64(h&(hasGroup|hasActor)))
		if members -= h.members(); n > len(heads) || members < 0 {
			d.Fail("recent events cut short")
			break
		}
		if h.reads() {
			r.groups++
		}
		heads = heads[:len(heads)-n]
	}
	if members != 0 {
		d.Fail("members of no recent event")
	}
	if r.bookedAll(); d.Err() != nil {
		r.reset()
	}
}
