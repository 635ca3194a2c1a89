package detector

import (
	"math"
	"math/bits"

	"github.com/memberwatch/memberwatch"
)

// An app mostly does what it did a moment ago. A tab sums the calls of ten minutes
// by what they have in common, and books them in the windows, the ledger's deltas
// and the breakdowns once: when a call comes that the tab cannot take, and when
// anybody asks. Of thousands of apps that take turns, most of what a call would
// touch is not in the processor's caches.
//
// Nothing differs from booking each call at once. The first call of its like is
// booked in full, so that what comes after it only adds to sums, which do not
// depend on the order; a call after which a window may alert, or be armed, is not
// taken.
type tab struct {
	hour, day *window // nil: no tab
	from      int64   // the first event time that is taken, in one part of the hour
	span      uint64  // and how much later others may be; 0: none is taken before it is measured
	arms      int64   // the watermark at which one of the windows is to be armed
	room      room    // what is left of it
	used      uint8   // rows in use
	next      uint8   // the row that makes room for another
	first     row     // of most apps the only one
	tags      [mostRows]tag
	others    []row
}

// rows are those in use.
func (t *tab) rows(yield func(*row) bool) {
	for i := range t.used {
		if !yield(t.row(i)) {
			return
		}
	}
}

// row returns one of the rows.
func (t *tab) row(i uint8) *row {
	if i == 0 {
		return &t.first
	}
	return &t.others[i-1]
}

// room is how far the counts can grow before a window has to be looked at.
type room struct{ reach, records, breadth, misses, denials, unattended uint32 }

// takes tells whether a call leaves room, and takes away what it needs if so.
func (r *room) takes(ev *memberwatch.Event, l like, records, misses, unattended uint64) bool {
	members, groups, denials := uint64(len(ev.Disclosed)), uint64(0), uint64(0)
	if ev.Group != "" && records > 0 {
		groups = 1
	}
	if l.outcome().Refused() {
		denials = 1
	}
	// A call may fit in exactly where it needs nothing and there is nothing.
	if members >= uint64(r.reach) || groups >= uint64(r.breadth) || records >= uint64(r.records) || misses >= uint64(r.misses) ||
		denials >= uint64(r.denials) || unattended >= uint64(r.unattended) {
		return false
	}
	r.reach -= uint32(members)
	r.breadth -= uint32(groups)
	r.records -= uint32(records)
	r.misses -= uint32(misses)
	r.denials -= uint32(denials)
	r.unattended -= uint32(unattended)
	return true
}

// row sums the calls that are alike.
type row struct {
	like
	deltas deltaSet
	ends   [rowParts]uint8 // where each of the names ends
	parts  uint8           // how many there are

	calls, records, misses, unattended, disclosed uint64 // see sums; the others follow

	names [rowNames]byte // network, credential, endpoint and data classes, one after the other
}

// take takes the sums of the calls out of the row.
func (r *row) take() sums {
	x := sums{calls: r.calls, records: r.records, misses: r.misses, unattended: r.unattended, disclosed: r.disclosed}
	if r.outcome().Refused() {
		x.denials = r.calls
	}
	if r.like&likeLists != 0 {
		x.listed = r.records
	}
	r.calls, r.records, r.misses, r.unattended, r.disclosed = 0, 0, 0, 0, 0
	return x
}

// like is what alike calls have in common beside their names: the outcome and marks.
type like uint32

const (
	likeBroken like = 1 << (8 + iota) // a restriction
	likeReads                         // records
	likeShares                        // members or a group, with the ledger's deltas
	likeLists                         // members
)

func likeOf(ev *memberwatch.Event, broken bool) like {
	l := like(ev.Outcome)
	if broken {
		l |= likeBroken
	}
	if ev.RecordCount() > 0 {
		l |= likeReads
	}
	if len(ev.Disclosed) > 0 {
		l |= likeShares | likeLists
	}
	if ev.Group != "" {
		l |= likeShares
	}
	return l
}

func (l like) outcome() memberwatch.Outcome { return memberwatch.Outcome(l) }

// mostRows is how many sorts of calls an app's tab tells apart.
const mostRows = 16

// rowNames is how many bytes of names a row holds. Calls with longer ones are in no row.
const rowNames = 192

// The names of a row come in this order, then the data classes.
const (
	rowNetwork = iota
	rowCredential
	rowEndpoint
	rowClasses
	rowParts = rowClasses + 5 // calls that name more data classes are in no row
)

