package detector

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// Whatever an app's calls have in common, and whatever they raise: states, signals
// and ledger are those of every call booked by itself.
func TestTabChangesNothing(t *testing.T) {
	long := strings.Repeat("more than a row holds ", 9)
	play := func(apart bool) (*replay, rows, int) {
		r, ledger, taken := platform(t), rows{}, 0
		random := rand.New(rand.NewPCG(4, 4))
		for i, ev := range traffic(12, 4, 900, 18*dayLength) {
			ev.DataClasses = [][]string{nil, {"profile_name"}, {"profile_name", "picture"}, {"p", "p"}, {"1", "2", "3", "4", "5", "6"}, {long[:90], long[90:]}}[random.IntN(6)]
			keys := []int{1, 1, 1, 30}[random.IntN(4)] // more than a tab tells apart
			for range random.IntN(40) {
				ev.Time += random.Int64N(40e9)
				ev.Credential = "key " + string(rune('A'+random.IntN(keys)))
				ev.Endpoint = "/members/"[:7+random.IntN(3)]
				if ev.Disclosed = ev.Disclosed[:0]; random.IntN(4) > 0 {
					ev.Disclosed = append(ev.Disclosed, random.Uint64N(3000), random.Uint64(), random.Uint64(), random.Uint64())
				}
				if i > 800 { // long after a baseline is there, a burst
					ev.Records = 50 * uint64(len(ev.Disclosed))
				}
				r.observe(&ev)
				s := r.states[ev.App]
				for r := range s.tab.rows {
					if r.calls > 0 {
						taken++
						break
					}
				}
				if apart {
					s.closeTab()
				}
			}
			if random.IntN(20) == 0 {
				ledger.gather(r.engine, r.states[ev.App])
			}
		}
		for _, app := range slices.Sorted(maps.Keys(r.states)) { // sketches remember in what order they were united
			ledger.gather(r.engine, r.states[app])
		}
		return r, ledger, taken
	}
	together, rows, taken := play(false)
	apart, want, none := play(true)
	if taken < 1000 || none > 0 || len(together.updates) < 50 {
		t.Fatalf("the tab took %d calls, and %d when none may be alike; %d updates of signals", taken, none, len(together.updates))
	}
	if !bytes.Equal(together.bytes(), apart.bytes()) {
		t.Error("states differ")
	}
	if !reflect.DeepEqual(together.updates, apart.updates) {
		t.Errorf("%d updates differ from %d", len(together.updates), len(apart.updates))
	}
	if !reflect.DeepEqual(rows, want) {
		t.Error("ledgers differ")
	}
}
