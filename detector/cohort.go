package detector

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/codec"
	"github.com/memberwatch/memberwatch/detector/sketch"
	"github.com/memberwatch/memberwatch/detector/tails"
)

// A cohort: young apps of one shape in numbers that the fleet's past does not
// know, whose members are all different ones. Each reads little; together they
// share out a harvest.
//
//	N    births of the shape in the last 7 days;  8 at least
//	r    k + 1/2, at most 10: k births of the shape before, with memory
//	mu   7 (k + 1/2)/(W + 7) births expected, W days of that past, with memory;
//	     W >= 14; times how many more births than in the past there were of shapes
//	     that are no cohort: a platform may open its doors to everybody
//	p    P(X >= N), X negative binomial of mean mu and size r, times the shapes
//	     that had a birth in those days
//	sum of daily unions of members >= 0.8 of the sum over the apps
//
// The size says how unsteady births are: no shape is trusted to come at a rate
// known better than by a third. Assumption: honest newcomers come one by one, or
// their shape has come before. It lies for a class of students that all build
// from one template, and for whoever makes his apps look each like another.
// Once there is a signal the shape is marked: its apps no longer count among the
// peers of newcomers and in the fleet's ranks, which they could outnumber.
// Source: the estimate is Jeffreys' for a rate, beside a week without births; the
// cases are I18 and I19 of the catalogue.
type cohorts struct {
	day    int32   // the newest that is in recent; 0: none
	days   float64 // watched until then, with memory
	shapes map[uint64]*lineage
	marked map[uint64]int32 // shapes of which there was a signal, and until when that counts
}

// lineage is the fleet's past of one shape.
type lineage struct {
	recent   [youth]uint64 // births, the newest day first
	past     float64       // births before those, with memory
	reach    uint64        // of the days since the recent births began
	unions   uint64
	members  sketch.Distinct
	category string
	things   [2]uint8
}

const (
	fewestBorn   = 8    // ours: partners that one developer makes up are fewer
	bornApart    = 0.8  // the least part of the members that are different ones
	quietBirths  = 7    // days without births that the estimate begins with
	fewestPast   = 14   // days before the recent ones
	steadyBirths = 10   // most size of the negative binomial
	markedDays   = 120  // after its last finding that a cohort teaches nothing
	leastPast    = 0.02 // births, below which a shape without lately any is forgotten
)

func (l *lineage) births() (n uint64) {
	for _, k := range l.recent {
		n += k
	}
	return n
}

// apart tells whether enough of a shape were born and read different members.
func (l *lineage) apart() bool {
	return l.births() >= fewestBorn && float64(l.unions) >= bornApart*float64(l.reach)
}

// crowd is how many times the births of its past the fleet has lately had of
// shapes that are no cohort.
func (c *cohorts) crowd(days float64) float64 {
	births, past := 0.5, 0.0
	for _, shape := range slices.Sorted(maps.Keys(c.shapes)) {
		if l := c.shapes[shape]; !l.apart() {
			births += float64(l.births())
			past += l.past
		}
	}
	return max(births/weekly(past, days), 1)
}

// turn makes a day the newest.
func (c *cohorts) turn(day int32) {
	if c.day == 0 {
		c.day = day
	}
	for ; c.day < day; c.day++ {
		c.days = float64(c.days*memory) + 1
		for _, l := range c.shapes { // each on its own: the order does not matter
			l.past = float64(l.past*memory) + float64(l.recent[youth-1])
			copy(l.recent[1:], l.recent[:youth-1])
			l.recent[0] = 0
			if l.births() == 0 {
				l.reach, l.unions = 0, 0
				l.members.Reset()
			}
		}
	}
	maps.DeleteFunc(c.shapes, func(_ uint64, l *lineage) bool { return l.births() == 0 && l.past < leastPast })
	maps.DeleteFunc(c.marked, func(_ uint64, until int32) bool { return until < day })
}

