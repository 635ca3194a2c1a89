package detector

import (
	"slices"
	"testing"
)

// TestWaysBeyondTheBound: of many ways of reading which are told apart does not depend on
// the order of the calls.
func TestWaysBeyondTheBound(t *testing.T) {
	var first []useCount
	for _, step := range []uint32{1, 7, 11} {
		var w window
		for i := range uint32(100) {
			way := use{i * step % 50, set32(1)}
			w.read(way, 3)
			w.read(use{way.endpoint, set32(2)}, 0)
		}
		if first == nil {
			first = w.uses
		}
		if len(w.uses) != mostUses || w.uses[mostUses-1].records != 6 || !slices.Equal(w.uses, first) {
			t.Errorf("in steps of %d: %v, want %v", step, w.uses, first)
		}
	}
}
