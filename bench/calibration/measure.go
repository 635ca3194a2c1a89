package calibration

import (
	"fmt"
	"maps"
	"slices"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector"
)

// Options say how much is measured.
type Options struct {
	// Budgets are the app-days of one false signal, each measured in a run of its
	// own; the first is the one the sets' own figures speak of.
	Budgets []float64
	// Warmup is how many days pass before anything counts.
	Warmup int
	// Plantings is how many injections of each kind are planted; 0: none.
	Plantings int
	// Seed chooses where they are planted.
	Seed uint64
	// Progress is told how many days of how many are done. It may be nil.
	Progress func(done, total int64)
}

// Report is what was measured. Its JSON shape is stable.
type Report struct {
	Seed       uint64      `json:"seed"`
	WarmupDays int         `json:"warmup_days"`
	Sets       []Stratum   `json:"sets"`
	Injections []Injection `json:"injections"`
}

// Stratum is one set's, or one stratum's, calibration. Ratios are realised over
// nominal: 1 keeps its word, 2 is twice as loud.
type Stratum struct {
	Name       string   `json:"name"`
	Stratum    string   `json:"stratum"`
	Series     int      `json:"series"`
	EntityDays int      `json:"entity_days"`
	Points     int      `json:"points"`
	Realised   Ratios   `json:"realised_over_nominal"`
	Streams    []Ranks  `json:"streams"`
	Signals    float64  `json:"signals_per_entity_year"`
	Budget     float64  `json:"budget_realised_over_nominal"`
	Budgets    []Budget `json:"budgets"`
}

// Ranks are the p-values of one stream, before the fleet's word.
type Ranks struct {
	Feature  string `json:"feature"`
	Stream   string `json:"stream"`
	Points   int    `json:"points"`
	Realised Ratios `json:"realised_over_nominal"`
	below    [levels]int
}

// Ratios are realised over nominal at three levels.
type Ratios struct {
	Percent     float64 `json:"1e-2"`
	Thousandth  float64 `json:"1e-3"`
	TenThousand float64 `json:"1e-4"`
}

// Budget is what opened under one budget.
type Budget struct {
	AppDays  float64 `json:"app_days"`
	Signals  int     `json:"signals"`
	Slow     int     `json:"slow_signals"` // of them, by lasting rises
	Expected float64 `json:"expected"`
	Realised float64 `json:"realised_over_nominal"`
}

// levels is how many levels p-values are counted at.
const levels = 3

var nominal = [levels]float64{1e-2, 1e-3, 1e-4}

// Model is what is measured of a set: its counts, or the records of each user.
type Model struct {
	Name    string
	Weights [detector.Features]detector.Weight
	Kinds   []Kind
	Users   bool // counts are of users, totals are the records
}

// Volume measures counts: half of the budget for bursts, half for slow change.
func Volume(scale memberwatch.Scale) Model {
	m := Model{Kinds: Kinds()}
	m.Weights[detector.Records] = detector.Weight{Day: 0.5, Slow: 0.5}
	if scale == memberwatch.Hour {
		m.Weights[detector.Records] = detector.Weight{Hour: 1.0 / 3, Day: 1.0 / 3, Slow: 1.0 / 3}
	}
	return m
}

// PerActor measures records given users, with a fifth of the budget on volume.
func PerActor() Model {
	m := Model{Name: " per user", Kinds: PerActorKinds(), Users: true}
	m.Weights[detector.RecordsPerActor] = detector.Weight{Day: 0.4, Slow: 0.4}
	m.Weights[detector.Records] = detector.Weight{Day: 0.1, Slow: 0.1}
	return m
}

// models returns what can be measured of a set.
func models(set *Set) []Model {
	list := []Model{Volume(set.Scale)}
	for i := range set.Series {
		if set.Series[i].Totals == nil {
			return list
		}
	}
	return append(list, PerActor())
}

// Measure runs all sets under all budgets.
func Measure(sets []Set, o Options) (*Report, error) {
	r := &Report{Seed: o.Seed, WarmupDays: o.Warmup, Sets: []Stratum{}, Injections: []Injection{}}
	done, total := int64(0), int64(0)
	for i := range sets {
		total += int64(len(models(&sets[i])) * len(o.Budgets) * (sets[i].windows() / sets[i].perDay()))
	}
	for i := range sets {
		for _, m := range models(&sets[i]) {
			err := r.measure(&sets[i], m, o, func(int) {
				if done++; o.Progress != nil {
					o.Progress(done, total)
				}
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return r, nil
}

// measure runs one set under all budgets.
func (r *Report) measure(set *Set, m Model, o Options, progress func(int)) error {
	var strata map[string]*stratum
	for i, budget := range o.Budgets {
		cfg := detector.DefaultConfig()
		cfg.Budget, cfg.Weights = budget, m.Weights
		cfg.Overlap = 1 // is p worth its word, and evidence its share?
		plantings := plant(set, m.Kinds, o.Plantings, o.Warmup, o.Seed)
		c := newCounter(set, m, o.Warmup)
		f := newFleet(set, cfg, m.Users)
		f.watch, f.opened = c.watch, c.opened
		if err := f.run(plantings, progress); err != nil {
			return err
		}
		if i == 0 {
			strata = c.strata
		}
		for name, s := range c.strata {
			strata[name].spend(budget, s.opened, s.slow)
		}
		r.Injections = append(r.Injections, summarise(set.Name+m.Name, budget, m.Kinds, plantings)...)
	}
	for _, name := range slices.Sorted(maps.Keys(strata)) {
		strata[name].finish()
		r.Sets = append(r.Sets, strata[name].Stratum)
	}
	return nil
}

// Check returns an error that names what is off by more than a factor: p-values
// of busy series at 1e-2 and 1e-3, and signals of whole sets against every
// budget under which at least fewExpected were expected. A factor of 0 checks
// nothing.
func (r *Report) Check(pWithin, budgetWithin float64) error {
	for i := range r.Sets {
		s := &r.Sets[i]
		if s.Stratum == busy && (off(s.Realised.Percent, pWithin) || off(s.Realised.Thousandth, pWithin)) {
			return fmt.Errorf("%s, %s: p-values are %.2f times their word at 1e-2 and %.2f at 1e-3, allowed is a factor of %g",
				s.Name, s.Stratum, s.Realised.Percent, s.Realised.Thousandth, pWithin)
		}
		for _, b := range s.Budgets {
			if s.Stratum == whole && b.Expected >= fewExpected && off(b.Realised, budgetWithin) {
				return fmt.Errorf("%s: signals are %.2f times the budget of one in %g app-days, allowed is a factor of %g",
					s.Name, b.Realised, b.AppDays, budgetWithin)
			}
		}
	}
	return nil
}

// fewExpected is the least number of signals whose ratio means something: at 10
// chance alone seldom passes a factor of two.
const fewExpected = 10

func off(ratio, factor float64) bool {
	return factor > 0 && (ratio > factor || ratio < 1/factor)
}
