package detector

import (
	"math"

	"github.com/memberwatch/memberwatch/detector/tails"
)

// Calibration turns a measure of surprise into a p-value that keeps its word: its
// rank among the fleet's recent windows of the same stream, feature and size,
// and beyond the top 1 % a generalised Pareto tail, or the shape of the shipped
// default p0.
//
//	p(S) = N(S' >= S) / N                            inside the ranks
//	p(S) = 1 % (1 + xi (S - u)/sigma)^(-1/xi)        above u, the 99 % point
//	p(S) = N(S' >= u)/N p0(S)/p0(u)                  above u, too few for a fit
//
// Young expectations err more than mature ones, so each have ranks of their own;
// those of mature ones begin as those of young ones, which begin as the default.
//
// p is taken times (N + 1)/(N + N0 + 1) where N0 more windows had nothing to compare: no member
// missed, nobody read for. The budget is a part of all windows. The tail is fitted to those
// that had something, as nothing has no shape.
//
// Assumption: windows of one cell are exchangeable. It lies for a fleet of few
// apps, so the shipped default mixes in and fades as the fleet's own history
// grows.
// Source: recipe R1, section 2: pooled ranks keep p within 0.5-2 of its word on
// real counts where Poisson and negative binomial tails are 3-180 times too
// loud. The tail passes through two quantiles, after Pickands, "Statistical
// inference using extreme order statistics", 1975.
type Calibration struct {
	// Through is the newest day (days since the epoch) whose windows count.
	Through int32
	cells   [cellCount]cell
	births  births
	peers   map[string]*ranking
	laws    [Features]law     // of slow evidence
	calm    [Features]float64 // see calm; 0: nothing is known
	marked  map[uint64]int32  // shapes of cohorts, which teach nothing
}

// Ranks are kept in bins of the surprise.
const (
	binWidth = 0.05
	bins     = 200 // measures of 10 and more share the last bin
	// sizes are the size classes of the expected count, strata these of young
	// expectations and then of mature ones.
	sizes     = 6
	strata    = 2 * sizes
	cellCount = int(measures) * int(streams) * int(Features) * strata
	// tailPart is the part of the ranks beyond which the fitted tail speaks.
	tailPart = 0.01
	// priorWindows is the weight of the shipped default, in windows, beside none of
	// the fleet's own. It falls to half beside as many: a default too cautious by
	// a decade would otherwise still halve the p-values of a year later
	// (docs/decisions/0012-the-default-fades.md).
	priorWindows = 500
)

// sizeEdges are the expected counts that part the sizes (recipe R1).
var sizeEdges = [sizes - 1]float64{0.7, 2.5, 10, 50, 300}

func sizeOf(expected float64) int {
	for i, edge := range sizeEdges {
		if expected < edge {
			return i
		}
	}
	return sizes - 1
}

// measure is a way to say how far a window lies from what was expected. The
// surprise counts in the app's own spreads: it sees a small step of a steady app.
// The jump counts in plain ln units: it sees a thousandfold step of an app so
// unsteady that its spreads say little, for no app of its size jumps like that.
type measure uint8

const (
	bySurprise measure = iota
	byJump
	measures
)

// shares split a comparison's p-value over the measures as the budget is split
// over streams: each is divided by its share and the smaller counts. The jump is
// for steps so huge that a twentieth is plenty, and the surprise keeps its word
// (docs/decisions/0010-a-twentieth-for-the-jump.md).
var shares = [measures]float64{bySurprise: 0.95, byJump: 0.05}

// cellID is the place of a measure, stream, feature and stratum among the cells.
func cellID(m measure, stream streamID, f Feature, stratum int) int {
	return ((int(m)*int(streams)+int(stream))*int(Features)+int(f))*strata + stratum
}

// cell holds the ranks of one cell, ready for look-up.
type cell struct {
	n       float64   // windows
	all     float64   // with those that had nothing to compare
	beyond  []float32 // windows in bin i and above; nil while empty
	u       float64   // where the ranks end and the tail begins
	sigma   float64   // of the fitted tail; 0: the default's shape
	xi      float64
	tailPut float64 // probability at u
	usual   float64 // the measure that one in forty windows reaches; 0: not looked for
}

// binOf is the bin of a surprise.
func binOf(s float64) int { return min(int(max(s, 0)/binWidth), bins-1) }

// p returns the calibrated p-value of a measure s in its cell, in (0, 1].
func (c *Calibration) p(id int, s float64) float64 {
	return min(c.speaks(id)*c.among(id, s), 1)
}

// among is the p-value among the windows that had something to compare.
func (c *Calibration) among(id int, s float64) float64 {
	cell, prior := &c.cells[id], c.before(id, s)
	if cell.n == 0 {
		return prior
	}
	own, worth := c.own(id, s), priorWorth(cell.n)
	return (float64(cell.n*own) + float64(worth*prior)) / (cell.n + worth)
}

// before is what was known before a cell had windows: of mature expectations what
// young ones have shown, of these the default.
func (c *Calibration) before(id int, s float64) float64 {
	if isMature(id) {
		return c.among(id-sizes, s)
	}
	return priorP(id, s)
}

// speaks is the part of all windows that had something to compare, the one that asks
// among them: where none ever had, to be the first is rare by itself. Only counts may have
// nothing, and they have one ranking for all ages.
func (c *Calibration) speaks(id int) float64 {
	cell := &c.cells[id]
	return (cell.n + 1) / (cell.all + 1)
}

