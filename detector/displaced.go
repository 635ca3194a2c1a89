package detector

import (
	"cmp"
	"math"
	"slices"

	"github.com/memberwatch/memberwatch"
)

// Displacement: what a restriction takes from an app comes back by another way of
// reading, as when a contact importer is closed and its sibling begins to rise. In
// the 30 days after a restriction takes effect, what an app reads besides is
// compared with what that was 14 days before, or when the restriction was first
// known:
//
//	habit   mean records on a day with calls, some 28 days back, by endpoint and
//	        set of data classes
//	L, B    of them what the restriction covers, and the rest
//	E       B exp(season of the weekday) max(A/A0, 1), A acting users today, A0 before:
//	        more users read more; where A > 3 A0 nothing is said, that is another app
//	x       records today besides what it covers
//	p       of x where ln(x+1) has mean ln(E+1) and the spread that the app's days
//	        had, by the shipped calibration, for bursts and for lasting rises
//	share   min(x - E, L - today's covered)/L: what of the loss came back
//
// Honest apps stop and do not gain; a surge for another reason mostly gains far more
// than was lost. There are no ranks of the fleet's own: of those
// whom a restriction hits, many may be guilty, and then guilt would be ordinary.
// That everybody moves is taken from the records of all. A developer's apps are summed, so that what a
// restriction takes from one app is seen with its sibling; apps that are not covered
// or new count with all they read. Its part of the budget, Config.Displacement, is
// apart and large, because apps have these chances in these days only.
// Assumption: what users do with the rest of an app does not depend on what was
// taken. It lies for an app that is rebuilt on what is left, and says nothing of an
// app with less than two weeks of its own, or of one that falls silent with its
// siblings unknown.
// Source: I5 of the catalogue.

// use is a way of reading: an endpoint and a set of data classes.
type use struct {
	endpoint uint32
	classSet
}

func (u use) compare(o use) int {
	return cmp.Or(cmp.Compare(u.endpoint, o.endpoint), cmp.Compare(u.hash, o.hash))
}

// covered tells whether a restriction is about a way of reading.
func (u use) covered(r *memberwatch.Restriction) bool {
	if r.Endpoint != "" && hash32(r.Endpoint) != u.endpoint {
		return false
	}
	if r.Class == "" {
		return true
	}
	var one classSet
	one.add(hash32(string(r.Class)))
	return one.within(u.classSet)
}

// useCount counts the records of a day read one way.
type useCount struct {
	use
	records uint64
}

// Limits of displacement.
const (
	mostUses      = 24
	habitDays     = 14 // days with calls before a habit is one
	habitRate     = 1.0 / 28
	watchedDays   = 30
	noticeDays    = 14  // days before the effect in which honest apps may stop already
	lateDays      = 3   // days after it in which a loss may still be measured
	leastLost     = 20  // records a day: 600 in the days that are watched
	leastLostPart = 0.1 // of what the app reads: less is lost in how days differ
	leastShare    = 0.2 // of the loss
	mostGain      = 2.0 // losses: what gains more has not only moved, and is the business of volume
	mostLosses    = 6
	leastScale    = 0.15 // of ln records of a day
	mostSpread    = 1.0
	mostJoined    = 3.0 // times the acting users: what has grown more is not the app whose loss was measured
)

// read counts the records of an event. The 25th and further ways of a day are
// not told apart and count as no restriction's.
func (w *window) read(u use, records uint64) {
	i, known := slices.BinarySearchFunc(w.uses, u, func(c useCount, u use) int { return c.compare(u) })
	switch {
	case known:
		w.uses[i].records += records
	case len(w.uses) < mostUses && records > 0:
		w.uses = slices.Insert(w.uses, i, useCount{u, records})
	}
}

// habit is what an app reads on a day with calls.
type habit struct {
	uses          []useMean
	total, actors float32
	spread        float32 // mean square of ln days from the mean and the weekday's offset
	days          uint32
}

type useMean struct {
	use
	records float32
}

