package scenario

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/memberwatch/memberwatch"
)

// Simulator yields the events of a platform in the order in which a gateway
// would report them. It is not safe for concurrent use.
//
// It works hour by hour: all calls of an hour get their times, are sorted, and
// then become events one at a time. Memory holds one hour's calls, not a day's
// nor the run's.
type Simulator struct {
	config    Config
	seed      uint64
	start     int64
	end       int64
	people    *population
	apps      []*app
	additions []*addition
	created   int // apps on top of the configured ones
	incidents []*Incident
	changes   []memberwatch.Change
	expected  []memberwatch.Silence
	dice      *dice

	slot    int64    // start of the next hour to schedule
	entries []entry  // calls of this hour
	order   []uint64 // their places, sorted by arrival
	next    int      // in order
	late    []arrival
	label   int

	disclosed []uint64 // numbers, then hashes, of the newest event's members
	requested []uint64
}

// entry is a call that was given its time.
type entry struct {
	time   int64
	origin uint32 // app, or addition behind the apps
	number uint32 // of the origin's calls
}

// arrival is a call that arrives after its hour.
type arrival struct {
	at int64
	entry
}

// New builds a platform and plants what the configuration asks for.
func New(config Config) (*Simulator, error) {
	config, err := config.complete()
	if err != nil {
		return nil, err
	}
	s := &Simulator{config: config, seed: mix(config.Seed), start: config.Start.UnixNano(), label: -1, dice: newDice()}
	s.end = s.start + int64(config.Days)*day
	s.slot = s.start
	s.people = newPopulation(s.seed, config.Members, config.Groups)
	s.populate()
	p := &planter{s: s, dice: newDice(), restrictions: make(map[string]*memberwatch.Restriction)}
	for n, planting := range config.Plant {
		if err := p.plant(n, planting); err != nil {
			return nil, fmt.Errorf("plant %q: %w", planting.Scenario, err)
		}
	}
	p.strip()
	s.changes = p.declare()
	return s, nil
}

// populate creates the ordinary apps: Zipf sizes of exponent 1 in random order,
// categories by share, and owners of one to many apps.
func (s *Simulator) populate() {
	var harmonic float64
	for rank := range s.config.Apps {
		harmonic += 1 / float64(rank+1)
	}
	d := newDice()
	d.seed(s.seed, 4)
	kinds := categories()
	for number, rank := range d.r.Perm(s.config.Apps) {
		calls := float64(s.config.EventsPerDay) / harmonic / float64(rank+1)
		a := s.newApp(number, pickCategory(kinds, d.float()), calls)
		a.size = 1 - float64(rank)/float64(s.config.Apps)
		// About 45 of 100 apps belong to a developer who has one already; who has more gets more.
		owner := number
		if number > 0 && d.float() < 0.45 {
			owner = int(d.below(int64(number)))
			a.developer = s.apps[owner].developer
		} else {
			a.developer = developerID(s.seed, owner)
		}
		// Three in a hundred are born during the run.
		if born := s.start + d.below(s.end-s.start); d.float() < 0.03 {
			a.born = born - born%hour
			a.created = time.Unix(0, a.born).UTC()
		}
		s.apps = append(s.apps, a)
		if a.groups > 0 && d.float() < 0.15 {
			s.additions = append(s.additions, s.weeklyJob(a))
		}
	}
}

func developerID(seed uint64, number int) memberwatch.DeveloperID {
	return memberwatch.DeveloperID(fmt.Sprintf("dev-%05x", (uint64(number)*0x7a3b7+seed>>8)&0xfffff))
}

func pickCategory(kinds []category, u float64) *category {
	var all, upTo float64
	for i := range kinds {
		all += kinds[i].weight
	}
	for i := range kinds {
		if upTo += kinds[i].weight / all; u < upTo {
			return &kinds[i]
		}
	}
	return &kinds[0]
}

// weeklyJob returns a report that an app makes every week at the same minute.
func (s *Simulator) weeklyJob(a *app) *addition {
	report := callFeed
	for _, own := range a.category.calls { // what it may read, whatever that is
		if len(own.classes) > 0 && !a.uses(classActivity) {
			report.endpoint, report.classes = own.endpoint, own.classes
			break
		}
	}
	report.low, report.high = 10, 40
	return &addition{
		app: a, incident: -1, from: a.born, to: math.MaxInt64, key: key(a.key, 5), duty: 1, parts: 1, shape: shapeWeekly,
		calls: max(2, a.calls*0.3) / 24 / 7, selection: selectSweep, call: report, actor: "service",
		outcome: memberwatch.OutcomeOK, network: a.network, credential: a.credential,
	}
}

