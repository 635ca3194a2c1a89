package trial

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/bench/scenario"
)

// TestJeffreys compares with values computed independently (R: qbeta(c(.025,
// .975), k+.5, n-k+.5)).
func TestJeffreys(t *testing.T) {
	for _, test := range []struct {
		k, n      int
		low, high float64
	}{
		{0, 10, 0, 0.217196},
		{5, 10, 0.223528, 0.776472},
		{10, 10, 0.782804, 1},
		{1, 1, 0.146746, 1},
		{0, 0, 0, 1},
	} {
		low, high := Jeffreys(test.k, test.n)
		if math.Abs(low-test.low) > 1e-4 || math.Abs(high-test.high) > 1e-4 {
			t.Errorf("%d of %d: %.6f to %.6f, want %.6f to %.6f", test.k, test.n, low, high, test.low, test.high)
		}
	}
	// R: qgamma(c(.025, .975), 10.5)
	if low, high := Counted(10); math.Abs(low-5.1414) > 1e-3 || math.Abs(high-17.7394) > 1e-3 {
		t.Errorf("10 counted: %.4f to %.4f", low, high)
	}
}

// outcomeOf makes an outcome with incidents of one scenario.
func outcomeOf(found ...bool) *Outcome {
	o := &Outcome{AppDays: 1_400}
	o.Trial.Platform.Apps = 100
	for n, ok := range found {
		i := Incident{
			Scenario: "S04", Abuse: true, Rate: 1, Leaked: 100, LeakedThen: 100, Delay: 10 * time.Hour,
			Goal: scenario.Goal{Unit: scenario.Hours, Most: 2}, Spent: 10,
		}
		if ok {
			i.Found, i.LeakedThen, i.Delay, i.FoundBy, i.Spent = true, int64(n), time.Hour, memberwatch.KindVolumeBurst, 1+2*float64(n)
		}
		o.Incidents = append(o.Incidents, i)
	}
	return o
}

// TestSummarise: a miss counts as the whole leak and the whole length.
func TestSummarise(t *testing.T) {
	a, b := outcomeOf(true, true, false), outcomeOf(false)
	a.False = []Alert{
		{About: Ordinary, Signal: memberwatch.Signal{Kind: memberwatch.KindVolumeBurst, Strongest: memberwatch.Finding{ReturnPeriod: 2_000}}},
		{About: "B2", Signal: memberwatch.Signal{Kind: memberwatch.KindRestricted}},
	}
	r := Summarise(Plan{}, []*Outcome{a, b}, nil)
	row := r.Scenarios[0]
	if row.Runs != 4 || row.Found != 2 || row.Recall != 0.5 || row.DelayP50 != 1 || row.DelayP90 != 10 || row.LeakedShareP50 != 0.01 || row.LeakedShareP90 != 1 {
		t.Errorf("%+v", row)
	}
	if row.Target != "within 2 h" || row.Met != 0.25 || row.SpentP50 != 3 || row.SpentP90 != 10 {
		t.Errorf("%+v", *row.Aim)
	}
	if r.FalseAlerts != 1 || r.Realised != 0.5 || r.AppWeeks != 400 || r.Prevalence != 0.02 {
		t.Errorf("%g false alerts, realised %g, over %g app-weeks, prevalence %g", r.FalseAlerts, r.Realised, r.AppWeeks, r.Prevalence)
	}
}

// TestLoss: a target of recall lost compares with the runs without tricks, which
// count nowhere else.
func TestLoss(t *testing.T) {
	o := outcomeOf(true, false, true, true)
	for n := range o.Incidents {
		o.Incidents[n].Goal = scenario.Goal{Unit: scenario.Loss, Most: 0.1}
		o.Incidents[n].Clean = n >= 2
	}
	row := Summarise(Plan{}, []*Outcome{o}, nil).Scenarios[0]
	if row.Runs != 2 || row.Recall != 0.5 || row.CleanRuns != 2 || row.CleanRecall != 1 || row.SpentP50 != 0.5 || row.Met != 0 {
		t.Errorf("%+v, %+v", row, *row.Aim)
	}
}

func TestFloors(t *testing.T) {
	r := Summarise(Plan{}, []*Outcome{outcomeOf(true, false)}, nil)
	r.FalseAlerts = 2
	for name, test := range map[string]struct {
		floors Floors
		missed []string
	}{
		"none":         {Floors{}, nil},
		"reached":      {Floors{Recall: map[string]float64{"S04": 0.5}, MaxFalse: 2}, nil},
		"missed":       {Floors{Recall: map[string]float64{"S04": 0.9}}, []string{"recall of S04@1"}},
		"target met":   {Floors{Met: map[string]float64{"S04": 0.5}}, nil},
		"target not":   {Floors{Met: map[string]float64{"S04": 0.6}}, []string{"share that meets its target of S04@1 is 0.50 (1 of 2)"}},
		"not measured": {Floors{Recall: map[string]float64{"S04@0.3": 0.9, "S05": 0}}, []string{"recall of S04@0.3", "recall of S05"}},
		"too loud":     {Floors{MaxFalse: 1}, []string{"2.00 false alerts"}},
	} {
		t.Run(name, func(t *testing.T) {
			missed := r.Missed(test.floors)
			if !slices.EqualFunc(missed, test.missed, strings.HasPrefix) {
				t.Errorf("%q, want %q", missed, test.missed)
			}
		})
	}
}

func TestPlan(t *testing.T) {
	for name, test := range map[string]struct {
		plan   Plan
		trials int
		warns  int
		fails  string
	}{
		"default":          {Plan{}, 9, 0, ""},
		"short run":        {Plan{Days: 60, Seeds: 2, Rates: []float64{1}}, 2, 1, ""},
		"look-alikes only": {Plan{Only: []string{"B2"}, Seeds: 3}, 3, 0, ""},
		"unknown":          {Plan{Only: []string{"S99"}}, 0, 0, `no scenario "S99"`},
		"negative rate":    {Plan{Rates: []float64{-1}}, 0, 0, "must be positive"},
	} {
		t.Run(name, func(t *testing.T) {
			trials, warnings, err := test.plan.Trials()
			if test.fails != "" {
				if err == nil || !strings.Contains(err.Error(), test.fails) {
					t.Fatalf("error %v", err)
				}
				return
			}
			if err != nil || len(trials) != test.trials || len(warnings) != test.warns {
				t.Fatalf("%d trials, warnings %q, %v", len(trials), warnings, err)
			}
			seeds := make(map[uint64]bool)
			for _, one := range trials {
				seeds[one.Seed] = true
			}
			if len(seeds) != len(trials) {
				t.Errorf("%d trials share %d seeds", len(trials), len(seeds))
			}
		})
	}
}
