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
			n.meet(u.hash, u.day)
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
		if got := n.meet(7, step.day); got != step.want {
			t.Errorf("day %d: new is %v, want %v", step.day, got, step.want)
		}
	}
	for hash := range uint32(2 * mostNames) {
		n.meet(hash+100, uint16(513+hash/32))
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
