package detector

import (
	"fmt"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
)

// born adds new apps of a shape to a day. Each reads five members: different ones,
// or all the same.
func born(t *Tally, shape uint64, n int, apart bool) {
	b := t.litter(shape)
	for i := range n {
		app := memberwatch.AppID(fmt.Sprintf("%d-%d-%02d", shape, dayOf(t.Window.Start), i))
		b.births++
		b.first = named(b.first, []memberwatch.AppID{app})
		b.first = b.first[:min(len(b.first), namedBirth)]
		b.reach += 5
		for k := range 5 {
			who := fmt.Sprint("somebody", k)
			if apart {
				who = fmt.Sprint(app, k)
			}
			b.members.Insert(hashName(who))
		}
	}
}

func TestCohort(t *testing.T) {
	tests := map[string]struct {
		days, warm int
		births     func(day int) int // of the shape
		apart      bool
		found      int // day of the signal, -1 for none
	}{
		"twelve a day":             {days: 80, births: func(day int) int { return 12 * min(max(day-59, 0), 1) }, apart: true, found: 60},
		"two a day":                {days: 80, births: func(day int) int { return 2 * min(max(day-59, 0), 1) }, apart: true, found: 63},
		"they read the same":       {days: 80, births: func(day int) int { return 12 * min(max(day-59, 0), 1) }, found: -1},
		"they have always come":    {days: 200, births: func(day int) int { return 1 + day%3 }, apart: true, found: -1},
		"more than ever, by half":  {days: 200, births: func(day int) int { return 2 + min(day/150, 1) }, apart: true, found: -1},
		"nobody knows what is new": {days: 20, births: func(day int) int { return 12 * min(max(day-14, 0), 1) }, apart: true, found: -1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			start := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC).UnixNano()
			fleet := NewFleet(DefaultConfig())
			found, signals := -1, 0
			for day := range tt.days {
				halves := [2]*Tally{}
				for i := range halves {
					halves[i] = newTally(memberwatch.WindowAt(memberwatch.Day, start+int64(day)*dayLength))
				}
				if day%3 == 0 { // others come one by one, each of a shape of its own
					born(halves[0], uint64(1000+day), 1, true)
				}
				born(halves[day%2], 7, tt.births(day), tt.apart)
				halves[0].Merge(halves[1])
				fleet.Judge(halves[0])
				fleet = reloaded(t, fleet)
				for _, u := range fleet.TakeUpdates() {
					if u.Signal.Revision == 1 {
						found, signals = day, signals+1
					}
					if u.Signal.App != "" || len(u.Signal.Apps) == 0 {
						t.Errorf("signal names app %q and apps %v", u.Signal.App, u.Signal.Apps)
					}
				}
			}
			if found != tt.found || signals > 1 {
				t.Errorf("%d signals, the last on day %d; want one on day %d", signals, found, tt.found)
			}
		})
	}
}

// TestCohortTeachesNothing streams a small platform to which a cohort comes, and
// asks whom newcomers are compared with.
func TestCohortTeachesNothing(t *testing.T) {
	r := newReplay(t, DefaultConfig())
	start := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC).UnixNano()
	const days, comes = 48, 40
	for hour := range days * 24 {
		at := start + int64(hour)*int64(time.Hour)
		for i := range 5 {
			r.observe(&memberwatch.Event{App: memberwatch.AppID(fmt.Sprint("old-", i)), Time: at + int64(i), Endpoint: "/members", Disclosed: []uint64{uint64(hour * i)}})
		}
		if day := hour / 24; day >= comes && hour%2 == 0 {
			app := memberwatch.AppID(fmt.Sprint("id-", day, "-", hour%24/2))
			r.observe(&memberwatch.Event{App: app, Time: at + 6, Endpoint: "/users/{id}", DataClasses: []string{"name"}, Disclosed: []uint64{hashName(string(app))}})
		}
	}
	var found []memberwatch.Signal
	for _, s := range r.opened() {
		if s.Kind == memberwatch.KindCohort {
			found = append(found, s)
		}
	}
	if len(found) != 1 || found[0].Opened/dayLength-start/dayLength != comes || len(found[0].Apps) < 12 {
		t.Fatalf("cohorts %+v, want one on day %d", found, comes)
	}
	if peers := r.fleet.births.at(allCategories)[0]; peers.n > 1e-9 {
		t.Errorf("%v newcomers of a cohort are among the peers", peers.n)
	}
}
