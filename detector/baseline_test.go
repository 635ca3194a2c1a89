package detector

import (
	"bytes"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
)

// TestBaselineOfASteadyApp: whoever reads 100 members a day for 10 people, most of
// them at ten, is expected to do so again, and asking changes nothing.
func TestBaselineOfASteadyApp(t *testing.T) {
	for name, c := range map[string]struct {
		days int
		want map[string]map[memberwatch.Scale]float64 // by feature, the middle
	}{
		"too young": {days: 3, want: nil},
		"learning": {days: 10, want: map[string]map[memberwatch.Scale]float64{
			"reach": {memberwatch.Day: 100, memberwatch.Hour: 80}, "reach_per_actor": {memberwatch.Day: 10, memberwatch.Hour: 8},
		}},
		"ready": {days: 40, want: map[string]map[memberwatch.Scale]float64{
			"reach": {memberwatch.Day: 100, memberwatch.Hour: 80}, "reach_per_actor": {memberwatch.Day: 10, memberwatch.Hour: 8},
			"records": {memberwatch.Day: 100, memberwatch.Hour: 80}, "misses": {memberwatch.Day: 0, memberwatch.Hour: 0},
			"new_members": {memberwatch.Day: 100},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReplay(t, DefaultConfig())
			r.steady("a", c.days)
			before := r.bytes()
			b := r.engine.Baseline(r.states["a"], r.newest)
			if !bytes.Equal(before, r.bytes()) {
				t.Error("asking changed the state")
			}
			if int(b.Days) != c.days-1 || b.App != "a" || (len(b.Expected) == 0) != (c.want == nil) {
				t.Fatalf("baseline %+v", b)
			}
			got := make(map[string]map[memberwatch.Scale]memberwatch.Expectation)
			for _, x := range b.Expected {
				if got[x.Feature] == nil {
					got[x.Feature] = make(map[memberwatch.Scale]memberwatch.Expectation)
				}
				got[x.Feature][x.Window.Scale] = x
			}
			for feature, scales := range c.want {
				for scale, middle := range scales {
					x, ok := got[feature][scale]
					if v := x.Value; !ok || v.Value < 0.95*middle || v.Value > 1.05*middle+0.05 || v.Low > middle || v.High < middle {
						t.Errorf("%s in a %v: %+v, want %v", feature, scale, x, middle)
					}
				}
			}
			for _, x := range b.Expected {
				if x.Window.Scale == memberwatch.Hour && x.Feature == "reach" && time.Unix(0, x.Window.Start).UTC().Hour() != 10 {
					t.Errorf("busiest hour %v", time.Unix(0, x.Window.Start).UTC())
				}
			}
		})
	}
}

// steady lets an app read 80 new members at ten and 20 at noon of each day, for ten
// people. The last day is not over.
func (r *replay) steady(app memberwatch.AppID, days int) {
	next := uint64(1)
	for day := range days {
		for _, at := range [...]struct{ hour, each int }{{10, 8}, {12, 2}} {
			for actor := range 10 {
				ev := memberwatch.Event{
					App: app, Time: 1_767_571_200e9 + int64(day)*dayLength + int64(at.hour)*int64(time.Hour) + int64(actor)*int64(time.Minute),
					DataClasses: []string{"profile_name"}, Actor: uint64(actor + 1),
				}
				for range at.each {
					ev.Disclosed = append(ev.Disclosed, next*0x9e3779b97f4a7c15)
					next++
				}
				r.observe(&ev)
			}
		}
	}
}