// name returns the name at a place.
func (r *row) name(i int) []byte {
	from := uint8(0)
	if i > 0 {
		from = r.ends[i-1]
	}
	return r.names[from:r.ends[i]]
}

func (r *row) put(name string) {
	from := uint8(0)
	if r.parts > 0 {
		from = r.ends[r.parts-1]
	}
	r.ends[r.parts] = from + uint8(copy(r.names[from:], name))
	r.parts++
}

// fill gives a row the names of a call.
func (r *row) fill(ev *memberwatch.Event) {
	r.parts = 0
	for _, name := range [...]string{rowNetwork: ev.Network, rowCredential: ev.Credential, rowEndpoint: ev.Endpoint} {
		r.put(name)
	}
	for _, class := range ev.DataClasses {
		r.put(class)
	}
}

// rowHolds tells whether a row has room for the names of a call.
func rowHolds(ev *memberwatch.Event) bool {
	n := len(ev.Network) + len(ev.Credential) + len(ev.Endpoint)
	for _, class := range ev.DataClasses {
		n += len(class)
	}
	return n <= rowNames && len(ev.DataClasses) <= rowParts-rowClasses
}

// carries tells whether a call carries the row's names.
func (r *row) carries(ev *memberwatch.Event) bool {
	if int(r.parts) != rowClasses+len(ev.DataClasses) || string(r.name(rowEndpoint)) != ev.Endpoint ||
		string(r.name(rowCredential)) != ev.Credential || string(r.name(rowNetwork)) != ev.Network {
		return false
	}
	for i, class := range ev.DataClasses {
		if string(r.name(rowClasses+i)) != class {
			return false
		}
	}
	return true
}

// find returns the row of calls like this one, nil if there is none.
func (t *tab) find(ev *memberwatch.Event, broken bool) *row {
	if t.used == 0 {
		return nil
	}
	alike := likeOf(ev, broken)
	if t.first.like == alike && t.first.carries(ev) {
		return &t.first
	}
	if t.used == 1 {
		return nil
	}
	tag := tagOf(ev)
	for i, other := range t.tags[1:min(t.used, mostRows)] {
		if r := &t.others[i]; other == tag && r.like == alike && r.carries(ev) {
			return r
		}
	}
	return nil
}

// tag tells most rows of an app apart without a look at them.
type tag uint32

func tagOf(ev *memberwatch.Event) tag {
	t := tag(0).with(ev.Network).with(ev.Credential).with(ev.Endpoint)
	for _, class := range ev.DataClasses {
		t = t.with(class)
	}
	return t
}

// with takes in a name: its length and two letters, of which names that are numbered or
// hashed differ in one.
func (t tag) with(name string) tag {
	if n := len(name); n > 0 {
		t ^= tag(n)<<16 | tag(name[n/2])<<8 | tag(name[n-1])
	}
	return t * 0x9e3779b1 // odd, near 2^32 over the golden ratio
}

// repeat takes an event that is like earlier ones into the tab, and tells whether
// it could.
func (e *Engine) repeat(s *State, ev *memberwatch.Event) bool {
	t := &s.tab
	if uint64(ev.Time-t.from) >= t.span || e.through >= t.arms {
		return false
	}
	restricted := s.restricted(ev)
	r := t.find(ev, restricted)
	if r == nil {
		return false
	}
	if !s.recent.takes(ev) {
		s.absorb()
		t.measureReach(&s.recent)
	}
	records, misses, unattended := ev.RecordCount(), ev.MissCount(), uint64(0)
	if ev.Actor == 0 {
		unattended = records
	}
	if !t.room.takes(ev, r.like, records, misses, unattended) {
		return false
	}
	s.pass(ev)
	r.calls++
	r.records += records
	r.misses += misses
	r.unattended += unattended
	r.disclosed += uint64(len(ev.Disclosed))
	s.recent.add(ev, r.deltas)
	if len(ev.Disclosed) <= touchFew {
		t.day.touched.add(ev)
	}
	e.meetRules(s, restricted, ev, t.hour)
	return true
}

