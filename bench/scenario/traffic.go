package scenario

import (
	"math"
	"time"

	"github.com/memberwatch/memberwatch"
)

const (
	hour = int64(time.Hour)
	day  = 24 * hour
)

// dayCorrelation is the correlation of an app's activity from one day to the
// next beyond season and growth. Source: 0.35 measured on real daily counts of
// distinct users (DESIGN section 5).
const dayCorrelation = 0.35

// hourShape is the shape of the gamma that spreads hours about their day's
// level. Its value is ours.
const hourShape = 12

// platformOutage is the share of calls that get through while the platform is
// down.
const platformOutage = 0.1

// dayFactor returns by how much an app's calls of a day exceed what season and
// growth say: gamma distributed, mean 1, correlated from day to day. It is a
// moving average of each day's shock, so that any day can be computed without
// those before it.
func (s *Simulator) dayFactor(a *app, dayNumber int64) float64 {
	if a.today == dayNumber {
		return a.factor
	}
	var z, weight float64
	weight = math.Sqrt(1 - dayCorrelation*dayCorrelation)
	for lag := range int64(6) {
		s.dice.seed(a.key, uint64(1)<<40+uint64(dayNumber-lag+100))
		z += float64(weight * s.dice.r.NormFloat64())
		weight *= dayCorrelation
	}
	a.today, a.factor = dayNumber, gammaAt(a.shape, z)
	return a.factor
}

// ordinary returns how many calls an app makes of its own accord in the hour
// that starts at t.
func (s *Simulator) ordinary(a *app, t int64) int {
	if a.silent || t < a.born {
		return 0
	}
	dayNumber := (t - s.start) / day
	now := a.at(t)
	mean := a.calls / 24 * s.level(a, t) * s.dayFactor(a, dayNumber) * now.volume * a.repertoire(t).share
	s.dice.seed(a.key, uint64(2)<<40+uint64(t/hour))
	return s.dice.poisson(mean * s.dice.gamma(hourShape))
}

// level returns the expected activity of an app in the hour that starts at t,
// relative to its mean at the start: season, growth, holidays and outages.
func (s *Simulator) level(a *app, t int64) float64 {
	local := t + int64(a.zone)*hour + int64(a.at(t).shift)
	c := a.category
	// Day 4 of the Unix epoch, a Monday, starts the first whole week.
	inWeek := ((local/hour-4*24)%hoursPerWeek + hoursPerWeek) % hoursPerWeek
	level := float64((1-c.batch)*c.season[inWeek]) + c.batch
	level *= a.grown(t, s.start)
	if holiday(local) {
		level *= c.holiday
	}
	return level * s.working(a, t)
}

// grown returns the app's size at t relative to the start. Apps born later
// start with a thirty-second of their size and double every week up to it.
func (a *app) grown(t, start int64) float64 {
	size := math.Exp(a.growth * float64(t-start) / float64(day))
	if a.born > start {
		size *= min(1, math.Exp2(float64(t-a.born)/float64(7*day)-5))
	}
	return size
}

// holiday tells whether a local time lies on a day that most people have off.
func holiday(local int64) bool {
	_, month, date := time.Unix(0, local).UTC().Date()
	switch month {
	case time.January:
		return date == 1
	case time.May:
		return date == 1
	case time.December:
		return date >= 24 && date <= 26 || date == 31
	default:
		return false
	}
}

// working returns the share of an app's calls that get through: less than 1
// while the platform is down, about every 45 days for up to three hours, or the
// app's own servers are, about every 60 days for up to eight.
func (s *Simulator) working(a *app, t int64) float64 {
	share := 1.0
	dayNumber, hourOfDay := (t-s.start)/day, (t-s.start)%day/hour
	if down(key(s.seed, 3), dayNumber, hourOfDay, 45, 3) {
		share *= platformOutage
	}
	if down(a.key, dayNumber, hourOfDay, 60, 8) {
		share = 0
	}
	return share
}

// down tells whether an outage that comes on one day in every covers the hour.
func down(key uint64, dayNumber, hourOfDay int64, every, longest uint64) bool {
	x := mix(key ^ uint64(dayNumber)<<8 ^ 0x5ca1ab1e)
	if scaled(x, every) != 0 {
		return false
	}
	x = mix(x)
	first := int64(scaled(x, 24))
	return hourOfDay >= first && hourOfDay <= first+int64(scaled(mix(x), longest))
}

// ordinaryEvent fills in the app's call of a number. What it holds depends on
// the number and the time alone.
func (s *Simulator) ordinaryEvent(a *app, number uint32, e *memberwatch.Event) {
	d := s.dice
	d.seed(a.key, uint64(3)<<40+uint64(number))
	c := a.repertoire(e.Time).pick(d.float())
	now := a.at(e.Time)
	actor := s.anActor(a, e.Time, now.actors)
	e.Developer = a.developer
	e.Endpoint, e.DataClasses = c.endpoint, c.classes
	e.Actor = s.actorHash(a, actor)
	e.Credential, e.Network = a.credential, a.network
	if now.network != "" {
		e.Network = now.network
	}
	if now.credential != "" {
		e.Credential = now.credential
	}
	if e.Outcome = s.outcome(c, now.errors); e.Outcome != memberwatch.OutcomeOK {
		return
	}
	if now.classes != nil && c.reads > readCount {
		e.DataClasses = now.classes[c.endpoint]
	}
	s.read(a, c, actor, now, e)
}

// anActor draws one of the people who act through the app today. Busy users act
// on more days: the day's draw prefers low numbers.
func (s *Simulator) anActor(a *app, t int64, factor float64) uint64 {
	dayNumber := (t - s.start) / day
	users := factor * s.usersOn(a, t)
	active := max(1, users*activeShare*math.Pow(s.factorOn(a, dayNumber), 0.85))
	slot := s.dice.below(int64(math.Ceil(active)))
	u := unit(key(a.key^uint64(slot), uint64(dayNumber)))
	return uint64(u * math.Sqrt(u) * users)
}

// usersOn returns how many people act through the app now and then, as of the
// day's start: within a day nobody joins, or every call would be somebody else's
// while an app grows.
func (s *Simulator) usersOn(a *app, t int64) float64 {
	return a.users * a.grown(t-(t-s.start)%day, s.start)
}

// factorOn returns dayFactor without disturbing the draws of an event.
func (s *Simulator) factorOn(a *app, dayNumber int64) float64 {
	if a.today == dayNumber {
		return a.factor
	}
	saved := s.dice.pcg
	factor := s.dayFactor(a, dayNumber)
	s.dice.pcg = saved
	return factor
}

// actorHash returns what events carry instead of an acting user's number.
func (s *Simulator) actorHash(a *app, actor uint64) uint64 {
	return s.people.hash(s.people.at(a.key, actor))
}

// outcome draws how the gateway answers.
func (s *Simulator) outcome(c *call, errors float64) memberwatch.Outcome {
	u := s.dice.float()
	switch {
	case u < c.denied:
		return memberwatch.OutcomeDenied
	case u < c.denied+0.002+errors:
		return memberwatch.OutcomeError
	case u < c.denied+0.003+errors:
		return memberwatch.OutcomeThrottled
	default:
		return memberwatch.OutcomeOK
	}
}
