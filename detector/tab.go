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
	part      int64   // start of the part of the hour
	arms      int64   // the watermark at which one of the windows is to be armed
	sums              // of all rows
	members   uint64  // disclosed, one by one
	groups    uint64  // read, one by one
	// room holds how far the counts can grow before a window has to be looked at.
	room struct{ reach, records, breadth, misses, denials, unattended uint64 }
	rows []row
	next int // the row that makes room for another
}

// row sums the calls that are alike.
type row struct {
	like
	parts  uint8            // how many names there are
	ends   [rowParts]uint16 // where each of them ends
	deltas deltaSet
	names  []byte // network, credential, endpoint and data classes, one after the other
	sums
}

// like is what alike calls have in common beside their names.
type like struct {
	outcome memberwatch.Outcome
	broken  bool // a restriction
	reads   bool // records
	shares  bool // members or a group, with the ledger's deltas
}

func likeOf(ev *memberwatch.Event, broken bool) like {
	return like{ev.Outcome, broken, ev.RecordCount() > 0, len(ev.Disclosed) > 0 || ev.Group != ""}
}

// mostRows is how many sorts of calls an app's tab tells apart.
const mostRows = 4

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
	from := uint16(0)
	if i > 0 {
		from = r.ends[i-1]
	}
	return r.names[from:r.ends[i]]
}

func (r *row) put(name string) {
	r.names = append(r.names, name...)
	r.ends[r.parts] = uint16(len(r.names))
	r.parts++
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
	alike := likeOf(ev, broken)
	for i := range t.rows {
		if r := &t.rows[i]; r.like == alike && r.carries(ev) {
			return r
		}
	}
	return nil
}

// fits tells whether no window has to be looked at after an event. What is in the
// tab is below the room or, like the room, 0; records may be huge.
func (t *tab) fits(ev *memberwatch.Event, x *sums) bool {
	r := &t.room
	return x.records < r.records-t.records && uint64(len(ev.Disclosed)) < r.reach-t.members && 1 < r.breadth-t.groups &&
		x.misses < r.misses-t.misses && x.denials < r.denials-t.denials && x.unattended < r.unattended-t.unattended
}

// repeat takes an event that is like earlier ones into the tab, and tells whether
// it could.
func (e *Engine) repeat(s *State, ev *memberwatch.Event) bool {
	t := &s.tab
	if uint64(ev.Time-t.part) >= uint64(partLength) || t.hour == nil || e.through >= t.arms || s.wake != 0 || s.attested != nil || !s.recent.takes(ev) {
		return false
	}
	rule, x := s.broken(ev), sumsOf(ev)
	r := t.find(ev, rule != nil)
	if r == nil || !t.fits(ev, &x) {
		return false
	}
	s.pass(ev)
	r.plus(&x)
	t.plus(&x)
	t.members += uint64(len(ev.Disclosed))
	if ev.Group != "" && x.records > 0 {
		t.groups++
	}
	s.recent.add(ev, r.deltas)
	if len(ev.Disclosed) <= touchFew {
		t.day.touched.add(ev)
	}
	e.meetRules(s, rule, ev, t.hour)
	return true
}

// open begins a tab, or goes on with it, after an event that was booked in full.
// special tells that those like it have to be, too.
func (s *State) openTab(ev *memberwatch.Event, hour, day *window, broken, special bool, deltas deltaSet) {
	t := &s.tab
	if t.hour != hour {
		t.rows = t.rows[:0]
	}
	t.hour, t.day = hour, day
	t.part = hour.Start + int64(hour.partAt(ev.Time))*partLength
	t.measure(&s.recent)
	// A delta beyond the set, or one that takes the event twice, cannot be in a row.
	if special || len(ev.DataClasses) > rowParts-rowClasses || bits.OnesCount32(uint32(deltas)) != max(len(ev.DataClasses), 1) || t.find(ev, broken) != nil {
		return
	}
	r := t.newRow()
	r.like, r.deltas = likeOf(ev, broken), deltas
	r.names, r.parts = r.names[:0], 0
	for _, name := range [...]string{rowNetwork: ev.Network, rowCredential: ev.Credential, rowEndpoint: ev.Endpoint} {
		r.put(name)
	}
	for _, class := range ev.DataClasses {
		r.put(class)
	}
}

