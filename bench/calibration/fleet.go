package calibration

import (
	"fmt"
	"math"
	"slices"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector"
)

// fleet runs a set through the detector, with copies that carry injections in
// the shadow of it: they meet the fleet's calibrations and judgements and have
// no part in them.
type fleet struct {
	set    *Set
	users  bool                      // counts are of users, totals the records
	places map[memberwatch.AppID]int // of the series of an app
	real   side
	shadow side
	fleet  *detector.Fleet
	// watch sees every comparison of the real series before the fleet's word.
	watch func(series, day int, t detector.Trial)
	// opened is called when a signal of a real series opens.
	opened func(series, day int, s *memberwatch.Signal)
}

// side is an engine with its states.
type side struct {
	engine *detector.Engine
	states map[memberwatch.AppID]*detector.State
}

func newSide(cfg detector.Config) side {
	return side{engine: detector.New(cfg), states: make(map[memberwatch.AppID]*detector.State)}
}

func newFleet(set *Set, cfg detector.Config, users bool) *fleet {
	f := &fleet{
		set: set, users: users, places: make(map[memberwatch.AppID]int),
		real: newSide(cfg), shadow: newSide(cfg), fleet: detector.NewFleet(cfg),
	}
	for series := range set.Series {
		f.places[f.app(series)] = series
	}
	return f
}

// run plays the whole set with its injections.
func (f *fleet) run(plantings []*planting, progress func(day int)) error {
	byStart := slices.SortedStableFunc(slices.Values(plantings), func(a, b *planting) int { return a.start - b.start })
	var active []*planting
	days := f.set.windows() / f.set.perDay()
	for day := range days {
		for len(byStart) > 0 && byStart[0].start == day {
			if err := f.copy(byStart[0]); err != nil {
				return err
			}
			active, byStart = append(active, byStart[0]), byStart[1:]
		}
		if f.set.Scale == memberwatch.Hour {
			for hour := range 24 {
				f.step(memberwatch.Hour, day*24+hour, day, active)
			}
		}
		f.step(memberwatch.Day, day, day, active)
		f.endDay(f.set.window(memberwatch.Day, day))
		active = slices.DeleteFunc(active, func(p *planting) bool {
			over := day >= p.start+p.kind.Days-1
			if over {
				delete(f.shadow.states, p.app())
			}
			return over
		})
		progress(day)
	}
	return nil
}

// app names a series, and a copy of one.
func (f *fleet) app(series int) memberwatch.AppID {
	return memberwatch.AppID(fmt.Sprintf("%06d", series))
}

func (p *planting) app() memberwatch.AppID {
	return memberwatch.AppID(fmt.Sprintf("%06d %s %d", p.series, p.kind.Name, p.start))
}

// copy starts an injection on a copy of its series' state.
func (f *fleet) copy(p *planting) error {
	state := f.real.states[f.app(p.series)]
	if state == nil {
		f.shadow.states[p.app()] = detector.NewState(p.app(), "")
		return nil
	}
	copied, err := state.CloneAs(p.app())
	if err != nil {
		return fmt.Errorf("copy series %q: %w", f.set.Series[p.series].Name, err)
	}
	f.shadow.states[p.app()] = copied
	return nil
}

// leastHours is how many hours of a day must be counted for its sum to be the
// day's: the day on which clocks are set forward has 23.
const leastHours = 23

// counts returns what a series held in a window of a scale.
func (f *fleet) counts(series int, scale memberwatch.Scale, i int) detector.Counts {
	s := &f.set.Series[series]
	if f.users {
		return detector.Counts{Records: s.Totals[i], Actors: orZero(s.Counts[i])}
	}
	if scale == f.set.Scale {
		return detector.Counts{Records: s.Counts[i]}
	}
	sum, counted := 0.0, 0
	for _, v := range s.Counts[i*24 : (i+1)*24] {
		if !math.IsNaN(v) {
			sum += v
			counted++
		}
	}
	if counted < leastHours {
		return detector.Counts{Records: math.NaN()}
	}
	return detector.Counts{Records: sum}
}

