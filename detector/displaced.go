package detector

import (
	"slices"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/codec"
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
//	share   min(x - E, L - today's covered)/L: what of the loss came back
//	S       the surprise at x where ln(x+1) has mean ln(E+1) and the spread that the
//	        app's days had; B, E, x and the spread of all ways together and of each
//	        alone, the most surprising of which counts
//	p       the rank of S and of the jump among the days of apps from which no
//	        restriction takes anything, for bursts and for lasting rises
//
// A way that an app hardly used shows a gain that drowns in all that it reads; a loss
// that moves to many ways shows in their sum alone. What other ways have less is
// expected of each, for honest apps change how they read the same. That one of many is
// chosen, and that honest apps begin to read in new ways of their own accord, is in the
// ranks, for there it is chosen alike. For two weeks after a certification only the sum counts.
//
// Honest apps stop and do not gain; a surge for another reason mostly gains far more
// than was lost. The ranks are not those of whom a restriction hits: of them
// many may be guilty, and then guilt would be ordinary. That everybody moves is taken
// from the records of all. A developer's apps are summed, so that what a
// restriction takes from one app is seen with its sibling; apps that are not covered
// or new count with all they read. Its part of the budget, Config.Displacement, is
// apart and large, because apps have these chances in these days only.
// Assumption: what users do with the rest of an app does not depend on what was
// taken. It lies for an app that is rebuilt on what is left, and says nothing of an
// app with less than two weeks of its own, or of one that falls silent with its
// siblings unknown.
// Source: I5 of the catalogue; measured in docs/decisions/0076-back-by-which-way.md.

// Limits of displacement. The days of notice are those by which a change of an interface is
// mostly announced, those after the effect the days by which S15 of the catalogue is
// sought; the others are ours, and 0076 has what they come to.
const (
	watchedDays   = 30
	noticeDays    = 14  // days before the effect in which honest apps may stop already
	lateDays      = 3   // days after it in which a loss may still be measured
	leastLost     = 20  // records a day: 600 in the days that are watched
	leastLostPart = 0.1 // of what the app reads: less is lost in how days differ
	leastShare    = 0.2 // of the loss
	mostGain      = 2.0 // losses: what gains more has not only moved, and is the business of volume
	mostLosses    = 6
	mostJoined    = 3.0 // times the acting users: what has grown more is not the app whose loss was measured
)

// loss is what a restriction takes from an app.
type loss struct {
	rule           memberwatch.RestrictionID
	lost, besides  float32   // records on a day
	ways           []useMean // of what is besides
	actors, scale  float32
	season         [7]float32 // offsets of weekdays
	effective, end int64      // the days in which it is watched
}

// beginLosses measures what restrictions will take, before the day is learnt, and
// forgets those whose time is over. Of an app with siblings it keeps what it reads
// even where nothing is taken: it may be what another's loss moves to. Of too many the
// largest are kept.
func (e *Engine) beginLosses(s *State, day memberwatch.Window) {
	kept := s.losses[:0]
	for _, l := range s.losses {
		if e.follow(s, &l) && l.end > day.Start {
			kept = append(kept, l)
		}
	}
	s.losses = kept
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
		if !r.Lifted.IsZero() && r.Lifted.UnixNano() <= day.Start || day.Start > begin+lateDays*memberwatch.Day.Length() {
			continue
		}
		i := slices.IndexFunc(s.losses, func(l loss) bool { return l.rule == r.ID })
		switch {
		case i >= 0 && day.Start < begin-noticeDays*memberwatch.Day.Length():
			s.losses[i] = s.lossTo(r)
		case i >= 0 && day.Start < begin: // the habit changes now, but the better known the spread the better
			scale, _ := s.daily()
			s.losses[i].scale = min(s.losses[i].scale, scale)
		case i < 0:
			l := s.lossTo(r)
			if siblings || l.lost >= leastLost && l.lost >= leastLostPart*s.habit.total {
				s.keepLoss(l)
			}
		}
	}
}

// keepLoss keeps a loss, if need be in place of the smallest.
func (s *State) keepLoss(l loss) {
	if len(s.losses) < mostLosses {
		s.losses = append(s.losses, l)
		return
	}
	least := 0
	for i := range s.losses {
		if s.losses[i].lost < s.losses[least].lost {
			least = i
		}
	}
	if l.lost > s.losses[least].lost {
		s.losses[least] = l
	}
}

// follow moves a loss with its restriction, whose days may change, and tells whether the
// restriction still takes it.
func (e *Engine) follow(s *State, l *loss) bool {
	r := e.rule(l.rule)
	if r == nil || l.lost > 0 && !r.Covers(s.App) {
		return false
	}
	l.watch(r)
	return true
}

// lossTo measures what a restriction takes.
func (s *State) lossTo(r *memberwatch.Restriction) loss {
	l := loss{rule: r.ID, actors: s.habit.actors}
	uses, total := s.habit.known()
	for _, m := range uses {
		if r.Covers(s.App) && m.covered(r) {
			l.lost += m.records
		} else {
			l.ways = append(l.ways, m)
		}
	}
	if l.lost < leastLost { // only sums are asked for
		l.ways = nil
	}
	l.besides = max(total-l.lost, 0)
	l.watch(r)
	l.scale, l.season = s.daily()
	return l
}

