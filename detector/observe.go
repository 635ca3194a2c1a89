package detector

import (
	"math"

	"github.com/memberwatch/memberwatch"
)

// Observe folds one event of an app into its state. late says that the event
// came after its hour had closed: it still counts in the ledger of its own day
// and still meets the rules, but no open window takes it. Nothing is allocated
// for a known app within an open window.
func (e *Engine) Observe(s *State, ev *memberwatch.Event, late bool) {
	if e.since == 0 || ev.Time < e.since {
		e.since = ev.Time
	}
	e.refresh(s)
	e.wakeUp(s, ev)
	s.events++
	if s.first == 0 || ev.Time < s.first {
		s.first = ev.Time
	}
	s.last = max(s.last, ev.Time)
	rule := s.broken(ev)
	deltas := s.account(ev, rule != nil, late)
	if late {
		s.late++
		e.meetRules(s, rule, ev, nil)
		s.dirty |= PartTotals
		return
	}
	hour := e.window(s, memberwatch.WindowAt(memberwatch.Hour, ev.Time))
	day := e.window(s, memberwatch.WindowAt(memberwatch.Day, ev.Time))
	s.fold(hour, day, ev, deltas)
	e.meetRules(s, rule, ev, hour)
	for _, w := range [2]*window{hour, day} {
		e.arm(s, w)
		e.watch(s, w, ev.Time)
	}
	e.acquaint(s, ev, hour, day)
	e.wakeAlarm(s, hour, ev.Time)
	s.dirty |= PartTotals
	if s.wake != 0 || s.attested != nil || hour.strange.calls > 0 || len(hour.broken) > 0 {
		s.dirty |= PartHot // what these note of an event is in no other part
	}
}

// account counts an event in the daily ledger, once for each data class, and
// returns the deltas that its members and group are still to be booked in.
func (s *State) account(ev *memberwatch.Event, broken, late bool) deltaSet {
	day := dayOf(ev.Time)
	if len(ev.DataClasses) == 0 {
		return s.accountClass(ev, day, "", broken, late)
	}
	var deltas deltaSet
	for _, class := range ev.DataClasses {
		deltas |= s.accountClass(ev, day, class, broken, late)
	}
	return deltas
}

// accountClass counts an event in the ledger of one class. A late event is booked
// at once: there is no window to keep it for.
func (s *State) accountClass(ev *memberwatch.Event, day int32, class string, broken, late bool) deltaSet {
	i := s.delta(day, class, broken, ev.Endpoint)
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
	denied := uint64(0)
	if ev.Refused() {
		denied = 1
	}
	day.hours[(hour.Start-day.Start)/memberwatch.Hour.Length()]++
	hour.pieces.count(ev)
	for _, w := range [2]*window{hour, day} {
		w.calls++
		w.records += ev.RecordCount()
		w.misses += ev.MissCount()
		w.denials += denied
	}
	s.actors = s.actors || ev.Actor != 0
	if s.recent.hour != hour.Start {
		s.absorb()
		s.recent.hour = hour.Start
	}
	if s.recent.add(ev, deltas); len(s.recent.words) >= recentWords {
		s.absorb()
	}
}

// window returns the app's open window, opening it if need be.
func (e *Engine) window(s *State, at memberwatch.Window) *window {
	if w := s.openAt(at); w != nil {
		return w
	}
	var w *window
	if n := len(e.spare); n > 0 {
		w, e.spare = e.spare[n-1], e.spare[:n-1]
	} else {
		w = new(window)
	}
	w.reset(at)
	s.insert(w)
	s.dirty |= PartHot
	note(e.open, at, s.App)
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
		if e.cfg.weight(s, f, stream) == 0 {
			continue
		}
		p := s.seriesOf(stream, f).expect(&shapes[stream], at, 1)
		if !p.ok {
			continue
		}
		mid := p.center()
		stratum := stratumOf(mid)
		surprise := e.alarmAt(s, w.Start, bySurprise, stream, f, stratum)
		if !math.IsInf(surprise, 1) { // the count v fires when ln(v - 0.5 + 1) reaches the quantile
			w.critical[f] = math.Exp(p.quantile(math.Pow(10, -surprise))) - 0.5
		}
		jump := e.alarmAt(s, w.Start, byJump, stream, f, stratum)
		w.critical[f] = math.Ceil(max(min(w.critical[f], float64((mid+1)*math.Exp(jump))-1), minCritical))
	}
}

// minCritical keeps a single odd call from being a burst.
const minCritical = 5

// watch raises a provisional burst for each count that has reached its critical
// value. F, the fleet's part, is only known once the window is closed.
func (e *Engine) watch(s *State, w *window, now int64) {
	for f := range counts {
		bit := uint8(1) << f
		if w.fired&bit != 0 || w.atMost(f, &s.recent) < w.critical[f] {
			continue
		}
		if s.absorb(); w.value(f) < w.critical[f] {
			continue
		}
		s.dirty |= PartHot
		crowd := e.crowds[w.Window]
		if w.fired == 0 {
			crowd.fired++
		}
		w.fired |= bit
		if !crowd.silent() {
			e.raiseOpen(s, w, f, now)
		}
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
