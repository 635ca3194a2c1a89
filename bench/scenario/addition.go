package scenario

import (
	"math"
	"time"

	"github.com/memberwatch/memberwatch"
)

// selection says whom added calls read.
type selection int

const (
	selectNone          selection = iota
	selectEveryone                // members of the whole platform in random order, nobody twice
	selectSequence                // ids looked up one after the other
	selectLookups                 // the same ids in random order
	selectOwnGroups               // what the app reads ordinarily
	selectOwnAgain                // the newest members of its groups, again and again
	selectSweep                   // all members of all its groups in turn
	selectKnown                   // again what it read before, call by call
	selectOneGroupPosts           // nobody: something is written in the one huge group
	selectPosts                   // nobody: something is written in each of its groups in turn
	selectOtherGroups             // groups the app does not manage
	selectOneGroup                // one huge group, page by page
	selectFriends                 // everybody an installer is connected with
	selectExpired                 // people connected with users who left long ago
	selectFormer                  // by id, people who left its groups
	selectTest                    // test members
)

// shape says when added calls come.
type shape int

const (
	shapeSeason shape = iota // like the app's own
	shapeFlat
	shapeNight     // one run a night
	shapeWeekly    // one run a week, at a fixed minute
	shapeMetronome // one call every so often, to the second
)

// Runs of shapeNight and shapeWeekly take this long.
const (
	nightRun  = 10 * time.Minute
	weeklyRun = 15 * time.Minute
)

// addition is calls that an app makes on top of its own.
type addition struct {
	app        *app
	identities []identity // instead of one app
	incident   int        // -1 for ordinary jobs
	from, to   int64
	key        uint64

	calls  float64 // per hour at full size
	shape  shape
	duty   float64 // share of hours at work
	growth float64 // a day, of (1+growth)^days - 1
	most   uint64  // calls at all, 0: no bound

	mostMembers float64 // what most follows from

	selection  selection
	call       call
	hit        float64
	first      uint64 // member of a walk through the population
	stride     uint64 // of the walk
	part       uint64 // of those who split the walk
	parts      uint64
	perActor   int // members per installer
	group      uint64
	canaries   float64 // share of members read that are canaries
	actor      string
	outcome    memberwatch.Outcome
	network    string
	credential string
	leaks      bool
	attested   int64         // when the incident began, for selectFormer
	retains    bool          // goes on with a restricted class
	without    []classesFrom // for those who do not

	issued uint32
}

// classesFrom is what an addition reads from an instant on.
type classesFrom struct {
	from    int64
	classes []string
}

// classes returns the data classes of a call at an instant.
func (x *addition) classes(t int64) []string {
	classes := x.call.classes
	for _, later := range x.without {
		if later.from <= t {
			classes = later.classes
		}
	}
	return classes
}

// identity is one of many small apps that work together.
type identity struct {
	id        memberwatch.AppID
	developer memberwatch.DeveloperID
}

// alive reports whether the addition makes calls between two instants.
func (x *addition) alive(from, to int64) bool {
	return x.from < to && from < x.to && (x.most == 0 || uint64(x.issued) < x.most)
}

// rate returns the expected calls in the hour that starts at t.
func (s *Simulator) rate(x *addition, t int64) float64 {
	days := max(0, float64(t-x.from)/float64(day))
	mean := x.calls
	if x.growth > 0 {
		mean *= math.Pow(1+x.growth, days) - 1
	}
	if x.duty < 1 {
		// At work in whole hours, chosen by hash, so that long pauses happen too.
		if unit(key(x.key, uint64(t/hour))) >= x.duty {
			return 0
		}
		mean /= x.duty
	}
	switch x.shape {
	case shapeSeason:
		mean *= s.level(x.app, t)
		return mean // which knows of outages
	case shapeNight:
		mean *= onlyAt(24, 2+int64(x.key%3), t)
	case shapeWeekly:
		mean *= onlyAt(hoursPerWeek, int64(x.key%hoursPerWeek), t)
	case shapeFlat, shapeMetronome:
	}
	if x.incident < 0 && x.app.at(t).volume == 0 {
		return 0 // an app that sleeps makes no reports either
	}
	return mean * s.working(x.app, t)
}

// onlyAt gathers the calls of a whole period into one of its hours.
func onlyAt(period, at, t int64) float64 {
	if (t/hour)%period != at {
		return 0
	}
	return float64(period)
}

// within returns the part of the hour that starts at t in which calls fall.
func (x *addition) within(t int64) (from, to int64) {
	from, to = t, t+hour
	switch x.shape {
	case shapeNight:
		from += int64(mix(x.key) % 45 * uint64(time.Minute))
		to = from + int64(nightRun)
	case shapeWeekly:
		from += int64(mix(x.key) % 45 * uint64(time.Minute))
		to = from + int64(weeklyRun)
	case shapeSeason, shapeFlat, shapeMetronome:
	}
	return max(from, x.from), min(to, x.to)
}

