package series

import (
	"math"
	"slices"
)

// A window that is to teach nothing teaches a series what it expected anyway: the median
// of its own prediction stands in for what was counted. So levels, scales and the places
// in a queue stay in step with the calendar, and nothing of the window becomes normal.

// Neutralise puts the median of the prediction in the place of the value that the
// levels learn next: the oldest that waits for its lag, or v itself where there is no
// lag. It returns what to learn for v, the value of a window in slot.
func (s *Series) Neutralise(sh *Shape, slot int, v, exposure float64) float64 {
	if sh.Lag == 0 {
		return s.Median(sh, slot, exposure)
	}
	if s.body == nil || int(s.wait) < sh.Lag {
		return v // nothing comes out of the lag yet
	}
	s.waiting(sh)[0] = sh.inSteps(math.Log1p(s.Median(sh, sh.behind(slot), exposure)))
	return v
}

// Past is a window that a series has learnt.
type Past struct {
	Slot     int
	Excluded bool // it is to teach nothing
}

// Relearn makes the series anew from one that learns the same values after a lag, whose
// shape differs in nothing else that is kept. That one is what this was as many windows
// ago, and the values since wait there; of these past has at least all, the newest first,
// or nothing is done. What is older stays learnt.
func (s *Series) Relearn(sh *Shape, lagging *Series, lagged *Shape, past []Past, exposure float64) {
	if s.body == nil || lagging.body == nil || len(past) < int(lagging.wait) {
		return
	}
	b := *lagging.body
	waiting := lagging.waiting(lagged)
	b.steps, b.octets = slices.Clone(b.steps[:sh.queueAt()]), slices.Clone(b.octets)
	*s = Series{n: lagging.n, body: &b}
	for i, steps := range waiting {
		x, w := sh.ofSteps(steps), past[len(waiting)-1-i]
		if w.Excluded {
			x = sh.rounded(math.Log1p(s.Median(sh, w.Slot, exposure)))
		}
		s.absorb(sh, w.Slot, x, exposure, nil)
	}
}
