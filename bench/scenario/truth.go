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
	Clean       bool    // planted without the scenario's tricks, for comparison
	Rate        float64 // multiplier of the scenario's amounts
	Apps        []memberwatch.AppID
	Developers  []memberwatch.DeveloperID
	Everyone    bool                      // it befalls every app; Apps is empty
	Restriction memberwatch.RestrictionID // that it breaks, if any
	Canaries    []memberwatch.MemberID    // that it may touch
	Declares    []string                  // what the platform knows of, as in the scenario
	Start, End  time.Time
	Goal        Goal // by when it should be found
	// Parameters holds what was drawn for this incident, for reports.
	Parameters []Parameter

	events int64
	first  int64 // time of the earliest event
	began  int64 // and of the earliest that is no mere preparation
	ramp   ramp
	leak   leak
	calls  course
	asked  course // ids that were asked for
	traps  course // canaries that were disclosed
}

// Parameter is one drawn value.
type Parameter struct {
	Name  string
	Value float64
}

// Events returns how many of the events so far belong to the incident.
func (i *Incident) Events() int64 { return i.events }

// FirstEvent returns the time of the incident's earliest event so far in
// nanoseconds since the epoch, 0 when there was none.
func (i *Incident) FirstEvent() int64 { return i.first }

// Began returns the time of its earliest event that was neither a decoy nor
// ordinary traffic made to look odd, or that of FirstEvent when there was none.
// Delays count from here.
func (i *Incident) Began() int64 {
	if i.began == 0 {
		return i.first
	}
	return i.began
}

// Leaked returns how many distinct members leaked so far; 0 for look-alikes.
func (i *Incident) Leaked() int64 { return i.leak.members }

// LeakedBy returns how many distinct members had leaked at an event time, in
// nanoseconds since the epoch.
func (i *Incident) LeakedBy(t int64) int64 { return i.leak.course.at(t) }

// Spent returns how much of what the goal counts had been spent by an event
// time: hours since the incident began, events, ids and so on.
func (i *Incident) Spent(t int64) float64 {
	switch i.Goal.Unit {
	case Hours:
		return float64(max(t-i.Began(), 0)) / float64(time.Hour)
	case Events:
		return float64(i.calls.at(t))
	case IDs:
		return float64(i.asked.at(t))
	case Members:
		return float64(i.LeakedBy(t))
	case LeakShare:
		return float64(i.LeakedBy(t)) / float64(max(i.Leaked(), 1))
	case Traps:
		return float64(i.traps.at(t))
	case Level:
		return i.ramp.level(t)
	default:
		return 0
	}
}

// course says how a count grew. Its first points stand for one event each; then
// there is one for each minute during the first three days, and for each hour
// later. Within a point the count rises evenly from its first event to its last.
type course []coursePoint

type coursePoint struct {
	first, last int64 // times of the events in the step
	total       int64
}

// Steps of a course.
const (
	singlePoints = 100     // that stand for one event each
	finePoints   = 3 * day // from the first, by the minute
)

// record enters the count after an event.
func (c *course) record(t, total int64) {
	points := *c
	step := int64(time.Minute)
	if len(points) > 0 && t-points[0].first >= finePoints {
		step = hour
	}
	if n := len(points); n > 0 && (t <= points[n-1].last || n >= singlePoints && points[n-1].last/step == t/step) {
		points[n-1].total = total
		points[n-1].last = max(t, points[n-1].last)
		return
	}
	*c = append(points, coursePoint{first: t, last: t, total: total})
}

// at returns the count at an event time.
func (c course) at(t int64) int64 {
	n := sort.Search(len(c), func(n int) bool { return c[n].last > t })
	var before int64
	if n > 0 {
		before = c[n-1].total
	}
	if n == len(c) || t < c[n].first {
		return before
	}
	p := c[n]
	part := float64(t-p.first) / float64(p.last-p.first)
	return before + int64(part*float64(p.total-before))
}

// end returns the last count.
func (c course) end() int64 {
	if len(c) == 0 {
		return 0
	}
	return c[len(c)-1].total
}

// leak counts distinct members over time. Its set is one bit per member of the
// platform and goes once the incident is over.
type leak struct {
	members int64
	seen    []uint64 // bits, by member number
	extra   map[uint64]struct{}
	course  course
}

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
		l.course.record(t, l.members)
	}
}

// note counts an event of the incident, before members become hashes. Earnest
// events are those that leak, or try to.
func (i *Incident) note(t int64, disclosed, requested []uint64, earnest bool, population uint64) {
	i.events++
	if i.first == 0 || t < i.first {
		i.first = t
	}
	if !earnest {
		return
	}
	if i.began == 0 || t < i.began {
		i.began = t
	}
	i.leak.add(t, disclosed, population)
	switch i.Goal.Unit {
	case Events:
		i.calls.record(t, i.calls.end()+1)
	case IDs:
		if len(requested) > 0 {
			i.asked.record(t, i.asked.end()+int64(len(requested)))
		}
	case Traps:
		if n := trapsIn(disclosed); n > 0 {
			i.traps.record(t, i.traps.end()+n)
		}
	case Hours, Members, LeakShare, Level, Loss:
	}
}

// trapsIn counts the canaries among members.
func trapsIn(members []uint64) (n int64) {
	for _, m := range members {
		if m >= canaries && m < nobody {
			n++
		}
	}
	return n
}
