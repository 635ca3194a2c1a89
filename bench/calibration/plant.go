package calibration

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Kind is a way to add to a series from a day on.
type Kind struct {
	Name string
	Days int
	// Add returns what day k of the injection (0 the first) adds to the count v of a
	// window of a series whose recent mean is mean.
	Add func(k int, v, mean float64) float64
	// Users tells that the acting users grow alike: honest growth.
	Users bool
}

// times multiplies by a factor over some days.
func times(name string, factor float64, days int) Kind {
	return Kind{Name: name, Days: days, Add: func(_ int, v, _ float64) float64 { return v * (factor - 1) }}
}

// ramp grows by a part a day for 60 days.
func ramp(name string, part float64) Kind {
	return Kind{Name: name, Days: 60, Add: func(k int, v, _ float64) float64 {
		return v * (math.Pow(1+part, float64(k+1)) - 1)
	}}
}

// flat adds a part of the mean each day for 41 days.
func flat(name string, part float64) Kind {
	return Kind{Name: name, Days: 41, Add: func(_ int, _, mean float64) float64 { return part * mean }}
}

// honest is a growth of users and records alike.
func honest(k Kind) Kind {
	k.Users = true
	return k
}

// Kinds are the injections of the project's measurements on volume: bursts of a
// day, steps of 41 days, ramps of 60 days and flat additions of 41 days.
func Kinds() []Kind {
	return []Kind{
		times("b3", 3, 1), times("b10", 10, 1),
		times("s20", 1.2, 41), times("s50", 1.5, 41), times("s100", 2, 41),
		ramp("r2", 0.02), ramp("r4", 0.04), ramp("r8", 0.08),
		flat("f.3", 0.3), flat("f1", 1), flat("f3", 3),
	}
}

// PerActorKinds are those of the measurements on records for each user, with
// honest growth of users beside the harvests.
func PerActorKinds() []Kind {
	return []Kind{
		times("s20", 1.2, 41), times("s50", 1.5, 41), times("s100", 2, 41), ramp("r4", 0.04), times("b3", 3, 1), times("b10", 10, 1),
		honest(times("users x2", 2, 41)), honest(times("users x3", 3, 41)),
		honest(times("users x3 for a day", 3, 1)), honest(times("users x10 for a day", 10, 1)),
	}
}

// planting is one injection on a copy of a series.
type planting struct {
	kind   Kind
	series int
	start  int     // day
	mean   float64 // of a window

	today   float64   // added so far on the running day
	added   float64   // on the days before
	byDay   []float64 // added by the end of each day
	foundOn int       // day of the injection on which the first signal opened; -1: none
}

// meanDays is how many days before an injection its mean is taken over.
const meanDays = 28

// plant draws the same places for every kind, so that kinds compare.
func plant(set *Set, kinds []Kind, each, from int, seed uint64) []*planting {
	rng := rand.New(rand.NewPCG(seed, 1))
	longest := 0
	for _, k := range kinds {
		longest = max(longest, k.Days)
	}
	days := set.windows() / set.perDay()
	var fit []int
	for i := range set.Series {
		if median(set.daily(i)) >= plantedMedian {
			fit = append(fit, i)
		}
	}
	if len(fit) == 0 || days-longest <= from {
		return nil
	}
	var all []*planting
	for range each {
		series, start := fit[rng.IntN(len(fit))], from+rng.IntN(days-longest-from)
		daily := set.daily(series)
		mean := 0.0
		for _, v := range daily[start-meanDays : start] {
			mean += orZero(v) / float64(meanDays*set.perDay())
		}
		for _, k := range kinds {
			all = append(all, &planting{kind: k, series: series, start: start, mean: mean, foundOn: -1})
		}
	}
	return all
}

// plantedMedian is the least daily median of a series that is planted on: below
// it a burst of three times is a handful of records.
const plantedMedian = 10

// daily sums a series to days; a day without any count is NaN.
func (s *Set) daily(series int) []float64 {
	counts, per := s.Series[series].Counts, s.perDay()
	days := make([]float64, len(counts)/per)
	for d := range days {
		days[d] = math.NaN()
		for _, v := range counts[d*per : (d+1)*per] {
			if !math.IsNaN(v) {
				days[d] = orZero(days[d]) + v
			}
		}
	}
	return days
}

func orZero(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return v
}

// median of the values that are counted.
func median(values []float64) float64 {
	known := slices.DeleteFunc(slices.Clone(values), math.IsNaN)
	if len(known) == 0 {
		return 0
	}
	slices.Sort(known)
	return known[len(known)/2]
}
