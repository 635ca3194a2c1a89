package detector

import (
	"github.com/memberwatch/memberwatch"
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
	var verdicts []verdict
	if p.first {
		e.judgeFirst(s, p, j)
	}
	cal := e.calibration(dayOf(p.Start))
	for _, t := range p.tests {
		t.discount(cal, p.values.v[t.feature], j)
		weight := e.cfg.streamWeight(t.feature, t.stream, s.actors)
		v := verdict{comparison: t, factor: j.Factor[t.feature]}
		if t.stream == daySlow {
			m := s.rise[t.feature].update(t.p, e.cfg.Budget/weight)
			s.dirty |= PartBaseline
			v.period, v.hit = m, m >= e.cfg.Budget/weight
		} else {
			v.period = periodOf(t.p, t.stream)
			v.hit = t.p <= weight/(e.cfg.Budget*t.stream.perDay())
			if t.feature < counts { // the open window has already decided
				v.crossed = p.fired&(1<<t.feature) != 0
				v.hit = v.hit && v.crossed
			}
		}
		verdicts = append(verdicts, v)
	}
	e.raiseJudged(s, p, verdicts)
}

// verdict is a test with the fleet's part in it.
type verdict struct {
	comparison
	factor  float64
	period  float64 // return period in app-days
	hit     bool    // it meets its share of the budget
	crossed bool    // it had raised a provisional finding
}

// raiseJudged raises one finding for each kind that has a hit, and withdraws
// the provisional ones that the fleet explains.
func (e *Engine) raiseJudged(s *State, p *pending, all []verdict) {
	for _, kind := range judgedKinds {
		var mine []verdict
		hit, crossed := false, false
		for _, v := range all {
			if v.feature.kind(v.stream) != kind {
				continue
			}
			mine = append(mine, v)
			hit = hit || v.hit
			crossed = crossed || v.crossed
		}
		switch {
		case hit:
			e.raise(s, "", e.judgedFinding(p, kind, mine))
		case crossed:
			e.withdraw(s, kind, p.Window)
		}
	}
}

// judgedKinds are the kinds that windows can raise, in the order in which they
// are raised.
var judgedKinds = []memberwatch.Kind{
	memberwatch.KindPerActorBurst, memberwatch.KindPerActorSlow,
	memberwatch.KindVolumeBurst, memberwatch.KindVolumeSlow,
	memberwatch.KindNovelty, memberwatch.KindBreadth,
	memberwatch.KindEnumeration, memberwatch.KindDenials,
	memberwatch.KindClassShift, memberwatch.KindMetronome,
}
