package report

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/bench/trial"
)

// input is a result with one incident found and one missed, and a recording.
func input(t *testing.T) Input {
	t.Helper()
	start := time.Date(2024, 2, 1, 0, 0, 0, 0, time.UTC)
	found := trial.Incident{
		Scenario: "S04", Kind: "burst-harvest", Abuse: true, Rate: 1, Found: true, FoundBy: memberwatch.KindVolumeBurst,
		Delay: time.Hour, Leaked: 100, LeakedThen: 10, Alerts: 1, Budget: 9_000,
	}
	missed := trial.Incident{Scenario: "S16", Kind: "field-creep", Abuse: true, Rate: 1, Delay: 30 * 24 * time.Hour, Leaked: 5, LeakedThen: 5}
	outcome := &trial.Outcome{AppDays: 1_400, Incidents: []trial.Incident{found, missed}}
	plan := trial.Plan{Rates: []float64{1}}
	return Input{
		Result: trial.Summarise(plan, []*trial.Outcome{outcome}, nil), Outcomes: []*trial.Outcome{outcome},
		Recording: &trial.Recording{
			Budget: 1_400, Least: 70,
			Cases: []trial.Case{
				{Incident: found, Start: start, End: start.AddDate(0, 0, 2), Points: []trial.Moment{
					{Time: start.Add(time.Hour), Budget: 9_000, Kind: memberwatch.KindVolumeBurst}, {Time: start.Add(2 * time.Hour), Budget: 100},
				}},
				{Incident: missed, Start: start, End: start.AddDate(0, 0, 30)},
			},
			Alerts: []trial.Strength{{Budget: 9_000, Case: 0}, {Budget: 2_000, Case: -1}},
		},
	}
}

// TestWrite: the page needs no other file, every plot is sound XML, and what
// was missed shows.
func TestWrite(t *testing.T) {
	in := input(t)
	result := filepath.Join(t.TempDir(), "calibration.json")
	if err := os.WriteFile(result, []byte(`{"sets":[{"name":"cran","stratum":"m10-49","points":9,"realised_over_nominal":{"1e-2":1.1,"1e-3":0.9,"1e-4":2}}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	speed := filepath.Join(t.TempDir(), "throughput.json")
	if err := os.WriteFile(speed, []byte(`{"drain_events_per_s":1234567,"scored_events_per_s":654321,"ratio":0.53}`), 0o600); err != nil {
		t.Fatal(err)
	}
	others, err := ReadOthers([]string{result, speed})
	if err != nil {
		t.Fatal(err)
	}
	in.Others = others
	path, err := Write(filepath.Join(t.TempDir(), "report"), in)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	for _, want := range []string{"S04", "field-creep", "0.00 (0 of 1)", "1.00 (1 of 1)", "m10-49", "30.0 days", "1,234,567"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if other := regexp.MustCompile(`(src|href)="[^"]`).FindString(page); other != "" {
		t.Errorf("the page refers to another file: %s", other)
	}
	plots := regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(page, -1)
	if len(plots) != 6 { // precision and recall, delays, two cases, calibration, throughput
		t.Errorf("%d plots", len(plots))
	}
	for n, p := range plots {
		d := xml.NewDecoder(strings.NewReader(p))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Errorf("plot %d: %v", n, err)
				break
			}
		}
	}
}

func TestReadOthers(t *testing.T) {
	other := filepath.Join(t.TempDir(), "other.json")
	for text, want := range map[string]string{`{"x":1}`: "holds no result", `{`: "other.json"} {
		if err := os.WriteFile(other, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadOthers([]string{other}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", text, err, want)
		}
	}
}