// newRow returns a row to fill, with the memory of one that was.
func (t *tab) newRow() *row {
	switch n := len(t.rows); {
	case n == mostRows:
		t.next = (t.next + 1) % mostRows
		return &t.rows[t.next]
	case n < cap(t.rows):
		t.rows = t.rows[:n+1]
	default:
		t.rows = append(t.rows, row{})
	}
	return &t.rows[len(t.rows)-1]
}

// measure finds out how much the tab can take.
func (t *tab) measure(r *recent) {
	t.arms, t.members, t.groups = math.MaxInt64, 0, 0
	reach, records, breadth, misses, denials, unattended := math.Inf(1), math.Inf(1), math.Inf(1), math.Inf(1), math.Inf(1), math.Inf(1)
	for _, w := range [2]*window{t.hour, t.day} {
		if !w.armed {
			t.arms = min(t.arms, w.Start)
			continue // nothing is critical yet
		}
		reach, records = min(reach, w.room(Reach, r)), min(records, w.room(Records, r))
		breadth, misses = min(breadth, w.room(Breadth, r)), min(misses, w.room(Misses, r))
		denials, unattended = min(denials, w.room(Denials, r)), min(unattended, w.room(Unattended, r))
	}
	t.room.reach, t.room.records, t.room.breadth = whole(reach), whole(records), whole(breadth)
	t.room.misses, t.room.denials, t.room.unattended = whole(misses), whole(denials), whole(unattended)
}

// room is how far a count is from its critical value, less what the difference may
// be rounded by.
func (w *window) room(f Feature, r *recent) float64 {
	if w.fired&(1<<f) != 0 || math.IsInf(w.critical[f], 1) {
		return math.Inf(1)
	}
	return w.critical[f] - w.atMost(f, r) - max(1, w.critical[f]*0x1p-50)
}

// whole is the largest whole number that is not above v, at least 0.
func whole(v float64) uint64 {
	if v >= math.MaxInt64 {
		return math.MaxInt64
	}
	return uint64(max(v, 0))
}

// bookTab books what is in the tab. The next event measures it anew.
func (s *State) bookTab() {
	t := &s.tab
	t.arms = math.MinInt64
	if t.calls == 0 {
		return
	}
	t.day.hours[(t.hour.Start-t.day.Start)/memberwatch.Hour.Length()] += uint32(t.calls)
	t.hour.parts[t.hour.partAt(t.part)] += uint32(t.calls)
	for _, w := range [2]*window{t.hour, t.day} {
		w.plus(&t.sums)
	}
	t.sums = sums{}
	for i := range t.rows {
		if r := &t.rows[i]; r.calls > 0 {
			s.bookRow(r)
			r.sums = sums{}
		}
	}
}

// bookRow books a row in the ledger's deltas and the breakdowns of the windows.
func (s *State) bookRow(r *row) {
	for set := uint32(r.deltas); set != 0; set &= set - 1 {
		d := &s.ledger[bits.TrailingZeros32(set)]
		d.Calls += r.calls
		d.Records += r.records
		d.Denials += r.denials
	}
	p, set, hash := s.tab.hour.pieces, classSet{}, hash32(r.name(rowEndpoint))
	p.more(network, r.name(rowNetwork), &r.sums)
	p.more(credential, r.name(rowCredential), &r.sums)
	p.more(endpoint, r.name(rowEndpoint), &r.sums)
	for i := rowClasses; i < int(r.parts); i++ {
		p.more(class, r.name(i), &r.sums)
		set.add(hash32(r.name(i)))
	}
	if r.parts > rowClasses && r.outcome <= memberwatch.OutcomeOK {
		s.tab.day.count(set, uint32(r.calls))
	}
	s.tab.day.read(use{hash, set}, r.records)
}

// closeTab books the tab and forgets what its rows are bound to.
func (s *State) closeTab() {
	s.bookTab()
	s.tab.hour, s.tab.day, s.tab.rows = nil, nil, s.tab.rows[:0]
}
