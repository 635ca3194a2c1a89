package detector

import (
	"math"
	"slices"

	"github.com/memberwatch/memberwatch"
)

// An excluded window teaches the expectations what they expected anyway: the
// median of their own prediction stands in for what was counted. So levels,
// scales and the places in a queue stay in step with the calendar, and nothing of
// the window becomes normal.
//
// What days have been learnt is unlearnt, as far as the slow stream's lag reaches:
// it is what the burst stream of days was 14 days ago, and has the values since. So
// the burst stream is made anew from it, without what is excluded, and a withdrawn
// exclusion brings back what would have been learnt. What is older stays learnt, by
// residuals clipped at 3 s, and so do hours, of which nobody keeps the values: they
// forget within a week.

// exclusions are the windows that teach nothing, of apps and of developers with
// all their apps.
type exclusions struct {
	apps       map[memberwatch.AppID][]memberwatch.Exclusion
	developers map[memberwatch.DeveloperID][]memberwatch.Exclusion
	// The revisions of the newest exclusion, or withdrawal of one.
	changedApps       map[memberwatch.AppID]int64
	changedDevelopers map[memberwatch.DeveloperID]int64
}

func newExclusions() exclusions {
	return exclusions{
		make(map[memberwatch.AppID][]memberwatch.Exclusion), make(map[memberwatch.DeveloperID][]memberwatch.Exclusion),
		make(map[memberwatch.AppID]int64), make(map[memberwatch.DeveloperID]int64),
	}
}

// exclude takes an exclusion, or another state of a known one.
func (e *Engine) exclude(x memberwatch.Exclusion) {
	if x.App == "" {
		put(e.excluded.developers, x.Developer, x)
		e.excluded.changedDevelopers[x.Developer] = e.revision
	} else {
		put(e.excluded.apps, x.App, x)
		e.excluded.changedApps[x.App] = e.revision
	}
}

func put[K comparable](of map[K][]memberwatch.Exclusion, who K, x memberwatch.Exclusion) {
	list := slices.DeleteFunc(of[who], func(o memberwatch.Exclusion) bool { return o.ID == x.ID })
	if !x.Withdrawn {
		list = append(list, x)
	}
	if len(list) == 0 {
		delete(of, who)
		return
	}
	of[who] = list
}

// excludes tells whether a window of an app or developer is to teach nothing.
func (e *Engine) excludes(s *State, w memberwatch.Window) bool {
	covers := func(x memberwatch.Exclusion) bool { return w.Start < x.Until && w.End() > x.Since }
	return slices.ContainsFunc(e.excluded.apps[s.App], covers) || slices.ContainsFunc(e.excluded.developers[s.Developer], covers)
}

// learnAt learns the value of an app's window, which comes out of the lag when a
// later one is learnt; either may be excluded. expected is as of series.learn.
func (e *Engine) learnAt(s *State, stream streamID, f Feature, at memberwatch.Window, v, exposure float64, expected *outlook) {
	series, sh, i := s.seriesOf(stream, f), &shapes[stream], slot(stream, at)
	if e.excluded.apps[s.App] == nil && e.excluded.developers[s.Developer] == nil {
		series.learn(sh, i, v, exposure, expected)
		return
	}
	out := at // what the levels learn now
	out.Start -= int64(sh.lag) * at.Scale.Length()
	if e.excludes(s, out) {
		v = series.neutralise(sh, i, v, exposure)
	}
	series.learn(sh, i, v, exposure, expected)
}

// unlearn makes the burst streams of days anew if an exclusion has changed since
// the app's last day. x are the values of the day to be learnt next.
func (e *Engine) unlearn(s *State, x *values) {
	changed := max(e.excluded.changedApps[s.App], e.excluded.changedDevelopers[s.Developer])
	if changed <= s.unlearnt {
		return
	}
	s.unlearnt = changed
	for f := range Features {
		days := s.learnt[f].newest(s.closed[memberwatch.Day])
		s.day[f].relearn(&s.slow[f], days, max(x.exposure(f), 1), func(day int64) bool {
			return e.excludes(s, memberwatch.Window{Scale: memberwatch.Day, Start: day})
		})
	}
}

// relearn makes the series of the burst stream anew from the slow one. days are the
// starts of the days learnt, newest first.
func (s *series) relearn(slow *series, days []int64, exposure float64, excluded func(day int64) bool) {
	sh := &shapes[dayBurst]
	if s.body == nil || slow.body == nil || len(days) < int(slow.wait) {
		return
	}
	b := *slow.body // what waits there is learnt here, as this stream has no lag
	waiting := slow.waiting(&shapes[daySlow])
	b.steps, b.octets = slices.Clone(b.steps[:sh.queueAt()]), slices.Clone(b.octets)
	*s = series{n: slow.n, body: &b}
	for i, steps := range waiting {
		x, day := sh.ofSteps(steps), days[len(waiting)-1-i]
		at := slot(dayBurst, memberwatch.Window{Scale: memberwatch.Day, Start: day})
		if excluded(day) {
			x = sh.rounded(math.Log1p(s.median(sh, at, exposure)))
		}
		s.absorb(sh, at, x, exposure, nil)
	}
}

// learnt says on which of the last 32 days a feature was learnt, the newest lowest:
// days without an acting user teach nothing of ratios.
type learnt uint32

// pass notes that so many days have passed.
func (l *learnt) pass(days int64) { *l <<= min(max(days, 0), 32) }

// newest returns the starts of those days, newest first; last is the newest day.
func (l learnt) newest(last int64) []int64 {
	var days []int64
	for i := range int64(32) {
		if l&(1<<i) != 0 {
			days = append(days, last-i*memberwatch.Day.Length())
		}
	}
	return days
}

// neutralise puts the median of the prediction in the place of the value that
// the levels learn next: the oldest in the queue, or v itself where there is
// none. It returns what to learn for v.
func (s *series) neutralise(sh *shape, slot int, v, exposure float64) float64 {
	if sh.lag == 0 {
		return s.median(sh, slot, exposure)
	}
	if s.body == nil || int(s.wait) < sh.lag {
		return v // nothing comes out of the lag yet
	}
	old := ((slot-sh.lag)%sh.slots + sh.slots) % sh.slots
	s.waiting(sh)[0] = sh.inSteps(math.Log1p(s.median(sh, old, exposure)))
	return v
}

// median is what the series expects in a slot, 0 where it expects nothing.
func (s *series) median(sh *shape, slot int, exposure float64) float64 {
	if s.body == nil || s.n == 0 {
		return 0
	}
	p := s.predict(sh, sh.fold(slot), exposure)
	return p.median()
}
