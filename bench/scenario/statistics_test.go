package scenario

import (
	"math"
	"slices"
	"testing"

	"github.com/memberwatch/memberwatch"
)

// TestOrdinaryTraffic checks that the platform looks like one: heavy-tailed
// sizes, weekly rhythm, counts wilder than Poisson that remember yesterday.
func TestOrdinaryTraffic(t *testing.T) {
	t.Parallel()
	const apps, days = 300, 56
	sim := build(t, Config{Seed: 9, Apps: apps, Days: days, Members: 200_000, EventsPerDay: 30_000})
	number := make(map[memberwatch.AppID]int)
	for i, a := range sim.apps {
		number[a.id] = i
	}
	daily := make([][days]float64, apps)
	hours := make(map[string]*[hoursPerWeek]float64) // of UTC, by category
	var e memberwatch.Event
	for sim.Next(&e) {
		i := number[e.App]
		daily[i][(e.Time-sim.start)/day]++
		name := sim.apps[i].category.name
		if hours[name] == nil {
			hours[name] = new([hoursPerWeek]float64)
		}
		hours[name][(e.Time-sim.start)/hour%hoursPerWeek]++
	}
	t.Run("sizes", func(t *testing.T) { checkSizes(t, sim, daily) })
	t.Run("overdispersion", func(t *testing.T) { checkDispersion(t, sim, daily) })
	t.Run("season", func(t *testing.T) {
		weekend := func(name string) float64 {
			return mean(hours[name][5*24:]) / mean(hours[name][:5*24])
		}
		if office, leisure := weekend("crm"), weekend("games"); office > 0.6 || leisure < 1.1 {
			t.Errorf("weekend level %.2f of crm and %.2f of games", office, leisure)
		}
		var peak, trough float64 = 0, math.Inf(1)
		for _, v := range hours["crm"][:24] {
			peak, trough = max(peak, v), min(trough, v)
		}
		if peak < 2*trough {
			t.Errorf("crm has %g calls in its busiest hour and %g in its quietest", peak, trough)
		}
	})
}

