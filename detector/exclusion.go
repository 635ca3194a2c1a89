package detector

import (
	"slices"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/codec"
	"github.com/memberwatch/memberwatch/detector/series"
)

// An excluded window teaches the expectations what they expected anyway: the
// median of their own prediction stands in for what was counted. So levels,
// scales and the places in a queue stay in step with the calendar, and no level
// comes from the window.
//
// Nor does anything become familiar by it. A name, a set of data classes or a way of
// reading that was first met on an excluded day is hidden: it counts as never met,
// until it is met on another day, and comes back when the exclusion is withdrawn. A day
// that is excluded when it closes is not taken into shares and habits at all. What was
// familiar before and grew in days that were excluded later keeps the share it has
// come to, which fades by a 28th a day. Members stay known, for they were disclosed.
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
func (e *Engine) excludes(s *State, w memberwatch.Window) bool { return e.exclusionsOf(s).cover(w) }

// ownExclusions are those of an app, and of its developer.
type ownExclusions [2][]memberwatch.Exclusion

func (e *Engine) exclusionsOf(s *State) ownExclusions {
	return ownExclusions{e.excluded.apps[s.App], e.excluded.developers[s.Developer]}
}

// cover tells whether one of them covers a window.
func (x ownExclusions) cover(w memberwatch.Window) bool {
	covers := func(x memberwatch.Exclusion) bool { return w.Start < x.Until && w.End() > x.Since }
	return slices.ContainsFunc(x[0], covers) || slices.ContainsFunc(x[1], covers)
}

// learnAt learns the value of an app's window, which comes out of the lag when a
// later one is learnt; either may be excluded. expected is as of series.Series.Learn.
func (e *Engine) learnAt(s *State, stream streamID, f Feature, at memberwatch.Window, v, exposure float64, expected *series.Outlook) {
	past, sh, i := s.seriesOf(stream, f), &shapes[stream], slot(stream, at)
	if e.excluded.apps[s.App] == nil && e.excluded.developers[s.Developer] == nil {
		past.Learn(sh, i, v, exposure, expected)
		return
	}
	out := at // what the levels learn now
	out.Start -= int64(sh.Lag) * at.Scale.Length()
	if e.excludes(s, out) {
		v = past.Neutralise(sh, i, v, exposure)
	}
	past.Learn(sh, i, v, exposure, expected)
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
		var past []series.Past
		for _, start := range s.learnt[f].newest(s.closed[memberwatch.Day]) {
			day := memberwatch.Window{Scale: memberwatch.Day, Start: start}
			past = append(past, series.Past{Slot: slot(dayBurst, day), Excluded: e.excludes(s, day)})
		}
		s.day[f].Relearn(&shapes[dayBurst], &s.slow[f], &shapes[daySlow], past, max(x.exposure(f), 1))
	}
}

// metOn is the day on which something became familiar to an app.
type metOn struct {
	day    uint16 // since the epoch
	hidden bool   // the day is excluded
}

// anew lets what is hidden begin anew when it is met on another day, and tells whether
// it did.
func (m *metOn) anew(day uint16) bool {
	if !m.hidden || day == m.day {
		return false
	}
	*m = metOn{day: day}
	return true
}

// hide looks after each closed day for what became familiar on an excluded day.
func (e *Engine) hide(s *State) {
	excluded := e.exclusionsOf(s) // once: an app has up to 300 such days
	hide := func(m *metOn) {
		m.hidden = excluded.cover(memberwatch.Window{Scale: memberwatch.Day, Start: int64(m.day) * memberwatch.Day.Length()})
	}
	for i := range s.mix.sets {
		hide(&s.mix.sets[i].metOn)
	}
	for i := range s.habit.uses {
		hide(&s.habit.uses[i].metOn)
	}
	for d := range s.names {
		for i := range s.names[d] {
			hide(&s.names[d][i].metOn)
		}
	}
}

func (m metOn) encode(e *codec.Encoder) {
	both := uint64(m.day) << 1
	if m.hidden {
		both |= 1
	}
	e.Uint(both)
}

func decodeMetOn(d *codec.Decoder) metOn {
	both := d.Uint()
	return metOn{uint16(both >> 1), both&1 != 0}
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
