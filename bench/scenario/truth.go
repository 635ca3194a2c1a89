package scenario

import (
	"sort"
	"time"

	"github.com/memberwatch/memberwatch"
)

// Incident is what was planted: the truth that events never carry. What leaked
// grows while the simulator runs.
type Incident struct {
	Scenario    string  // id, such as S04
	Kind        string  // burst-harvest
	Abuse       bool    // false: a benign look-alike
	Rate        float64 // multiplier of the scenario's amounts
	Apps        []memberwatch.AppID
	Developers  []memberwatch.DeveloperID
	Everyone    bool                      // it befalls every app; Apps is empty
	Restriction memberwatch.RestrictionID // that it breaks, if any
	Canaries    []memberwatch.MemberID    // that it may touch
	Declares    []string                  // what the platform knows of, as in the scenario
	Start, End  time.Time
	// Parameters holds what was drawn for this incident, for reports.
	Parameters []Parameter

	events int64
	leak   leak
}

// Parameter is one drawn value.
type Parameter struct {
	Name  string
	Value float64
}

// Events returns how many of the events so far belong to the incident.
func (i *Incident) Events() int64 { return i.events }

// FirstEvent returns the time of the incident's earliest event so far in
// nanoseconds since the epoch, 0 when there was none. Delays count from here.
func (i *Incident) FirstEvent() int64 { return i.leak.first }

// Leaked returns how many distinct members leaked so far; 0 for look-alikes.
func (i *Incident) Leaked() int64 { return i.leak.members }

// LeakedBy returns how many distinct members had leaked at an event time, in
// nanoseconds since the epoch. It is recorded by the minute during the first
// three days of the incident and by the hour later; within a record it rises
// evenly from its first event to its last.
func (i *Incident) LeakedBy(t int64) int64 {
	points := i.leak.points
	n := sort.Search(len(points), func(n int) bool { return points[n].last > t })
	var before int64
	if n > 0 {
		before = points[n-1].members
	}
	if n == len(points) || t < points[n].first {
		return before
	}
	p := points[n]
	part := float64(t-p.first) / float64(p.last-p.first)
	return before + int64(part*float64(p.members-before))
}

// leak counts distinct members over time. Its set is one bit per member of the
// platform and goes once the incident is over.
type leak struct {
	first   int64
	members int64
	seen    []uint64 // bits, by member number
	extra   map[uint64]struct{}
	points  []leakPoint
}

// leakPoint says how many members had leaked by the end of a step of time.
type leakPoint struct {
	first, last int64 // times of the events in the step
	members     int64
}

// fineSteps is how long a leak is recorded by the minute.
const fineSteps = 3 * day

// add counts the members of one event.
func (l *leak) add(t int64, members []uint64, population uint64) {
	if l.seen == nil {
		l.seen = make([]uint64, (population+63)/64)
	}
	before := l.members
	for _, m := range members {
		if m < population {
			word, bit := m/64, uint64(1)<<(m%64)
			l.members += int64(^l.seen[word] & bit >> (m % 64) & 1)
			l.seen[word] |= bit
			continue
		}
		if _, known := l.extra[m]; !known {
			if l.extra == nil {
				l.extra = make(map[uint64]struct{})
			}
			l.extra[m] = struct{}{}
			l.members++
		}
	}
	if l.members > before {
		l.record(t)
	}
}

// record keeps the newest count, one point per step.
func (l *leak) record(t int64) {
	step := int64(time.Minute)
	if t-l.first >= fineSteps {
		step = hour
	}
	if n := len(l.points); n > 0 && (t <= l.points[n-1].last || l.points[n-1].last/step == t/step) {
		l.points[n-1].members = l.members
		l.points[n-1].last = max(t, l.points[n-1].last)
		return
	}
	l.points = append(l.points, leakPoint{first: t, last: t, members: l.members})
}

// note counts an event of the incident.
func (i *Incident) note(t int64, members []uint64, leaks bool, population uint64) {
	i.events++
	if i.leak.first == 0 || t < i.leak.first {
		i.leak.first = t
	}
	if leaks {
		i.leak.add(t, members, population)
	}
}
