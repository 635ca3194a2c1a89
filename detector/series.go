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
	week       int     // places of the week whose newest value is expected again; 0: none
	measured   bool    // values are measurements: of any sign, without a count's sampling noise
}

// shapes by stream. Hours have a slot for each hour of day, apart for weekends:
// 48 slots learn in days where 168 need months. What an app did in the same hour
// a week ago is expected of it again, so that a weekly job alerts once at most.
var shapes = [streams]shape{
	hourBurst: {fast: 1.0 / 24, slow: 1.0 / 168, spread: 1.0 / 60, slot: 1.0 / 4, season: 1.0 / 8, slots: 48, prior: 4, week: 168},
	dayBurst:  {fast: 1.0 / 7, slow: 1.0 / 28, spread: 1.0 / 60, slot: 1.0 / 4, season: 1.0 / 8, slots: 7, echoes: 7, prior: 4, mature: 28},
	daySlow:   {fast: 1.0 / 7, slow: 1.0 / 28, spread: 1.0 / 60, slot: 1.0 / 4, season: 1.0 / 8, slots: 7, echoes: 7, prior: 4, mature: 28, lag: 14},
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

// seriesBody holds the numbers of a series that has moved.
type seriesBody struct {
	level  [2]float32
	spread [experts]float32 // EW mean of squared residuals
	logW   [experts]float32
	tested [experts]uint16 // residuals behind each scale, saturating
	season []float32       // offset of each slot from the slow level
	slot   []float32       // EW level of each slot
	last   []float32       // newest values: of each slot, of all, or none
	seen   []uint8         // values seen in each slot, saturating
	queue  []float32       // values waiting for their lag, oldest first
	week   []uint8         // newest value of each hour of the week, in weekUnit
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
	echo := float64(s.body.week[slot]) * weekUnit
	for i := range experts {
		p.mean[i] = max(p.mean[i], echo)
	}
}

func newBody(sh *shape) *seriesBody {
	n := sh.slots
	floats := 2*n + sh.echoes
	all := make([]float32, floats+sh.lag)
	b := &seriesBody{season: all[:n:n], slot: all[n : 2*n : 2*n], last: all[2*n : floats : floats], seen: make([]uint8, n)}
	b.queue = all[floats:floats:len(all)]
	b.week = make([]uint8, sh.week)
	return b
}

// grow gives a series that was all zero its body.
func (s *series) grow(sh *shape) {
	if s.body != nil {
		return
	}
	s.body = newBody(sh)
	for i := range s.body.seen {
		s.body.seen[i] = uint8(min(int(s.n)/sh.slots, 255))
	}
	for i := range experts {
		s.body.tested[i] = uint16(min(s.n, math.MaxUint16))
		s.body.spread[i] = float32(sh.priorSpread(s.n))
	}
	s.body.queue = s.body.queue[:s.wait]
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
		season := float64(b.season[slot])
		p.mean = [experts]float64{float64(b.level[0]) + season, float64(b.level[1]) + season, float64(b.slot[slot])}
		if len(b.last) > 0 {
			p.mean[3] = float64(b.last[slot%len(b.last)])
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
func (s *series) knows(i, slot int) bool {
	if i < 2 {
		return true
	}
	return s.body != nil && s.body.seen[slot] >= 2 && (i == 2 || len(s.body.last) > 0)
}

// speaks tells whether an expert is heard: one without a prior scale must first
// have been tested.
func (s *series) speaks(sh *shape, i, slot int) bool {
	return s.knows(i, slot) && (sh.prior > 0 || s.body != nil && s.body.tested[i] >= testedAtAll)
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
	x := math.Log1p(v)
	if sh.lag > 0 {
		q := s.body.queue
		if len(q) < sh.lag {
			s.body.queue = append(q, float32(x))
			return
		}
		old := float64(q[0])
		copy(q, q[1:])
		q[len(q)-1] = float32(x)
		x, slot, expected = old, ((slot-sh.lag)%sh.slots+sh.slots)%sh.slots, nil
	}
	s.absorb(sh, sh.fold(slot), x, exposure, expected)
	if sh.week > 0 {
		s.body.week[slot] = uint8(min(math.Round(x/weekUnit), math.MaxUint8))
	}
}

// absorb scores the experts against x and moves them towards it. expected is as of
// learn.
func (s *series) absorb(sh *shape, slot int, x, exposure float64, expected *outlook) {
	var floor [2]float64 // of the levels' squared scales
	if s.n == 0 {
		s.body.level = [2]float32{float32(x), float32(x)}
		first := sh.floor(float64(float32(x))+float64(s.body.season[slot]), exposure)
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
		if !s.knows(i, slot) {
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
		likelihood := -math.Log(p.sd[i]) - float64(2.5*math.Log1p(float64(z*z)/4))
		s.body.logW[i] = float32(float64(forgetLogW*float64(s.body.logW[i])) + likelihood)
	}
}

// move shifts levels, season and slots towards x, by clipped residuals.
func (s *series) move(sh *shape, slot int, x, exposure float64, floor [2]float64) {
	b := s.body
	season := float64(b.season[slot])
	for i, rate := range [2]float64{sh.fast, sh.slow} {
		level := float64(b.level[i])
		bound := clipLevel * s.scale(sh, i, floor[i])
		b.level[i] = float32(level + float64(max(1/float64(s.n), rate)*clip(x-season-level, bound)))
	}
	level := float64(b.level[1])
	bound := clipLevel * s.scale(sh, 1, sh.floor(level+season, exposure))
	b.season[slot] = float32(season + float64(sh.season*clip(x-level-season, bound)))
	if b.seen[slot] == 0 {
		b.slot[slot] = float32(x)
	} else {
		old := float64(b.slot[slot])
		rate := max(1/(float64(b.seen[slot])+1), sh.slot)
		b.slot[slot] = float32(old + float64(rate*clip(x-old, bound)))
	}
	if len(b.last) > 0 {
		b.last[slot%len(b.last)] = float32(x)
	}
	b.seen[slot] = min(b.seen[slot], 254) + 1
}

func clip(x, bound float64) float64 { return min(max(x, -bound), bound) }

func (s *series) encode(e *encoder) {
	e.uint(uint64(s.n))
	e.bool(s.body != nil)
	if s.body == nil {
		e.uint(uint64(s.wait))
		return
	}
	b := s.body
	for _, part := range [][]float32{b.level[:], b.spread[:], b.logW[:], b.season, b.slot, b.last} {
		e.floats(part)
	}
	for _, n := range b.tested {
		e.uint(uint64(n))
	}
	e.b = append(e.b, b.seen...)
	e.b = append(e.b, b.week...)
	e.uint(uint64(len(b.queue)))
	e.floats(b.queue)
}

func (s *series) decode(d *decoder, sh *shape) {
	*s = series{n: uint32(min(d.uint(), math.MaxUint32))}
	if !d.bool() {
		s.wait = uint8(min(d.uint(), uint64(sh.lag)))
		return
	}
	b := newBody(sh)
	for _, part := range [][]float32{b.level[:], b.spread[:], b.logW[:], b.season, b.slot, b.last} {
		d.floats(part)
	}
	for i := range b.tested {
		b.tested[i] = uint16(min(d.uint(), math.MaxUint16))
	}
	copy(b.seen, d.take(len(b.seen)))
	copy(b.week, d.take(len(b.week)))
	n := d.count(4)
	if n > sh.lag {
		d.fail("queue longer than its lag")
		return
	}
	b.queue = b.queue[:n]
	d.floats(b.queue)
	s.body = b
}
