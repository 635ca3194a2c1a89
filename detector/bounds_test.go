package detector

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/memberwatch/memberwatch"
)

// TestStateIsBounded: an app that names something new with every call, in all that it
// can name, costs no more than so much; nobody can fill the memory by making up names.
func TestStateIsBounded(t *testing.T) {
	const days, calls = 4, 500
	for name, most := range map[string]struct{ sample, rest int }{
		"ordinary": {10 << 10, 12 << 10}, "hostile": {32 << 10, 80 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			r, rng := newReplay(t, DefaultConfig()), rand.New(rand.NewPCG(1, 1))
			r.apply(memberwatch.Change{App: &memberwatch.App{ID: "a", Purposes: []memberwatch.Purpose{{Class: "profile_name"}}}})
			start := memberwatch.WindowAt(memberwatch.Day, 1_767_571_200e9).Start
			for i := range days * calls {
				ev := memberwatch.Event{
					App: "a", Time: start + int64(i)*dayLength/calls, DataClasses: []string{"profile_name"}, Endpoint: "/members",
					Group: "g", Actor: 5, Network: "n", Credential: "k", Disclosed: []uint64{rng.Uint64N(1000) + 1},
				}
				if name == "hostile" {
					ev.DataClasses = nil
					for k := range memberwatch.MaxEventClasses {
						ev.DataClasses = append(ev.DataClasses, fmt.Sprint("a-class-with-a-name-of-some-length-", (i*memberwatch.MaxEventClasses+k)%1000))
					}
					ev.Endpoint, ev.Network, ev.Credential, ev.Group = fmt.Sprint("/e/", i), fmt.Sprint("n", i), fmt.Sprint("k", i), fmt.Sprint("g", i)
					ev.Actor = rng.Uint64()
					for range 200 {
						ev.Disclosed = append(ev.Disclosed, rng.Uint64())
					}
					ev.Requested = ev.Disclosed
				}
				r.observe(&ev)
				if i%(calls/4) != 0 {
					continue
				}
				s := r.states["a"]
				s.ResetLedger() // the shell writes it down
				sample, rest := 0, 0
				for _, p := range []Part{PartBaseline, PartHistory, PartTotals, PartHot} {
					b, err := s.AppendPart(p, nil)
					if err != nil {
						t.Fatal(err)
					}
					if p == PartHistory {
						sample = len(b)
					} else {
						rest += len(b)
					}
				}
				for at, apps := range r.engine.open {
					if len(apps) > 4 {
						t.Fatalf("after %d calls the app is listed %d times for window %v", i, len(apps), at)
					}
				}
				if sample > most.sample || rest > most.rest {
					t.Fatalf("after %d calls the sample takes %d bytes, the rest %d; want at most %d and %d", i, sample, rest, most.sample, most.rest)
				}
			}
		})
	}
}
