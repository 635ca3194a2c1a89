package detector

import (
	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/codec"
)

// On a day on which the fleet does not move, bursts are rarer than their ranks say: those
// of the days on which it moves are among the ranks, and are answered for once more by
// the fleet factor. By how much is measured, for each feature, on the days without a
// factor.
//
//	calm = max((k + 10) / (0.001 n + 10), 1/3), at most 1
//
// k of the n windows of ready apps on such days had p <= 0.001. A burst's p-value on such a
// day is multiplied by calm, on others by the factor F. So p keeps its word over all days
// before the fleet's word, and on calm days after it.
//
// Assumption: what is true at 0.001 is true further out. It lies for a fleet whose large bursts
// fall on days without others; the bound keeps that to a factor of three. Hours have
// no such word: they speak at one in a million.
// Source: on CRAN 27 % of the exceedances fall on 19 of 1,012 days (recipe R1 section 4), and on
// the days on which F is 1 p-values below 0.001 come 0.4 to 0.7 times as often as they say
// (docs/decisions/0005-shift-beside-the-factor.md, 0077-calm-days.md).
type calm struct {
	days, rare float64 // windows of a feature, and those with p <= calmP
}

// Constants of calm, ours: the level is the rarest at which a fleet of some hundred apps has
// enough windows in a year, the nominal number counts for as much as two weeks of 700 apps, and a
// fleet without bursts lowers the bar by no more than the least.
const (
	calmP     = 1e-3
	calmPrior = 10.0 // windows below calmP for which the nominal number counts
	leastCalm = 1.0 / 3
)

// word is how often p-values of calmP come on calm days, over how often they say.
func (c *calm) word() float64 {
	return min(max((c.rare+calmPrior)/(calmP*c.days+calmPrior), leastCalm), 1)
}

func (c *calm) fade(by float64) {
	c.days = float64(c.days * by)
	c.rare = float64(c.rare * by)
}

func (c *calm) encode(e *codec.Encoder) {
	e.F64(c.days)
	e.F64(c.rare)
}

func (c *calm) decode(d *codec.Decoder) { *c = calm{d.F64(), d.F64()} }

// watchCalm counts the windows of a day by the features of which the fleet did not move.
func (f *Fleet) watchCalm(t *Tally, j *Judgement) {
	if t.Window.Scale != memberwatch.Day {
		return
	}
	for g := range Features {
		if j.Factor[g.moves()] == 1 && t.ready[g] > minFleet {
			f.calm[g].days += float64(t.ready[g])
			f.calm[g].rare += float64(t.rare[g])
		}
	}
}

// word is by what the p-values of a stream are multiplied while nothing is known of the
// fleet, or when it did not move.
func (c *Calibration) word(f Feature, stream streamID) float64 {
	if stream == dayBurst && c.calm[f] > 0 {
		return c.calm[f]
	}
	return 1
}

// word is by what p-values are multiplied when the window is closed.
func (j *Judgement) word(cal *Calibration, f Feature, stream streamID) float64 {
	if factor := j.Factor[f.moves()]; factor > 1 {
		return factor
	}
	return cal.word(f, stream)
}