// schedule puts the addition's calls of the hour that starts at t in line.
func (s *Simulator) schedule(x *addition, origin uint32, t int64) {
	from, to := x.within(t)
	if from >= to {
		return
	}
	s.dice.seed(x.key, uint64(2)<<40+uint64(t/hour))
	if x.shape == shapeMetronome {
		s.scheduleMetronome(x, origin, from, to)
		return
	}
	share := 1.0
	if x.shape == shapeSeason || x.shape == shapeFlat {
		share = float64(to-from) / float64(hour)
	}
	n := s.dice.poisson(s.rate(x, t) * share)
	for range n {
		if x.most > 0 && uint64(x.issued) >= x.most {
			return
		}
		s.enqueue(origin, x.issued, from+s.dice.below(to-from))
		x.issued++
	}
}

// scheduleMetronome spaces calls evenly: the gaps vary by some per cent only.
func (s *Simulator) scheduleMetronome(x *addition, origin uint32, from, to int64) {
	gap := float64(hour) / x.calls
	for n := math.Ceil(float64(from-x.from) / gap); ; n++ {
		at := x.from + int64(n*gap)
		if at >= to {
			return
		}
		at += int64(gap * 0.02 * s.dice.float())
		s.enqueue(origin, x.issued, min(at, to-1))
		x.issued++
	}
}

// addedEvent fills in the addition's call of a number.
func (s *Simulator) addedEvent(x *addition, number uint32, e *memberwatch.Event) {
	d := s.dice
	d.seed(x.key, uint64(3)<<40+uint64(number))
	a := x.app
	e.App, e.Developer = a.id, a.developer
	if len(x.identities) > 0 {
		i := x.identity(d, e.Time)
		e.App, e.Developer = i.id, i.developer
	}
	e.Endpoint, e.DataClasses = x.call.endpoint, x.classes(e.Time)
	e.Credential, e.Network = x.credential, x.network
	e.Outcome = x.outcome
	actor := s.addedActor(x, number, e)
	if e.Outcome != memberwatch.OutcomeOK {
		return
	}
	if x.selection == selectKnown {
		s.again(x, number, e)
		return
	}
	page := uint64(d.between(x.call.low, x.call.high))
	s.choose(x, uint64(number), page, actor, e)
	if x.canaries > 0 {
		for i := range s.disclosed {
			if d.float() < x.canaries {
				s.disclosed[i] = x.canary(uint64(d.below(canaryCount)))
			}
		}
	}
	if x.call.records > 1 {
		e.Records = uint64(len(s.disclosed) * x.call.records)
	}
}

// again makes a call of the app's recent past once more, with all that it
// disclosed then. What was restricted since is not asked for again.
func (s *Simulator) again(x *addition, number uint32, e *memberwatch.Event) {
	a := x.app
	if len(a.past) == 0 {
		return
	}
	now, past := e.Time, a.past[int(number)%len(a.past)]
	e.Time = past.time
	s.ordinaryEvent(a, past.number, e)
	e.Time = now
	if !a.repertoire(now).has(e.Endpoint) {
		e.DataClasses, s.disclosed, s.requested, e.Missed, e.Records = nil, s.disclosed[:0], s.requested[:0], 0, 0
	}
}

// canaryCount is how many members the platform planted where an incident reads.
const canaryCount = 50

// canary returns the number of a planted member.
func (x *addition) canary(n uint64) uint64 { return canaries + mix(uint64(x.incident)<<8^n)>>32 }

// identity picks one of those at work at t: they come one after the other over
// the whole time, each for some days.
func (x *addition) identity(d *dice, t int64) *identity {
	n := len(x.identities)
	newest := int(float64(n) * float64(t-x.from) / float64(x.to-x.from))
	together := max(1, n/8)
	return &x.identities[min(max(newest-int(d.below(int64(together))), 0), n-1)]
}

// callsPerActor returns how many pages hold an installer's members.
func (x *addition) callsPerActor() uint64 {
	return uint64(max(1, (x.perActor+x.call.high-1)/x.call.high))
}

// addedActor says for whom the app acts in an added call.
func (s *Simulator) addedActor(x *addition, number uint32, e *memberwatch.Event) uint64 {
	a := x.app
	var actor uint64
	switch x.actor {
	case "none":
		return uint64(number)
	case "service":
		actor = 1 << 20
	case "admin": // whoever runs the group that the call is about
		groups := uint64(1)
		if x.selection != selectOneGroup && x.selection != selectOneGroupPosts {
			groups = a.groupCount(a.at(e.Time))
		}
		actor = 1<<23 + uint64(number)%groups
	case "each":
		actor = 1<<21 + uint64(number)/x.callsPerActor()
	default:
		actor = s.anActor(a, e.Time, a.at(e.Time).actors)
	}
	e.Actor = s.actorHash(a, actor)
	return actor
}
