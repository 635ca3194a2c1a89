package detector

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/codec"
)

// traffic makes a seeded stream of a few apps over some days, in time order.
func traffic(seed uint64, apps, events int, span int64) []memberwatch.Event {
	rng := rand.New(rand.NewPCG(seed, 1))
	start := memberwatch.WindowAt(memberwatch.Day, 1_767_571_200e9).Start
	times := make([]int64, events)
	for i := range times {
		times[i] = start + rng.Int64N(span)
	}
	slices.Sort(times)
	list := make([]memberwatch.Event, events)
	for i := range list {
		app := rng.IntN(apps)
		ev := memberwatch.Event{
			App: memberwatch.AppID([]byte{'a' + byte(app)}), Developer: memberwatch.DeveloperID("xyz"[app%3 : app%3+1]), Time: times[i], Endpoint: "/members", Network: string("nmw"[rng.IntN(3)]), Credential: string('k' + rune(times[i]/(7*dayLength)%3)),
			DataClasses: []string{"profile_name"}, Group: string('g' + rune(rng.IntN(4))), Actor: uint64(rng.IntN(5)),
			Missed: uint32(rng.IntN(20) / 19), Outcome: memberwatch.Outcome(rng.IntN(3)),
		}
		for range rng.IntN(30) {
			ev.Disclosed = append(ev.Disclosed, rng.Uint64N(3000)*uint64(app+1))
		}
		if rng.IntN(8) == 0 {
			ev.Requested = ev.Disclosed
		}
		list[i] = ev
	}
	return list
}

// platform returns a replay in which every kind of thing is declared.
func platform(t testing.TB) *replay {
	r := newReplay(t, DefaultConfig())
	start := time.Unix(1_767_571_200, 0)
	for _, c := range []memberwatch.Change{
		{Restriction: &memberwatch.Restriction{ID: "r", Class: "profile_name", Apps: []memberwatch.AppID{"a"}, Effective: start.AddDate(0, 0, 12)}},
		{App: &memberwatch.App{ID: "b", Purposes: []memberwatch.Purpose{{Class: "profile_name"}}, Expires: start.AddDate(0, 0, 8)}},
		{App: &memberwatch.App{ID: "c", Purposes: []memberwatch.Purpose{{Class: "other"}}}},
		{Canaries: &memberwatch.Canaries{Members: []memberwatch.MemberID{6, 600, 60_000}}},
		{Attestation: &memberwatch.Attestation{App: "a", Time: start.AddDate(0, 0, 3)}},
		{Attestation: &memberwatch.Attestation{App: "d", Time: start.AddDate(0, 0, 5)}},
	} {
		r.apply(c)
	}
	return r
}

const dayLength = 24 * 3600 * int64(1e9)

