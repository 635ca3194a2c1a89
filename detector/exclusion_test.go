package detector

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
)

// levels plays 60 quiet days, 10 days of harvest and 21 more quiet days, with an
// exclusion of the harvest or not, and returns the slow level of records before
// and after it, and the burst level two days after.
func levels(t *testing.T, exclude, withdraw bool) (before, after, burst float64) {
	r := newReplay(t, DefaultConfig())
	random := rand.New(rand.NewPCG(3, 9))
	start := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	x := memberwatch.Exclusion{ID: "c1-2", App: "crm", Since: start.AddDate(0, 0, 60).UnixNano(), Until: start.AddDate(0, 0, 70).UnixNano()}
	slow := func() float64 { return r.states["crm"].slow[Records].Median(&shapes[daySlow], 0, 1) }
	for day := range 91 {
		if day == 60 {
			before = slow()
		}
		if day == 73 {
			burst = r.states["crm"].day[Records].Median(&shapes[dayBurst], 0, 1)
		}
		if day == 70 && exclude {
			r.apply(memberwatch.Change{Exclusion: &x})
			if withdraw {
				x.Withdrawn = true
				r.apply(memberwatch.Change{Exclusion: &x})
			}
		}
		records := 200 + random.IntN(40)
		if day >= 60 && day < 70 {
			records *= 20
		}
		at := start.AddDate(0, 0, day).Add(10 * time.Hour)
		r.observe(&memberwatch.Event{App: "crm", Time: at.UnixNano(), Records: uint64(records), DataClasses: []string{"profile_name"}})
	}
	return before, slow(), burst
}

// TestExcludedWindowsTeachNothing compares the level with and without an
// exclusion that comes after the harvest, inside the slow stream's lag.
func TestExcludedWindowsTeachNothing(t *testing.T) {
	before, after, burst := levels(t, true, false)
	if after > 1.15*before {
		t.Errorf("slow level %0.f before the excluded harvest, %0.f after: it was learnt", before, after)
	}
	if burst > 1.15*before {
		t.Errorf("burst level %0.f before the excluded harvest, %0.f after: it was not unlearnt", before, burst)
	}
	before, after, burst = levels(t, false, false)
	if burst < 1.5*before {
		t.Errorf("burst level %0.f before the harvest, %0.f after: the test shows nothing", before, burst)
	}
	if after < 1.5*before {
		t.Errorf("slow level %0.f before the harvest, %0.f after: the test shows nothing", before, after)
	}
	_, undone, burstUndone := levels(t, true, true)
	if undone != after || burstUndone != burst {
		t.Errorf("levels %v and %v after an exclusion that was withdrawn, %v and %v without one", undone, burstUndone, after, burst)
	}
}

func TestExclusionKeepsToItsWindows(t *testing.T) {
	e := New(DefaultConfig())
	day := int64(24 * time.Hour)
	e.Apply(&memberwatch.Change{Revision: 1, Exclusion: &memberwatch.Exclusion{ID: "a", App: "crm", Since: 2 * day, Until: 3 * day}})
	for start, want := range map[int64]bool{day: false, 2 * day: true, 3 * day: false} {
		if got := e.excludes(NewState("crm", "acme"), memberwatch.Window{Scale: memberwatch.Day, Start: start}); got != want {
			t.Errorf("day %d excluded: %v, want %v", start/day, got, want)
		}
	}
	if e.excludes(NewState("other", "acme"), memberwatch.Window{Scale: memberwatch.Day, Start: 2 * day}) {
		t.Error("another app is excluded")
	}
	e.Apply(&memberwatch.Change{Revision: 2, Exclusion: &memberwatch.Exclusion{ID: "b", Developer: "acme", Since: 2 * day, Until: 3 * day}})
	at := memberwatch.Window{Scale: memberwatch.Day, Start: 2 * day}
	for _, s := range []*State{NewState("other", "acme"), NewState(memberwatch.DeveloperID("acme").Entity(), "acme")} {
		if !e.excludes(s, at) {
			t.Errorf("%q of an excluded developer is not excluded", s.App)
		}
	}
	if e.excludes(NewState("other", "else"), at) {
		t.Error("an app of another developer is excluded")
	}
}

// TestNothingOfExcludedDaysIsFamiliar plays 40 days of one kind of call and four of
// another from elsewhere, whose exclusion comes afterwards, and asks two days later
// what the app is taken to know.
func TestNothingOfExcludedDaysIsFamiliar(t *testing.T) {
	for name, tc := range map[string]struct{ exclude, withdraw, again, familiar bool }{
		"not excluded": {familiar: true},
		"excluded":     {exclude: true},
		"withdrawn":    {exclude: true, withdraw: true, familiar: true},
		"met again":    {exclude: true, again: true, familiar: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReplay(t, DefaultConfig())
			start := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
			day := func(n int, classes []string, network, endpoint string) {
				for range 20 {
					r.observe(&memberwatch.Event{
						App: "crm", Time: start.AddDate(0, 0, n).Add(10 * time.Hour).UnixNano(), Records: 50, Disclosed: []uint64{1},
						DataClasses: classes, Network: network, Endpoint: endpoint,
					})
				}
			}
			stolen := func(n int) { day(n, []string{"name", "picture"}, "elsewhere", "/export") }
			for n := range 47 {
				switch {
				case n >= 40 && n < 44 || n == 46 && tc.again:
					stolen(n)
				default:
					day(n, []string{"activity"}, "home", "/feed")
				}
				if n == 44 && tc.exclude {
					x := memberwatch.Exclusion{ID: "c1-2", App: "crm", Since: start.AddDate(0, 0, 40).UnixNano(), Until: start.AddDate(0, 0, 44).UnixNano()}
					r.apply(memberwatch.Change{Exclusion: &x})
				}
				if n == 45 && tc.withdraw {
					r.apply(memberwatch.Change{Exclusion: &memberwatch.Exclusion{ID: "c1-2", App: "crm", Withdrawn: true}})
				}
			}
			if tc.again {
				for n := range 3 {
					stolen(47 + n)
				}
			} else {
				day(47, []string{"activity"}, "home", "/feed")
			}
			s := r.states["crm"]
			known, _ := s.habit.known()
			set := classSet{}
			set.add(hash32("name"))
			set.add(hash32("picture"))
			_, way := placeOf(known, use{hash32("/export"), set})
			on := uint16(dayOf(start.UnixNano()) + 51)
			for what, got := range map[string]bool{
				"class set": s.mix.familiar(set), "way of reading": way,
				"network": !s.names[network].meet(hash32("elsewhere"), on, true), "endpoint": !s.names[endpoint].meet(hash32("/export"), on, true),
			} {
				if got != tc.familiar {
					t.Errorf("%s familiar: %v, want %v", what, got, tc.familiar)
				}
			}
		})
	}
}
