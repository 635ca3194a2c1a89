package detector

import (
	"math"

	"github.com/memberwatch/memberwatch"
)

// What is normal for an app, for people to read: the same expectations, with the
// same ends, that its next windows are compared with.
//
// Assumptions: the day is ordinary, with as many acting users and admins as the
// past had, so no growth is accounted for; ratios rest on as many acting users and
// records as are expected. It lies for an app that has been silent for a while: the
// silence is learnt when the app next reads something.

// Baseline tells what is expected of an app on the day that holds an event time:
// of the whole day, and of that hour of it in which most records are expected. It
// changes nothing. Nothing is expected of an app before its windows are compared.
func (e *Engine) Baseline(s *State, now int64) memberwatch.Baseline {
	b := memberwatch.Baseline{App: s.App, Learning: s.learning(&e.cfg, now), Days: s.days()}
	if s.days() < e.cfg.FirstDays {
		return b
	}
	day := memberwatch.WindowAt(memberwatch.Day, now)
	hour, cal := s.busiest(day), e.calibration(dayOf(now))
	for f := range Features {
		if f.novel() && !e.knowsNovelty(s) {
			continue
		}
		for _, at := range [...]memberwatch.Window{day, hour} {
			stream := burstOf(at.Scale)
			if e.weight(s, f, stream) == 0 {
				continue
			}
			if value, ok := s.usual(cal, stream, f, at); ok {
				b.Expected = append(b.Expected, memberwatch.Expectation{Feature: f.String(), Window: at, Value: value})
			}
		}
	}
	return b
}

// usual is what is expected of a feature in an ordinary window.
func (s *State) usual(cal *Calibration, stream streamID, f Feature, at memberwatch.Window) (memberwatch.Estimate, bool) {
	x := s.ordinary(stream, at)
	exposed := x.exposure(f)
	if exposed == 0 {
		return memberwatch.Estimate{}, false
	}
	p := s.seriesOf(stream, f).Expect(&shapes[stream], slot(stream, at), exposed)
	if !p.OK {
		return memberwatch.Estimate{}, false
	}
	c := comparison{stream: stream, feature: f, stratum: s.stratum(stream, f, p.Center()*exposed)}
	c.tell(cal, &p)
	return memberwatch.Estimate{Value: thousandths(c.mid), Low: thousandths(c.low), High: thousandths(c.high)}, true
}

// thousandths rounds what was found by bisection: a series of zeros expects 0.
func thousandths(v float64) float64 { return math.Round(1000*v) / 1000 }

// ordinary are the values of a window that is as expected, as far as ratios rest on
// them.
func (s *State) ordinary(stream streamID, at memberwatch.Window) values {
	x := values{sampled: min(s.fresh.Rate(), s.history.Rate()), mixed: 1, profiled: 1, timed: 1}
	for _, f := range [...]Feature{Records, Misses} {
		p := s.seriesOf(stream, f).Expect(&shapes[stream], slot(stream, at), 1)
		x.v[f] = p.Center()
	}
	x.actors = s.usualActors(stream, at, nil)
	return x
}

// busiest is the hour of a day in which most records are expected, the first of
// them.
func (s *State) busiest(day memberwatch.Window) memberwatch.Window {
	best, most := memberwatch.WindowAt(memberwatch.Hour, day.Start), 0.0
	for t := day.Start; t < day.End(); t += memberwatch.Hour.Length() {
		at := memberwatch.WindowAt(memberwatch.Hour, t)
		p := s.hour[Records].Expect(&shapes[hourBurst], slot(hourBurst, at), 1)
		if center := p.Center(); center > most {
			best, most = at, center
		}
	}
	return best
}
