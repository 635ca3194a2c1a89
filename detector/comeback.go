package detector

import (
	"math"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/series"
)

// What of a loss came back on a day, all ways of reading together or one alone; displaced.go
// has the formulas.

// comeback is a day's reading held against a restriction's loss.
type comeback struct {
	rule              memberwatch.RestrictionID
	lost, still       float64 // of the loss, what is read all the same
	expected, besides float64
	variance          float64 // of the expectation, in records
	grown             float64 // times what was before that is expected, by weekday and acting users
	way               *use    // by which alone it comes back; nil: any
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
	rule := e.covering(l.rule, s.App)
	for _, c := range w.uses {
		if rule != nil && c.covered(rule) {
			m.still += float64(c.records)
		}
	}
	m.grown = math.Exp(float64(l.season[slot(dayBurst, w.Window)]))
	if l.actors >= 1 {
		joined := w.actors.Estimate() / float64(l.actors)
		m.outgrown = joined > mostJoined
		m.grown *= max(joined, 1)
	}
	m.expected = float64(l.besides) * m.grown
	m.besides = float64(w.records) - m.still
	m.variance = float64(m.expected*m.expected) * float64(l.scale*l.scale)
	return m
}

// ways holds what an app's closed day has of each way of reading against what that was
// before, and what other ways have less: that did not come from what is restricted. Of an
// app certified anew it says nothing, for then other ways are what it may have.
func (e *Engine) ways(s *State, l *loss, w *window, sum *comeback) (ways []comeback) {
	if s.certifiedAnew(dayOf(w.Start)) {
		return nil
	}
	changed := 0.0 // from one way to another: what is read less by those of before
	for i := range l.ways {
		changed += max(float64(float64(l.ways[i].records)*sum.grown)-float64(w.by(l.ways[i].use)), 0)
	}
	rule := e.covering(l.rule, s.App)
	for i := range w.uses {
		c := &w.uses[i]
		if rule != nil && c.covered(rule) {
			continue
		}
		before := useMean{spread: mostUseSpread}
		if i, known := placeOf(l.ways, c.use); known {
			before = l.ways[i]
		}
		m := *sum
		m.way, m.besides, m.expected = &c.use, float64(c.records), float64(float64(before.records)*m.grown)+changed
		mean := max(m.expected, 1)
		m.variance = float64(mean*mean) * float64(max(before.spread, l.scale*l.scale))
		ways = append(ways, m)
	}
	return ways
}

// whole is a day of an app as far as no loss is kept of it: all that it reads
// beside all that it read.
func (s *State) whole(w *window) comeback {
	m := comeback{besides: float64(w.records)}
	if s.habit.days >= habitDays {
		scale, season := s.daily()
		_, total := s.habit.known()
		m.expected = float64(total) * math.Exp(float64(season[slot(dayBurst, w.Window)]))
		m.variance = float64(m.expected*m.expected) * float64(scale*scale)
	}
	return m
}

// surest is the most surprising of all; nil of none.
func surest(all []comeback) (best *comeback) {
	most := 0.0
	for i := range all {
		expected := all[i].prediction()
		if v := expected.Surprise(all[i].besides, true); best == nil || v > most {
			best, most = &all[i], v
		}
	}
	return best
}

// compare tests what was read besides, in each stream of days.
func (m *comeback) compare(cal *Calibration, of int) (tests []comparison) {
	expected := m.prediction()
	for _, stream := range dayStreams {
		c := comparison{stream: stream, feature: Displaced, mid: m.expected, stratum: of + sizeOf(m.expected)}
		c.weigh(cal, &expected, m.besides)
		tests = append(tests, c)
	}
	return tests
}

// prediction is what was expected besides, in ln units.
func (m *comeback) prediction() series.Prediction {
	expected := max(m.expected, 0)
	scale := max(math.Sqrt(max(m.variance, 0))/max(expected, 1), leastScale)
	floor := (expected + 0.25) / float64((expected+1)*(expected+1))
	return series.Unanimous(math.Log1p(expected), math.Sqrt(float64(scale*scale)+floor))
}