func mean(values []float64) float64 {
	var sum float64
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// checkSizes fits the logarithm of size on that of rank: Zipf has slope -1.
func checkSizes(t *testing.T, sim *Simulator, daily [][56]float64) {
	var sizes []float64
	for i, a := range sim.apps {
		if a.born == 0 {
			sizes = append(sizes, mean(daily[i][:]))
		}
	}
	slices.SortFunc(sizes, func(a, b float64) int { return int(math.Copysign(1, b-a)) })
	var sx, sy, sxx, sxy, n float64
	for rank, size := range sizes[:len(sizes)*9/10] {
		x, y := math.Log(float64(rank+1)), math.Log(size)
		sx, sy, sxx, sxy, n = sx+x, sy+y, sxx+x*x, sxy+x*y, n+1
	}
	if slope := (n*sxy - sx*sy) / (n*sxx - sx*sx); slope < -1.25 || slope > -0.75 {
		t.Errorf("sizes fall with rank to the power %.2f, want about -1", slope)
	}
}

// checkDispersion looks at same-weekday ratios of the larger apps, where
// Poisson noise is small.
func checkDispersion(t *testing.T, sim *Simulator, daily [][56]float64) {
	var wild, sized int
	for i, a := range sim.apps {
		if a.calls < 100 || a.born > 0 {
			continue
		}
		sized++
		var weeks []float64
		for week := range 8 {
			weeks = append(weeks, daily[i][week*7+2])
		}
		var spread float64
		for _, v := range weeks {
			spread += (v - mean(weeks)) * (v - mean(weeks)) / 7
		}
		if spread > 2*mean(weeks) {
			wild++
		}
	}
	if sized < 20 || wild < sized*7/10 {
		t.Errorf("%d of %d apps are wilder than twice Poisson", wild, sized)
	}
}

// TestDayFactor checks the mean, spread and memory of the days' factors.
func TestDayFactor(t *testing.T) {
	sim := build(t, Config{Seed: 10, Apps: 100, Days: 1, Members: 1_000})
	var sum, square, product, n float64
	for _, a := range sim.apps {
		a.shape = 10
		before := sim.dayFactor(a, 0)
		for d := range int64(400) {
			now := sim.dayFactor(a, d+1)
			sum, square, product, n = sum+now, square+now*now, product+now*before, n+1
			before = now
		}
	}
	m := sum / n
	variance := square/n - m*m
	correlation := (product/n - m*m) / variance
	if math.Abs(m-1) > 0.01 || math.Abs(variance-0.1) > 0.01 || math.Abs(correlation-dayCorrelation) > 0.03 {
		t.Errorf("mean %.3f, variance %.3f, correlation %.3f; want 1, 0.1 and %g", m, variance, correlation, dayCorrelation)
	}
}

// TestDraws checks the distributions' first two moments.
func TestDraws(t *testing.T) {
	d := newDice()
	d.seed(1, 1)
	for name, test := range map[string]struct {
		draw           func() float64
		mean, variance float64
	}{
		"poisson, multiplied": {func() float64 { return float64(d.poisson(3)) }, 3, 3},
		"poisson, rejected":   {func() float64 { return float64(d.poisson(200)) }, 200, 200},
		"gamma":               {func() float64 { return d.gamma(4) }, 1, 0.25},
	} {
		t.Run(name, func(t *testing.T) {
			const n = 100_000
			var sum, square float64
			for range n {
				v := test.draw()
				sum, square = sum+v, square+v*v
			}
			m := sum / n
			v := square/n - m*m
			if math.Abs(m-test.mean) > 5*math.Sqrt(test.variance/n) || math.Abs(v/test.variance-1) > 0.05 {
				t.Errorf("mean %g, variance %g; want %g and %g", m, v, test.mean, test.variance)
			}
		})
	}
}

// TestPerActor: honest growth of users leaves members per acting user alone, a
// fan-out does not.
func TestPerActor(t *testing.T) {
	t.Parallel()
	ratio := func(scenario string) (during, before float64) {
		sim := build(t, Config{Seed: 12, Apps: 120, Days: 50, Members: 500_000, Plant: []Planting{{Scenario: scenario}}})
		incident := sim.Truth()[0]
		type daily struct{ members, actors map[uint64]bool }
		days := make(map[int64]*daily)
		var e memberwatch.Event
		for sim.Next(&e) {
			if e.App != incident.Apps[0] {
				continue
			}
			n := (e.Time - sim.start) / day
			if days[n] == nil {
				days[n] = &daily{make(map[uint64]bool), make(map[uint64]bool)}
			}
			days[n].actors[e.Actor] = true
			for _, m := range e.Disclosed {
				days[n].members[m] = true
			}
		}
		first, last := (incident.Start.UnixNano()-sim.start)/day, (incident.End.UnixNano()-sim.start)/day
		var sums [2][2]float64
		for n, d := range days {
			phase := 0
			if n > first && n < last {
				phase = 1
			} else if n >= first {
				continue
			}
			sums[phase][0] += float64(len(d.members))
			sums[phase][1] += float64(len(d.actors))
		}
		return sums[1][0] / sums[1][1], sums[0][0] / sums[0][1]
	}
	if during, before := ratio("B7"); during > 1.7*before {
		t.Errorf("members per acting user rise from %.1f to %.1f with honest growth", before, during)
	}
	growing, grown := weeklyRatio(t)
	if growing < 0.9*grown || growing > 1.1*grown {
		t.Errorf("members per acting user are %.1f while an app doubles every week and %.1f when it has grown", growing, grown)
	}
	if during, _ := ratio("S09"); during < 80 {
		t.Errorf("members per installer are %.1f in a fan-out", during)
	}
}

// weeklyRatio is how many members a new app reads for each acting user in its
// fifth week, in which it doubles, and in its sixth, when it does so no longer.
func weeklyRatio(t *testing.T) (growing, grown float64) {
	sim := build(t, Config{Seed: 12, Apps: 100, Days: 90, Members: 1_000_000, EventsPerDay: 2_000, Plant: []Planting{{Scenario: "B12"}}})
	app, start := sim.Truth()[0].Apps[0], sim.Truth()[0].Start.UnixNano()
	var weeks [6]struct{ members, actors map[[2]uint64]bool } // by day
	for i := range weeks {
		weeks[i].members, weeks[i].actors = make(map[[2]uint64]bool), make(map[[2]uint64]bool)
	}
	var e memberwatch.Event
	for sim.Next(&e) {
		n := uint64(e.Time-start) / uint64(day)
		if e.App != app || n >= 42 {
			continue
		}
		w := &weeks[n/7]
		w.actors[[2]uint64{n, e.Actor}] = true
		for _, m := range e.Disclosed {
			w.members[[2]uint64{n, m}] = true
		}
	}
	per := func(week int) float64 { return float64(len(weeks[week].members)) / float64(len(weeks[week].actors)) }
	return per(4), per(5)
}
