package detector

import (
	"slices"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/bench/scenario"
)

// TestStateIsSmall: what is stored of an app is 8 KB on average at most at every hour of
// a day, beside the sample of whom it has known for long, on the simulator's ordinary
// platform once slots, weeks and what waits for its lag are filled.
func TestStateIsSmall(t *testing.T) {
	const most, days = 8192, 24
	sim, err := scenario.New(scenario.Config{Seed: 5, Apps: 60, Days: days})
	if err != nil {
		t.Fatal(err)
	}
	r := newReplay(t, DefaultConfig())
	r.batches = true
	var ev memberwatch.Event
	next := sim.End().UnixNano() - memberwatch.Day.Length()
	for more := sim.Next(&ev); more; more = sim.Next(&ev) {
		for ; ev.Time >= next; next += memberwatch.Hour.Length() {
			r.flush()
			if mean := storedSize(t, r.states); mean > most {
				t.Errorf("%s: a state takes %d bytes, at most %d are wanted", time.Unix(0, next).UTC().Format(time.TimeOnly), mean, most)
			}
		}
		call := ev
		call.Disclosed, call.Requested = slices.Clone(ev.Disclosed), slices.Clone(ev.Requested)
		call.DataClasses = slices.Clone(ev.DataClasses)
		r.observe(&call)
	}
	if next != sim.End().UnixNano() {
		t.Errorf("measured until %s, want the whole last day", time.Unix(0, next).UTC())
	}
}

// storedSize is how many bytes are stored of an app on average.
func storedSize(t *testing.T, states map[memberwatch.AppID]*State) int {
	t.Helper()
	sum, apps := 0, 0
	for app, s := range states {
		if app.IsDeveloper() {
			continue
		}
		apps++
		for _, p := range []Part{PartBaseline, PartHot, PartTotals} {
			b, err := s.AppendPart(p, nil)
			if err != nil {
				t.Fatal(err)
			}
			sum += len(b)
		}
	}
	if apps < 50 {
		t.Fatalf("%d apps have a state, want nearly all of 60", apps)
	}
	return sum / apps
}