// priorWorth is how many windows what was known before counts for beside n own.
func priorWorth(n float64) float64 { return priorWindows / (1 + n/priorWindows) }

// isMature tells whether a cell ranks mature expectations.
func isMature(id int) bool { return id%strata >= sizes }

// own is a cell's own answer: ties count as exceedances, the window itself too.
// Without a tail of its own it never claims more than its ranks can know, so the
// shape of what was known before carries it on.
func (c *Calibration) own(id int, s float64) float64 {
	cell := &c.cells[id]
	switch {
	case s <= cell.u:
		return (cell.reaching(s) + 1) / (cell.n + 1)
	case cell.sigma > 0:
		return cell.tailPut * tails.Pareto((s-cell.u)/cell.sigma, cell.xi)
	default:
		return cell.tailPut * c.before(id, s) / c.before(id, cell.u)
	}
}

// reaching is how many windows reach a measure, between the edges of bins by
// interpolation.
func (c *cell) reaching(s float64) float64 {
	i := binOf(s)
	if i == bins-1 {
		return float64(c.beyond[i])
	}
	part := max(s, 0)/binWidth - float64(i)
	return float64(c.beyond[i]) - float64(part*float64(c.beyond[i]-c.beyond[i+1]))
}

// reachAt returns the smallest measure whose p-value is at most p.
func (c *Calibration) reachAt(id int, p float64) float64 {
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

// usualPart is the part of the fleet's windows beyond what is called usual.
const usualPart = 0.025

// usual is the measure that one in forty windows of a cell reaches.
func (c *Calibration) usual(id int) float64 {
	if cell := &c.cells[id]; cell.n == 0 && isMature(id) {
		return c.usual(id - sizes)
	} else if cell.n == 0 {
		return priorUsual[id/strata/int(Features)*strata+id%strata]
	} else if cell.usual > 0 {
		return cell.usual
	}
	return c.reachAt(id, usualPart)
}

// priorUsual is the same of cells without windows, by measure, stream and stratum.
var priorUsual = func() (usual [int(measures) * int(streams) * strata]float64) {
	var none Calibration
	for i := range usual {
		usual[i] = none.reachAt(i/strata*int(Features)*strata+i%strata, usualPart)
	}
	return usual
}()

// fit prepares a cell from its bin counts, behind which stands how many windows had
// nothing to compare.
func (c *cell) fit(hist []float64, xi float64) {
	silent, hist := hist[bins], hist[:bins]
	total := 0.0
	for _, n := range hist {
		total += n
	}
	*c = cell{n: total, all: total + silent}
	if total == 0 {
		return
	}
	c.beyond = make([]float32, bins)
	sum, few := 0.0, 0
	for i := bins - 1; i >= 0; i-- {
		sum += hist[i]
		c.beyond[i] = float32(sum)
		if few == 0 && sum >= minRank {
			few = i
		}
	}
	c.u = float64(few) * binWidth
	c.tailPut = (float64(c.beyond[few]) + 1) / (total + 1)
	c.fitTail(xi)
}

// minTail is how many windows lie beyond the rarer of the two quantiles of a tail, mostTail
// the largest part of all that is called one, minRank how many a rank needs before the
// default's shape is hung on it. With a twentieth in place of a tenth, 16 sensors never had a
// tail, and one in eleven of their rises below 1 in 1,000 was as rare as it said
// (docs/decisions/0007-jump-and-quantile-tail.md).
const (
	minTail  = 20
	mostTail = 0.1
	minRank  = 10
)

// tailShape is xi of the fitted tail, by measure and stream: the surprise is in
// decades, so its tail is exponential by construction; jumps of real counts fall
// more slowly. Days were set by the bursts found per false signal on real counts
// (docs/decisions/0010-a-twentieth-for-the-jump.md), hours, which must speak at one
// in a million, by the false signals of a simulated fleet (0007).
var tailShape = [measures][streams]float64{
	bySurprise: {hourBurst: 0.1},
	byJump:     {hourBurst: 0.2, dayBurst: 0.1, daySlow: 0.1},
}

// fitTail fits the tail by two quantiles: u at tailPart and another a fifth as
// rare. The few largest windows do not move it, and they must not: in a fleet
// with one harvest a month they are the harvests, and a tail fitted to them by
// moments would call the next one ordinary.
func (c *cell) fitTail(xi float64) {
	part := max(tailPart, 5*minTail/c.n)
	if part > mostTail {
		return
	}
	u, v := c.quantile(part), c.quantile(part/5)
	if v-u < binWidth {
		v = u + binWidth
	}
	c.u, c.xi = u, xi
	c.sigma = (v - u) / math.Log(5)
	if xi != 0 {
		c.sigma = (v - u) * xi / (math.Pow(5, xi) - 1)
	}
	c.tailPut = part
}

// quantile is the measure that a part of the windows reaches, between bins by
// interpolation.
func (c *cell) quantile(part float64) float64 {
	want := part * c.n
	for i := 1; i < bins; i++ {
		if above := float64(c.beyond[i]); above <= want {
			below := float64(c.beyond[i-1])
			if below <= above {
				return float64(i) * binWidth
			}
			return (float64(i-1) + (below-want)/(below-above)) * binWidth
		}
	}
	return bins * binWidth
}