// Next writes the next event into e and tells whether there was one. The
// event's slices are the simulator's and hold until the next call.
func (s *Simulator) Next(e *memberwatch.Event) bool {
	for s.next == len(s.order) {
		if s.slot >= s.end && len(s.late) == 0 {
			return false
		}
		s.fillHour()
	}
	s.emit(s.entries[uint32(s.order[s.next])], e)
	s.next++
	return true
}

// Incident returns the index in Truth of the incident that made the newest
// event, -1 when it is ordinary traffic.
func (s *Simulator) Incident() int { return s.label }

// Truth returns what was planted, in the order of the plantings. What leaked
// grows while events are taken.
func (s *Simulator) Truth() []*Incident { return s.incidents }

// Declarations returns what the platform declares: apps as they register and
// restrictions as they are announced, ordered by time and numbered. A consumer
// applies each before the first event at or after its time.
func (s *Simulator) Declarations() []memberwatch.Change { return s.changes }

// Expectations returns what the platform has arranged and declares before it
// starts: signals about it are silenced. They are written in event time.
func (s *Simulator) Expectations() []memberwatch.Silence { return s.expected }

// End returns the first instant after the run.
func (s *Simulator) End() time.Time { return time.Unix(0, s.end).UTC() }

// fillHour schedules the calls of the next hour and lines up what arrives in it.
func (s *Simulator) fillHour() {
	t := s.slot
	s.slot += hour
	s.entries, s.order, s.next = s.entries[:0], s.order[:0], 0
	waiting := s.late
	s.late = s.late[:0]
	for _, a := range waiting {
		s.arrive(a.entry, a.at)
	}
	if t < s.end {
		for i, a := range s.apps {
			for range s.ordinary(a, t) {
				s.enqueue(uint32(i), a.issued, t+s.dice.below(hour))
				a.issued++
			}
		}
		for i, x := range s.additions {
			if x.alive(t, t+hour) {
				s.schedule(x, uint32(len(s.apps)+i), t)
			}
		}
	}
	slices.Sort(s.order)
	for _, i := range s.incidents {
		if i.End.UnixNano()+3*day < t {
			i.leak.seen = nil
		}
	}
}

// enqueue lines up a call of a given time, with the delays that befall it.
func (s *Simulator) enqueue(origin, number uint32, t int64) {
	e := entry{time: t, origin: origin, number: number}
	at := t
	if s.config.Disorder > 0 {
		at += int64(scaled(mix(uint64(t)^s.seed), uint64(s.config.Disorder)))
	}
	now := s.owner(origin).at(t)
	if now.late > 0 {
		at += int64(scaled(mix(uint64(t)^s.seed+1), uint64(now.late)))
	}
	if now.skew > 0 {
		e.time -= int64(scaled(mix(uint64(t)^s.seed+2), uint64(now.skew)))
	}
	if now.duplicates > 0 && unit(mix(uint64(t)^s.seed+3)) < now.duplicates {
		s.arrive(e, at+int64(scaled(mix(uint64(t)^s.seed+4), uint64(hour))))
	}
	s.arrive(e, at)
}

// arrive lines a call up in this hour, or keeps it for its own.
func (s *Simulator) arrive(e entry, at int64) {
	if at >= s.slot {
		s.late = append(s.late, arrival{at, e})
		return
	}
	micros := uint64(at-(s.slot-hour)) / 1000
	s.order = append(s.order, micros<<32|uint64(len(s.entries)))
	s.entries = append(s.entries, e)
}

// owner returns the app whose calls an origin makes.
func (s *Simulator) owner(origin uint32) *app {
	if int(origin) < len(s.apps) {
		return s.apps[origin]
	}
	return s.additions[int(origin)-len(s.apps)].app
}

// emit makes the event of a call.
func (s *Simulator) emit(from entry, e *memberwatch.Event) {
	*e = memberwatch.Event{Time: from.time, Outcome: memberwatch.OutcomeOK}
	s.disclosed, s.requested = s.disclosed[:0], s.requested[:0]
	leaks := false
	if int(from.origin) < len(s.apps) {
		a := s.apps[from.origin]
		e.App = a.id
		now := a.at(from.time)
		s.label, leaks = now.incident, now.leaks
		s.ordinaryEvent(a, from.number, e)
		if from.time < a.remembers {
			a.remember(from)
		}
	} else {
		x := s.additions[int(from.origin)-len(s.apps)]
		s.label, leaks = x.incident, x.leaks
		s.addedEvent(x, from.number, e)
	}
	if s.label >= 0 {
		s.incidents[s.label].note(from.time, s.disclosed, s.requested, leaks, s.people.members)
	}
	for i, m := range s.disclosed {
		s.disclosed[i] = s.people.hash(m)
	}
	for i, m := range s.requested {
		s.requested[i] = s.people.hash(m)
	}
	e.Disclosed, e.Requested = s.disclosed, s.requested
}
