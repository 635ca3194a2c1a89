package detector

import (
	"slices"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
)

// TestWhatASignalRestsOn: its strongest finding is the strongest that is settled; while none
// is, the strongest that only open windows have spoken for.
func TestWhatASignalRestsOn(t *testing.T) {
	const start = 1_767_571_200e9
	day := memberwatch.Window{Scale: memberwatch.Day, Start: start}
	hour := func(n int64) memberwatch.Window {
		return memberwatch.Window{Scale: memberwatch.Hour, Start: start + n*3600e9}
	}
	type step struct {
		at       memberwatch.Window
		period   float64
		withdraw bool
	}
	open := func(at memberwatch.Window, period float64) step { return step{at, -period, false} }
	closed := func(at memberwatch.Window, period float64) step { return step{at, period, false} }
	withdrawn := func(at memberwatch.Window) step { return step{at, 0, true} }
	for _, c := range []struct {
		name        string
		steps       []step
		strongest   float64
		provisional bool
		signals     int
		open        bool
	}{
		{"an open hour", []step{open(hour(5), 2000)}, 2000, true, 1, true},
		{"is confirmed as weaker", []step{open(hour(5), 1e6), closed(hour(5), 3000)}, 3000, false, 1, true},
		{"is withdrawn", []step{open(hour(5), 1e6), withdrawn(hour(5))}, 1e6, false, 1, false},
		{"of two one is withdrawn", []step{open(hour(5), 1e6), open(hour(6), 2000), withdrawn(hour(5))}, 2000, true, 1, true},
		{"of two both are", []step{open(hour(5), 1e6), open(hour(6), 2000), withdrawn(hour(6)), withdrawn(hour(5))}, 1e6, false, 1, false},
		{"the day so far, an hour of it confirmed", []step{open(day, 1e6), open(hour(5), 2000), closed(hour(5), 3000)}, 3000, false, 1, true},
		{"then the day withdrawn", []step{open(day, 1e6), open(hour(5), 2000), closed(hour(5), 3000), withdrawn(day)}, 3000, false, 1, true},
		{"then the day judged", []step{open(day, 1e6), open(hour(5), 2000), closed(hour(5), 3000), closed(day, 5e5)}, 5e5, false, 1, true},
		{"midnight's hour withdrawn, the day told", []step{open(hour(0), 1e6), withdrawn(hour(0)), closed(day, 1e4)}, 1e4, false, 2, true},
		{"midnight's hour withdrawn beside the day", []step{open(day, 1e6), open(hour(0), 1e5), withdrawn(hour(0))}, 1e6, true, 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, s := New(DefaultConfig()), NewState("a", "d")
			for _, x := range c.steps {
				f := memberwatch.Finding{Kind: memberwatch.KindVolumeBurst, Window: x.at, Time: x.at.End() - 1, Stream: memberwatch.StreamBurst, ReturnPeriod: x.period}
				if x.period < 0 {
					f.ReturnPeriod, f.Provisional, f.Time = -x.period, true, x.at.Start+60e9
				}
				if x.withdraw {
					e.withdraw(s, memberwatch.KindVolumeBurst, x.at)
				} else {
					e.raise(s, "", f)
				}
			}
			var ids []memberwatch.SignalID
			updates := e.TakeUpdates()
			for i, u := range updates {
				if ids = append(ids, u.Signal.ID); i > 0 && u.Signal.ID == updates[i-1].Signal.ID && u.Signal.Revision != updates[i-1].Signal.Revision+1 {
					t.Errorf("revision %d follows %d", u.Signal.Revision, updates[i-1].Signal.Revision)
				}
			}
			slices.Sort(ids)
			last := updates[len(updates)-1].Signal
			if got := last.Strongest; got.ReturnPeriod != c.strongest || got.Provisional != c.provisional {
				t.Errorf("it rests on once in %g app-days, provisional %t; want %g, %t", got.ReturnPeriod, got.Provisional, c.strongest, c.provisional)
			}
			if n := len(slices.Compact(ids)); n != c.signals || last.Open() != c.open {
				t.Errorf("%d signals, the last open: %t; want %d, %t", n, last.Open(), c.signals, c.open)
			}
		})
	}
}

// TestLateEventsBeginSignalsOfTheirOwn, even in the window with which an ended one began.
func TestLateEventsBeginSignalsOfTheirOwn(t *testing.T) {
	r := newReplay(t, DefaultConfig())
	const start = 1_767_571_200e9
	r.apply(memberwatch.Change{Restriction: &memberwatch.Restriction{ID: "r", Class: "names", Effective: time.Unix(0, start)}})
	ev := memberwatch.Event{App: "a", Time: start + 5*3600e9, DataClasses: []string{"names"}, Records: 1, Disclosed: []uint64{1}}
	r.observe(&ev)
	r.observe(&memberwatch.Event{App: "clock", Time: start + 20*dayLength})
	late := ev
	late.Time += 60e9
	r.observe(&late)
	if len(r.order) != 2 {
		t.Errorf("%d signals, want the one that has ended and another", len(r.order))
	}
}
