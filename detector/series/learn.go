package series

import "math"

// Learn takes the value v of a window into the series, after the lag. expected is what
// Foresee said of that window, nil if nobody has asked; with a lag it does not matter,
// as an older window is learnt.
func (s *Series) Learn(sh *Shape, slot int, v, exposure float64, expected *Outlook) {
	if s.body == nil && !sh.Measured {
		if v == 0 {
			if int(s.wait) < sh.Lag {
				s.wait++
			} else {
				s.n++
			}
			return
		}
	}
	s.grow(sh)
	x := sh.rounded(math.Log1p(v)) // so that what waited and what did not teach the same
	if sh.Lag > 0 {
		old, full := s.push(sh, x)
		if !full {
			return
		}
		x, slot, expected = old, sh.behind(slot), nil
	}
	s.absorb(sh, sh.fold(slot), x, exposure, expected)
	if sh.Week > 0 {
		s.body.octets[sh.Slots+slot] = uint8(min(math.Round(x/weekUnit), math.MaxUint8))
	}
}

// grow gives a series that was all zero its body.
func (s *Series) grow(sh *Shape) {
	if s.body != nil {
		return
	}
	s.body = newBody(sh)
	for i := range sh.Slots {
		s.body.octets[i] = uint8(min(int(s.n)/sh.Slots, 255))
	}
	for i := range experts {
		s.body.tested[i] = uint16(min(s.n, math.MaxUint16))
		s.body.spread[i] = float32(sh.priorSpread(s.n))
	}
}

// push puts a value at the end of those that wait, and returns the oldest if there
// are as many as the lag.
func (s *Series) push(sh *Shape, x float64) (oldest float64, full bool) {
	q := s.body.steps[sh.queueAt():]
	if int(s.wait) < sh.Lag {
		q[s.wait] = sh.inSteps(x)
		s.wait++
		return 0, false
	}
	oldest = sh.ofSteps(q[0])
	copy(q, q[1:])
	q[len(q)-1] = sh.inSteps(x)
	return oldest, true
}

// waiting are the values that wait for their lag, oldest first, in steps.
func (s *Series) waiting(sh *Shape) []int16 { return s.body.steps[sh.queueAt():][:s.wait] }

// absorb scores the experts against x, in ln units, and moves them towards it. slot is
// one of the season, expected is as of Learn.
func (s *Series) absorb(sh *Shape, slot int, x, exposure float64, expected *Outlook) {
	var floor [2]float64 // of the levels' squared scales
	if s.n == 0 {
		s.body.level = [2]float32{float32(x), float32(x)}
		first := sh.floor(float64(float32(x))+s.body.season(sh, slot), exposure)
		floor = [2]float64{first, first}
	} else {
		if expected == nil {
			expected = new(Outlook)
			s.predict(sh, slot, exposure, expected)
		}
		s.scoreExperts(sh, &expected.Prediction, slot, x)
		floor = [2]float64(expected.floor[:2])
	}
	s.n++
	s.move(sh, slot, x, exposure, floor)
}

// scoreExperts updates each expert's scale and likelihood.
func (s *Series) scoreExperts(sh *Shape, p *Prediction, slot int, x float64) {
	for i := range experts {
		if !s.knows(sh, i, slot) {
			continue
		}
		s.body.tested[i] = min(s.body.tested[i], math.MaxUint16-1) + 1
		g := max(1/(float64(s.body.tested[i])+sh.Prior), sh.Spread)
		r := x - p.mean[i]
		z := r / p.sd[i]
		if sh.Prior > 0 || s.body.tested[i] > testedWell {
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
func (s *Series) move(sh *Shape, slot int, x, exposure float64, floor [2]float64) {
	b := s.body
	season := b.season(sh, slot)
	for i, rate := range [2]float64{sh.Fast, sh.Slow} {
		level := float64(b.level[i])
		bound := clipLevel * s.scale(sh, i, floor[i])
		b.level[i] = float32(level + float64(max(1/float64(s.n), rate)*clip(x-season-level, bound)))
	}
	level := float64(b.level[1])
	bound := clipLevel * s.scale(sh, 1, sh.floor(level+season, exposure))
	b.steps[slot] = sh.inSteps(season + float64(sh.Season*clip(x-level-season, bound)))
	seen, own := &b.octets[slot], x
	if *seen > 0 {
		own = b.slot(sh, slot)
		rate := max(1/(float64(*seen)+1), sh.Slot)
		own += float64(rate * clip(x-own, bound))
	}
	b.steps[sh.Slots+slot] = sh.inSteps(own)
	if sh.Echoes > 0 {
		b.steps[2*sh.Slots+slot%sh.Echoes] = sh.inSteps(x)
	}
	*seen = min(*seen, 254) + 1
}

func clip(x, bound float64) float64 { return min(max(x, -bound), bound) }
