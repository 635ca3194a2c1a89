package detector

import (
	"math"
)

// Calibration turns a surprise into a p-value that keeps its word: the rank of
// the surprise among the fleet's recent windows of the same stream, feature and
// size, and beyond the top 1 % a generalised Pareto tail, or the shape of the shipped default p0.
//
//	p(S) = N(S' >= S) / N                            inside the ranks
//	p(S) = 1 % (1 + xi (S - u)/sigma)^(-1/xi)        above u, the 99 % point
//	p(S) = N(S' >= u)/N p0(S)/p0(u)                  above u, too few for a fit
//
// Assumption: windows of one cell are exchangeable. It lies for a fleet of few
// apps, so the shipped default mixes in with the weight of priorWindows windows
// and fades as the fleet's own history grows.
// Source: recipe R1, section 2: pooled ranks keep p within 0.5-2 of its word on
// real counts where Poisson and negative binomial tails are 3-180 times too
// loud. Moments estimator: Hosking and Wallis, "Parameter and quantile
// estimation for the generalized Pareto distribution", 1987.
type Calibration struct {
	// Through is the newest day (days since the epoch) whose windows count.
	Through int32
	cells   [cellCount]cell
	births  births
}

// Ranks are kept in bins of the surprise.
const (
	binWidth = 0.05
	bins     = 200 // surprises of 10 and more share the last bin
	// strata are the size classes of the expected count.
	strata    = 6
	cellCount = int(streams) * int(Features) * strata
	// tailPart is the part of the ranks beyond which the fitted tail speaks.
	tailPart = 0.01
	// priorWindows is the weight of the shipped default, in windows.
	priorWindows = 500
)

// strataEdges are the expected counts that part the strata (recipe R1).
var strataEdges = [strata - 1]float64{0.7, 2.5, 10, 50, 300}

func stratumOf(expected float64) int {
	for i, edge := range strataEdges {
		if expected < edge {
			return i
		}
	}
	return strata - 1
}

// cellID is the place of a stream, feature and stratum among the cells.
func cellID(stream streamID, f Feature, stratum int) int {
	return (int(stream)*int(Features)+int(f))*strata + stratum
}

// cell holds the ranks of one cell, ready for look-up.
type cell struct {
	n       float64   // windows
	beyond  []float32 // windows in bin i and above; nil while empty
	u       float64   // where the ranks end and the tail begins
	sigma   float64   // of the fitted tail; 0: the default's shape
	xi      float64
	tailPut float64 // probability at u
}

// binOf is the bin of a surprise.
func binOf(s float64) int { return min(int(s/binWidth), bins-1) }

// p returns the calibrated p-value of surprise s, in (0, 1].
func (c *Calibration) p(id int, s float64) float64 {
	prior := priorP(id, s)
	cell := &c.cells[id]
	if cell.n == 0 {
		return prior
	}
	own := cell.p(id, s)
	return min((float64(cell.n*own)+priorWindows*prior)/(cell.n+priorWindows), 1)
}

// p is the cell's own answer: ties count as exceedances, the window itself too.
// Without a tail of its own it never claims more than its ranks can know, so the
// default's shape carries it on.
func (c *cell) p(id int, s float64) float64 {
	switch {
	case s <= c.u:
		return (float64(c.beyond[binOf(s)]) + 1) / (c.n + 1)
	case c.sigma > 0:
		return c.tailPut * paretoTail((s-c.u)/c.sigma, c.xi)
	default:
		return c.tailPut * priorP(id, s) / priorP(id, c.u)
	}
}

// paretoTail is P(X > y) of the standard generalised Pareto distribution.
func paretoTail(y, xi float64) float64 {
	if math.Abs(xi) < 1e-9 {
		return math.Exp(-y)
	}
	base := 1 + float64(xi*y)
	if base <= 0 {
		return 1e-300
	}
	return max(math.Pow(base, -1/xi), 1e-300)
}

// surpriseAt returns the smallest surprise whose p-value is at most p.
func (c *Calibration) surpriseAt(id int, p float64) float64 {
	lo, hi := 0.0, 40.0
	if c.p(id, hi) > p {
		return math.Inf(1)
	}
	for range 40 {
		mid := (lo + hi) / 2
		if c.p(id, mid) > p {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi
}

// fit prepares a cell from its bin counts.
func (c *cell) fit(hist []float64) {
	total := 0.0
	for _, n := range hist {
		total += n
	}
	*c = cell{n: total}
	if total == 0 {
		return
	}
	c.beyond = make([]float32, bins)
	sum, first, few := 0.0, bins, 0
	for i := bins - 1; i >= 0; i-- {
		sum += hist[i]
		c.beyond[i] = float32(sum)
		if sum <= tailPart*total {
			first = i
		}
		if few == 0 && sum >= minRank {
			few = i
		}
	}
	c.u = float64(few) * binWidth
	c.tailPut = (float64(c.beyond[few]) + 1) / (total + 1)
	c.fitTail(hist, first)
}

// minTail is how many windows the tail needs before it is fitted, minRank how
// many a rank needs before the default's shape is hung on it.
const (
	minTail = 20
	minRank = 10
)

// fitTail fits the tail to the bins from first on by moments: with mean m and
// variance v of the excesses, xi = (1 - m^2/v)/2 and sigma = m (1 + m^2/v)/2.
func (c *cell) fitTail(hist []float64, first int) {
	if first >= bins || float64(c.beyond[first]) < minTail {
		return
	}
	u := float64(first) * binWidth
	n, m, v := float64(c.beyond[first]), 0.0, 0.0
	for i := first; i < bins; i++ {
		m += float64(hist[i] * (float64(i)*binWidth + binWidth/2 - u))
	}
	m /= n
	for i := first; i < bins; i++ {
		d := float64(i)*binWidth + binWidth/2 - u - m
		v += float64(hist[i] * float64(d*d))
	}
	v /= n
	if m <= 0 || v <= 0 {
		return
	}
	q := m * m / v
	c.u = u
	c.xi = min(max((1-q)/2, -0.1), 0.4)
	c.sigma = m * (1 - c.xi)
	c.tailPut = n / c.n
}
