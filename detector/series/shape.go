package series

import "math"

// Shape says how a series moves at its scale. Rates are per window.
type Shape struct {
	Fast, Slow float64 // rates of the two levels
	Spread     float64 // rate of the experts' scales
	Slot       float64 // rate of the level of a slot
	Season     float64 // rate of a slot's offset from the slow level; 0: the levels know no season
	Slots      int     // slots of the season; with Week 48, of working days and of weekends
	Echoes     int     // last values remembered: none, the newest, or that of each slot
	Lag        int     // windows the learning stays behind, at most 255
	Prior      float64 // windows that the prior scale is worth; 0: none is known
	Steps      float64 // in which an ln unit is kept for each slot
	Week       int     // hours of the week, 168, whose newest value is expected again; 0: none, windows are no hours
	Measured   bool    // values are measurements: of any sign, without a count's sampling noise
}

// CountSteps are the steps of an ln unit in which series of counts keep theirs: a
// tenth of a percent, as far as 7.9e13.
const CountSteps = 1 << 10

// weekUnit is the precision of the values of a week ago, in ln units: 168 of them
// are kept for each series, one byte each.
const weekUnit = 1.0 / 12

// fold maps an hour of the week to its slot: weekend hours are apart.
func (sh *Shape) fold(slot int) int {
	switch {
	case sh.Week == 0:
		return slot
	case slot >= 5*24:
		return 24 + slot%24
	default:
		return slot % 24
	}
}

// floor is the least squared scale of counts, and of ratios to an exposure of counts:
// Poisson noise, var ln(v+1) ~ m/(m+1)^2/exposure.
func (sh *Shape) floor(mean, exposure float64) float64 {
	if sh.Measured {
		return 0
	}
	m := max(math.Expm1(mean), 0)
	return (m + 0.25) / (float64((m+1)*(m+1)) * exposure)
}

// priorSpread is the squared scale of a series that has been zero for n windows.
func (sh *Shape) priorSpread(n uint32) float64 {
	return sh.Prior * priorScale * priorScale / max(float64(n)+sh.Prior, 1)
}

// behind is the slot of the window that is learnt when one in slot comes in.
func (sh *Shape) behind(slot int) int { return ((slot-sh.Lag)%sh.Slots + sh.Slots) % sh.Slots }

// queueAt is the place of the first value that waits.
func (sh *Shape) queueAt() int { return 2*sh.Slots + sh.Echoes }

// inSteps is the number of steps nearest to x.
func (sh *Shape) inSteps(x float64) int16 {
	return int16(math.RoundToEven(min(max(x*sh.Steps, math.MinInt16), math.MaxInt16)))
}

func (sh *Shape) ofSteps(n int16) float64 { return float64(n) / sh.Steps }

// rounded is x as it would be kept.
func (sh *Shape) rounded(x float64) float64 { return sh.ofSteps(sh.inSteps(x)) }
