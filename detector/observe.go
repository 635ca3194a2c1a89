package detector

import (
	"math"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/series"
)

// Observe folds one event of an app into its state. late says that the event
// came after its hour had closed: it still counts in the ledger of its own day
// and still meets the rules, but no open window takes it. Nothing is allocated
// for a known app within an open window.
func (e *Engine) Observe(s *State, ev *memberwatch.Event, late bool) {
	if !late && (e.since == 0 || ev.Time < e.since) {
		e.since = ev.Time
	}
	e.refresh(s)
	if !late && e.repeat(s, ev) {
		return
	}
	s.bookTab()
	e.wakeUp(s, ev)
	day := e.dayOf(ev.Time)
	if s.pass(ev); s.first == 0 || ev.Time < s.first {
		s.first = ev.Time
	}
	restricted := s.restricted(ev)
	deltas := e.account(s, ev, day, restricted, late)
	if late {
		s.late++
		e.meetRules(s, restricted, ev, nil)
		return
	}
	hour, whole := e.window(s, memberwatch.Hour, ev.Time), e.window(s, memberwatch.Day, ev.Time)
	s.fold(hour, whole, ev, deltas)
	e.meetRules(s, restricted, ev, hour)
	for _, w := range [2]*window{hour, whole} {
		e.arm(s, w)
		e.watch(s, w, ev.Time)
	}
	strange := e.acquaint(s, ev, uint16(day), hour, whole)
	e.wakeAlarm(s, whole, ev.Time)
	if s.attested != nil {
		s.dirty |= PartHot // what it notes of an event is in no other part
	}
	s.openTab(ev, hour, whole, restricted, strange, deltas)
}

// pass notes that an event of the app has passed.
func (s *State) pass(ev *memberwatch.Event) {
	s.events++
	s.last = max(s.last, ev.Time)
	s.actors = s.actors || ev.Actor != 0
	s.dirty |= PartTotals
}

// account counts an event in the daily ledger, once for each data class, and
// returns the deltas that its members and group are still to be booked in.
func (e *Engine) account(s *State, ev *memberwatch.Event, day int32, broken, late bool) deltaSet {
	if len(ev.DataClasses) == 0 {
		return e.accountClass(s, ev, day, "", broken, late)
	}
	var deltas deltaSet
	for _, class := range ev.DataClasses {
		deltas |= e.accountClass(s, ev, day, class, broken, late)
	}
	return deltas
}

// accountClass counts an event in the ledger of one class. A late event is booked
// at once: there is no window to keep it for.
func (e *Engine) accountClass(s *State, ev *memberwatch.Event, day int32, class string, broken, late bool) deltaSet {
	i := e.delta(s, day, class, broken, ev.Endpoint)
	d := &s.ledger[i]
	d.Calls++
	d.Records += ev.RecordCount()
	if ev.Refused() {
		d.Denials++
	}
	if late {
		d.Late++
	}
	if late || i >= mostDeltas {
		d.book(ev)
		return 0
	}
	return 1 << i
}

// fold adds an event to its hour and day windows: the counts at once, members,
// group and actor when there are enough of them.
func (s *State) fold(hour, day *window, ev *memberwatch.Event, deltas deltaSet) {
	day.hours[(hour.Start-day.Start)/memberwatch.Hour.Length()]++
	hour.parts[hour.partAt(ev.Time)]++
	hour.pieces.count(ev)
	day.touched.add(ev)
	hour.include(ev)
	day.include(ev)
	if s.recent.hour != hour {
		s.absorb()
	}
	s.recent.hour, s.recent.day = hour, day
	switch {
	case ev.Group != "" && ev.RecordCount() == 0:
		s.share(hour, noDelta) // the ledger knows groups that the window does not
	case len(ev.Disclosed) > 0 || ev.Group != "":
		s.share(hour, deltas)
	}
	if !s.recent.takes(ev) {
		s.absorb()
	}
	s.recent.add(ev, deltas)
}

// window returns the app's window of a scale at an event time, opening it if need
// be.
func (e *Engine) window(s *State, scale memberwatch.Scale, t int64) *window {
	if w := s.openNow(scale, t); w != nil {
		return w
	}
	return e.openWindow(s, memberwatch.WindowAt(scale, t))
}