// open begins a tab, or goes on with it, after an event that was booked in full.
// special tells that those like it have to be, too.
func (s *State) openTab(ev *memberwatch.Event, hour, day *window, broken, special bool, deltas deltaSet) {
	t := &s.tab
	if t.hour != hour {
		t.used = 0
	}
	t.hour, t.day = hour, day
	part := hour.Start + int64(hour.partAt(ev.Time))*partLength
	t.from = max(part, s.first)
	if t.span = uint64(part + partLength - t.from); s.wake != 0 || s.attested != nil {
		t.span = 0 // these note something of each event
	}
	t.measure(&s.recent)
	// A delta beyond the set, or one that takes the event twice, cannot be in a row.
	if special || !rowHolds(ev) || bits.OnesCount32(uint32(deltas)) != max(len(ev.DataClasses), 1) || t.find(ev, broken) != nil {
		return
	}
	r := t.newRow(tagOf(ev))
	r.like, r.deltas = likeOf(ev, broken), deltas
	r.fill(ev)
}

// newRow returns a row to fill, with the memory of one that was if there are too many.
func (t *tab) newRow(tag tag) *row {
	i := t.used
	if i == mostRows {
		t.next = (t.next + 1) % mostRows
		i = t.next
	} else if t.used++; int(i) > len(t.others) {
		t.others = append(t.others, row{})
	}
	t.tags[i] = tag
	return t.row(i)
}

// measure finds out how much the tab can take.
func (t *tab) measure(r *recent) {
	t.arms = math.MaxInt64
	for _, w := range [2]*window{t.hour, t.day} {
		if !w.armed {
			t.arms = min(t.arms, w.Start)
		}
	}
	t.measureReach(r)
	t.room.records, t.room.misses = t.left(Records, r), t.left(Misses, r)
	t.room.denials, t.room.unattended = t.left(Denials, r), t.left(Unattended, r)
}

// measureReach finds out anew how much of what is in sketches the tab can take.
func (t *tab) measureReach(r *recent) {
	t.room.reach, t.room.breadth = t.left(Reach, r), t.left(Breadth, r)
}

// left is how far a count can grow in both windows.
func (t *tab) left(f Feature, r *recent) uint32 {
	return whole(min(t.hour.room(f, r), t.day.room(f, r)))
}

// room is how far a count is from its critical value, less what the difference may
// be rounded by.
func (w *window) room(f Feature, r *recent) float64 {
	if !w.armed || w.fired&(1<<f) != 0 || math.IsInf(w.critical[f], 1) {
		return math.Inf(1)
	}
	return w.critical[f] - w.atMost(f, r) - max(1, w.critical[f]*0x1p-50)
}

// whole is the largest whole number that is not above v, from 0 to what 32 bits hold.
func whole(v float64) uint32 { return uint32(min(max(v, 0), math.MaxUint32)) }

// bookTab books what is in the tab. It still takes as much as it did.
func (s *State) bookTab() {
	t := &s.tab
	var all sums
	for r := range t.rows {
		if r.calls > 0 {
			x := r.take()
			s.bookRow(r, &x)
			all.plus(&x)
		}
	}
	if all.calls == 0 {
		return
	}
	t.day.hours[(t.hour.Start-t.day.Start)/memberwatch.Hour.Length()] += uint32(all.calls)
	t.hour.parts[t.hour.partAt(t.from)] += uint32(all.calls)
	t.hour.plus(&all)
	t.day.plus(&all)
}

// bookRow books the sums of a row in the ledger's deltas and the breakdowns of the windows.
func (s *State) bookRow(r *row, x *sums) {
	for set := uint32(r.deltas); set != 0; set &= set - 1 {
		d := &s.ledger[bits.TrailingZeros32(set)]
		d.Calls += x.calls
		d.Records += x.records
		d.Denials += x.denials
	}
	p, set, hash := s.tab.hour.pieces, classSet{}, hash32(r.name(rowEndpoint))
	p.more(network, r.name(rowNetwork), x)
	p.more(credential, r.name(rowCredential), x)
	p.more(endpoint, r.name(rowEndpoint), x)
	for i := rowClasses; i < int(r.parts); i++ {
		p.more(class, r.name(i), x)
		set.add(hash32(r.name(i)))
	}
	if r.parts > rowClasses && r.outcome() <= memberwatch.OutcomeOK {
		s.tab.hour.count(set, uint32(x.calls))
	}
	s.tab.day.read(use{hash, set}, x.records)
}

// closeTab books the tab and forgets what its rows are bound to.
func (s *State) closeTab() {
	s.bookTab()
	s.tab.hour, s.tab.day, s.tab.span, s.tab.used = nil, nil, 0, 0
}
