package calibration

import (
	"cmp"
	"math"
	"slices"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector"
)

// counter counts p-values and signals by stratum.
type counter struct {
	warmup int
	names  [][]string // strata of each series
	strata map[string]*stratum
}

// stratum is a Stratum in the making.
type stratum struct {
	Stratum
	ranks  map[[2]string]*Ranks
	opened int
	slow   int // of them
}

// whole is the stratum that holds all series of a set, busy those of 10 and
// more a day.
const (
	whole = "all"
	busy  = "10 or more a day"
)

func newCounter(set *Set, m Model, warmup int) *counter {
	c := &counter{warmup: warmup, strata: make(map[string]*stratum)}
	for i := range set.Series {
		days, daily := 0, set.daily(i)
		first := slices.IndexFunc(daily, func(v float64) bool { return v > 0 })
		if first >= 0 {
			days = max(0, len(daily)-max(first, warmup))
		}
		c.names = append(c.names, strataOf(set.Series[i].Stratum, daily))
		for _, name := range c.names[i] {
			s := c.strata[name]
			if s == nil {
				s = &stratum{Stratum: Stratum{Name: set.Name + m.Name, Stratum: name}, ranks: make(map[[2]string]*Ranks)}
				c.strata[name] = s
			}
			s.Series++
			s.EntityDays += days
		}
	}
	return c
}

// strataOf names the strata of a series.
func strataOf(own string, daily []float64) []string {
	names := []string{whole}
	if own != "" {
		names = append(names, own)
	}
	if median(daily) >= plantedMedian {
		names = append(names, busy)
	}
	return names
}

func (c *counter) watch(series, day int, t detector.Trial) {
	if day < c.warmup {
		return
	}
	for _, name := range c.names[series] {
		s := c.strata[name]
		key := [2]string{t.Feature.String(), t.Stream}
		r := s.ranks[key]
		if r == nil {
			r = &Ranks{Feature: key[0], Stream: key[1]}
			s.ranks[key] = r
		}
		r.Points++
		for i, level := range nominal {
			if t.P <= level {
				r.below[i]++
			}
		}
	}
}

func (c *counter) opened(series, day int, signal *memberwatch.Signal) {
	if day < c.warmup {
		return
	}
	for _, name := range c.names[series] {
		c.strata[name].opened++
		if signal.Strongest.Stream == memberwatch.StreamSlow {
			c.strata[name].slow++
		}
	}
}

// spend notes what opened under a budget.
func (s *stratum) spend(budget float64, opened, slow int) {
	b := Budget{AppDays: budget, Signals: opened, Slow: slow, Expected: float64(s.EntityDays) / budget}
	if b.Expected > 0 {
		b.Realised = float64(opened) / b.Expected
	}
	s.Budgets = append(s.Budgets, b)
}

// DaysPerYear turns rates per day into rates people use.
const DaysPerYear = 365.25

// finish adds up.
func (s *stratum) finish() {
	var below [levels]int
	for _, r := range s.ranks {
		s.Points += r.Points
		for i := range below {
			below[i] += r.below[i]
		}
		r.Realised = ratios(r.below, r.Points)
		s.Streams = append(s.Streams, *r)
	}
	slices.SortFunc(s.Streams, func(a, b Ranks) int {
		return cmp.Or(cmp.Compare(a.Feature, b.Feature), cmp.Compare(a.Stream, b.Stream))
	})
	s.Realised = ratios(below, s.Points)
	if len(s.Budgets) > 0 && s.EntityDays > 0 {
		s.Budget = s.Budgets[0].Realised
		s.Signals = float64(s.Budgets[0].Signals) / float64(s.EntityDays) * DaysPerYear
	}
}

func ratios(below [levels]int, points int) Ratios {
	var at [levels]float64
	for i := range at {
		if points > 0 {
			at[i] = math.Round(float64(below[i])/float64(points)/nominal[i]*1e4) / 1e4
		}
	}
	return Ratios{at[0], at[1], at[2]}
}

// Injection is what was found of one kind of injection.
type Injection struct {
	Set     string  `json:"set"`
	AppDays float64 `json:"app_days"` // of one false signal
	Kind    string  `json:"kind"`
	Runs    int     `json:"runs"`
	Found   float64 `json:"found"` // part of the runs
	Low     float64 `json:"found_low"`
	High    float64 `json:"found_high"` // Wilson's 95 % interval
	Delay   float64 `json:"delay_days_p50"`
	Leaked  float64 `json:"leaked_share"` // mean part of the injected volume out by then; all of it when missed
}

// summarise counts what was found, by kind.
func summarise(name string, budget float64, kinds []Kind, all []*planting) []Injection {
	var list []Injection
	for _, k := range kinds {
		x := Injection{Set: name, AppDays: budget, Kind: k.Name}
		var delays []float64
		found := 0
		for _, p := range all {
			if p.kind.Name != k.Name || p.added <= 0 {
				continue
			}
			x.Runs++
			if p.foundOn < 0 {
				x.Leaked++
				continue
			}
			found++
			delays = append(delays, float64(p.foundOn))
			x.Leaked += p.byDay[p.foundOn] / p.added
		}
		if x.Runs == 0 {
			continue
		}
		n := float64(x.Runs)
		x.Found, x.Leaked, x.Delay = float64(found)/n, x.Leaked/n, median(delays)
		x.Low, x.High = wilson(x.Found, n)
		list = append(list, x)
	}
	return list
}

// wilson is the 95 % interval of a proportion: Wilson, "Probable inference, the
// law of succession, and statistical inference", 1927.
func wilson(p, n float64) (low, high float64) {
	const z = 1.959963984540054
	mid := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return max(0, mid-half), min(1, mid+half)
}