func (e *Engine) openWindow(s *State, at memberwatch.Window) *window {
	var w *window
	if n := len(e.spare); n > 0 {
		w, e.spare = e.spare[n-1], e.spare[:n-1]
	} else {
		w = new(window)
	}
	w.reset(at)
	s.insert(w)
	s.dirty |= PartHot
	e.open[at] = append(e.open[at], s.App)
	e.join(w)
	return w
}

// arm prepares an open window to alert. It waits until the watermark has passed
// the window's start: only then are all windows before it closed and learnt, so
// that the critical values do not depend on the order of arrival.
func (e *Engine) arm(s *State, w *window) {
	if w.armed || e.through < w.Start {
		return
	}
	w.armed = true
	s.dirty |= PartHot
	e.catchUp(s, w.Window)
	e.setCritical(s, w)
}

// setCritical computes for each count the value at which the burst stream will
// fire: the surprise at which the calibrated p-value meets its share of the
// budget, carried back through the predictive. From then on the hot path only
// compares numbers.
func (e *Engine) setCritical(s *State, w *window) {
	stream := burstOf(w.Scale)
	if s.days() < e.cfg.FirstDays {
		return
	}
	at := slot(stream, w.Window)
	for f := range counts {
		if e.weight(s, f, stream) == 0 {
			continue
		}
		x := s.seriesOf(stream, f)
		p := x.Expect(&shapes[stream], at, 1)
		if !p.OK {
			continue
		}
		mid := p.Center()
		stratum := s.stratum(stream, f, mid)
		surprise := e.alarmAt(s, w.Start, bySurprise, stream, f, stratum)
		jump := e.alarmAt(s, w.Start, byJump, stream, f, stratum)
		if x.Moved() {
			w.critical[f] = critical(&p, mid, surprise, jump)
			continue
		}
		idle := &e.idle[stream][f]
		if idle.n != x.Learnt() || idle.surprise != surprise || idle.jump != jump {
			*idle = idleCritical{x.Learnt(), surprise, jump, critical(&p, mid, surprise, jump)}
		}
		w.critical[f] = idle.critical
	}
}

// idleCritical remembers the critical count of a series that has never been anything
// but zero: those of one age expect the same.
type idleCritical struct {
	n                        uint32
	surprise, jump, critical float64
}

// critical is the count at which one of the measures reaches its alarm. mid is the
// prediction's center.
func critical(p *series.Prediction, mid, surprise, jump float64) float64 {
	v := math.Inf(1)
	if !math.IsInf(surprise, 1) { // the count v fires when ln(v - 0.5 + 1) reaches the quantile
		v = math.Exp(p.Quantile(math.Pow(10, -surprise))) - 0.5
	}
	return math.Ceil(max(min(v, float64((mid+1)*math.Exp(jump))-1), minCritical))
}

// minCritical keeps a single odd call from being a burst: counts up to 4 have no
// spread to speak of. Ours.
const minCritical = 5

// watch raises a provisional burst for each count that has reached its critical
// value. F, the fleet's part, is only known once the window is closed.
func (e *Engine) watch(s *State, w *window, now int64) {
	if w.quiet(&s.recent) {
		return
	}
	for f := range counts {
		bit := uint8(1) << f
		if w.fired&bit != 0 || w.atMost(f, &s.recent) < w.critical[f] {
			continue
		}
		least := w.critical[f] * s.mostGrowth(f)
		if w.atMost(f, &s.recent) < least || f.reread(burstOf(w.Scale)) && w.named() {
			continue
		}
		if s.settle(w); w.value(f) < least {
			continue
		}
		s.dirty |= PartHot
		if crowd := e.crossing(w); w.hushed&bit == 0 && crowd.silent() {
			w.hushed |= bit
			w.critical[f] *= crowdOut
			continue
		}
		w.fired |= bit
		x := w.openValues()
		x.v[f] = w.value(f)
		e.raiseOpen(s, w, f, x, now)
	}
}

// hashName hashes a name for a distinct sketch: 64-bit FNV-1a (Fowler, Noll, Vo),
// which the sketch mixes again.
func hashName(name string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	return h
}
