package detector

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/memberwatch/memberwatch"
)

// Developers. A harvest split over several apps of one developer is small in each
// of them, so a developer with two apps or more is watched like an app whose windows
// are those of its apps together:
//
//	members, groups, actors    unions          calls, records, misses, denials    sums
//
// The united windows go through the same expectations, calibration and evidence as
// an app's; their thresholds are those of Config.Developers. Ranks and the fleet's
// factors count apps only: each app has been counted already. What is mostly the
// work of one app, which then speaks for itself, is not said of its developer:
//
//	a_f    of an app: max(0, v_f - expected), v_f without a past
//	skip f where max a_f > 0.8 sum a_f; of ratios for each acting user, f is reach
//
// An app stays with its first developer here, as it stays in that one's partition, even
// if it is sold; its own signals name the new one.
//
// Assumption: events or declarations name the true developer. It lies for partners
// who hide behind several developers; those are for the fleet to see, by their network.
// Source: I12 of the catalogue, 49 M members over several partner accounts.

// union is a developer's window in the making.
type union struct {
	w       *window
	parts   []part
	most    [counts]float64 // largest a_f
	excess  [counts]float64 // sum of a_f
	newborn newborn
	moved   displacement
}

// part is what one app had in a developer's window.
type part struct {
	app   memberwatch.AppID
	reach float64
}

// leadPart is the part of a developer's excess from which on it is one app's.
const leadPart = 0.8

// joint tells whether the state is a developer's.
func (s *State) joint() bool { return s.developers }

// budgetPart is the part of the budget that an entity's comparisons share.
func (c *Config) budgetPart(joint bool) float64 {
	if joint {
		return c.Developers
	}
	return 1 - c.Developers
}

// part is the share of the budget that an entity's feature has in a stream.
func (c *Config) part(f Feature, stream streamID, actors, joint bool) float64 {
	if f == Displaced {
		return c.Displacement * c.multiplier(f) / float64(len(dayStreams))
	}
	return c.streamWeight(f, stream, actors) * c.budgetPart(joint)
}

// gather notes what an app's closing window is to its developer's, before the app
// learns it.
func (e *Engine) gather(s *State, w *window) {
	if s.Developer == "" || s.joint() {
		return
	}
	u := e.unions[s.Developer]
	if u == nil {
		u = new(union)
		e.unions[s.Developer] = u
	}
	u.parts = append(u.parts, part{s.App, w.members.Estimate()})
	burst := burstOf(w.Scale)
	for f := range counts {
		excess := w.value(f)
		for i := range e.tests {
			if t := &e.tests[i]; t.stream == burst && t.feature == f {
				excess = max(excess-max(t.mid, 0), 0)
			}
		}
		u.most[f] = max(u.most[f], excess)
		u.excess[f] += excess
	}
}

// unite adds an app's closed window to its developer's and tells whether that took
// the window's memory.
func (e *Engine) unite(s *State, w *window) (taken bool) {
	u := e.unions[s.Developer]
	if u == nil || s.joint() {
		return false
	}
	if age, young := e.inFirstWeek(s, dayOf(w.Start)); young && w.Scale == memberwatch.Day {
		u.newborn.add(age, s.infant)
	}
	if u.w != nil {
		u.w.merge(w)
		return false
	}
	u.w = w
	w.disarm()
	return true
}

// merge adds another app's window: a union of sketches, a sum of counts.
func (w *window) merge(o *window) {
	w.plus(&o.sums)
	w.members.Merge(&o.members)
	w.groups.Merge(&o.groups)
	w.actors.Merge(&o.actors)
	w.pieces.merge(o.pieces)
	for i, n := range o.hours {
		w.hours[i] += n
	}
}

// disarm takes out of an app's window what is the app's alone.
func (w *window) disarm() {
	w.armed, w.fired, w.hushed = false, 0, 0
	w.broken, w.sets, w.uses = w.broken[:0], w.sets[:0], w.uses[:0]
	w.questions.reset()
	w.strange.reset()
	for f := range w.critical {
		w.critical[f] = math.Inf(1)
	}
}

