package trial_test

import (
	"testing"

	"github.com/memberwatch/memberwatch/bench/feed"
	"github.com/memberwatch/memberwatch/bench/trial"
)

// TestRecord: a recording shows more than is raised, and a stricter budget
// never finds more.
func TestRecord(t *testing.T) {
	t.Parallel()
	p := trial.Plan{Only: []string{"S04", "S17", "B2"}, Apps: 60, Days: 24, Members: 50_000, EventsPerApp: 40, Seeds: 1, Rates: []float64{0.3}}
	trials, _, err := p.Trials()
	if err != nil {
		t.Fatal(err)
	}
	service, err := feed.Open(t.Context(), feed.Options{Detector: trial.RecordingConfig()})
	if err != nil {
		t.Fatal(err)
	}
	r, err := trial.Record(t.Context(), trials[0], service, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := service.Close(); err != nil {
		t.Fatal(err)
	}
	if len(r.Cases) != 5 || len(r.Cases[0].Points) == 0 { // one of each abuse, three communities that join
		t.Fatalf("%d cases, %d findings on the first", len(r.Cases), len(r.Cases[0].Points))
	}
	choices := r.Choices()
	marked := false
	for n, c := range choices {
		marked = marked || c.Budget == r.Budget
		if n > 0 && (c.Recall > choices[n-1].Recall || c.Alerts > choices[n-1].Alerts) {
			t.Errorf("%+v comes after %+v", c, choices[n-1])
		}
	}
	if !marked || choices[0].Recall == 0 {
		t.Errorf("choices %+v", choices)
	}
}