// take adds a day's young apps.
func (c *cohorts) take(litters map[uint64]*litter) {
	for shape, b := range litters { // each shape on its own: the order does not matter
		l, ok := c.shapes[shape]
		if !ok {
			if b.births == 0 {
				continue
			}
			if c.shapes == nil {
				c.shapes = make(map[uint64]*lineage)
			}
			l = new(lineage)
			c.shapes[shape] = l
		}
		l.recent[0] += b.births
		l.category, l.things = b.category, b.things
		if l.births() > 0 {
			l.reach += b.reach
			l.unions += uint64(b.members.Estimate() + 0.5)
			l.members.Merge(&b.members)
		}
	}
	keepFirst(c.shapes, mostShapes, func(a, b uint64) int {
		x, y := c.shapes[a], c.shapes[b]
		return cmp.Or(cmp.Compare(y.births(), x.births()), cmp.Compare(y.past, x.past), cmp.Compare(a, b))
	})
}

// rising is the number of shapes that had a birth lately.
func (c *cohorts) rising() (n uint64) {
	for _, l := range c.shapes {
		if l.births() > 0 {
			n++
		}
	}
	return n
}

// isMarked tells whether there was a signal about the cohort of a shape.
func (c *Calibration) isMarked(shape uint64) bool {
	_, ok := c.marked[shape]
	return ok
}

// teaches tells whether an app counts in the fleet's ranks and among peers:
// developers do not, as their apps already do.
func (s *State) teaches(cal *Calibration) bool { return !s.joint() && !cal.isMarked(s.shape) }

// watchCohorts takes a day's young apps and raises a signal for each shape that
// comes in unknown numbers.
func (f *Fleet) watchCohorts(t *Tally) {
	if t.Window.Scale != memberwatch.Day {
		return
	}
	c := &f.cohorts
	day := dayOf(t.Window.Start)
	c.turn(day)
	c.take(t.litters)
	past := c.days - youth - newcomerDays // births do not count in a partition's first days
	if past < fewestPast {
		return
	}
	rising, crowd := c.rising(), c.crowd(past)
	for _, shape := range slices.Sorted(maps.Keys(t.litters)) {
		l := c.shapes[shape]
		if l == nil || t.litters[shape].births == 0 || !l.apart() {
			continue
		}
		g := &brought{
			at: t.Window, births: l.births(), past: l.past, days: past, rising: rising, crowd: crowd,
			members: distinct(&l.members), category: l.category, things: l.things,
		}
		if g.p() > fleetWeight/f.cfg.Budget {
			continue
		}
		f.raise(fmt.Sprintf("%016x", shape), f.ground(g), t.litters[shape].first)
		if c.marked == nil {
			c.marked = make(map[uint64]int32)
		}
		c.marked[shape] = day + markedDays
	}
}

// brought are the grounds of a signal about a cohort.
type brought struct {
	at       memberwatch.Window
	births   uint64
	past     float64 // births of the shape before
	days     float64 // of that past
	rising   uint64  // shapes with births lately
	crowd    float64 // times the births that the past knows of other shapes
	members  memberwatch.Estimate
	category string
	things   [2]uint8
}

// expected is the number of births of the shape in a week.
func (g *brought) expected() float64 { return g.crowd * weekly(g.past, g.days) }

// weekly is the number of births expected in a week after so many in a past.
func weekly(births, days float64) float64 { return youth * (births + 0.5) / (days + quietBirths) }

// p is the probability of as many births by chance, of any shape.
func (g *brought) p() float64 {
	return min(max(g.tail(float64(g.births))*float64(g.rising), 1e-300), 1)
}

// tail is the probability of so many births or more of the shape by chance.
func (g *brought) tail(births float64) float64 {
	return tails.NegativeBinomial(births, min(g.past+0.5, steadyBirths), g.expected())
}