// learn moves the means towards a closed day, whose weekday has an offset.
func (h *habit) learn(w *window, season float64) {
	if h.days > 0 {
		r := math.Log1p(float64(w.records)) - math.Log1p(float64(h.total)) - season
		h.spread += float32(max(1/float64(h.days), habitRate) * (min(float64(r*r), mostSpread) - float64(h.spread)))
	}
	h.days++
	rate := max(1/float64(h.days), habitRate)
	move := func(mean *float32, to float64) { *mean += float32(rate * (to - float64(*mean))) }
	move(&h.total, float64(w.records))
	move(&h.actors, w.actors.Estimate())
	for i := range h.uses {
		h.uses[i].records = float32(float64(h.uses[i].records) * (1 - rate))
	}
	for _, c := range w.uses {
		i, known := slices.BinarySearchFunc(h.uses, c.use, func(m useMean, u use) int { return m.compare(u) })
		if !known {
			h.uses = slices.Insert(h.uses, i, useMean{use: c.use})
		}
		h.uses[i].records += float32(rate * float64(c.records))
	}
	h.uses = slices.DeleteFunc(h.uses, func(m useMean) bool { return m.records < 0.01 })
	if len(h.uses) > mostUses {
		slices.SortFunc(h.uses, func(a, b useMean) int { return cmp.Or(-cmp.Compare(a.records, b.records), a.compare(b.use)) })
		h.uses = h.uses[:mostUses]
		slices.SortFunc(h.uses, func(a, b useMean) int { return a.compare(b.use) })
	}
}

// loss is what a restriction takes from an app.
type loss struct {
	rule           memberwatch.RestrictionID
	lost, besides  float32 // records on a day
	actors, scale  float32
	season         [7]float32 // offsets of weekdays
	effective, end int64      // the days in which it is watched
}

// beginLosses measures what restrictions will take, before the day is learnt, and
// forgets those whose time is over. Of an app with siblings it keeps what it reads
// even where nothing is taken: it may be what another's loss moves to.
func (e *Engine) beginLosses(s *State, day memberwatch.Window) {
	s.losses = slices.DeleteFunc(s.losses, func(l loss) bool { return l.end <= day.Start })
	if s.habit.days < habitDays {
		return
	}
	rules := s.rules
	_, siblings := e.enlisted[s.Developer]
	if siblings {
		rules = e.rules
	}
	for _, r := range rules {
		begin := memberwatch.WindowAt(memberwatch.Day, r.Effective.UnixNano()).Start
		if !r.Lifted.IsZero() || day.Start > begin+lateDays*memberwatch.Day.Length() {
			continue
		}
		i := slices.IndexFunc(s.losses, func(l loss) bool { return l.rule == r.ID })
		switch {
		case i >= 0 && day.Start < begin-noticeDays*memberwatch.Day.Length():
			s.losses[i] = s.lossTo(r)
		case i >= 0 && day.Start < begin: // the habit changes now, but the better known the spread the better
			scale, _ := s.daily()
			s.losses[i].scale = min(s.losses[i].scale, scale)
		case i < 0 && len(s.losses) < mostLosses:
			l := s.lossTo(r)
			if siblings || l.lost >= leastLost && l.lost >= leastLostPart*s.habit.total {
				s.losses = append(s.losses, l)
			}
		}
	}
}

// lossTo measures what a restriction takes.
func (s *State) lossTo(r *memberwatch.Restriction) loss {
	l := loss{rule: r.ID, actors: s.habit.actors, effective: r.Effective.UnixNano()}
	for _, m := range s.habit.uses {
		if r.Covers(s.App) && m.covered(r) {
			l.lost += m.records
		}
	}
	l.besides = max(s.habit.total-l.lost, 0)
	l.end = memberwatch.WindowAt(memberwatch.Day, r.Effective.Add(r.Grace).UnixNano()).End() + watchedDays*memberwatch.Day.Length()
	l.scale, l.season = s.daily()
	return l
}

// daily is the spread of an app's days, in ln units, and the offsets of weekdays.
func (s *State) daily() (scale float32, season [7]float32) {
	if x := &s.day[Records]; x.body != nil {
		for i := range season {
			season[i] = float32(x.body.season(&shapes[dayBurst], i))
		}
	}
	return float32(max(math.Sqrt(float64(s.habit.spread)), leastScale)), season
}

