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
// What has been learnt is not unlearnt: burst streams learn a window when it
// closes, by residuals clipped at 3 s, and keep that. The slow stream learns 14
// days late, so of it an exclusion takes out all that is not older than that.

// exclusions are the windows that teach nothing, of apps and of developers with
// all their apps.
type exclusions struct {
	apps       map[memberwatch.AppID][]memberwatch.Exclusion
	developers map[memberwatch.DeveloperID][]memberwatch.Exclusion
}

func newExclusions() exclusions {
	return exclusions{make(map[memberwatch.AppID][]memberwatch.Exclusion), make(map[memberwatch.DeveloperID][]memberwatch.Exclusion)}
}

// exclude takes an exclusion, or another state of a known one.
func (e *Engine) exclude(x memberwatch.Exclusion) {
	if x.App == "" {
		put(e.excluded.developers, x.Developer, x)
	} else {
		put(e.excluded.apps, x.App, x)
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
// later one is learnt; either may be excluded.
func (e *Engine) learnAt(s *State, stream streamID, f Feature, at memberwatch.Window, v, exposure float64) {
	series, sh, i := s.seriesOf(stream, f), &shapes[stream], slot(stream, at)
	if e.excluded.apps[s.App] == nil && e.excluded.developers[s.Developer] == nil {
		series.learn(sh, i, v, exposure)
		return
	}
	out := at // what the levels learn now
	out.Start -= int64(sh.lag) * at.Scale.Length()
	if e.excludes(s, out) {
		v = series.neutralise(sh, i, v, exposure)
	}
	series.learn(sh, i, v, exposure)
}

// neutralise puts the median of the prediction in the place of the value that
// the levels learn next: the oldest in the queue, or v itself where there is
// none. It returns what to learn for v.
func (s *series) neutralise(sh *shape, slot int, v, exposure float64) float64 {
	if sh.lag == 0 {
		return s.median(sh, slot, exposure)
	}
	if s.body == nil || len(s.body.queue) < sh.lag {
		return v // nothing comes out of the lag yet
	}
	old := ((slot-sh.lag)%sh.slots + sh.slots) % sh.slots
	s.body.queue[0] = float32(math.Log1p(s.median(sh, old, exposure)))
	return v
}

// median is what the series expects in a slot, 0 where it expects nothing.
func (s *series) median(sh *shape, slot int, exposure float64) float64 {
	if s.body == nil || s.n == 0 {
		return 0
	}
	p := s.predict(sh, sh.fold(slot), exposure)
	mid, _, _ := p.expected()
	return mid
}
