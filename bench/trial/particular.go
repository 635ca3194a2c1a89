package trial

import (
	"cmp"
	"slices"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/bench/scenario"
)

// FalseSignal is one false alert, for whoever wants to know why it came.
type FalseSignal struct {
	Seed      uint64                  `json:"seed"`
	About     string                  `json:"about"` // id of a look-alike, or ordinary traffic
	App       memberwatch.AppID       `json:"app,omitempty"`
	Developer memberwatch.DeveloperID `json:"developer,omitempty"`
	Kind      memberwatch.Kind        `json:"kind"`
	Opened    time.Time               `json:"opened"`
	Severity  memberwatch.Severity    `json:"severity"`
	Sentence  string                  `json:"sentence"`
}

// LateIncident is one that was missed, or found when its target was spent.
type LateIncident struct {
	Seed   uint64           `json:"seed"`
	ID     string           `json:"id"`
	Rate   float64          `json:"rate"`
	Start  time.Time        `json:"start"`
	Target string           `json:"target"`
	Spent  float64          `json:"spent"` // in the target's unit; if missed: in all
	By     memberwatch.Kind `json:"found_by,omitempty"`
	// Sentence is that of the first signal; none: missed.
	Sentence string `json:"sentence,omitempty"`
}

// particulars lists what went wrong one by one, in order of platform and time.
func (r *Result) particulars(outcomes []*Outcome) {
	for _, o := range outcomes {
		for _, a := range o.False {
			r.FalseSignals = append(r.FalseSignals, FalseSignal{
				Seed: o.Trial.Seed, About: a.About, App: a.Signal.App, Developer: a.Signal.Developer, Kind: a.Signal.Kind,
				Opened: time.Unix(0, a.Signal.Opened).UTC(), Severity: a.Signal.Severity, Sentence: a.Signal.Sentence,
			})
		}
		for _, i := range o.Incidents {
			if !i.Abuse || i.Clean || i.Found && (i.Goal.Unit == "" || i.Goal.Unit == scenario.Loss || i.Met()) {
				continue
			}
			r.Late = append(r.Late, LateIncident{
				Seed: o.Trial.Seed, ID: i.Scenario, Rate: i.Rate, Start: i.Start, Target: i.Goal.String(), Spent: i.Spent,
				By: i.FoundBy, Sentence: i.Sentence,
			})
		}
	}
	slices.SortStableFunc(r.FalseSignals, func(a, b FalseSignal) int {
		return cmp.Or(cmp.Compare(a.Seed, b.Seed), a.Opened.Compare(b.Opened), cmp.Compare(a.Sentence, b.Sentence))
	})
}
