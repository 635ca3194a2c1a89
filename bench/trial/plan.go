package trial

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/memberwatch/memberwatch/bench/scenario"
)

// Plan says which platforms are simulated. The zero value of a field means the
// default named beside it.
type Plan struct {
	// Only lists ids of scenarios; empty: all of them.
	Only []string
	// Apps of a platform (600), Days it lasts (120), Members it has
	// (1,000,000), and EventsPerApp each app makes a day, on average (80).
	// Baselines need days; larger platforms change little but the time it takes.
	Apps, Days, Members, EventsPerApp int
	// Seed is that of the first platform (1); each further one has the next.
	Seed uint64
	// Seeds is how many platforms are simulated for each rate (3).
	Seeds int
	// Rates multiply the amounts of abuse (0.1, 0.3, 1). Look-alikes always
	// have their own amounts.
	Rates []float64
	// WithoutPurposes simulates platforms that do not certify apps for purposes.
	WithoutPurposes bool
	// Catalogue holds the scenarios; nil: the shipped one.
	Catalogue *scenario.Catalogue
}

// WithDefaults returns the plan with every zero filled in.
func (p Plan) WithDefaults() Plan {
	p.Apps, p.Days = cmp.Or(p.Apps, 600), cmp.Or(p.Days, 120)
	p.Members, p.EventsPerApp = cmp.Or(p.Members, 1_000_000), cmp.Or(p.EventsPerApp, 80)
	p.Seed, p.Seeds = cmp.Or(p.Seed, 1), cmp.Or(p.Seeds, 3)
	if len(p.Rates) == 0 {
		p.Rates = []float64{0.1, 0.3, 1}
	}
	return p
}

// Trial is one platform, with everything planted at one rate.
type Trial struct {
	Seed     uint64
	Rate     float64
	Platform scenario.Config
}

// rest is how many days at the end are free of incidents, so that the last ones
// can still be judged. Signals of the very last day do not count: not all of
// its windows are judged when the stream ends.
const rest = 2

// often is how many times a look-alike is planted, if not once: these are what
// honest apps of the kind that once abused group data do all the time.
var often = map[string]int{"B1": 3, "B2": 3, "B6": 3, "B7": 3}

// Trials returns the plan's platforms, and warnings about what it leaves out.
// Every platform has a seed of its own, so that no look-alike counts twice.
func (p Plan) Trials() (trials []Trial, warnings []string, err error) {
	p = p.WithDefaults()
	chosen, warnings, err := p.choose()
	if err != nil {
		return nil, nil, err
	}
	rates := p.Rates
	if !slices.ContainsFunc(chosen, func(s scenario.Scenario) bool { return s.Abuse }) {
		rates = []float64{1}
	}
	seed := p.Seed
	for range p.Seeds {
		for _, rate := range rates {
			if rate <= 0 {
				return nil, nil, fmt.Errorf("rate %g must be positive", rate)
			}
			trials = append(trials, p.trial(seed, rate, chosen))
			seed++
		}
	}
	return trials, warnings, nil
}

func (p Plan) trial(seed uint64, rate float64, chosen []scenario.Scenario) Trial {
	config := scenario.Config{
		Seed: seed, Apps: p.Apps, Days: p.Days, Members: p.Members, EventsPerDay: p.EventsPerApp * p.Apps, Rest: rest, Catalogue: p.Catalogue,
		WithoutPurposes: p.WithoutPurposes,
	}
	for _, s := range chosen {
		planting := scenario.Planting{Scenario: s.ID, Rate: 1, Count: often[s.ID]}
		if s.Abuse {
			planting.Rate = rate
		}
		config.Plant = append(config.Plant, planting)
		if s.Target.Loss.Given() { // the same once more, to compare with
			planting.Clean = true
			config.Plant = append(config.Plant, planting)
		}
	}
	return Trial{Seed: seed, Rate: rate, Platform: config}
}

// choose returns the scenarios to plant. One that the run is too short for is
// left out with a warning, unless it was asked for by name.
func (p Plan) choose() (chosen []scenario.Scenario, warnings []string, err error) {
	if p.Catalogue == nil {
		if p.Catalogue, err = scenario.DefaultCatalogue(); err != nil {
			return nil, nil, err
		}
	}
	all := p.Catalogue.Scenarios()
	for _, id := range p.Only {
		s, known := p.Catalogue.Scenario(id)
		if !known {
			return nil, nil, fmt.Errorf("no scenario %q; there are %s", id, ids(all))
		}
		chosen = append(chosen, *s)
	}
	if len(p.Only) > 0 {
		return chosen, nil, nil
	}
	for _, s := range all {
		idle := s.Targets.Idle.Low
		if need := int(idle/(24*time.Hour)) + 8 + rest; idle > 0 && p.Days < need {
			warnings = append(warnings, fmt.Sprintf("%s (%s) is left out: it needs a run of %d days", s.ID, s.Kind, need))
			continue
		}
		chosen = append(chosen, s)
	}
	return chosen, warnings, nil
}

func ids(all []scenario.Scenario) string {
	var list []string
	for i := range all {
		list = append(list, all[i].ID)
	}
	return strings.Join(list, ", ")
}
