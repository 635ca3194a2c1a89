package detector

import "math"

// The expectation of one feature at one scale: a mixture of four simple experts
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
	priorScale              = 0.8   // s0 in ln units: the day-to-day spread assumed of a young app; ours, from the simulator
)

// shape says how a series moves at its scale. Rates are per window.
type shape struct {
	fast, slow float64 // rates of the two levels
	spread     float64 // rate of the experts' scales
	slot       float64 // rate of the level of a slot
	season     float64 // rate of a slot's offset from the slow level; 0: the levels know no season
	slots      int     // slots of the season
	echoes     int     // last values remembered: none, the newest, or that of each slot
	lag        int     // windows the learning stays behind
	prior      float64 // windows that the prior scale is worth; 0: none is known
	mature     uint32  // windows learnt after which the expectation is mature: the memory of the slow level; 0: it has no ranks of its own
	steps      float64 // in which an ln unit is kept for each slot
	week       int     // places of the week whose newest value is expected again; 0: none
	measured   bool    // values are measurements: of any sign, without a count's sampling noise
}

// shapes by stream. Hours have a slot for each hour of day, apart for weekends:
// 48 slots learn in days where 168 need months. What an app did in the same hour
// a week ago is expected of it again, so that a weekly job alerts once at most.
var shapes = [streams]shape{
	hourBurst: {fast: 1.0 / 24, slow: 1.0 / 168, spread: 1.0 / 60, slot: 1.0 / 4, season: 1.0 / 8, slots: 48, steps: countSteps, prior: 4, week: 168},
	dayBurst:  {fast: 1.0 / 7, slow: 1.0 / 28, spread: 1.0 / 60, slot: 1.0 / 4, season: 1.0 / 8, slots: 7, steps: countSteps, echoes: 7, prior: 4, mature: 28},
	daySlow:   {fast: 1.0 / 7, slow: 1.0 / 28, spread: 1.0 / 60, slot: 1.0 / 4, season: 1.0 / 8, slots: 7, steps: countSteps, echoes: 7, prior: 4, mature: 28, lag: 14},
}

// series is the state of one expectation. A feature that has never been anything
// but zero has no body: most apps never miss a look-up, and memory is for those
// that do. Everything is float32: precision beyond the sampling noise would only
// cost memory.
type series struct {
	n    uint32 // windows learnt
	wait uint8  // windows that wait for their lag
	body *seriesBody
}

// weekUnit is the precision of the values of a week ago, in ln units: 168 of them
// are kept for each series, one byte each.
const weekUnit = 1.0 / 12

// fold maps an hour of the week to its slot: weekend hours are apart.
func (sh *shape) fold(slot int) int {
	switch {
	case sh.week == 0:
		return slot
	case slot >= 5*24:
		return 24 + slot%24
	default:
		return slot % 24
	}
}

// expect is what predict says of a window, or what the app did a week ago if that
// was more.
func (s *series) expect(sh *shape, slot int, exposure float64) prediction {
	p := s.predict(sh, sh.fold(slot), exposure).prediction
	s.echo(sh, slot, &p)
	return p
}

// center is that of what expect says, whatever the exposure, and whether it says
// anything.
func (s *series) center(sh *shape, slot int) (float64, bool) {
	var p prediction
	s.mix(sh, sh.fold(slot), &p)
	s.echo(sh, slot, &p)
	return p.center(), p.ok
}

// echo raises a prediction to what the app did a week ago.
func (s *series) echo(sh *shape, slot int, p *prediction) {
	if sh.week == 0 || s.body == nil {
		return
	}
	echo := s.body.echo(sh, slot)
	for i := range experts {
		p.mean[i] = max(p.mean[i], echo)
	}
}

// grow gives a series that was all zero its body.
func (s *series) grow(sh *shape) {
	if s.body != nil {
		return
	}
	s.body = newBody(sh)
	for i := range sh.slots {
		s.body.octets[i] = uint8(min(int(s.n)/sh.slots, 255))
	}
	for i := range experts {
		s.body.tested[i] = uint16(min(s.n, math.MaxUint16))
		s.body.spread[i] = float32(sh.priorSpread(s.n))
	}
}

// predict returns the expectation of the window in slot. exposure is the number
// of acting users behind a ratio, 1 for plain counts: the Poisson floor of the
// scale follows the numerator's size.
func (s *series) predict(sh *shape, slot int, exposure float64) outlook {
	var p outlook
	if s.n == 0 {
		return p
	}
	s.mix(sh, slot, &p.prediction)
	for i := range experts {
		p.floor[i] = sh.floor(p.mean[i], exposure)
		p.sd[i] = s.scale(sh, i, p.floor[i])
	}
	return p
}

