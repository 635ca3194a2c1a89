package detector

import (
	"math"

	"github.com/memberwatch/memberwatch/detector/codec"
)

// Spells: what slow evidence is worth, measured on the fleet's own past.
//
//	spell       the windows of one series between two resets of its M
//	peak        the largest M of a spell
//	rate(M)     peaks of at least M for each app-day = A M^-a
//	a           log10(N[20, 200)/N[200, 2000)), N the peaks in a band
//	A           N[20, 2000)/n/(20^-a - 2000^-a), n the app-days
//	period(M)   1/rate(M): the return period that people are told
//
// Were M odds, A and a would be 1. Real residuals remember yesterday: on CRAN
// downloads a is 0.4 to 0.6, so a large budget is overspent and a small one left.
// Peaks follow a power law closely, from far below any threshold on; hence two
// bands tell how often one far above comes. Peaks beyond the bands do not count:
// in a fleet with harvests they are the harvests, and must not raise the bar for
// the next one.
//
// Assumption: spells of one feature are alike over a year. It lies for a young or
// small fleet, so the nominal law counts as some app-days of experience; and it
// averages over sizes: large apps, whose M has heavier tails, signal more often
// than small ones. A law for each size was tried: it takes from the large what
// it gives to the small, and finds less for it.
// Source: measured in docs/decisions/0014-spells.md; the estimate is Pickands'
// idea of 1975, the ratio of two bands of order statistics, on a log scale.
type spells struct {
	days  float64
	peaks [2]float64 // in the two bands
}

// Constants of spells.
const (
	spellLow    = 20.0 // where the first band begins; each is a decade wide
	spellBand   = 10.0
	spellPrior  = 1000.0 // app-days that the nominal law is worth
	leastDecay  = 0.2    // bounds of a: beyond them a band has been unlucky
	mostDecay   = 1.5
	mostLenient = 10.0        // times M that a period may be: a quiet fleet lowers the bar by no more
	spellMemory = 1 - 1.0/365 // discount for each day
)

// spellBandOf returns the band of a peak, or none.
func spellBandOf(peak float64) (band int, ok bool) {
	switch {
	case peak < spellLow || peak >= spellLow*spellBand*spellBand:
		return 0, false
	case peak < spellLow*spellBand:
		return 0, true
	default:
		return 1, true
	}
}

func (s *spells) merge(o *spells, weight float64) {
	s.days += float64(weight * o.days)
	for i := range s.peaks {
		s.peaks[i] += float64(weight * o.peaks[i])
	}
}

// law is the power law of the peaks of one cell. The zero value is the nominal
// one.
type law struct{ logA, a float64 }

// fit estimates the law, the nominal one counting as spellPrior app-days.
func (s *spells) fit() law {
	first := s.peaks[0] + spellPrior*(1-1/spellBand)/spellLow
	second := s.peaks[1] + spellPrior*(1-1/spellBand)/(spellLow*spellBand)
	a := min(max(math.Log10(first/second), leastDecay), mostDecay)
	width := math.Pow(spellLow, -a) - math.Pow(spellLow*spellBand*spellBand, -a)
	return law{logA: math.Log((first + second) / (s.days + spellPrior) / width), a: a}
}

// period is the return period, in app-days, of evidence m.
func (l law) period(m float64) float64 {
	if l.a == 0 || m <= 1 {
		return m
	}
	return math.Exp(min(float64(l.a*math.Log(m))-l.logA, math.Log(mostLenient*m)))
}

// at is the evidence whose return period is r.
func (l law) at(r float64) float64 {
	if l.a == 0 {
		return r
	}
	return max(math.Exp((math.Log(r)+l.logA)/l.a), r/mostLenient)
}

func (l *law) encode(e *codec.Encoder) {
	e.F64(l.logA)
	e.F64(l.a)
}

func (l *law) decode(d *codec.Decoder) { *l = law{d.F64(), d.F64()} }

// allSpells are the spells by feature.
type allSpells [Features]spells

func (c *allSpells) merge(o *allSpells, weight float64) {
	for i := range o {
		c[i].merge(&o[i], weight)
	}
}

func (c *allSpells) encode(e *codec.Encoder) {
	list := make([]float64, 0, 3*len(c))
	for i := range c {
		list = append(list, c[i].days, c[i].peaks[0], c[i].peaks[1])
	}
	e.Sparse(list)
}

func (c *allSpells) decode(d *codec.Decoder) {
	list := d.Sparse(3 * len(c))
	if list == nil {
		return
	}
	for i := range c {
		c[i] = spells{list[3*i], [2]float64{list[3*i+1], list[3*i+2]}}
	}
}

// countSpells counts a window's slow comparison, and the spell of its series that
// ended since the last.
func (t *Tally) countSpells(s *State, c *comparison) {
	if c.stream != daySlow {
		return
	}
	t.spells[c.feature].days++
	if band, ok := spellBandOf(s.rise[c.feature].TakeEnded()); ok {
		t.spells[c.feature].peaks[band]++
	}
}
