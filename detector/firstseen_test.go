package detector

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestNamesForgetOrder: what is known of names does not depend on the order in
// which a day's calls came.
func TestNamesForgetOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	uses := make([]name, 40)
	for i := range uses {
		uses[i] = name{hash: uint32(rng.IntN(12)), metOn: metOn{day: uint16(100 + rng.IntN(3))}}
	}
	var first names
	for range 20 {
		var n names
		for _, u := range uses {
			n.meet(u.hash, u.day, true)
		}
		if first == nil {
			first = n
		}
		if !slices.Equal(n, first) {
			t.Fatalf("got %v, want %v", n, first)
		}
		rng.Shuffle(len(uses), func(i, j int) { uses[i], uses[j] = uses[j], uses[i] })
	}
}

func TestNamesAreNewForTwoDays(t *testing.T) {
	var n names
	for _, step := range []struct {
		day  uint16
		want bool
	}{{10, true}, {10, true}, {11, true}, {12, false}, {150, false}, {330, false}, {511, true}, {513, false}} {
		if got := n.meet(7, step.day, true); got != step.want {
			t.Errorf("day %d: new is %v, want %v", step.day, got, step.want)
		}
	}
	for hash := range uint32(2 * mostNames) {
		n.meet(hash+100, uint16(513+hash/32), true)
	}
	if len(n) != mostNames {
		t.Errorf("%d names, want at most %d", len(n), mostNames)
	}
	if n.forget(516); len(n) != keptNames || !slices.IsSortedFunc(n, func(a, b name) int { return int(a.hash) - int(b.hash) }) {
		t.Errorf("%d names kept, want %d by hash", len(n), keptNames)
	}
	if n.forget(900); len(n) != 0 {
		t.Errorf("%d names kept after the look-back", len(n))
	}
}

// TestNamesBeyondTheBound: names made up on a day hide no new one, whatever the order,
// and take the place of none that was used for long; those of calls that disclose nothing
// are not noted.
func TestNamesBeyondTheBound(t *testing.T) {
	var known names
	for hash := range uint32(40) {
		for day := range uint16(5) {
			known.meet(hash*100+50, 95+day, true)
		}
	}
	var kept names
	for _, step := range []uint32{1, 3, 7} {
		n := slices.Clone(known)
		for i := range uint32(200) {
			hash := i*step%200*100 + 25
			for call := range 2 {
				if !n.meet(hash, 100, true) {
					t.Errorf("name %d is not new beyond %d others on call %d", hash, i, call)
				}
			}
			n.meet(hash+1, 100, false)
		}
		if len(n) != mostNames {
			t.Errorf("%d names within a day, want %d", len(n), mostNames)
		}
		if kept == nil {
			kept = slices.Clone(n)
		}
		if !slices.Equal(kept, n) {
			t.Errorf("in another order %v are known, before %v", n, kept)
		}
		n.forget(100)
		for hash := range uint32(40) {
			if n.meet(hash*100+50, 101, true) {
				t.Errorf("name %d of long use is new after a day of many", hash)
			}
		}
	}
}
