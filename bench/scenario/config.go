package scenario

import (
	"cmp"
	"fmt"
	"time"
)

// Config describes the platform to simulate. The zero value is a platform of
// 2,000 apps over 120 days without anything planted.
type Config struct {
	// Seed chooses everything that is random. The same configuration gives
	// the same events, byte for byte.
	Seed uint64
	// Start is the first instant, cut to its UTC midnight; zero is
	// 2024-01-01, a Monday.
	Start time.Time
	Days  int // 0: 120
	Apps  int // 0: 2,000
	// Members is how many people the platform has; 0: 5,000,000.
	Members int
	// Groups is how many groups they form; 0: one per 25 members.
	Groups int
	// EventsPerDay is the ordinary volume of all apps together before growth;
	// 0: 125 per app. Scenario amounts are absolute and come on top.
	EventsPerDay int
	// Disorder is by how much events may arrive out of their order in time.
	Disorder time.Duration
	// Warmup is how many days stay free of planted incidents, so that
	// baselines can form; 0: 28, or half of a shorter run.
	Warmup int
	// Rest is how many days at the end stay free of incidents, so that the
	// last ones can still be judged.
	Rest int
	// WithoutPurposes leaves out for which purposes apps are certified: a
	// platform that does not ask for them.
	WithoutPurposes bool
	// Plant lists what to plant.
	Plant []Planting
	// Catalogue holds the scenarios that Plant names; nil: the shipped one.
	Catalogue *Catalogue
}

// Planting asks for incidents of one scenario.
type Planting struct {
	Scenario string  // id, such as S04
	Count    int     // how many incidents; 0: one
	Rate     float64 // multiplies the amounts; 0: 1
	Clean    bool    // leaves out the steps that are tricks
}

// defaultStart is a Monday, so that seasons start with their first hour, and
// lies in the past: services refuse events of the future.
var defaultStart = time.Date(2024, time.January, 1, 0, 0, 0, 0, time.UTC)

// complete fills in defaults and checks the bounds.
func (c Config) complete() (Config, error) {
	if c.Start.IsZero() {
		c.Start = defaultStart
	}
	c.Start = c.Start.UTC().Truncate(24 * time.Hour)
	c.Days = cmp.Or(c.Days, 120)
	c.Apps = cmp.Or(c.Apps, 2_000)
	c.Members = cmp.Or(c.Members, 5_000_000)
	c.Groups = cmp.Or(c.Groups, max(c.Members/25, 1))
	c.EventsPerDay = cmp.Or(c.EventsPerDay, 125*c.Apps)
	c.Warmup = cmp.Or(c.Warmup, min(28, c.Days/2))
	for _, bound := range []struct {
		name             string
		value, low, high int
	}{
		{"warm-up days", c.Warmup, 0, 3_650},
		{"days of rest", c.Rest, 0, 3_650},
		{"days", c.Days, c.Warmup + c.Rest + 1, 3_650},
		{"apps", c.Apps, 1, 1 << 19},
		{"members", c.Members, 1_000, 1 << 32},
		{"groups", c.Groups, 1, 9_999_999},
		{"events per day", c.EventsPerDay, 1, 10_000_000_000},
	} {
		if bound.value < bound.low || bound.value > bound.high {
			return c, fmt.Errorf("simulate a platform: %s is %d, must be %d to %d", bound.name, bound.value, bound.low, bound.high)
		}
	}
	if c.Disorder < 0 || c.Disorder > time.Hour {
		return c, fmt.Errorf("simulate a platform: disorder is %s, must be 0 to 1h", c.Disorder)
	}
	if c.Catalogue == nil {
		shipped, err := DefaultCatalogue()
		if err != nil {
			return c, fmt.Errorf("shipped catalogue: %w", err)
		}
		c.Catalogue = shipped
	}
	return c, nil
}
