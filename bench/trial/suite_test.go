package trial_test

import (
	"encoding/json"
	"testing"

	"github.com/memberwatch/memberwatch/bench/feed"
	"github.com/memberwatch/memberwatch/bench/trial"
)

// run measures a plan with services in this process.
func run(t *testing.T, p trial.Plan, o feed.Options) *trial.Result {
	t.Helper()
	trials, warnings, err := p.Trials()
	if err != nil {
		t.Fatal(err)
	}
	var outcomes []*trial.Outcome
	for _, one := range trials {
		service, err := feed.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		outcome, err := trial.Run(t.Context(), one, service, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := service.Close(); err != nil {
			t.Fatal(err)
		}
		outcomes = append(outcomes, outcome)
	}
	return trial.Summarise(p, outcomes, warnings)
}

// TestSuite is the small suite that every change must pass: rules leave nothing
// to chance, bursts and enumerations of this size stand out, and what merely
// fails or repeats accuses nobody. Its floors are what the detector reached when
// they were set; raise them with it.
func TestSuite(t *testing.T) {
	if testing.Short() {
		t.Skip("a suite takes some ten seconds")
	}
	t.Parallel()
	p := trial.Plan{
		Only: []string{"S01", "S02", "S04", "S08", "S10", "S19", "B3", "B8", "B9", "B14"},
		Apps: 160, Days: 42, Members: 100_000, EventsPerApp: 50, Seed: 11, Seeds: 1, Rates: []float64{0.3},
	}
	r := run(t, p, feed.Options{})
	floors := trial.Floors{
		Recall:   map[string]float64{"S01@0.3": 1, "S02@0.3": 1, "S04@0.3": 1, "S08@0.3": 1, "S10@0.3": 1, "S19@0.3": 1},
		MaxFalse: 4,
	}
	for _, m := range r.Missed(floors) {
		t.Error(m)
	}
	for _, b := range r.LookAlikes {
		if b.Alerts > 0 {
			t.Errorf("%s, %s: %d alerts", b.ID, b.Kind, b.Alerts)
		}
	}
	for _, s := range r.Scenarios {
		t.Logf("%s: %d of %d, after %.1f h, %.1f %% leaked", s.ID, s.Found, s.Runs, s.DelayP50, 100*s.LeakedShareP50)
	}
	t.Logf("%.2f false alerts in 200 app-weeks: %+v", r.FalseAlerts, r.False)
}

// TestSameBytes: the same seeds give the same result, whether or not checkpoints
// wait for the disk, and however many partitions share the apps.
func TestSameBytes(t *testing.T) {
	t.Parallel()
	p := trial.Plan{Only: []string{"S04", "S17", "B2"}, Apps: 50, Days: 20, Members: 50_000, EventsPerApp: 30, Seeds: 1, Rates: []float64{0.3}}
	var first string
	for name, o := range map[string]feed.Options{"not synced": {}, "synced": {Sync: true}, "in one partition": {Partitions: 1}, "in three": {Partitions: 3}} {
		encoded, err := json.Marshal(run(t, p, o))
		if err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = string(encoded)
		}
		if string(encoded) != first {
			t.Errorf("%s differs:\n%s\n%s", name, encoded, first)
		}
	}
}