// mix fills in what the experts predict, and their weights.
func (s *series) mix(sh *shape, slot int, p *prediction) {
	if s.n == 0 {
		return
	}
	if b := s.body; b != nil {
		season := b.season(sh, slot)
		p.mean = [experts]float64{float64(b.level[0]) + season, float64(b.level[1]) + season, b.slot(sh, slot)}
		if sh.echoes > 0 {
			p.mean[3] = b.last(sh, slot)
		}
	}
	if !sh.measured {
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
	if p.ok = sum > 0; p.ok {
		for i := range experts {
			p.w[i] /= sum
		}
	}
}

// knows tells whether an expert has something to say about a slot: levels
// always, those of the slot once they saw it twice.
func (s *series) knows(sh *shape, i, slot int) bool {
	if i < 2 {
		return true
	}
	return s.body != nil && s.body.octets[slot] >= 2 && (i == 2 || sh.echoes > 0)
}

// speaks tells whether an expert is heard: one without a prior scale must first
// have been tested.
func (s *series) speaks(sh *shape, i, slot int) bool {
	return s.knows(sh, i, slot) && (sh.prior > 0 || s.body != nil && s.body.tested[i] >= testedAtAll)
}

func (s *series) logWeight(i int) float64 {
	if s.body == nil {
		return 0
	}
	return float64(s.body.logW[i])
}

// scale is the standard deviation of an expert's residual in ln units, above the
// floor.
func (s *series) scale(sh *shape, i int, floor float64) float64 {
	var spread float64
	if s.body != nil {
		spread = float64(s.body.spread[i])
	} else {
		spread = sh.priorSpread(s.n)
	}
	if sh.measured {
		return math.Sqrt(spread) + measuredFloor
	}
	return math.Sqrt(spread + floor)
}

// floor is the least squared scale of counts, and of ratios to an exposure of counts:
// Poisson noise, var ln(v+1) ~ m/(m+1)^2/exposure.
func (sh *shape) floor(mean, exposure float64) float64 {
	if sh.measured {
		return 0
	}
	m := max(math.Expm1(mean), 0)
	return (m + 0.25) / (float64((m+1)*(m+1)) * exposure)
}

// priorSpread is the squared scale of a series that has been zero for n windows.
func (sh *shape) priorSpread(n uint32) float64 {
	return sh.prior * priorScale * priorScale / max(float64(n)+sh.prior, 1)
}

// learn takes the value of the window in slot into the series, after the lag.
// expected is what predict says of that window, nil if nobody has asked yet; with a
// lag it does not matter, as an older window is learnt.
func (s *series) learn(sh *shape, slot int, v, exposure float64, expected *outlook) {
	if s.body == nil && !sh.measured {
		if v == 0 {
			if int(s.wait) < sh.lag {
				s.wait++
			} else {
				s.n++
			}
			return
		}
	}
	s.grow(sh)
	x := sh.rounded(math.Log1p(v)) // so that what waited and what did not teach the same
	if sh.lag > 0 {
		old, full := s.push(sh, x)
		if !full {
			return
		}
		x, slot, expected = old, ((slot-sh.lag)%sh.slots+sh.slots)%sh.slots, nil
	}
	s.absorb(sh, sh.fold(slot), x, exposure, expected)
	if sh.week > 0 {
		s.body.octets[sh.slots+slot] = uint8(min(math.Round(x/weekUnit), math.MaxUint8))
	}
}

// absorb scores the experts against x and moves them towards it. expected is as of
// learn.
func (s *series) absorb(sh *shape, slot int, x, exposure float64, expected *outlook) {
	var floor [2]float64 // of the levels' squared scales
	if s.n == 0 {
		s.body.level = [2]float32{float32(x), float32(x)}
		first := sh.floor(float64(float32(x))+s.body.season(sh, slot), exposure)
		floor = [2]float64{first, first}
	} else {
		if expected == nil {
			p := s.predict(sh, slot, exposure)
			expected = &p
		}
		s.scoreExperts(sh, &expected.prediction, slot, x)
		floor = [2]float64(expected.floor[:2])
	}
	s.n++
	s.move(sh, slot, x, exposure, floor)
}

// scoreExperts updates each expert's scale and likelihood.
func (s *series) scoreExperts(sh *shape, p *prediction, slot int, x float64) {
	for i := range experts {
		if !s.knows(sh, i, slot) {
			continue
		}
		s.body.tested[i] = min(s.body.tested[i], math.MaxUint16-1) + 1
		g := max(1/(float64(s.body.tested[i])+sh.prior), sh.spread)
		r := x - p.mean[i]
		z := r / p.sd[i]
		if sh.prior > 0 || s.body.tested[i] > testedWell {
			r = clip(r, clipScale*p.sd[i])
		}
		spread := float64(s.body.spread[i])
		s.body.spread[i] = float32(spread + float64(g*(float64(r*r)-spread)))
		if !s.speaks(sh, i, slot) {
			continue
		}
		u := 1 + float64(z*z)/4
		likelihood := -math.Log(p.sd[i] * u * u * math.Sqrt(u))
		s.body.logW[i] = float32(float64(forgetLogW*float64(s.body.logW[i])) + likelihood)
	}
}

// move shifts levels, season and slots towards x, by clipped residuals.
func (s *series) move(sh *shape, slot int, x, exposure float64, floor [2]float64) {
	b := s.body
	season := b.season(sh, slot)
	for i, rate := range [2]float64{sh.fast, sh.slow} {
		level := float64(b.level[i])
		bound := clipLevel * s.scale(sh, i, floor[i])
		b.level[i] = float32(level + float64(max(1/float64(s.n), rate)*clip(x-season-level, bound)))
	}
	level := float64(b.level[1])
	bound := clipLevel * s.scale(sh, 1, sh.floor(level+season, exposure))
	b.steps[slot] = sh.inSteps(season + float64(sh.season*clip(x-level-season, bound)))
	seen, own := &b.octets[slot], x
	if *seen > 0 {
		own = b.slot(sh, slot)
		rate := max(1/(float64(*seen)+1), sh.slot)
		own += float64(rate * clip(x-own, bound))
	}
	b.steps[sh.slots+slot] = sh.inSteps(own)
	if sh.echoes > 0 {
		b.steps[2*sh.slots+slot%sh.echoes] = sh.inSteps(x)
	}
	*seen = min(*seen, 254) + 1
}

func clip(x, bound float64) float64 { return min(max(x, -bound), bound) }
