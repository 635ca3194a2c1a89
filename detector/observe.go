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
	s.account(ev, rule != nil, late)
	if late {
		s.late++
		e.meetRules(s, rule, ev, nil)
		s.dirty |= PartTotals
		return
	}
	hour := e.window(s, memberwatch.WindowAt(memberwatch.Hour, ev.Time))
	day := e.window(s, memberwatch.WindowAt(memberwatch.Day, ev.Time))
	s.fold(hour, day, ev)
	e.meetRules(s, rule, ev, hour)
	for _, w := range [2]*window{hour, day} {
		e.arm(s, w)
		e.watch(s, w, ev.Time)
	}
	e.acquaint(s, ev, hour)
	e.wakeAlarm(s, hour, ev.Time)
	s.dirty |= PartHot | PartTotals
}

// account adds an event to the daily ledger, once for each data class.
func (s *State) account(ev *memberwatch.Event, broken, late bool) {
	day := dayOf(ev.Time)
	if len(ev.DataClasses) == 0 {
		s.accountClass(ev, day, "", broken, late)
		return
	}
	for _, class := range ev.DataClasses {
		s.accountClass(ev, day, class, broken, late)
	}
}

func (s *State) accountClass(ev *memberwatch.Event, day int32, class string, broken, late bool) {
	d := s.delta(day, class, broken)
	d.Calls++
	d.Records += ev.RecordCount()
	if ev.Refused() {
		d.Denials++
	}
	if late {
		d.Late++
	}
	for _, m := range ev.Disclosed {
		d.Members.Insert(m)
	}
	if ev.Group != "" {
		d.Groups.Insert(hashName(ev.Group))
	}
}

// fold adds an event to its hour and day windows.
func (s *State) fold(hour, day *window, ev *memberwatch.Event) {
	denied := uint64(0)
	if ev.Refused() {
		denied = 1
	}
	group := hashName(ev.Group)
	for _, w := range [2]*window{hour, day} {
		w.calls++
		w.records += ev.RecordCount()
		w.misses += ev.MissCount()
		w.denials += denied
		if ev.Group != "" {
			w.groups.Insert(group)
		}
		if ev.Actor != 0 {
			w.actors.Insert(ev.Actor)
		}
	}
	s.actors = s.actors || ev.Actor != 0
	stamp := hourStamp(hour.Start)
	for _, m := range ev.Disclosed {
		exact := hour.members.Exact()
		if !hour.members.Insert(m) && exact {
			continue // seen in this hour: the day and the history know it too
		}
		day.members.Insert(m)
		if known, sampled := s.history.Contains(m); sampled && !known {
			s.fresh.Add(m, stamp)
		}
	}
}

// hourStamp numbers hours modulo 2^16 for the novelty sample.
func hourStamp(start int64) uint16 { return uint16(start / memberwatch.Hour.Length()) }

// window returns the app's open window, opening it if need be.
func (e *Engine) window(s *State, at memberwatch.Window) *window {
	if w := s.openAt(at); w != nil {
		return w
	}
	var w *window
	if n := len(s.spare); n > 0 {
		w, s.spare = s.spare[n-1], s.spare[:n-1]
	} else {
		w = new(window)
	}
	w.reset(at)
	s.insert(w)
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
		if e.cfg.streamWeight(f, stream, s.actors) == 0 {
			continue
		}
		p := s.seriesOf(stream, f).predict(&shapes[stream], at, 1)
		if !p.ok {
			continue
		}
		mid, day := p.center(), dayOf(w.Start)
		stratum := stratumOf(mid)
		surprise := e.alarmAt(day, bySurprise, stream, f, stratum, s.actors)
		if !math.IsInf(surprise, 1) { // the count v fires when ln(v - 0.5 + 1) reaches the quantile
			w.critical[f] = math.Exp(p.quantile(math.Pow(10, -surprise))) - 0.5
		}
		jump := e.alarmAt(day, byJump, stream, f, stratum, s.actors)
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
		if w.fired&bit != 0 || w.value(f) < w.critical[f] {
			continue
		}
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