// learnHabit takes a closed day into the habit.
func (s *State) learnHabit(w *window) {
	_, season := s.daily()
	s.habit.learn(w, float64(season[slot(dayBurst, w.Window)]))
}

// comeback is a day's reading held against a restriction's loss.
type comeback struct {
	rule              memberwatch.RestrictionID
	lost, still       float64 // of the loss, what is read all the same
	expected, besides float64
	variance          float64 // of the expectation, in records
	gainedMost        float64 // of one covered app
	outgrown          bool    // the app is another by its acting users
}

// share is what of the loss came back.
func (m *comeback) share() float64 {
	return min(m.besides-m.expected, m.lost-m.still) / max(m.lost, 1)
}

// against holds an app's closed day against one of its losses.
func (e *Engine) against(s *State, l *loss, w *window) comeback {
	m := comeback{rule: l.rule, lost: float64(l.lost)}
	i, known := slices.BinarySearchFunc(e.rules, l.rule, func(r *memberwatch.Restriction, id memberwatch.RestrictionID) int { return compareStrings(r.ID, id) })
	for _, c := range w.uses {
		if known && e.rules[i].Covers(s.App) && c.covered(e.rules[i]) {
			m.still += float64(c.records)
		}
	}
	m.expected = float64(l.besides) * math.Exp(float64(l.season[slot(dayBurst, w.Window)]))
	if l.actors >= 1 {
		joined := w.actors.Estimate() / float64(l.actors)
		m.outgrown = joined > mostJoined
		m.expected *= max(joined, 1)
	}
	m.besides = float64(w.records) - m.still
	m.variance = float64(m.expected*m.expected) * float64(l.scale*l.scale)
	return m
}

// watching tells whether a loss is watched on a day.
func (l *loss) watching(day memberwatch.Window) bool {
	return day.End() > l.effective && day.Start < l.end
}

// displacement holds a closing day against what restrictions took, of an app and
// of its developer.
func (e *Engine) displacement(s *State, w *window, p *pending) {
	if s.united != nil {
		e.displace(p, s.united.moved.moves())
		return
	}
	e.refresh(s)
	e.beginLosses(s, w.Window)
	all := e.moves(s, w)
	e.displace(p, all)
	if u := e.unions[s.Developer]; u != nil {
		u.moved.add(s, w, all)
	}
}

// displace adds the comparison of a day with the loss whose share came back most
// surely to what waits for the fleet.
func (e *Engine) displace(p *pending, all []comeback) {
	best, surprise := -1, 0.0
	for i := range all {
		if all[i].outgrown || all[i].share() < leastShare || all[i].besides-all[i].expected > mostGain*all[i].lost {
			continue
		}
		expected := all[i].prediction()
		if v := expected.surprise(all[i].besides, true); v > surprise {
			best, surprise = i, v
		}
	}
	if best < 0 {
		return
	}
	m := &all[best]
	p.values.v[Displaced], p.rule, p.moved = m.besides, m.rule, m.share()
	cal := e.calibration(dayOf(p.Start))
	for _, stream := range dayStreams {
		c := comparison{stream: stream, feature: Displaced, mid: m.expected, stratum: sizeOf(m.expected)}
		expected := m.prediction()
		c.weigh(cal, &expected, m.besides)
		p.tests = append(p.tests, c)
	}
}

// prediction is what was expected besides, in ln units.
func (m *comeback) prediction() prediction {
	p := prediction{ok: true}
	expected := max(m.expected, 0)
	scale := max(math.Sqrt(max(m.variance, 0))/max(expected, 1), leastScale)
	floor := (expected + 0.25) / float64((expected+1)*(expected+1))
	for i := range experts {
		p.mean[i], p.sd[i], p.w[i] = math.Log1p(expected), math.Sqrt(float64(scale*scale)+floor), 1.0/experts
	}
	return p
}

// moves holds an app's closed day against all its losses that are watched.
func (e *Engine) moves(s *State, w *window) []comeback {
	var all []comeback
	for i := range s.losses {
		if l := &s.losses[i]; l.watching(w.Window) {
			all = append(all, e.against(s, l, w))
		}
	}
	return all
}

