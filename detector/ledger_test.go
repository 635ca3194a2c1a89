package detector

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/sketch"
	"pgregory.net/rapid"
)

// rows sums ledger deltas as the store does.
type rows map[string]*LedgerDelta

func (r rows) of(class, endpoint string, day int32) *LedgerDelta {
	key := fmt.Sprint(day, class, endpoint)
	if r[key] == nil {
		r[key] = new(LedgerDelta)
	}
	return r[key]
}

func (r rows) gather(e *Engine, s *State) {
	for _, d := range e.Ledger(s) {
		if d.Calls > 0 {
			r.of(string(d.Key.Class), d.Endpoint, d.Key.Day).take(&d)
		}
	}
	s.ResetLedger()
}

func encodedSketch(d *sketch.Distinct) []byte {
	b, _ := d.AppendBinary(nil) // never fails
	return b
}

// Deltas share the sketches of hours as long as they can. Whatever calls an hour
// mixes, wherever checkpoints cut the stream, and when the state was reloaded: the
// rows are those of every event booked by itself.
func TestLedgerDeltasAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, s := New(DefaultConfig()), NewState("a", "d")
		want, got := rows{}, rows{}
		at := memberwatch.WindowAt(memberwatch.Day, 1_767_571_200e9).Start + 22*memberwatch.Hour.Length()
		for range rapid.IntRange(1, 40).Draw(t, "events") {
			at += rapid.SampledFrom([]int64{1e9, 1e9, 1e9, 20 * 60e9, memberwatch.Hour.Length()}).Draw(t, "step")
			ev := memberwatch.Event{
				App: "a", Time: at, Group: rapid.SampledFrom([]string{"", "g", "h"}).Draw(t, "group"), Endpoint: rapid.SampledFrom([]string{"/x", "/x", "/y"}).Draw(t, "endpoint"),
				DataClasses: rapid.SampledFrom([][]string{{"p"}, {"p"}, {"p", "q"}, {"q"}}).Draw(t, "classes"),
			}
			first, members := rapid.Uint64Range(0, 500).Draw(t, "first"), rapid.SampledFrom([]uint64{0, 1, 10, 200}).Draw(t, "members")
			for m := range members {
				ev.Disclosed = append(ev.Disclosed, first+m)
			}
			e.Observe(s, &ev, rapid.IntRange(0, 9).Draw(t, "late") == 0)
			for _, class := range ev.DataClasses {
				d := want.of(class, ev.Endpoint, dayOf(at))
				d.Calls++
				d.book(&ev)
			}
			switch rapid.IntRange(0, 9).Draw(t, "then") {
			case 0, 1:
				got.gather(e, s)
			case 2:
				for w, _, ok := e.NextDue(at - 1e9); ok; w, _, ok = e.NextDue(at - 1e9) {
					e.Close(s, w)
					e.EndWindow(w)
				}
			case 3:
				got.gather(e, s) // what is stored goes together
				reloaded, err := s.CloneAs("a")
				if err != nil {
					t.Fatal(err)
				}
				s = reloaded
			}
		}
		got.gather(e, s)
		for key, w := range want {
			g := got[key]
			if g == nil || g.Calls != w.Calls || !bytes.Equal(encodedSketch(&g.Members), encodedSketch(&w.Members)) ||
				!bytes.Equal(encodedSketch(&g.Groups), encodedSketch(&w.Groups)) {
				t.Fatalf("row %s: got %+v, want %+v", key, g, w)
			}
		}
		if len(got) != len(want) {
			t.Fatalf("%d rows, want %d", len(got), len(want))
		}
	})
}
