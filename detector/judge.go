package detector

import (
	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/series"
)

// Judge turns an app's pending window into evidence, now that the fleet has
// said by how much everybody moved.
func (e *Engine) Judge(s *State, j *Judgement) {
	for i := range s.pending {
		if s.pending[i].Window != j.Window {
			continue
		}
		p := s.pending[i]
		s.pending = append(s.pending[:i], s.pending[i+1:]...)
		e.judge(s, &p, j)
		s.dirty |= PartHot
		return
	}
}

// judge splits a window's tests over the kinds of signals they speak for.
func (e *Engine) judge(s *State, p *pending, j *Judgement) {
	if p.first {
		e.judgeFirst(s, p, j)
	}
	cal, on := e.calibration(dayOf(p.Start)), e.on(p.Start)
	trials, verdicts := e.trials[:0], e.verdicts[:0]
	for i := range p.tests {
		c := &p.tests[i]
		trials = append(trials, trial{
			comparison: *c, factor: j.word(cal, c.feature, c.stream), shift: j.Shift[c.feature.moves()], rise: s.rise[c.feature],
			weight: on.weight(s, c.feature, c.stream), crossed: p.fired&c.feature.mark() != 0,
		})
		t := &trials[i]
		v, rise := t.settle(cal, p.values.v[c.feature], on.cfg.Budget)
		if c.stream == daySlow {
			s.rise[c.feature] = rise
			s.dirty |= PartBaseline
		}
		verdicts = append(verdicts, v)
	}
	e.trials, e.verdicts = trials, verdicts
	e.keepClues(s, p, verdicts)
	e.raiseJudged(s, p, trials, verdicts)
}

// trial is a comparison of a closed window with all that its verdict follows
// from.
type trial struct {
	comparison
	factor, shift float64         // the fleet's word
	weight        float64         // share of the budget
	rise          series.Evidence // of the slow stream, before this window
	crossed       bool            // the open window had raised a provisional finding
	peers         standing
}

// standing is how a day's value lies among those of like apps.
type standing struct {
	part float64 // of their days that lie below; 0: not known
	days float64 // how many that rests on
}

// standing asks where a feature of a day stands among its peers.
func (e *Engine) standing(s *State, p *pending, cal *Calibration, f Feature) standing {
	if p.Scale != memberwatch.Day {
		return standing{}
	}
	part, days, ok := cal.Percentile(e.category(s.App), p.values.actors, f, p.values.v[f])
	if !ok {
		return standing{}
	}
	return standing{part, days}
}

// verdict is a trial's outcome.
type verdict struct {
	comparison
	factor  float64
	period  float64 // return period in app-days
	long    int     // days of a rise, of which this is the last
	hit     bool    // it meets its share of the budget
	crossed bool
	peers   standing
}

// settle turns a trial into its verdict, and into the slow evidence after it.
func (t *trial) settle(cal *Calibration, value, budget float64) (verdict, series.Evidence) {
	v := verdict{comparison: t.comparison, factor: t.factor, peers: t.peers, crossed: t.crossed && t.stream != daySlow}
	v.discount(cal, value, t.factor, t.shift)
	rise := t.rise
	if t.stream == daySlow {
		law, threshold := cal.laws[t.feature], budget/t.weight
		v.period = law.period(rise.Update(v.p, law.at(threshold)))
		v.long = rise.Long()
		v.hit = v.period >= threshold && v.p <= risenP
		return v, rise
	}
	v.period = periodOf(v.p, t.stream)
	v.hit = hits(v.p, t.stream, t.weight, budget)
	if t.feature < counts { // the open window has already decided
		v.hit = v.hit && v.crossed
	}
	return v, rise
}

// hits tells whether a p-value of one window meets its share of the budget.
func hits(p float64, stream streamID, weight, budget float64) bool {
	return p <= weight/(budget*stream.perDay())
}

// risenP is the p-value above which a day is no part of a rise, however much slow
// evidence the days before have left: half of all days lie higher. Evidence only grows
// below it, so it never keeps a rise from being found.
const risenP = 0.5

// raiseJudged raises one finding for each kind that has a hit, and then withdraws
// the provisional ones that the fleet explains and no other kind bears out.
func (e *Engine) raiseJudged(s *State, p *pending, trials []trial, verdicts []verdict) {
	cal := e.calibration(dayOf(p.Start))
	var explained []memberwatch.Kind
	for _, kind := range judgedKinds {
		hit, crossed := false, false
		for i := range verdicts {
			if v := &verdicts[i]; (v.hit || v.crossed) && v.feature.kind(v.stream) == kind {
				hit, crossed = hit || v.hit && (v.p <= explainedP || e.goesOn(s, kind, p)), crossed || v.crossed
			}
		}
		switch {
		case hit:
			var mine []trial
			for _, t := range trials {
				if t.feature.kind(t.stream) == kind {
					t.peers = e.standing(s, p, cal, t.feature)
					mine = append(mine, t)
				}
			}
			e.raise(s, "", e.ground(s, &judged{kind: kind, pending: *p, ready: e.cfg.ReadyDays, trials: mine, cal: cal}))
		case crossed:
			explained = append(explained, kind)
		}
	}
	for _, kind := range explained {
		e.withdraw(s, kind, p.Window)
	}
}

// goesOn tells whether a signal of a kind is open. Only then is a rise told on a day that
// by itself is ordinary: what opens a signal must be something to look at.
func (e *Engine) goesOn(s *State, kind memberwatch.Kind, p *pending) bool {
	return s.episode(kind, "", e.shadowed(kind, p.Start)) != nil
}

// judgedKinds are the kinds that windows can raise, in the order in which they
// are raised.
var judgedKinds = []memberwatch.Kind{
	memberwatch.KindPerActorBurst, memberwatch.KindPerActorSlow,
	memberwatch.KindVolumeBurst, memberwatch.KindVolumeSlow,
	memberwatch.KindNovelty, memberwatch.KindBreadth, memberwatch.KindUnattended,
	memberwatch.KindEnumeration, memberwatch.KindDenials,
	memberwatch.KindClassShift, memberwatch.KindMetronome, memberwatch.KindDisplaced,
}