// reload stores and loads every state and the engine's own part.
func (r *replay) reload() {
	r.flush()
	meta, err := r.engine.AppendBinary(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	old := r.engine
	r.engine = New(old.cfg)
	for i := range r.changes {
		r.engine.Apply(&r.changes[i])
	}
	for _, c := range old.calibrations[1:] {
		r.engine.SetCalibration(c)
	}
	if len(old.calibrations) == keptCalibrations && old.calibrations[0].Through != 0 {
		r.engine.calibrations = slices.Clone(old.calibrations)
	}
	r.engine.tallies = old.tallies // the shell stores tallies of windows in the middle of closing with neither
	if err := r.engine.UnmarshalBinary(meta); err != nil {
		r.t.Fatal(err)
	}
	for app, s := range r.states {
		fresh := NewState(app, s.Developer)
		for _, p := range []Part{PartBaseline, PartHistory, PartHot, PartTotals} {
			b, err := s.AppendPart(p, nil)
			if err != nil {
				r.t.Fatal(err)
			}
			if len(b) == 0 {
				continue
			}
			if err := fresh.LoadPart(p, b); err != nil {
				r.t.Fatal(err)
			}
			again, err := fresh.AppendPart(p, nil)
			if err != nil || !bytes.Equal(b, again) {
				r.t.Fatalf("app %s part %d does not round-trip: %v", app, p, err)
			}
		}
		r.states[app] = fresh
		if r.engine.Restore(fresh); app.IsDeveloper() {
			r.engine.Enlist(app.Developer())
		}
	}
}

// TestReloadChangesNothing restarts at random places and compares every byte and
// every update with an undisturbed run.
func TestReloadChangesNothing(t *testing.T) {
	events := traffic(3, 6, 9000, 26*dayLength)
	plain := platform(t)
	for i := range events {
		plain.observe(&events[i])
	}
	broken := platform(t)
	rng := rand.New(rand.NewPCG(4, 4))
	for i := range events {
		if rng.IntN(300) == 0 {
			broken.reload()
		}
		broken.observe(&events[i])
	}
	if !bytes.Equal(plain.bytes(), broken.bytes()) {
		t.Error("states differ after reloads")
	}
	if !reflect.DeepEqual(plain.updates, broken.updates) {
		t.Errorf("%d updates differ from %d with reloads", len(plain.updates), len(broken.updates))
	}
}

// TestOrderInsideLateness shuffles events within the lateness and wants the same
// bytes: every aggregate of a window is order-insensitive.
func TestOrderInsideLateness(t *testing.T) {
	events := traffic(5, 4, 3000, 20*dayLength)
	for i := range events { // close enough to one another that many can change places
		into := events[i].Time % (dayLength / 24)
		events[i].Time += into/12 - into
	}
	played := func(events []memberwatch.Event) []byte {
		r := platform(t)
		for i := range events {
			r.observe(&events[i])
		}
		r.advance(events[len(events)-1].Time + 2*dayLength)
		return r.bytes()
	}
	inOrder := played(events)
	for seed := range uint64(16) {
		shuffled, swapped := slices.Clone(events), 0
		rng := rand.New(rand.NewPCG(seed, 9))
		for i := range len(shuffled) - 2 { // the last stays where it is
			if shuffled[i+1].Time-shuffled[i].Time < lateness/2 && rng.IntN(2) == 0 {
				shuffled[i], shuffled[i+1] = shuffled[i+1], shuffled[i]
				swapped++
			}
		}
		if swapped < len(events)/5 {
			t.Fatalf("only %d of %d events changed places", swapped, len(events))
		}
		if !bytes.Equal(inOrder, played(shuffled)) {
			t.Errorf("shuffled with seed %d, states differ", seed)
		}
	}
}

// TestLateEventsOnlyCount gives an event of last week: the ledger and the rules
// take it, no window does.
func TestLateEventsOnlyCount(t *testing.T) {
	r := newReplay(t, DefaultConfig())
	events := traffic(1, 1, 500, 10*dayLength)
	for i := range events {
		r.observe(&events[i])
	}
	s := r.states["a"]
	r.engine.Close(s, s.open[0].Window)
	s.ResetLedger()
	before := s.events
	late := memberwatch.Event{App: "a", Time: events[0].Time, DataClasses: []string{"x"}, Disclosed: []uint64{1, 2}}
	r.observe(&late)
	if s.late != 1 || s.events != before+1 {
		t.Errorf("late %d events %d, want 1 and %d", s.late, s.events, before+1)
	}
	if l := r.engine.Ledger(s); len(l) != 1 || l[0].Late != 1 || l[0].Members.Estimate() != 2 || l[0].Key.Day != dayOf(late.Time) {
		t.Errorf("ledger %+v, want one late row of the event's own day", l)
	}
}

// TestObserveAllocatesNothing pins the hot path: a known app, an open window.
func TestObserveAllocatesNothing(t *testing.T) {
	e := New(DefaultConfig())
	for i, c := range []memberwatch.Change{
		{Restriction: &memberwatch.Restriction{ID: "r", Class: "other"}},
		{App: &memberwatch.App{ID: "a", Purposes: []memberwatch.Purpose{{Class: "profile_name"}}}},
		{Canaries: &memberwatch.Canaries{Members: []memberwatch.MemberID{1 << 60}}},
		{Attestation: &memberwatch.Attestation{App: "a", Time: time.Unix(0, 0)}},
	} {
		c.Revision = int64(i) + 1
		e.Apply(&c)
	}
	s := NewState("a", "d")
	events := traffic(2, 1, 2000, int64(3e9))
	for range 3 {
		for i := range events {
			e.Observe(s, &events[i], false)
		}
	}
	i := 0
	if n := testing.AllocsPerRun(1000, func() {
		e.Observe(s, &events[i%len(events)], false)
		i++
	}); n != 0 {
		t.Errorf("Observe allocates %v times an event, want 0", n)
	}
}

func FuzzLoadPart(f *testing.F) {
	r := platform(f)
	events := traffic(8, 2, 3000, 20*dayLength)
	for i := range events {
		r.observe(&events[i])
	}
	for _, p := range []Part{PartBaseline, PartHistory, PartTotals, PartHot} {
		b, err := r.states["a"].AppendPart(p, nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(byte(p), b)
	}
	f.Fuzz(func(t *testing.T, part byte, b []byte) {
		p := []Part{PartBaseline, PartHistory, PartTotals, PartHot}[part%4]
		s := NewState("a", "")
		if err := s.LoadPart(p, reseal(b)); err != nil {
			return
		}
		again, err := s.AppendPart(p, nil)
		if err != nil {
			t.Fatalf("loaded but cannot be stored: %v", err)
		}
		if err := NewState("a", "").LoadPart(p, again); len(again) > 0 && err != nil {
			t.Fatalf("stored but cannot be loaded: %v", err)
		}
	})
}

// reseal puts a right checksum on damaged bytes, so that the fuzzer gets past it.
func reseal(b []byte) []byte {
	if len(b) < 5 {
		return b
	}
	e := codec.NewEncoder(nil, b[0])
	e.Raw(b[1 : len(b)-4])
	sealed, _ := e.Finish()
	return sealed
}

func TestDamagedStateIsRefused(t *testing.T) {
	r := newReplay(t, DefaultConfig())
	events := traffic(8, 1, 2000, 20*dayLength)
	for i := range events {
		r.observe(&events[i])
	}
	for _, p := range []Part{PartBaseline, PartHistory, PartTotals, PartHot} {
		b, err := r.states["a"].AppendPart(p, nil)
		if err != nil || len(b) < 10 {
			t.Fatalf("part %d: %d bytes, %v", p, len(b), err)
		}
		b[len(b)/2] ^= 4
		if err := NewState("a", "").LoadPart(p, b); err == nil || p != PartHistory && !errors.Is(err, codec.ErrCorrupt) {
			t.Errorf("part %d: a flipped bit gives %v", p, err)
		}
	}
}

// TestLearning: a baseline is young, ready, stale in and for a week after a long
// silence, and ready again; all of that is stored.
func TestLearning(t *testing.T) {
	r := newReplay(t, DefaultConfig())
	start := memberwatch.WindowAt(memberwatch.Day, 1_767_571_200e9).Start
	read := func(from, to int64) {
		for day := from; day < to; day++ {
			r.observe(&memberwatch.Event{App: "a", Time: start + day*dayLength + dayLength/2, Records: 5})
		}
		r.reload()
	}
	for _, step := range []struct {
		from, to, asked int64
		want            memberwatch.Learning
	}{
		{0, 5, 5, memberwatch.LearningYoung},
		{5, 20, 20, memberwatch.LearningReady},
		{20, 20, 40, memberwatch.LearningReady},
		{20, 20, 60, memberwatch.LearningStale},
		{60, 61, 60, memberwatch.LearningStale},
		{61, 66, 66, memberwatch.LearningStale},
		{66, 68, 67, memberwatch.LearningReady},
		{80, 82, 82, memberwatch.LearningReady},
	} {
		read(step.from, step.to)
		if got := r.states["a"].learning(&r.engine.cfg, start+step.asked*dayLength); got != step.want {
			t.Errorf("on day %d after calls on days %d to %d the state is %v, want %v", step.asked, step.from, step.to, got, step.want)
		}
	}
}
