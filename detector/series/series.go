package series

import "math"

// The expectation of one series of windows: a mixture of four simple experts
// on x = ln(v+1), each with its own scale, weighted by discounted likelihood,
// with a Student t tail.
//
//	pred_0 = fast level + season    pred_1 = slow level + season
//	pred_2 = level of the slot      pred_3 = last value of the slot
//	s_i^2  = EW mean of r^2, begun at s0^2, + Poisson floor
//	P(X > x) = sum w_i T4((x - pred_i)/s_i) / sum w_i
//
// Assumptions: the season is that of the week; counts are overdispersed, so the
// tail is only a rough surprise that calibration turns into a p-value. It lies
// in the first days (the prior scale s0 speaks then), for counts near zero
// (ranks repair it), and across holidays (the fleet factor repairs it).
// Source: recipe R1 of the project's measurements on CRAN downloads; mixture
// weights by discounted likelihood after Raftery, Karny, Ettler, "Online
// prediction under model uncertainty via dynamic model averaging", 2010.

// experts is how many predictions are mixed.
const experts = 4

// Constants of the mixture, all from recipe R1 unless said.
const (
	clipLevel               = 3.0   // levels learn residuals clipped at 3 s: one burst must not become normal
	clipScale               = 6.0   // scales learn residuals clipped at 6 s, once they have been tested
	forgetLogW              = 0.98  // discount of the log-likelihood
	testedAtAll, testedWell = 5, 10 // residuals before an expert without a prior is heard, and is clipped
	measuredFloor           = 3e-3  // least scale of measurements, in x: 0.3 % of a value far from zero
	priorScale              = 0.8   // s0 in ln units: the day-to-day spread assumed of a young series; ours, from the simulator
)

// Series is the state of one expectation. The zero value has learnt nothing. One that
// has never been anything but zero has no body: most things that are counted never
// happen, and memory is for those that do. Everything is float32: precision beyond the
// sampling noise would only cost memory.
//
// Whatever is asked of a series, and told it, comes with the same shape. A slot is the
// place of a window in its season, or in its week if the shape has one. The exposure of
// a window is what its value is a ratio to, 1 for plain counts: the Poisson floor of the
// scale follows the numerator's size.
type Series struct {
	n    uint32 // windows learnt
	wait uint8  // windows that wait for their lag
	body *body
}

// Learnt is the number of windows that the series has learnt.
func (s *Series) Learnt() uint32 { return s.n }

// Moved tells whether the series has ever been anything but zero.
func (s *Series) Moved() bool { return s.body != nil }

// Expect is what the series expects of a window, or the value of a week ago if that
// was more: so a weekly job is a surprise once at most.
func (s *Series) Expect(sh *Shape, slot int, exposure float64) Prediction {
	var known Outlook
	return s.Foresee(sh, slot, exposure, &known)
}

// Foresee is what Expect says of a window. It fills in known, which Learn can use once
// the window is over, if the series had moved and has learnt nothing in between.
func (s *Series) Foresee(sh *Shape, slot int, exposure float64, known *Outlook) Prediction {
	s.predict(sh, sh.fold(slot), exposure, known)
	p := known.Prediction
	s.echo(sh, slot, &p)
	return p
}

// Center is that of what Expect says, whatever the exposure, and whether it says
// anything.
func (s *Series) Center(sh *Shape, slot int) (float64, bool) {
	var p Prediction
	s.mix(sh, sh.fold(slot), &p)
	s.echo(sh, slot, &p)
	return p.Center(), p.OK
}

// Median is what the series expects in a slot without a look at the week before, 0
// where it expects nothing.
func (s *Series) Median(sh *Shape, slot int, exposure float64) float64 {
	if s.body == nil || s.n == 0 {
		return 0
	}
	var p Outlook
	s.predict(sh, sh.fold(slot), exposure, &p)
	return p.Median()
}

// Offset is how far a slot of the season lies from the slow level, in ln units.
func (s *Series) Offset(sh *Shape, slot int) float64 {
	if s.body == nil {
		return 0
	}
	return s.body.season(sh, slot)
}

// echo raises a prediction to the value of a week ago.
func (s *Series) echo(sh *Shape, slot int, p *Prediction) {
	if sh.Week == 0 || s.body == nil {
		return
	}
	echo := s.body.echo(sh, slot)
	for i := range experts {
		p.mean[i] = max(p.mean[i], echo)
	}
}

// predict fills in what the experts say of a window in a slot of the season.
func (s *Series) predict(sh *Shape, slot int, exposure float64, p *Outlook) {
	*p = Outlook{}
	if s.n == 0 {
		return
	}
	s.mix(sh, slot, &p.Prediction)
	for i := range experts {
		p.floor[i] = sh.floor(p.mean[i], exposure)
		p.sd[i] = s.scale(sh, i, p.floor[i])
	}
}

// mix fills in what the experts predict, and their weights.
func (s *Series) mix(sh *Shape, slot int, p *Prediction) {
	if s.n == 0 {
		return
	}
	if b := s.body; b != nil {
		season := b.season(sh, slot)
		p.mean = [experts]float64{float64(b.level[0]) + season, float64(b.level[1]) + season, b.slot(sh, slot)}
		if sh.Echoes > 0 {
			p.mean[3] = b.last(sh, slot)
		}
	}
	if !sh.Measured {
		for i := range p.mean {
			p.mean[i] = max(p.mean[i], 0)
		}
	}
	best := math.Inf(-1)
	for i := range experts {
		if s.speaks(sh, i, slot) {
			best = max(best, s.logWeight(i))
		}
	}
	sum := 0.0
	for i := range experts {
		if s.speaks(sh, i, slot) {
			p.w[i] = 1
			if less := s.logWeight(i) - best; less < 0 {
				p.w[i] = math.Exp(less)
			}
			sum += p.w[i]
		}
	}
	if p.OK = sum > 0; p.OK {
		for i := range experts {
			p.w[i] /= sum
		}
	}
}

// knows tells whether an expert has something to say about a slot: levels
// always, those of the slot once they saw it twice.
func (s *Series) knows(sh *Shape, i, slot int) bool {
	if i < 2 {
		return true
	}
	return s.body != nil && s.body.octets[slot] >= 2 && (i == 2 || sh.Echoes > 0)
}

// speaks tells whether an expert is heard: one without a prior scale must first
// have been tested.
func (s *Series) speaks(sh *Shape, i, slot int) bool {
	return s.knows(sh, i, slot) && (sh.Prior > 0 || s.body != nil && s.body.tested[i] >= testedAtAll)
}

func (s *Series) logWeight(i int) float64 {
	if s.body == nil {
		return 0
	}
	return float64(s.body.logW[i])
}

// scale is the standard deviation of an expert's residual in ln units, above the
// floor.
func (s *Series) scale(sh *Shape, i int, floor float64) float64 {
	var spread float64
	if s.body != nil {
		spread = float64(s.body.spread[i])
	} else {
		spread = sh.priorSpread(s.n)
	}
	if sh.Measured {
		return math.Sqrt(spread) + measuredFloor
	}
	return math.Sqrt(spread + floor)
}
