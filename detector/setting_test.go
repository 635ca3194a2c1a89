package detector

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
)

func TestTuned(t *testing.T) {
	for name, test := range map[string]struct {
		tuning memberwatch.Tuning
		budget float64
		reach  float64 // share of hours
		fails  string
	}{
		"nothing":         {memberwatch.Tuning{}, 1400, 0.06, ""},
		"as configured":   {memberwatch.Tuning{Configured: true, Budget: 7}, 1400, 0.06, ""},
		"a budget":        {memberwatch.Tuning{Budget: 2800}, 2800, 0.06, ""},
		"a lower weight":  {memberwatch.Tuning{Weights: map[string]float64{"reach": 0.5}}, 1400, 0.03, ""},
		"a shifted one":   {memberwatch.Tuning{Weights: map[string]float64{"reach": 2, "reach_per_actor": 0.5}}, 1400, 0.12, ""},
		"more than all":   {memberwatch.Tuning{Weights: map[string]float64{"reach": 2}}, 0, 0, "sum to 1.06"},
		"unknown feature": {memberwatch.Tuning{Weights: map[string]float64{"raech": 2}}, 0, 0, `no feature is called "raech"`},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := DefaultConfig().Tuned(&test.tuning)
			if test.fails != "" {
				if !errors.Is(err, memberwatch.ErrInvalid) || !strings.Contains(err.Error(), test.fails) {
					t.Fatalf("error %v, want %q", err, test.fails)
				}
				return
			}
			if err != nil || c.Budget != test.budget || c.Shares()[Reach].Hour != test.reach {
				t.Errorf("budget %g, share %g, %v", c.Budget, c.Shares()[Reach].Hour, err)
			}
			full := c.Tuning()
			if again, err := DefaultConfig().Tuned(&full); err != nil || again.Budget != c.Budget || again.Shares()[Reach] != c.Shares()[Reach] {
				t.Errorf("written out as %+v it comes to %+v, %v", full, again, err)
			}
		})
	}
}

// TestShadow: a kind in shadow goes on as a signal of its own that raises
// nothing, from the hour on and no earlier, and comes back the same way.
func TestShadow(t *testing.T) {
	r := newReplay(t, DefaultConfig())
	r.apply(memberwatch.Change{App: &memberwatch.App{ID: "a", Purposes: []memberwatch.Purpose{{Class: "x"}}}})
	at := time.Date(2026, 1, 5, 12, 30, 0, 0, time.UTC)
	r.apply(memberwatch.Change{Tuning: &memberwatch.Tuning{Shadow: []memberwatch.Kind{memberwatch.KindUncertified}, From: at.Truncate(time.Hour).Add(time.Hour)}})
	r.apply(memberwatch.Change{Tuning: &memberwatch.Tuning{Configured: true, From: at.Truncate(time.Hour).Add(3 * time.Hour)}})
	for n := range 5 {
		r.observe(&memberwatch.Event{App: "a", Time: at.Add(time.Duration(n) * time.Hour).UnixNano(), DataClasses: []string{"y"}, Disclosed: []uint64{uint64(n)}})
	}
	var shadows []bool
	for _, s := range r.opened() {
		shadows = append(shadows, s.Shadow)
	}
	if len(shadows) != 3 || shadows[0] || !shadows[1] || shadows[2] {
		t.Errorf("five hours of a broken rule, the second and third in shadow, open signals in shadow: %v", shadows)
	}
}

// TestTunedBudget: windows are decided by the budget of the time at which they
// start.
func TestTunedBudget(t *testing.T) {
	e := New(DefaultConfig())
	noon := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	e.Apply(&memberwatch.Change{Revision: 1, Tuning: &memberwatch.Tuning{Budget: 14_000, From: noon}})
	e.Apply(&memberwatch.Change{Revision: 2, Tuning: &memberwatch.Tuning{Weights: map[string]float64{"none of ours": 1}, From: noon.Add(time.Hour)}})
	for name, test := range map[string]struct {
		start time.Time
		want  float64
	}{
		"before":               {noon.Add(-time.Hour), 1_400},
		"from then on":         {noon, 14_000},
		"of another release's": {noon.Add(time.Hour), 14_000},
	} {
		t.Run(name, func(t *testing.T) {
			if got := e.on(test.start.UnixNano()).cfg.Budget; got != test.want {
				t.Errorf("budget %g, want %g", got, test.want)
			}
		})
	}
	stratum := sizeOf(100)
	app := NewState("a", "")
	if early, late := e.alarmAt(app, noon.UnixNano()-1, bySurprise, hourBurst, Reach, stratum), e.alarmAt(app, noon.UnixNano(), bySurprise, hourBurst, Reach, stratum); early >= late {
		t.Errorf("a burst needs a surprise of %g before, %g after a stricter budget", early, late)
	}
}

// TestFleetShadow: a kind in shadow raises nothing of the fleet's either, from the
// tuning's time on, and comes back the same way.
func TestFleetShadow(t *testing.T) {
	start := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	fleet := NewFleet(DefaultConfig())
	fleet.Tune(&memberwatch.Tuning{Shadow: []memberwatch.Kind{memberwatch.KindFleet}, From: start.AddDate(0, 0, 1)})
	fleet.Tune(&memberwatch.Tuning{Configured: true, From: start.AddDate(0, 0, 3)})
	var shadows []bool
	ids := make(map[memberwatch.SignalID]bool)
	for day := range 5 {
		tally := newTally(memberwatch.WindowAt(memberwatch.Day, start.AddDate(0, 0, day).UnixNano()))
		tally.ready[Records], tally.hot[Records][0] = 100, 90
		fleet.Judge(tally)
		for _, u := range fleet.TakeUpdates() {
			if u.Finding != nil {
				shadows = append(shadows, u.Signal.Shadow)
				ids[u.Signal.ID] = true
			}
		}
		fleet = reloaded(t, fleet)
	}
	if want := []bool{false, true, true, false, false}; !slices.Equal(shadows, want) || len(ids) != 3 {
		t.Errorf("five days on which everybody moved, the second and third in shadow: %v in %d signals, want %v in 3", shadows, len(ids), want)
	}
}

// TestSettingsAreFew: however often evidence is tuned, what is kept is what a window
// may still ask for.
func TestSettingsAreFew(t *testing.T) {
	e := New(DefaultConfig())
	start := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	for day := range 100 {
		at := start.AddDate(0, 0, day)
		e.NextDue(at.UnixNano())
		for n := range 9 {
			e.Apply(&memberwatch.Change{Revision: e.Revision() + 1, Tuning: &memberwatch.Tuning{Budget: float64(1000 + 10*day + n), From: at.Add(time.Hour)}})
		}
	}
	if n := len(e.settings); n > 35 {
		t.Errorf("%d settings are kept of 900, one a day in force, want a month's", n)
	}
	for name, test := range map[string]struct {
		start time.Time
		want  float64
	}{
		"now":               {start.AddDate(0, 0, 100), 1998},
		"a week ago":        {start.AddDate(0, 0, 92), 1918},
		"long ago":          {start, e.settings[1].cfg.Budget},
		"before the newest": {start.AddDate(0, 0, 99), 1988},
	} {
		t.Run(name, func(t *testing.T) {
			if got := e.on(test.start.UnixNano()).cfg.Budget; got != test.want {
				t.Errorf("budget %g, want %g", got, test.want)
			}
		})
	}
}
