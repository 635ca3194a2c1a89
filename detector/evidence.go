package detector

import (
	"math"

	"github.com/memberwatch/memberwatch/detector/codec"
	"github.com/memberwatch/memberwatch/detector/tails"
)

// Slow evidence for one feature of one app: a CUSUM on the odds scale that
// forgets.
//
//	M <- e max(1, M^0.93),  e = exp(0.5 z - 0.125),  z = min(-Phi^-1(p), 6)
//
// e is the likelihood ratio of a normal shift of 0.5, so a run of windows a
// little above what was expected multiplies up. Forgetting (the power 0.93)
// repairs what the arithmetic assumes and real residuals break: that p is
// uniform given the past. M is not odds: what it is worth is measured (spells).
// It lies when the predictive itself learns the rise, hence its lag of 14 days.
// Source: recipe R1 sections 4.3 and 8, lag and power as measured in
// docs/decisions/0011-slower-and-more-forgetful.md; CUSUM: Page, "Continuous inspection
// schemes", 1954; e-values: Vovk and Wang, 2021.
type evidence struct {
	m     float64 // 0 stands for 1, so that the zero value is no evidence
	quiet uint8   // windows in a row without p <= quietP
	// What the fleet measures of it (spells): the largest M of the running spell,
	// and of the last one that has ended and is not counted yet.
	peak, ended float32
}

const (
	slowShift  = 0.5
	slowForget = 0.93
	slowMaxZ   = 6.0
	slowCap    = 10.0 // M is capped at this many thresholds, so that it can fall again
	quietP     = 0.05
	quietReset = 7 // quiet windows after which M starts anew
)

// update takes the p-value of one window, threshold being the M at which a signal
// opens, and returns M.
func (x *evidence) update(p, threshold float64) float64 {
	z := min(-tails.NormalQuantile(p), slowMaxZ)
	e := math.Exp(float64(slowShift*z) - slowShift*slowShift/2)
	x.m = min(e*max(1, math.Pow(max(x.m, 1), slowForget)), slowCap*threshold)
	x.peak = max(x.peak, float32(x.m))
	m := x.m
	if p <= quietP {
		x.quiet = 0
	} else if x.quiet++; x.quiet >= quietReset {
		*x = evidence{ended: max(x.ended, x.peak)}
	}
	return m
}

func (x *evidence) encode(e *codec.Encoder) {
	e.F64(x.m)
	e.Uint(uint64(x.quiet))
	e.Floats([]float32{x.peak, x.ended})
}

func (x *evidence) decode(d *codec.Decoder) {
	*x = evidence{m: d.F64(), quiet: uint8(d.Uint()), peak: d.F32(), ended: d.F32()}
}