// Enlist tells the engine of a developer whose state is kept, after a restart.
func (e *Engine) Enlist(d memberwatch.DeveloperID) { e.enlisted[d] = struct{}{} }

// DevelopersDue returns the developers to close in a window whose apps are closed,
// sorted: those who had a window of two apps now or ever, and those whose signals
// may be over. The state of one seen for the first time is NewState's, under the
// developer's Entity.
func (e *Engine) DevelopersDue(at memberwatch.Window) []memberwatch.DeveloperID {
	var due []memberwatch.DeveloperID
	for d, u := range e.unions {
		if _, known := e.enlisted[d]; known || len(u.parts) > 1 {
			due = append(due, d)
		}
	}
	_, ending := parted(e.open[at])
	due = append(due, ending...)
	slices.Sort(due)
	return slices.Compact(due)
}

// parted splits an index into its apps and its developers, each sorted.
func parted(index []memberwatch.AppID) (apps []memberwatch.AppID, developers []memberwatch.DeveloperID) {
	apps = inOrder(index)
	n := len(apps)
	for n > 0 && apps[n-1].IsDeveloper() { // they come last
		n--
	}
	for _, entity := range apps[n:] {
		developers = append(developers, entity.Developer())
	}
	return apps[:n], developers
}

// CloseDeveloper closes the united window of a developer's apps, as Close does an
// app's.
func (e *Engine) CloseDeveloper(s *State, at memberwatch.Window) {
	defer e.endQuiet(s, at)
	u := e.unions[s.Developer]
	if _, known := e.enlisted[s.Developer]; u == nil || !known && len(u.parts) < 2 {
		return
	}
	e.enlisted[s.Developer] = struct{}{}
	delete(e.unions, s.Developer)
	w := u.w
	w.weigh()
	s.united = u
	s.notice(w)
	s.insert(w)
	e.close(s, w, jointValues(w))
	s.united = nil
}

// notice keeps the totals of a developer in step with its windows.
func (s *State) notice(w *window) {
	if s.first == 0 {
		s.first = w.Start
	}
	s.last = max(s.last, w.End()-1)
	s.actors = s.actors || !w.actors.Empty()
	if w.Scale == memberwatch.Day {
		s.events += w.calls
	}
	s.dirty |= PartTotals
}

// jointValues reads the features of a united window. What is new to a developer
// and how its apps' data classes shift is the apps' own matter.
func jointValues(w *window) values {
	var x values
	for f := range counts {
		x.v[f] = w.value(f)
	}
	x.actors, x.named = w.actors.Estimate(), w.named()
	x.derive()
	if w.Scale == memberwatch.Day {
		x.v[Evenness], x.profiled = evenness(&w.hours)
	}
	return x
}

// oneApps tells whether a feature of a united window is mostly one app's.
func (u *union) oneApps(f Feature) bool {
	switch {
	case len(u.parts) < 2:
		return true
	case f == MissRatio:
		f = Misses
	case f >= counts:
		f = Reach
	}
	return u.most[f] > leadPart*u.excess[f]
}

// through says how many apps made a united window, for the sentence, and which had
// the largest parts, for the caveats.
func (u *union) through() (prefix, caveat string) {
	return fmt.Sprintf("through %s ", plural(float64(len(u.parts)), "app", "apps")), largestParts(slices.Clone(u.parts))
}

// largestParts says which apps had the three largest parts; it sorts the list.
func largestParts(parts []part) string {
	slices.SortFunc(parts, func(a, b part) int { return cmp.Or(-cmp.Compare(a.reach, b.reach), cmp.Compare(a.app, b.app)) })
	sum := 0.0
	for _, p := range parts {
		sum += p.reach
	}
	var list []string
	for _, p := range parts[:min(len(parts), 3)] {
		list = append(list, fmt.Sprintf("%s with %.0f %%", p.app, 100*p.reach/max(sum, 1)))
	}
	return "largest parts: " + strings.Join(list, ", ")
}

// subject is how a signal's sentence begins.
func subject(s *memberwatch.Signal) string {
	if s.App == "" {
		return "developer " + string(s.Developer)
	}
	return string(s.App)
}