// finding words the grounds.
func (g *brought) finding(float64) memberwatch.Finding {
	category := g.category
	if category == "" {
		category = "no category"
	}
	text := fmt.Sprintf("%d new apps of one shape in a week, expected %s", g.births, small(g.expected()))
	apart := fmt.Sprintf("%s, next to none of them read by two", plural(g.members.Value, "distinct member", "distinct members"))
	period := periodOf(g.p(), dayBurst)
	return memberwatch.Finding{
		Kind: memberwatch.KindCohort, Window: g.at, Time: g.at.End() - 1, Stream: memberwatch.StreamBurst, FleetFactor: 1,
		ReturnPeriod: period, Members: g.members,
		Sentence: fmt.Sprintf("%s (%s, the same %s and %s); together they read %s", text, category,
			plural(float64(g.things[0]), "endpoint", "endpoints"), plural(float64(g.things[1]), "data class", "data classes"), apart),
		Factors: []memberwatch.Factor{{
			Feature: "births_of_a_shape", Observed: float64(g.births), Expected: g.expected(), High: g.usual(),
			P: g.p(), ReturnPeriod: period, Share: 1, Text: text,
		}},
		Caveats: []string{"apps built from one template would look alike"},
	}
}

// usual is the number of births that one week in forty exceeds.
func (g *brought) usual() float64 {
	n := 1.0
	for g.tail(n) > 0.025 {
		n++
	}
	return n - 1
}

func (g *brought) encode(e *codec.Encoder) {
	encodeWindow(e, g.at)
	e.Uint(g.births)
	e.F64(g.past)
	e.F64(g.days)
	e.Uint(g.rising)
	e.F64(g.crowd)
	encodeEstimate(e, g.members)
	e.Text(g.category)
	e.Uint(uint64(g.things[0]))
	e.Uint(uint64(g.things[1]))
}

func (g *brought) decode(d *codec.Decoder) {
	*g = brought{at: decodeWindow(d), births: d.Uint(), past: d.F64(), days: d.F64(), rising: d.Uint(), crowd: d.F64()}
	g.members, g.category = decodeEstimate(d), d.Text()
	g.things = [2]uint8{uint8(d.Uint()), uint8(d.Uint())}
	if g.births == 0 || g.rising == 0 || !(g.past >= 0) || !(g.days >= 0) || g.past > 1e12 || !(g.crowd >= 1) || g.crowd > 1e12 {
		d.Fail("births out of range")
	}
}

func (c *cohorts) encode(e *codec.Encoder) {
	e.Int(int64(c.day))
	e.F64(c.days)
	e.Uint(uint64(len(c.shapes)))
	for _, shape := range slices.Sorted(maps.Keys(c.shapes)) {
		e.U64(shape)
		c.shapes[shape].encode(e)
	}
	e.Uint(uint64(len(c.marked)))
	for _, shape := range slices.Sorted(maps.Keys(c.marked)) {
		e.U64(shape)
		e.Int(int64(c.marked[shape]))
	}
}

func (c *cohorts) decode(d *codec.Decoder) {
	*c = cohorts{day: int32(d.Int()), days: d.F64()}
	for range d.Count(20) {
		if c.shapes == nil {
			c.shapes = make(map[uint64]*lineage)
		}
		shape, l := d.U64(), new(lineage)
		l.decode(d)
		c.shapes[shape] = l
	}
	for range d.Count(9) {
		if c.marked == nil {
			c.marked = make(map[uint64]int32)
		}
		shape := d.U64()
		c.marked[shape] = int32(d.Int())
	}
}

func (l *lineage) encode(e *codec.Encoder) {
	for _, n := range l.recent {
		e.Uint(n)
	}
	e.F64(l.past)
	e.Uint(l.reach)
	e.Uint(l.unions)
	e.Nested(&l.members)
	e.Text(l.category)
	e.Uint(uint64(l.things[0]))
	e.Uint(uint64(l.things[1]))
}

func (l *lineage) decode(d *codec.Decoder) {
	for i := range l.recent {
		l.recent[i] = d.Uint()
	}
	l.past, l.reach, l.unions = d.F64(), d.Uint(), d.Uint()
	d.Nested(&l.members)
	l.category = d.Text()
	l.things = [2]uint8{uint8(d.Uint()), uint8(d.Uint())}
}
