package detector

import "math"

// The fleet's word on one feature of a window: by how much p-values are to be
// discounted, and what was expected to be raised, because many apps moved.
//
//	F     = max(1, max over a in {0.05, 0.01} of k_a / (a n + 3 sqrt(a n) + 1))
//	shift = median over ready apps of ln((v+1)/(expected+1)), where F > 1
//
// k_a of the n ready apps have p <= a. The bound is a n and three deviations of a
// Poisson count, so that F is 1 on ordinary days. An app is judged beside those of
// its size, by what was expected of it, if they are more than twenty, and else
// beside all: what visits every small app once goes unseen by large ones, and the
// other way round. Slow evidence has one word for all sizes, F from its own p-values: it
// looks back on weeks in which apps may have moved together, and one day's shift is
// none of its own.
//
// Ranks learn each window as 1/F windows: on a day on which F times as many are
// surprised, p-values are taken times F, and the ranks must not answer for it again.
// Slow ranks learn every day alike: M is worth what it is measured to be.
// Assumption: what moves many apps at once moves those of a size about alike. It lies
// for a fleet of which a large part is one attacker's, whose apps explain each other;
// the roll-ups by developer stand against that.
// Source: recipe R1 section 4: on CRAN 27 % of the exceedances fall on 19 of 1,012
// days; the shift is in docs/decisions/0005-shift-beside-the-factor.md, sizes and ranks in
// 0072-common-days-apart.md.

// word is the fleet's on one feature of a window.
type word struct {
	factor float64 // F, at least 1
	shift  float64 // in ln units, 0 where the factor is 1
}

// factor says how many times more apps were surprised than on any ordinary day.
func (s *surprised) factor() float64 {
	factor, n := 1.0, float64(s.ready)
	if n <= minFleet {
		return factor
	}
	for i, a := range commonP {
		bound := float64(a*n) + float64(3*math.Sqrt(a*n)) + 1
		factor = max(factor, float64(s.hot[i])/bound)
	}
	return factor
}

// movers counts how a group of ready apps moved in one feature.
type movers struct {
	surprised
	moves [moveBins]uint64
}

// movers are the ready apps of some sizes.
func (t *Tally) movers(f Feature, of ...int) (m movers) {
	for _, size := range of {
		m.merge(&t.surprised[f][size])
		for bin := range m.moves {
			m.moves[bin] += t.moves[movePlace(f, size, bin)]
		}
	}
	return m
}

// allSizes are the places of all sizes.
var allSizes = [sizes]int{0, 1, 2, 3, 4, 5}

// word says by how much a group moved.
func (m *movers) word() word {
	w := word{factor: m.factor()}
	if w.factor > 1 {
		w.shift = max(m.median(), 0)
	}
	return w
}

// median is the median distance of the group's windows from what was expected, in ln
// units.
func (m *movers) median() float64 {
	sum := uint64(0)
	for bin, n := range m.moves {
		if sum += n; 2*sum >= m.ready {
			return float64(bin)*moveWidth + moveWidth/2 - moveBins*moveWidth/2
		}
	}
	return 0
}

// words are the fleet's on one feature, with the one on slow evidence last.
func (t *Tally) words(f Feature, whole word) (w [sizes + 1]word) {
	for size := range sizes {
		w[size] = whole
		if t.surprised[f][size].ready > minFleet {
			m := t.movers(f, size)
			w[size] = m.word()
		}
	}
	w[sizes] = word{factor: t.slow[f].factor()}
	return w
}

// on is the fleet's word on a comparison.
func (j *Judgement) on(c *comparison) word {
	if c.stream == daySlow {
		return j.words[c.feature.moves()][sizes]
	}
	return j.words[c.feature.moves()][c.stratum%sizes]
}
