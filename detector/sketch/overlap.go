package sketch

import "math"

// Overlap of two key sets from their coordinated samples. At the smaller of the
// two rates r both samples are complete for the range they share; with i common
// keys among u different ones in that range,
//
//	keys in both = i / r
//	Jaccard      = i / u, with Wilson's interval
//
// Source: Broder 1997, "On the resemblance and containment of documents"; Wilson
// 1927, "Probable inference".
//
// When it lies: with few common keys the interval is all there is. At Jaccard 1,
// 10, 50 % and two full samples the error is about 11, 4, 2 % of the value.
// Two sets of very different size share a small rate, so the small one is seen
// through few keys.

// Range is an estimate with its 95 % interval.
type Range struct {
	// Value is the estimate.
	Value float64
	// Low and High bound the true value in 95 % of cases; both are Value when
	// it is exact.
	Low, High float64
}

// Overlap says how much two sets of keys have in common.
type Overlap struct {
	// Intersection is the number of keys in both sets.
	Intersection Range
	// Jaccard is the share of the keys in both among the keys in any, in [0, 1];
	// it is 0 when both sets are empty.
	Jaccard Range
}

// Overlap estimates what the sets behind s and o have in common. It is exact
// while both samples hold all their keys.
func (s *Sample) Overlap(o *Sample) Overlap {
	coarse, fine := &s.table, &o.table
	if coarse.shift < fine.shift {
		coarse, fine = fine, coarse
	}
	either, both := countUnion(coarse, fine)
	rate := math.Ldexp(1, -int(coarse.shift))
	return Overlap{
		Intersection: scaleUp(both, rate),
		Jaccard:      proportion(both, either, rate),
	}
}

// countUnion counts the keys that any and that both of the tables hold in the
// range of the coarse one.
func countUnion(coarse, fine *table) (either, both int) {
	either = coarse.used
	for _, e := range fine.slots {
		if e == free || e>>(64-coarse.shift) != 0 {
			continue
		}
		if _, found := coarse.find(e >> stampBits); found {
			both++
		} else {
			either++
		}
	}
	return either, both
}

// scaleUp estimates a number of keys of which n were seen at the rate.
func scaleUp(n int, rate float64) Range {
	seen, missed := float64(n), 1-rate
	middle := seen + z95*z95*missed/2
	margin := z95 * math.Sqrt(missed*(seen+z95*z95*missed/4))
	return Range{
		Value: seen / rate,
		Low:   max((middle-margin)/rate, seen),
		High:  (middle + margin) / rate,
	}
}

// proportion estimates the share of which part in whole were seen at the rate.
func proportion(part, whole int, rate float64) Range {
	if whole == 0 && rate < 1 {
		return Range{High: 1}
	}
	if whole == 0 {
		return Range{}
	}
	n := float64(whole)
	p := float64(part) / n
	if rate == 1 {
		return Range{Value: p, Low: p, High: p}
	}
	const z2 = z95 * z95
	middle := (p + z2/(2*n)) / (1 + z2/n)
	margin := z95 / (1 + z2/n) * math.Sqrt(p*(1-p)/n+z2/(4*n*n))
	return Range{Value: p, Low: max(middle-margin, 0), High: min(middle+margin, 1)}
}
