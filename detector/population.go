package detector

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/codec"
)

// The whole population moved: in one window at least half of the ready apps had
// more of something than one window in a hundred has, or for days one in twenty.
//
//	k_a(feature) >= n/2,  n >= 10;  a = 0.01 for hours, 0.05 for days
//
// n are the ready apps that had the window at all: when ten of three hundred miss
// look-ups and five of these miss many, nobody speaks of the population.
//
// That is a definition, not a test: on New Year's Eve nobody asks how likely it
// was. The stricter level for hours stands against their larger number. What is
// told as return period is how often it has happened to this fleet. It says
// nothing of a population that falls silent, since windows without events are not
// compared.
// Source: 16 pedestrian counters in Melbourne, which by this rule moved on 17 of
// 525 days, nearly all of them holidays or public events, both turns of the year
// among them; on CRAN 19 of 1,812 days moved in downloads.

const (
	populationPart = 0.5
	fewestApps     = 10 // ready ones
)

// population counts how often the fleet has moved as a whole.
type population struct {
	days  uint32 // watched, up to now
	moved uint32 // signals
}

// movement is what one feature of the population did.
type movement struct {
	feature    Feature
	ready, hot uint64
	shift      float64 // median distance from what was expected, in ln units
}

// moved are the grounds of a signal that the whole population moved.
type moved struct {
	at     memberwatch.Window
	past   population
	others []movement
}

// populationLevel is the place in commonP of the level that counts for a scale.
func populationLevel(scale memberwatch.Scale) int {
	if scale == memberwatch.Hour {
		return 1
	}
	return 0
}

// movedBy says which features moved with the whole population.
func (t *Tally) movedBy() []movement {
	var list []movement
	n := slices.Max(t.ready[:])
	for f := range Features {
		k := t.hot[f][populationLevel(t.Window.Scale)]
		if n >= fewestApps && float64(k) >= populationPart*float64(n) {
			list = append(list, movement{f, n, k, t.medianMove(f)})
		}
	}
	return list
}

// watchPopulation raises one signal when everybody moved.
func (f *Fleet) watchPopulation(t *Tally) {
	if t.Window.Scale == memberwatch.Day {
		f.population.days++
	}
	list := t.movedBy()
	if len(list) == 0 {
		return
	}
	f.raise("", f.ground(&moved{at: t.Window, past: f.population, others: list}), nil)
	if f.updates[len(f.updates)-1].Signal.Occurrences == 1 {
		f.population.moved++
	}
}

// finding words the grounds.
func (g *moved) finding(float64) memberwatch.Finding {
	level := commonP[populationLevel(g.at.Scale)]
	found := memberwatch.Finding{
		Kind: memberwatch.KindFleet, Window: g.at, Time: g.at.End() - 1, Stream: memberwatch.StreamBurst, FleetFactor: 1,
		ReturnPeriod: float64(g.past.days+1) / float64(g.past.moved+1),
	}
	total := 0.0
	for _, m := range g.others {
		part := float64(m.hot) / float64(m.ready)
		total += part
		expected := level * float64(m.ready)
		found.Factors = append(found.Factors, memberwatch.Factor{
			Feature: m.feature.String(), Observed: float64(m.hot), Expected: expected, High: expected + float64(3*math.Sqrt(expected)) + 1, Share: part,
			Text: fmt.Sprintf("%d of %d ready apps had more %s than in %s of a hundred windows, the one in the middle %s times what was expected",
				m.hot, m.ready, strings.TrimSuffix(featureWords[m.feature], ","), number(100*(1-level)), number(math.Exp(m.shift))),
		})
	}
	for i := range found.Factors {
		found.Factors[i].Share /= total
	}
	slices.SortStableFunc(found.Factors, func(a, b memberwatch.Factor) int { return cmp.Compare(b.Share, a.Share) })
	settle(found.Factors)
	period := "hour"
	if g.at.Scale == memberwatch.Day {
		period = "day"
	}
	found.Sentence = "the whole population moved in one " + period + ": " + found.Factors[0].Text
	found.Caveats = []string{"it accuses nobody: apps are judged beside what all did"}
	return found
}

func (g *moved) encode(e *codec.Encoder) {
	encodeWindow(e, g.at)
	e.Uint(uint64(g.past.days))
	e.Uint(uint64(g.past.moved))
	e.Uint(uint64(len(g.others)))
	for _, m := range g.others {
		e.Uint(uint64(m.feature))
		e.Uint(m.ready)
		e.Uint(m.hot)
		e.F64(m.shift)
	}
}

func (g *moved) decode(d *codec.Decoder) {
	*g = moved{at: decodeWindow(d), past: population{uint32(d.Uint()), uint32(d.Uint())}}
	for range d.Count(11) {
		m := movement{Feature(d.Uint()), d.Uint(), d.Uint(), d.F64()}
		if m.feature >= Features || m.ready == 0 {
			d.Fail("unknown feature")
			return
		}
		g.others = append(g.others, m)
	}
}
