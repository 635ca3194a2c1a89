package trial

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/bench/scenario"
	"github.com/memberwatch/memberwatch/detector"
)

// RecordBelow is by how much a recording's budget undercuts the default one, so
// that evidence shows that raises no signal. Slow evidence is capped at ten
// times the budget it is recorded under: more than ten would hide what the
// default raises.
const RecordBelow = 4

// Recorder is a service that also tells its findings. For a recording it must
// have been opened with RecordingConfig.
type Recorder interface {
	Service
	Findings(ctx context.Context, id memberwatch.SignalID) ([]memberwatch.Finding, error)
}

// RecordingConfig returns the default configuration with a recording's budget.
func RecordingConfig() *detector.Config {
	c := detector.DefaultConfig()
	c.Budget /= RecordBelow
	return &c
}

// Recording is one trial's evidence, far below the default budget.
type Recording struct {
	Trial  Trial
	Budget float64 // the default one
	Least  float64 // under which it was recorded
	Cases  []Case
	Alerts []Strength
}

// Case is an incident with the evidence about its apps over time.
type Case struct {
	Incident
	Start, End time.Time
	Points     []Moment
}

// Moment is one finding.
type Moment struct {
	Time   time.Time
	Budget float64 // app-days per false alert up to which it would be made
	Kind   memberwatch.Kind
}

// Strength is one signal and the abuse it is about: an index of Cases, or -1 for
// a false alert.
type Strength struct {
	Budget float64
	Case   int
}

// Record runs a trial like Run and returns its evidence.
func Record(ctx context.Context, t Trial, service Recorder, watch Watcher) (*Recording, error) {
	sim, err := scenario.New(t.Platform)
	if err != nil {
		return nil, err
	}
	if _, _, err := stream(ctx, sim, service, watch); err != nil {
		return nil, fmt.Errorf("record seed %d: %w", t.Seed, err)
	}
	signals, err := service.Signals(ctx)
	if err != nil {
		return nil, fmt.Errorf("record seed %d: %w", t.Seed, err)
	}
	config := RecordingConfig()
	horizon := sim.End().Add(-24 * time.Hour).UnixNano()
	r := &Recording{Trial: t, Budget: detector.DefaultConfig().Budget, Least: config.Budget}
	for n, i := range judge(sim, signals, horizon).Incidents {
		r.Cases = append(r.Cases, Case{Incident: i, Start: sim.Truth()[n].Start, End: sim.Truth()[n].End})
	}
	for k := range signals {
		s := &signals[k]
		findings, err := service.Findings(ctx, s.ID)
		if err != nil {
			return nil, err
		}
		r.add(sim, s, findings, config, horizon)
	}
	for n := range r.Cases {
		slices.SortFunc(r.Cases[n].Points, func(a, b Moment) int { return a.Time.Compare(b.Time) })
	}
	return r, nil
}

// add takes one signal over.
func (r *Recording) add(sim *scenario.Simulator, s *memberwatch.Signal, findings []memberwatch.Finding, c *detector.Config, horizon int64) {
	truth, expected := sim.Truth(), sim.Expectations()
	for n, i := range truth {
		if !names(i, s) || silenced(expected, s) {
			continue
		}
		for k := range findings {
			f := &findings[k]
			r.Cases[n].Points = append(r.Cases[n].Points, Moment{time.Unix(0, f.Time).UTC(), FindingBudget(c, f), f.Kind})
		}
	}
	n, over := about(truth, s)
	nobody := s.App == "" && s.Developer == "" && n < 0 || silenced(expected, s)
	if s.Opened >= horizon || nobody || n >= 0 && truth[n].Abuse && over {
		return
	}
	if n >= 0 && !truth[n].Abuse {
		n = -1
	}
	r.Alerts = append(r.Alerts, Strength{FindingBudget(c, &s.Strongest), n})
}

// Choice is precision and recall at a budget. An incident counts once, however
// many signals it raises.
type Choice struct {
	Budget            float64
	Precision, Recall float64
	Alerts            int
}

// Choices returns what each budget from the recording's on comes to.
func (r *Recording) Choices() []Choice {
	budgets := []float64{r.Least, r.Budget}
	abuse := 0
	for i := range r.Cases {
		if r.Cases[i].Abuse && !r.Cases[i].Empty {
			abuse++
		}
	}
	for _, a := range r.Alerts {
		budgets = append(budgets, a.Budget)
	}
	slices.Sort(budgets)
	var choices []Choice
	for _, b := range slices.Compact(budgets) {
		found := make(map[int]bool)
		c := Choice{Budget: b}
		wrong := 0
		for _, a := range r.Alerts {
			if a.Budget < b {
				continue
			}
			c.Alerts++
			if a.Case >= 0 {
				found[a.Case] = true
			} else {
				wrong++
			}
		}
		c.Precision = float64(len(found)) / float64(max(len(found)+wrong, 1))
		c.Recall = float64(len(found)) / float64(max(abuse, 1))
		choices = append(choices, c)
	}
	return choices
}
