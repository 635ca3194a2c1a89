package sketch

import (
	"math"
	"math/bits"
)

// HyperLogLog registers with precision p = 12. A mixed key selects one of
// m = 4,096 registers by its top 12 bits; the register keeps the largest rank,
// one more than the number of zeros that lead the remaining 52 bits, at most
// 51. With C0 the number of registers at zero, the estimate is
//
//	n = m^2 / (2 ln 2) / (m sigma(C0/m) + sum over the others of 2^-register)
//	sigma(x) = x + sum over k >= 1 of x^(2^k) 2^(k-1)
//
// Sources: Flajolet, Fusy, Gandouet and Meunier 2007, "HyperLogLog"; Ertl 2017,
// "New cardinality estimation algorithms for HyperLogLog sketches", the
// improved raw estimator, which needs neither bias tables nor a switch to
// linear counting.
//
// Layout: the 6-bit registers are stored in bit planes, 64 registers in six
// words, so that a merge compares 64 registers at once. The sum is kept running
// as an integer in units of 2^-51; integers add up the same in any order.
//
// When it lies: the relative standard error is 1.04/sqrt(m) = 1.6 % (less below
// about 5,000 keys), so differences of two counts of nearly equal sets are
// noise. Ertl's tau term is left out; it matters beyond 2^50 keys only.

const (
	precision     = 12
	registerCount = 1 << precision
	maxRank       = 51

	planes     = 6
	lanes      = 64
	groupCount = registerCount / lanes
	wordCount  = groupCount * planes
)

// registers is the dense form: group g is words 6g to 6g+5, plane 0 first.
type registers [wordCount]uint64

// group is 64 registers; bit i of plane j is bit j of register i.
type group [planes]uint64

// tally is what the estimate needs to know of the registers.
type tally struct {
	// sum adds 2^(51-register) over the registers that are not zero.
	sum uint64
	// zeros counts the registers that are zero.
	zeros uint64
}

// group returns the g-th group of registers.
func (r *registers) group(g uint64) *group {
	return (*group)(r[g*planes:])
}

// at returns the register in the lane.
func (g *group) at(lane uint64) uint64 {
	return g[0]>>lane&1 | g[1]>>lane&1<<1 | g[2]>>lane&1<<2 |
		g[3]>>lane&1<<3 | g[4]>>lane&1<<4 | g[5]>>lane&1<<5
}

// flip changes the register in the lane by exclusive or.
func (g *group) flip(lane, with uint64) {
	for p := range g {
		g[p] ^= with >> p & 1 << lane
	}
}

// placeOf returns the lane and the rank of a mixed key.
func placeOf(key uint64) (lane, rank uint64) {
	// The added bit ends the run of zeros at rank 51.
	return key >> 52 & (lanes - 1), uint64(bits.LeadingZeros64(key<<precision|1<<(64-maxRank))) + 1
}

// observe folds one mixed key in and reports whether a register rose.
func (r *registers) observe(key uint64, t *tally) bool {
	old, rank := r.lift(key)
	if rank <= old {
		return false
	}
	if old == 0 {
		t.zeros--
	} else {
		t.sum -= 1 << (maxRank - old)
	}
	t.sum += 1 << (maxRank - rank)
	return true
}

// lift raises the register of a mixed key to the key's rank, and returns what it
// was before.
func (r *registers) lift(key uint64) (old, rank uint64) {
	lane, rank := placeOf(key)
	g := r.group(key >> 58)
	if old = g.at(lane); rank > old {
		g.flip(lane, old^rank)
	}
	return old, rank
}

// merge takes the larger of each pair of registers and reports whether any
// rose. It leaves the tally to count.
func (r *registers) merge(o *registers) bool {
	changed := uint64(0)
	for g := range uint64(groupCount) {
		changed |= r.group(g).merge(o.group(g))
	}
	return changed != 0
}

// merge takes the larger of each pair of registers and returns the lanes of those
// that rose.
func (g *group) merge(o *group) (less uint64) {
	// Compare from the lowest plane up: a higher plane that differs overrules the
	// verdict of those below it. Written out, it takes half the time of a loop.
	less = o[0] &^ g[0]
	less = o[1]&^g[1] | less&^(g[1]^o[1])
	less = o[2]&^g[2] | less&^(g[2]^o[2])
	less = o[3]&^g[3] | less&^(g[3]^o[3])
	less = o[4]&^g[4] | less&^(g[4]^o[4])
	less = o[5]&^g[5] | less&^(g[5]^o[5])
	if less == 0 {
		return 0
	}
	g[0] ^= (g[0] ^ o[0]) & less
	g[1] ^= (g[1] ^ o[1]) & less
	g[2] ^= (g[2] ^ o[2]) & less
	g[3] ^= (g[3] ^ o[3]) & less
	g[4] ^= (g[4] ^ o[4]) & less
	g[5] ^= (g[5] ^ o[5]) & less
	return less
}

// count returns the tally of the registers from scratch.
func (r *registers) count() tally {
	var histogram [1 << planes]uint64
	for i := range uint64(groupCount) {
		g := r.group(i)
		low := octants(g[0], g[1], g[2])
		if g[4]|g[5] == 0 { // as nearly always
			low.countIn(^g[3], (*[8]uint64)(histogram[0:]))
			low.countIn(g[3], (*[8]uint64)(histogram[8:]))
			continue
		}
		high := octants(g[3], g[4], g[5])
		for h := range high {
			low.countIn(high[h], (*[8]uint64)(histogram[8*h:]))
		}
	}
	t := tally{zeros: histogram[0]}
	for rank := uint64(1); rank <= maxRank; rank++ {
		t.sum += histogram[rank] << (maxRank - rank)
	}
	return t
}

// octets has, for each value of three bits, the lanes that hold it.
type octets [8]uint64

// countIn adds how many of some lanes hold each value.
func (o *octets) countIn(lanes uint64, to *[8]uint64) {
	if lanes == 0 {
		return
	}
	for i := range o {
		to[i] += uint64(bits.OnesCount64(lanes & o[i]))
	}
}

func octants(bit0, bit1, bit2 uint64) octets {
	a, b, c, d := ^bit1&^bit0, ^bit1&bit0, bit1&^bit0, bit1&bit0
	return octets{
		a &^ bit2, b &^ bit2, c &^ bit2, d &^ bit2,
		a & bit2, b & bit2, c & bit2, d & bit2,
	}
}

// valid reports whether no register of the group is above the largest rank: 52 to
// 63 are 11 01.. and 11 1... in binary.
func (g *group) valid() bool { return g[5]&g[4]&(g[3]|g[2]) == 0 }

// used returns a bit for each plane that is not all zero.
func (g *group) used() byte {
	bits := byte(0)
	for i, w := range g {
		if w != 0 {
			bits |= 1 << i
		}
	}
	return bits
}

// estimate returns the improved raw estimate.
func (t *tally) estimate() float64 {
	const numerator = registerCount * registerCount / (2 * math.Ln2)
	rest := float64(t.sum) * (1.0 / (1 << maxRank))
	if t.zeros == 0 {
		return numerator / rest
	}
	return numerator / (float64(registerCount*sigma(float64(t.zeros)/registerCount)) + rest)
}

// sigma returns Ertl's correction for registers at zero, for 0 <= x < 1.
func sigma(x float64) float64 {
	sum, weight := x, 1.0
	for {
		x *= x
		next := sum + float64(x*weight) // the conversion forbids fusing
		if next == sum {
			return sum
		}
		sum, weight = next, 2*weight
	}
}
