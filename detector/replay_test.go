package detector

import (
	"bytes"
	"maps"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/memberwatch/memberwatch"
)

// replay drives an engine and a fleet the way the shell does, with one
// partition, one producer and a lateness of two minutes.
type replay struct {
	t       testing.TB
	engine  *Engine
	fleet   *Fleet
	states  map[memberwatch.AppID]*State
	newest  int64
	ended   int32 // newest day given to the fleet
	updates []memberwatch.Update
	signals map[memberwatch.SignalID]memberwatch.Signal
	order   []memberwatch.SignalID
	changes []memberwatch.Change // applied so far
	// onClose, if set, sees each app's window before it closes.
	onClose func(*State, memberwatch.Window)
	// batches: calls are observed together where no window closes between them.
	batches bool
	calls   []Call
}

const lateness = int64(2 * 60 * 1e9)

func newReplay(t testing.TB, cfg Config) *replay {
	return &replay{
		t: t, engine: New(cfg), fleet: NewFleet(cfg),
		states: map[memberwatch.AppID]*State{}, signals: map[memberwatch.SignalID]memberwatch.Signal{},
	}
}

func (r *replay) apply(c memberwatch.Change) {
	r.flush()
	c.Revision = r.engine.Revision() + 1
	r.changes = append(r.changes, c)
	r.engine.Apply(&c)
	if c.Tuning != nil {
		r.fleet.Tune(c.Tuning)
	}
}

func (r *replay) observe(ev *memberwatch.Event) {
	s, ok := r.states[ev.App]
	if !ok {
		s = NewState(ev.App, ev.Developer)
		r.states[ev.App] = s
	}
	late := memberwatch.WindowAt(memberwatch.Hour, ev.Time).End() <= r.newest-lateness
	if r.batches {
		own := *ev
		r.calls = append(r.calls, Call{s, &own, late})
	} else {
		r.engine.Observe(s, ev, late)
		r.take()
	}
	if ev.Time > r.newest {
		before := r.newest
		r.newest = ev.Time
		if !r.batches || memberwatch.WindowAt(memberwatch.Hour, r.newest-lateness) != memberwatch.WindowAt(memberwatch.Hour, before-lateness) {
			r.flush()
			r.advance(r.newest - lateness)
		}
	}
}

// flush observes the calls that wait to be observed together.
func (r *replay) flush() {
	r.engine.ObserveAll(r.calls)
	r.calls = r.calls[:0]
	r.take()
}

// advance closes what is over at the watermark and lets the fleet judge it.
func (r *replay) advance(watermark int64) {
	for {
		w, apps, ok := r.engine.NextDue(watermark)
		if !ok {
			break
		}
		for _, app := range apps {
			if r.onClose != nil {
				r.onClose(r.states[app], w)
			}
			r.engine.Close(r.states[app], w)
		}
		for _, d := range r.engine.DevelopersDue(w) {
			entity := d.Entity()
			if r.states[entity] == nil {
				r.states[entity] = NewState(entity, d)
			}
			r.engine.CloseDeveloper(r.states[entity], w)
		}
		if tally := r.engine.EndWindow(w); tally != nil {
			r.judge(tally)
		}
		r.take()
	}
	for day := dayOf(watermark) - 1; r.ended < day; {
		if r.ended == 0 {
			r.ended = day - 1
		}
		r.ended++
		r.engine.SetCalibration(r.fleet.EndDay(r.ended))
	}
}

func (r *replay) judge(tally *Tally) {
	j := r.fleet.Judge(tally)
	for _, app := range r.engine.Pending(j.Window) {
		r.engine.Judge(r.states[app], &j)
	}
	r.engine.EndJudgement(j.Window)
}

func (r *replay) take() {
	for _, u := range append(r.fleet.TakeUpdates(), r.engine.TakeUpdates()...) {
		if _, known := r.signals[u.Signal.ID]; !known {
			r.order = append(r.order, u.Signal.ID)
		}
		r.signals[u.Signal.ID] = u.Signal
		r.updates = append(r.updates, u)
		r.check(&u)
	}
}

// check states what must hold for every signal.
func (r *replay) check(u *memberwatch.Update) {
	r.t.Helper()
	if what := sound(&u.Signal.Strongest); what != "" {
		r.t.Errorf("%s: %s is out of bounds: %+v", u.Signal.ID, what, u.Signal.Strongest)
	}
	if u.Finding == nil {
		return
	}
	if what := sound(u.Finding); what != "" {
		r.t.Errorf("%s: %s is out of bounds: %+v", u.Signal.ID, what, *u.Finding)
	}
	if worth, budget := r.worth(u), r.engine.cfg.Budget; worth < budget*(1-1e-9) {
		r.t.Errorf("%s: told though it is worth a budget of %.0f app-days, not %.0f: %+v", u.Signal.ID, worth, budget, *u.Finding)
	}
	if again, err := Recompute(u.Finding); err != nil || !reflect.DeepEqual(again, *u.Finding) {
		r.t.Errorf("%s: made again the finding is\n%+v, %v\nnot\n%+v", u.Signal.ID, again, err, *u.Finding)
	}
}

// worth is the strictest budget under which a finding would still have been told; of an
// app without acting users nobody outside knows, and that everybody moved has none.
func (r *replay) worth(u *memberwatch.Update) float64 {
	f := u.Finding
	if s := r.states[u.Signal.App]; f.ReturnPeriod == 0 || f.Kind == memberwatch.KindFleet || s != nil && !s.actors {
		return math.Inf(1)
	}
	i := max(slices.IndexFunc(f.Factors, func(x memberwatch.Factor) bool { return x.ReturnPeriod == f.ReturnPeriod }), 0)
	return f.ReturnPeriod * r.engine.cfg.Share(f, &f.Factors[i])
}

// opened lists the signals in the order in which they were opened.
func (r *replay) opened() []memberwatch.Signal {
	var list []memberwatch.Signal
	for _, id := range r.order {
		list = append(list, r.signals[id])
	}
	return list
}

// bytes is everything the replay would have stored, in canonical order.
func (r *replay) bytes() []byte {
	var b bytes.Buffer
	for _, app := range slices.Sorted(maps.Keys(r.states)) {
		for _, p := range []Part{PartBaseline, PartHistory, PartTotals, PartHot} {
			part, err := r.states[app].AppendPart(p, nil)
			if err != nil {
				r.t.Fatal(err)
			}
			b.Write(part)
		}
	}
	fleet, err := r.fleet.AppendBinary(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	b.Write(fleet)
	return b.Bytes()
}
