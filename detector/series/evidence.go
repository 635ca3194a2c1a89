package series

import (
	"math"

	"github.com/memberwatch/memberwatch/detector/codec"
	"github.com/memberwatch/memberwatch/detector/tails"
)

// Evidence is slow evidence from the windows of one series: a CUSUM on the odds scale
// that forgets.
//
//	M <- e max(1, M^0.93),  e = exp(0.5 z - 0.125),  z = min(-Phi^-1(p), 6)
//
// e is the likelihood ratio of a normal shift of 0.5, so a run of windows a
// little above what was expected multiplies up. Forgetting (the power 0.93)
// repairs what the arithmetic assumes and real residuals break: that p is
// uniform given the past. M is not odds: what it is worth is measured, by spells,
// which are the windows between two resets. It lies when the predictive itself learns the rise, hence its lag of 14 days.
// Source: recipe R1 sections 4.3 and 8, lag and power as measured in
// docs/decisions/0011-slower-and-more-forgetful.md; CUSUM: Page, "Continuous inspection
// schemes", 1954; e-values: Vovk and Wang, 2021.
type Evidence struct {
	m     float64 // 0 stands for 1, so that the zero value is no evidence
	quiet uint8   // windows in a row without p <= quietP
	// long is how many windows M has been above someEvidence, this one included. The first
	// of them is about when the rise began, as the last zero of a CUSUM is (Page, 1954).
	long uint16
	// The largest M of the running spell, and of the last one that has ended and
	// has not been taken yet.
	peak, ended float32
}

// Constants of evidence.
const (
	evidenceShift  = 0.5
	evidenceForget = 0.93
	MostZ          = 6.0  // a single window, however odd, is worth no more
	evidenceCap    = 10.0 // M is capped at this many thresholds, so that it can fall again
	quietP         = 0.05
	quietReset     = 7 // quiet windows after which M starts anew
	// someEvidence is the M above which a rise is under way: with 1 what chance had left of
	// the days before counted three of them to planted rises of two weeks, with 3 none, with
	// 8 their first day was missed.
	someEvidence = 3.0
)

// Update takes the p-value of one window, threshold being the M that is enough to speak,
// and returns M.
func (x *Evidence) Update(p, threshold float64) float64 {
	z := min(-tails.NormalQuantile(p), MostZ)
	e := math.Exp(float64(evidenceShift*z) - evidenceShift*evidenceShift/2)
	x.m = min(e*max(1, math.Pow(max(x.m, 1), evidenceForget)), evidenceCap*threshold)
	x.peak = max(x.peak, float32(x.m))
	m := x.m
	if x.long++; m <= someEvidence {
		x.long = 0
	}
	if p <= quietP {
		x.quiet = 0
	} else if x.quiet++; x.quiet >= quietReset {
		*x = Evidence{ended: max(x.ended, x.peak)}
	}
	return m
}

// Long is how many windows the rise has lasted up to the last one; 0: there is none.
func (x *Evidence) Long() int { return int(x.long) }

// TakeEnded returns the largest M of a spell that has ended, once; 0: none has.
func (x *Evidence) TakeEnded() float64 {
	m := x.ended
	x.ended = 0
	return float64(m)
}

// Encode writes the evidence.
func (x *Evidence) Encode(e *codec.Encoder) {
	e.F64(x.m)
	e.Uint(uint64(x.quiet))
	e.Uint(uint64(x.long))
	e.Floats([]float32{x.peak, x.ended})
}

// Decode reads what Encode wrote.
func (x *Evidence) Decode(d *codec.Decoder) {
	*x = Evidence{m: d.F64(), quiet: uint8(d.Uint()), long: uint16(d.Uint()), peak: d.F32(), ended: d.F32()}
}
