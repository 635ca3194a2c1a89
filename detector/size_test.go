package detector

import (
	"slices"
	"testing"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/bench/scenario"
)

// TestStateIsSmall: what is stored of an app is 8 KB on average at most at three in the
// afternoon, beside the sample of whom it has known for long, on the simulator's ordinary
// platform once slots and weeks are filled.
func TestStateIsSmall(t *testing.T) {
	const most, days = 8192, 23
	sim, err := scenario.New(scenario.Config{Seed: 5, Apps: 60, Days: days})
	if err != nil {
		t.Fatal(err)
	}
	r := newReplay(t, DefaultConfig())
	r.batches = true
	var ev memberwatch.Event
	until := sim.End().UnixNano() - 9*memberwatch.Hour.Length()
	for sim.Next(&ev) && ev.Time < until {
		call := ev
		call.Disclosed, call.Requested = slices.Clone(ev.Disclosed), slices.Clone(ev.Requested)
		call.DataClasses = slices.Clone(ev.DataClasses)
		r.observe(&call)
	}
	r.flush()
	sum, apps := 0, 0
	for app, s := range r.states {
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
	if mean := sum / apps; mean > most {
		t.Errorf("the states of %d apps take %d bytes each, at most %d are wanted", apps, mean, most)
	}
}
