package detector

import (
	"github.com/memberwatch/memberwatch"
)

// Close compares an app's window with what was expected, learns from it, and
// counts it in the partition's tally. The window is then pending. Score first,
// learn after: a window never explains itself.
func (e *Engine) Close(s *State, at memberwatch.Window) {
	e.refresh(s) // after a restart no event may have done so
	s.closeTab()
	defer e.endQuiet(s, at)
	w := s.openAt(at)
	if w == nil {
		return
	}
	s.settle(w)
	e.breachesClosed(s, w)
	if at.Scale == memberwatch.Hour {
		s.bookHour(w)
		if day := s.openNow(memberwatch.Day, at.Start); day != nil {
			day.takeIn(w)
			s.owe(day)
			day.pieces.merge(w.pieces)
			day.add(&w.parts)
			for _, c := range w.sets {
				day.count(c.classSet, c.calls)
			}
			e.watchMix(s, day, w.End()-1)
		}
		e.questionsClosed(s, w)
		e.strangeClosed(s, w)
		e.infancyHour(s, w)
	}
	e.close(s, w, s.valuesOf(w))
}

// close scores a window's values, learns them and leaves the window pending.
func (e *Engine) close(s *State, w *window, x values) {
	at := w.Window
	e.arm(s, w)
	for f := range counts { // what no event has watched since it was armed
		if w.hushed&(1<<f) != 0 || s.beyond(w, f, x.v[f]) {
			w.fired |= 1 << f
		}
	}
	expected := &e.outlooks
	expected.known = 0
	p := e.compare(s, w, x, expected)
	e.gather(s, w)
	if at.Scale == memberwatch.Day {
		s.expose(at, x.v[Novelty])
		e.compareDay(s, w, x, &p)
	}
	e.learn(s, at, x, expected)
	s.closed[at.Scale] = at.Start
	s.dirty |= PartBaseline | PartHot
	if at.Scale == memberwatch.Day {
		e.learnDay(s, w)
	}
	e.remove(s, w)
	if len(p.tests) > 0 || p.first {
		s.pending = append(s.pending, p)
		e.waiting[at] = append(e.waiting[at], s.App)
	}
}

// compareDay compares what only days are asked for, and tells the fleet of the day.
func (e *Engine) compareDay(s *State, w *window, x values, p *pending) {
	e.bring(s, w)
	e.displacement(s, w, p)
	e.infancy(s, w, x)
	e.arrive(s, w, &x)
	if !s.joint() {
		e.tally(w.Window).touch(s.App, w.touched)
	}
	if s.days() >= e.cfg.ReadyDays && s.teaches(e.calibration(dayOf(w.Start))) {
		e.tally(w.Window).peers.add(e.category(s.App), &x)
	}
}

// learnDay takes a closed day into what is kept beside expectations.
func (e *Engine) learnDay(s *State, w *window) {
	s.foldHistory(w.Window)
	if !e.excludes(s, w.Window) {
		s.learnMix(w)
		s.learnHabit(w)
	}
	e.hide(s)
	s.learnAdmins()
	for i := range s.names {
		s.names[i].forget(uint16(dayOf(w.Start)))
	}
	s.met = [dimensions]met{}
	s.dirty |= PartTotals
}

// keptWindows bounds the closed windows whose memory an engine keeps.
const keptWindows = 512

// remove takes a closed window out. Its developer's union takes its memory, or
// another app's next window does.
func (e *Engine) remove(s *State, w *window) {
	for i := range s.open {
		if s.open[i] == w {
			s.open = append(s.open[:i], s.open[i+1:]...)
			s.dirty |= PartHot | PartTotals
			break
		}
	}
	if !e.unite(s, w) {
		e.reuse(w)
	}
}

// reuse keeps the memory of a window that is done with.
func (e *Engine) reuse(w *window) {
	if len(e.spare) < keptWindows {
		e.spare = append(e.spare, w)
	}
}

// valuesOf reads the features of a window at its end.
func (s *State) valuesOf(w *window) values {
	var x values
	s.settle(w)
	for f := range counts {
		x.v[f] = w.value(f)
	}
	x.actors, x.named, x.disclosed = w.actors.Estimate(), w.named(), float64(w.disclosed)
	if w.Scale == memberwatch.Day {
		x.v[Novelty], x.sampled = s.novelty(w.Window) // of hours it is told and not compared
		x.v[Evenness], x.profiled = evenness(&w.hours)
		x.v[Regularity], x.timed = w.regularity()
		if !s.certifiedAnew(dayOf(w.Start)) {
			x.v[ClassShift], x.mixed = s.mix.shift(w.sets)
		}
	}
	x.derive()
	return x
}

// novelty estimates how many members a window disclosed to the app for the
// first time, from the sampled keys first seen in it, and says which part of all
// members is sampled.
func (s *State) novelty(at memberwatch.Window) (members, sampled float64) {
	n := s.fresh.SeenBetween(hourStamp(at.Start), hourStamp(at.End()))
	sampled = min(s.fresh.Rate(), s.history.Rate())
	return float64(n) / sampled, sampled
}

// longest gaps that are learnt as silence; beyond them the baseline is stale
// and keeps what it knew.
const (
	maxSilentDays  = 28
	maxSilentHours = 14 * 24
)

// catchUp learns the windows without events since the app's last one as zeros.
func (e *Engine) catchUp(s *State, at memberwatch.Window) {
	last := s.closed[at.Scale]
	if last == 0 {
		return
	}
	length, limit := at.Scale.Length(), int64(maxSilentDays)
	if at.Scale == memberwatch.Hour {
		limit = maxSilentHours
	}
	gap := (at.Start - last) / length
	from := last + length
	if gap > limit {
		from = at.Start - limit*length
	}
	for t := from; t < at.Start; t += length {
		e.learn(s, memberwatch.Window{Scale: at.Scale, Start: t}, values{sampled: 1}, nil)
		s.closed[at.Scale] = t
		s.dirty |= PartBaseline
	}
}

// learn takes a window's values into the expectations of its scale. expected is what
// comparing it has found out, nil if it was not compared.
func (e *Engine) learn(s *State, at memberwatch.Window, x values, expected *outlooks) {
	if at.Scale == memberwatch.Day {
		e.unlearn(s, &x)
		for f := range s.learnt {
			s.learnt[f].pass((at.Start - s.closed[memberwatch.Day]) / memberwatch.Day.Length())
		}
	}
	for _, stream := range streamsOf(at.Scale) {
		for _, f := range e.heeded[stream] {
			if x.exposure(f) == 0 || f.novel() && s.days() < noveltyDays {
				continue
			}
			e.learnAt(s, stream, f, at, x.v[f], x.exposure(f), expected.of(stream, f))
			if stream == daySlow {
				s.learnt[f] |= 1
			}
		}
	}
}

// noveltyDays is how long novelty is not learnt: to a young app every member is
// new, and what it meets then says nothing about later.
const noveltyDays = 7

// foldHistory moves the members first seen on a day into the app's history.
func (s *State) foldHistory(day memberwatch.Window) {
	if s.fresh.Len() == 0 {
		return
	}
	s.fresh.MoveBefore(hourStamp(day.End()), &s.history)
	s.dirty |= PartHistory
}