// whole is a day of an app as far as no loss is kept of it: all that it reads
// beside all that it read.
func (s *State) whole(w *window) comeback {
	m := comeback{besides: float64(w.records)}
	if s.habit.days >= habitDays {
		scale, season := s.daily()
		m.expected = float64(s.habit.total) * math.Exp(float64(season[slot(dayBurst, w.Window)]))
		m.variance = float64(m.expected*m.expected) * float64(scale*scale)
	}
	return m
}

// displacement gathers what a developer's apps read on a day.
type displacement struct {
	whole comeback   // over all apps
	rules []comeback // beside it, in order of rule: of the apps it covers, less their whole
}

// add takes in an app's day.
func (d *displacement) add(s *State, w *window, all []comeback) {
	whole := s.whole(w)
	d.whole.plus(&whole, 1)
	for _, m := range all {
		i, known := slices.BinarySearchFunc(d.rules, m.rule, func(o comeback, rule memberwatch.RestrictionID) int { return compareStrings(o.rule, rule) })
		if !known {
			d.rules = slices.Insert(d.rules, i, comeback{rule: m.rule})
		}
		sum := &d.rules[i]
		sum.plus(&m, 1)
		sum.plus(&whole, -1)
		if m.lost >= leastLost {
			sum.gainedMost = max(sum.gainedMost, m.besides-m.expected)
		}
	}
}

func (m *comeback) plus(o *comeback, sign float64) {
	m.lost += float64(sign * o.lost)
	m.still += float64(sign * o.still)
	m.expected += float64(sign * o.expected)
	m.besides += float64(sign * o.besides)
	m.variance += float64(sign * o.variance)
	m.outgrown = m.outgrown || o.outgrown && o.lost >= leastLost
}

// moves are the sums for each restriction that touches one of the apps, but for
// those whose gain is mostly that of one covered app, which speaks for itself.
func (d *displacement) moves() []comeback {
	var all []comeback
	for _, m := range d.rules {
		m.plus(&d.whole, 1)
		if m.gainedMost <= leadPart*(m.besides-m.expected) {
			all = append(all, m)
		}
	}
	return all
}

func (u use) encode(e *encoder) {
	e.uint(uint64(u.endpoint))
	u.classSet.encode(e)
}

func decodeUse(d *decoder) use { return use{uint32(d.uint()), decodeSet(d)} }

func (h *habit) encode(e *encoder) {
	e.uint(uint64(h.days))
	e.f32(h.total)
	e.f32(h.actors)
	e.f32(h.spread)
	e.uint(uint64(len(h.uses)))
	for _, m := range h.uses {
		m.encode(e)
		e.f32(m.records)
	}
}

func (h *habit) decode(d *decoder) {
	*h = habit{days: uint32(d.uint()), total: d.f32(), actors: d.f32(), spread: d.f32()}
	for range d.count(7) {
		m := useMean{decodeUse(d), d.f32()}
		if last := len(h.uses) - 1; last >= 0 && h.uses[last].compare(m.use) >= 0 || last+1 >= mostUses {
			d.fail("ways of reading out of order")
			return
		}
		h.uses = append(h.uses, m)
	}
}

func (l *loss) encode(e *encoder) {
	e.string(string(l.rule))
	e.floats([]float32{l.lost, l.besides, l.actors, l.scale})
	e.floats(l.season[:])
	e.int(l.effective)
	e.int(l.end)
}

func (l *loss) decode(d *decoder) {
	l.rule = memberwatch.RestrictionID(d.string())
	l.lost, l.besides, l.actors, l.scale = d.f32(), d.f32(), d.f32(), d.f32()
	d.floats(l.season[:])
	l.effective, l.end = d.int(), d.int()
}

func (w *window) encodeUses(e *encoder) {
	e.uint(uint64(len(w.uses)))
	for _, c := range w.uses {
		c.encode(e)
		e.uint(c.records)
	}
}

func (w *window) decodeUses(d *decoder) {
	w.uses = w.uses[:0]
	for range d.count(4) {
		c := useCount{decodeUse(d), d.uint()}
		if last := len(w.uses) - 1; last >= 0 && w.uses[last].compare(c.use) >= 0 || last+1 >= mostUses {
			d.fail("ways of reading out of order")
			return
		}
		w.uses = append(w.uses, c)
	}
}