// watch sets the days in which a loss is watched: until the restriction is lifted, at
// the longest.
func (l *loss) watch(r *memberwatch.Restriction) {
	l.effective = r.Effective.UnixNano()
	l.end = memberwatch.WindowAt(memberwatch.Day, r.Effective.Add(r.Grace).UnixNano()).End() + watchedDays*memberwatch.Day.Length()
	if !r.Lifted.IsZero() {
		l.end = min(l.end, memberwatch.WindowAt(memberwatch.Day, r.Lifted.UnixNano()).Start)
	}
}

// rule returns a restriction, nil if there is none of that name.
func (e *Engine) rule(id memberwatch.RestrictionID) *memberwatch.Restriction {
	i, known := slices.BinarySearchFunc(e.rules, id, func(r *memberwatch.Restriction, id memberwatch.RestrictionID) int { return compareStrings(r.ID, id) })
	if !known {
		return nil
	}
	return e.rules[i]
}

// covering returns a restriction if it is about an app, else nil.
func (e *Engine) covering(id memberwatch.RestrictionID, app memberwatch.AppID) *memberwatch.Restriction {
	if r := e.rule(id); r != nil && r.Covers(app) {
		return r
	}
	return nil
}

// watching tells whether a loss is watched on a day.
func (l *loss) watching(day memberwatch.Window) bool {
	return day.End() > l.effective && day.Start < l.end
}

// displacement holds a closing day against what restrictions took, of an app and
// of its developer.
func (e *Engine) displacement(s *State, w *window, p *pending) {
	if s.united != nil {
		m := &s.united.moved
		if len(m.rules) == 0 && m.whole.expected >= leastLost {
			e.rankControl(w, &m.whole, developers)
		}
		e.displace(s, w, p, m.moves())
		return
	}
	e.refresh(s)
	e.beginLosses(s, w.Window)
	sums, ways := e.moves(s, w)
	if len(sums) == 0 {
		e.control(s, w)
	}
	e.displace(s, w, p, slices.Concat(sums, ways))
	if u := e.unions[s.Developer]; u != nil {
		u.moved.add(s, w, sums)
	}
}

// displace adds the comparison of a day with the loss whose share came back most
// surely, by whichever way, to what waits for the fleet.
func (e *Engine) displace(s *State, w *window, p *pending, all []comeback) {
	best := surest(slices.DeleteFunc(all, func(m comeback) bool {
		return m.outgrown || m.share() < leastShare || m.besides-m.expected > mostGain*m.lost
	}))
	if best == nil {
		return
	}
	p.values.v[Displaced], p.rule, p.moved = best.besides, best.rule, best.share()
	if best.way != nil {
		p.way = best.way.named(s.piecesOf(w))
	}
	of := apps
	if s.united != nil {
		of = developers
	}
	p.tests = append(p.tests, best.compare(e.calibration(dayOf(p.Start)), of)...)
}

// Developers sum many small movements and have ranks of their own, which begin as those
// of apps: they take the place of those of mature expectations, which displacement has not.
const (
	apps       = 0
	developers = sizes
)

// control ranks the day of an app from which no restriction takes anything, held against
// its habit as if one did: in what way honest apps begin to read more of their own accord.
func (e *Engine) control(s *State, w *window) {
	cal := e.calibration(dayOf(w.Start))
	uses, total := s.habit.known()
	if s.habit.days < habitDays || total < leastLost || s.days() < e.cfg.ReadyDays || !s.teaches(cal) {
		return
	}
	l := loss{besides: total, actors: s.habit.actors, ways: uses}
	l.scale, l.season = s.daily()
	sum := e.against(s, &l, w)
	if !sum.outgrown {
		e.rankControl(w, surest(append(e.ways(s, &l, w, &sum), sum)), apps)
	}
}

// rankControl counts a day among those of apps or developers from which nothing is taken.
func (e *Engine) rankControl(w *window, m *comeback, of int) {
	for _, c := range m.compare(e.calibration(dayOf(w.Start)), of) {
		e.tally(w.Window).rank(&c)
	}
}

// moves holds an app's closed day against all its losses that are watched, all that it
// reads besides and way by way.
func (e *Engine) moves(s *State, w *window) (sums, ways []comeback) {
	for i := range s.losses {
		if l := &s.losses[i]; l.watching(w.Window) {
			sum := e.against(s, l, w)
			sums = append(sums, sum)
			if l.lost >= leastLost {
				ways = append(ways, e.ways(s, l, w, &sum)...)
			}
		}
	}
	return sums, ways
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

func (l *loss) encode(e *codec.Encoder) {
	e.Text(string(l.rule))
	e.Floats([]float32{l.lost, l.besides, l.actors, l.scale})
	e.Floats(l.season[:])
	e.Int(l.effective)
	e.Int(l.end)
	encodeWays(e, l.ways)
}

func (l *loss) decode(d *codec.Decoder) {
	l.rule = memberwatch.RestrictionID(d.Text())
	l.lost, l.besides, l.actors, l.scale = d.F32(), d.F32(), d.F32(), d.F32()
	d.Floats(l.season[:])
	l.effective, l.end = d.Int(), d.Int()
	l.ways = decodeWays(d)
}