// planted adds an injection to what its series held. A day of an hourly set gets
// what its hours got.
func (p *planting) planted(c detector.Counts, day int, ofHours bool) (changed detector.Counts) {
	if math.IsNaN(c.Records) {
		return c
	}
	if ofHours {
		c.Records += p.today
		return c
	}
	added := math.Round(p.kind.Add(day-p.start, c.Records, p.mean))
	if p.kind.Users {
		c.Actors += math.Round(p.kind.Add(day-p.start, c.Actors, p.mean))
	}
	p.today += added
	c.Records += added
	return c
}

// endDay notes what was added by the end of a day.
func (p *planting) endDay() {
	p.added += p.today
	p.today = 0
	p.byDay = append(p.byDay, p.added)
}

// step closes one window of the real series and of the copies, and has it
// judged.
func (f *fleet) step(scale memberwatch.Scale, i, day int, active []*planting) {
	at := f.set.window(scale, i)
	for k := range f.set.Series {
		c := f.counts(k, scale, i)
		app := f.app(k)
		state := f.real.states[app]
		if state == nil && c.Records > 0 {
			state = detector.NewState(app, "")
			f.real.states[app] = state
		}
		trials := f.real.close(state, at, c)
		if f.watch == nil {
			continue
		}
		for _, t := range trials {
			f.watch(k, day, t)
		}
	}
	for _, p := range active {
		c := p.planted(f.counts(p.series, scale, i), day, scale != f.set.Scale)
		f.shadow.close(f.shadow.states[p.app()], at, c)
		if scale == memberwatch.Day {
			p.endDay()
		}
	}
	var judgement detector.Judgement
	if tally := f.real.engine.EndWindow(at); tally != nil {
		judgement = f.fleet.Judge(tally)
	} else {
		judgement = f.fleet.Judge(&detector.Tally{Window: at})
	}
	f.real.judge(at, &judgement)
	f.shadow.engine.EndWindow(at)
	f.shadow.judge(at, &judgement)
	f.note(day, active)
}

// close closes a window that held something; one that held nothing is none, as
// for an app without events. It returns the comparisons.
func (s *side) close(state *detector.State, at memberwatch.Window, c detector.Counts) []detector.Trial {
	switch {
	case state == nil:
	case c.Records > 0 || math.IsNaN(c.Records):
		return s.engine.CloseCounts(state, at, c)
	default:
		s.engine.Close(state, at) // only ends what has been quiet for long enough
	}
	return nil
}

func (s *side) judge(at memberwatch.Window, j *detector.Judgement) {
	for _, app := range s.engine.Pending(at) {
		if state := s.states[app]; state != nil {
			s.engine.Judge(state, j)
		}
	}
	s.engine.EndJudgement(at)
}

// note counts the signals that opened.
func (f *fleet) note(day int, active []*planting) {
	for _, u := range f.real.engine.TakeUpdates() {
		if u.Signal.Revision == 1 && f.opened != nil {
			f.opened(f.places[u.Signal.App], day, &u.Signal)
		}
	}
	found := make(map[memberwatch.AppID]bool)
	for _, u := range f.shadow.engine.TakeUpdates() {
		found[u.Signal.App] = found[u.Signal.App] || u.Signal.Revision == 1
	}
	for _, p := range active {
		if p.foundOn < 0 && found[p.app()] {
			p.foundOn = day - p.start
		}
	}
}

// endDay brings both sides the calibration of the day.
func (f *fleet) endDay(day memberwatch.Window) {
	c := f.fleet.EndDay(int32(day.Start / memberwatch.Day.Length()))
	f.real.engine.SetCalibration(c)
	f.shadow.engine.SetCalibration(c)
}
