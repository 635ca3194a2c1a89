package detector

import (
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
)

// TestSignalsKeepWhatTheyExpose: what bounds of expectations are held against is the most
// of any window, whichever is the strongest, records where no members are named, and
// with the new members of later days the whole of a long signal.
func TestSignalsKeepWhatTheyExpose(t *testing.T) {
	start := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC).UnixNano()
	hour := memberwatch.Hour.Length()
	t.Run("largest window", func(t *testing.T) {
		e, s := New(DefaultConfig()), NewState("a", "d")
		for _, x := range []struct {
			at            memberwatch.Window
			rare, members float64
		}{
			{memberwatch.Window{Scale: memberwatch.Hour, Start: start + 5*hour}, 5e6, 3000},
			{memberwatch.Window{Scale: memberwatch.Day, Start: start}, 1e5, 60_000},
			{memberwatch.Window{Scale: memberwatch.Day, Start: start + 24*hour}, 1e5, 50_000},
		} {
			e.raise(s, "", memberwatch.Finding{
				Kind: memberwatch.KindVolumeBurst, Window: x.at, Time: x.at.End() - 1, ReturnPeriod: x.rare, Members: memberwatch.Estimate{Value: x.members},
			})
		}
		if got := s.episodes[0].Signal.Exposed; got != 60_000 {
			t.Errorf("exposed %v, want 60,000", got)
		}
	})
	t.Run("an hour and its day", func(t *testing.T) {
		e, s := New(DefaultConfig()), NewState("a", "d")
		for day, members := range []float64{100, 0, 1000} {
			at := memberwatch.Window{Scale: memberwatch.Day, Start: start + int64(day)*24*hour}
			if members > 0 {
				first := memberwatch.Window{Scale: memberwatch.Hour, Start: at.Start}
				e.raise(s, "", memberwatch.Finding{Kind: memberwatch.KindVolumeSlow, Window: first, Time: first.End() - 1, ReturnPeriod: 1e5, Members: memberwatch.Estimate{Value: members}})
			}
			s.expose(at, members)
		}
		if got := s.episodes[0].Signal.Exposed; got != 1100 {
			t.Errorf("exposed %v, want 1,100", got)
		}
	})
	for name, tc := range map[string]struct {
		harvest  func(ev *memberwatch.Event, h int64)
		min, max float64
	}{
		"records without members": {func(ev *memberwatch.Event, _ int64) { ev.Records = 5_000_000 }, 5_000_000, 24 * 5_000_000},
		"new members each hour": {func(ev *memberwatch.Event, h int64) {
			ev.Records = 0
			for m := range int64(1000) {
				ev.Disclosed = append(ev.Disclosed, uint64(1e6+1000*h+m))
			}
		}, 55_000, 75_000}, // 24,000 of the first day, and most of the 48,000 after it
		"the same members each hour": {func(ev *memberwatch.Event, _ int64) {
			ev.Records = 0
			for m := range uint64(1000) {
				ev.Disclosed = append(ev.Disclosed, 1e6+m)
			}
		}, 900, 1100},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReplay(t, DefaultConfig())
			for h := range int64(43 * 24) {
				ev := memberwatch.Event{App: "a", Time: start + h*hour + 60e9, Records: uint64(100 + h*7%40)}
				if h >= 40*24 {
					tc.harvest(&ev, h)
				}
				r.observe(&ev)
			}
			r.observe(&memberwatch.Event{App: "clock", Time: start + 45*24*hour})
			most := 0.0
			for _, s := range r.opened() {
				most = max(most, s.Exposed)
			}
			if most < tc.min || most > tc.max {
				t.Errorf("exposed %v, want %v to %v", most, tc.min, tc.max)
			}
		})
	}
}
