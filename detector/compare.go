package detector

import (
	"math"
	"slices"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/codec"
	"github.com/memberwatch/memberwatch/detector/series"
)

// comparison is one feature of a window beside one predictive.
type comparison struct {
	stream         streamID
	feature        Feature
	stratum        int
	reach          [measures]float64
	p              float64
	mid, low, high float64           // the last two once they are told
	expected       series.Prediction // kept if anybody may ask
}

// compare scores a window against the expectations, and keeps them.
func (e *Engine) compare(s *State, w *window, x values, expected *outlooks) pending {
	cal := e.calibration(dayOf(w.Start))
	e.tests = e.tests[:0]
	p := pending{
		Window: w.Window, values: x, members: w.exposed(), fired: w.fired,
		days: s.days(), through: cal.Through,
	}
	if s.united != nil {
		p.prefix, p.lead = s.united.through()
	}
	if s.days() < e.cfg.FirstDays {
		e.firstDays(s, &p)
		return p
	}
	if asked := float64(w.records + w.misses); asked > 0 {
		p.misses = float64(w.misses) / asked
	}
	e.tests = e.testAll(s, w, cal, &p.values, expected)
	if e.matters(s, w, e.tests) {
		p.tests = slices.Clone(e.tests)
		if w.Scale == memberwatch.Hour {
			p.values.v[Novelty], _ = s.novelty(w.Window)
			p.values.derive()
		}
		e.breakDown(s, w, &p)
	}
	return p
}

// matters tells whether the fleet's word can make anything of a window's tests: it only
// ever makes them more ordinary. Most hours need not wait for it. Slow evidence waits
// for every day.
func (e *Engine) matters(s *State, w *window, tests []comparison) bool {
	if w.Scale == memberwatch.Day || w.fired != 0 {
		return len(tests) > 0
	}
	x := e.on(w.Start)
	for i := range tests {
		c := &tests[i]
		if hits(c.p, c.stream, x.weight(s, c.feature, c.stream), x.cfg.Budget) {
			return true
		}
		if _, ok := e.clueOf(s, c.feature, c.stream, periodOf(c.p, c.stream)); ok {
			return true
		}
	}
	return false
}

// testAll tests every feature that has something to say about a window, and counts the
// tests among the fleet's.
func (e *Engine) testAll(s *State, w *window, cal *Calibration, x *values, expected *outlooks) []comparison {
	ranked := s.days() >= rankedDays && s.teaches(cal)
	tally, tests := e.tally(w.Window), e.tests[:0]
	count := func(c *comparison) {
		if ranked {
			tally.add(c)
			tally.countSpells(s, c)
		}
	}
	for _, stream := range streamsOf(w.Scale) {
		for _, f := range e.heeded[stream] {
			if !e.tells(s, stream, f, x) {
				if ranked && e.silent(s, stream, f, x) {
					s.countSilent(tally, stream, f, w.Window, x)
				}
				continue
			}
			c, ok := s.test(cal, stream, f, w.Window, x, expected)
			if !ok {
				continue
			}
			if count(&c); !f.novel() || e.knowsNovelty(s) {
				tests = append(tests, c)
			}
		}
	}
	tests = e.testTogether(s, cal, x, tests, count)
	tally.compared = tally.compared || len(tests) > 0
	return tests
}

// testTogether tests what a day's tests say together, and adds it to the values.
func (e *Engine) testTogether(s *State, cal *Calibration, x *values, tests []comparison, count func(*comparison)) []comparison {
	for _, stream := range dayStreams {
		c, ok := together(cal, tests, stream)
		if !ok || e.weight(s, Together, stream) == 0 {
			continue
		}
		if count(&c); s.seriesOf(daySlow, Reach).Learnt() >= matureAfter[daySlow] {
			x.v[Together] = c.reach[bySurprise]
			tests = append(tests, c)
		}
	}
	return tests
}

// breakDown keeps the pieces of a window of which something may be said.
func (e *Engine) breakDown(s *State, w *window, p *pending) {
	for i := range p.tests {
		if p.tests[i].p > brokenDownP {
			continue
		}
		if p.pieces == nil {
			p.total, p.pieces = w.totals(), s.piecesOf(w)
		}
		if p.tests[i].feature == ClassShift {
			p.sets = s.mix.newSets(w.sets, p.pieces)
		}
	}
}

// brokenDownP is the p-value from which on a window keeps its pieces.
const brokenDownP = 0.01

// tells tells whether a feature has something to say about a window.
func (e *Engine) tells(s *State, stream streamID, f Feature, x *values) bool {
	switch {
	case x.v[f] == 0 && f != ClassShift || x.exposure(f) == 0 || e.weight(s, f, stream) == 0:
		return false
	case s.united != nil && s.united.oneApps(f):
		return false
	case f == DistinctShare:
		return x.v[Novelty] >= strangers*x.v[Reach]
	case f.novel():
		return s.days() >= noveltyDays+rankedDays && x.v[Novelty]*x.sampled >= minCritical
	case f.reread(stream):
		return !x.named
	default:
		return true
	}
}

// strangers is the part of the members of a day that must be new to an app for its
// distinct share to speak: who comes back to each of its own people less often
// harvests nobody. Of honest apps that alerted otherwise, after holidays or with a
// weekly report, at most 30 % were; of laundered harvests 58 % and more.
const strangers = 0.5

// silent tells whether a feature that most windows have nothing of has nothing in a
// window in which it might have spoken. Such windows count in the ranks: the budget
// is a part of all windows, not of those that miss something or read for nobody.
// Not so of slow evidence, which waits for windows that speak.
func (e *Engine) silent(s *State, stream streamID, f Feature, x *values) bool {
	if stream == daySlow || e.weight(s, f, stream) == 0 || x.exposure(f) == 0 {
		return false
	}
	return x.v[f] == 0 && (f == Breadth || f == Misses || f == Denials || f == Unattended)
}

// countSilent counts such a window among those of which as much was expected.
func (s *State) countSilent(t *Tally, stream streamID, f Feature, at memberwatch.Window, x *values) {
	if center, ok := s.center(stream, f, at, nil); ok {
		t.addSilent(stream, f, s.stratum(stream, f, center*x.exposure(f)))
	}
}

// knowsNovelty tells whether what an app meets for the first time is compared with
// its past. Two weeks before, its days begin to count in the fleet's ranks: on a new
// platform all apps come to that point together, and would be judged by ranks that
// nobody has made yet.
func (e *Engine) knowsNovelty(s *State) bool {
	return s.days() >= noveltyDays+rankedDays+e.cfg.ReadyDays
}

// rankedDays is how many days of its own an app needs, one week, for its windows to count
// among the fleet's ranks: earlier than READY, so that a young installation has
// ranks of its own when its first apps become ready.
const rankedDays = 7

// test compares one feature with one predictive, which it keeps unless nobody cares.
func (s *State) test(cal *Calibration, stream streamID, f Feature, at memberwatch.Window, x *values, keep *outlooks) (comparison, bool) {
	c, p, ok := s.foresee(stream, f, at, x, keep)
	if ok {
		c.weighBeside(cal, &p, x.v[f])
	}
	return c, ok
}

// foresee says what was expected of a feature, and which windows are like it.
func (s *State) foresee(stream streamID, f Feature, at memberwatch.Window, x *values, keep *outlooks) (comparison, series.Prediction, bool) {
	exposed := x.exposure(f)
	past := s.seriesOf(stream, f)
	var known series.Outlook
	p := past.Foresee(&shapes[stream], slot(stream, at), exposed, &known)
	if !p.OK {
		return comparison{}, p, false
	}
	c := comparison{stream: stream, feature: f, mid: p.Center()}
	if past.Moved() { // else learning gives it one, from which on it says more
		keep.put(stream, f, &known, c.mid)
	}
	c.stratum = s.stratum(stream, f, c.mid*exposed)
	if growth := s.growth(stream, f, at, x, keep); growth != 1 { // which leaves the app in its stratum
		p.Lift(growth)
		c.mid = p.Center()
	}
	return c, p, true
}

// stratum is that of windows like one in which so much is expected of a feature.
func (s *State) stratum(stream streamID, f Feature, expected float64) int {
	if after := matureAfter[stream]; after > 0 && f >= counts && s.seriesOf(stream, f).Learnt() >= after {
		return sizes + sizeOf(expected)
	}
	return sizeOf(expected)
}

// weigh compares a value with what was expected.
func (c *comparison) weigh(cal *Calibration, p *series.Prediction, value float64) {
	c.mid = p.Center()
	c.weighBeside(cal, p, value)
}

// weighBeside compares a value with a prediction whose center is c.mid.
func (c *comparison) weighBeside(cal *Calibration, p *series.Prediction, value float64) {
	c.p = c.calibrate(cal, p.Surprise(value, c.feature >= counts), math.Log1p(value)-math.Log1p(c.mid))
	if c.p <= explainedP || c.stream == daySlow { // slow evidence may speak on an ordinary day
		c.mid = p.Median()
		c.expected = *p
	}
}

// tell fills in what people are told was expected. It costs much, so it waits until
// something is said.
func (c *comparison) tell(cal *Calibration, p *series.Prediction) {
	c.mid, c.low, c.high = p.Expected()
	c.high = min(c.high, c.usual(cal, p))
}

// cell is the comparison's place in the calibration for one measure.
func (c *comparison) cell(m measure) int { return cellID(m, c.stream, c.feature, c.stratum) }

// cells are all places of the calibration that its p-value rests on.
func (c *comparison) cells() []int {
	var ids []int
	for m := range measures {
		young := c.cell(m)
		if isMature(young) {
			young -= sizes
		}
		ids = append(ids, young, young+sizes)
	}
	return ids
}

// calibrate ranks the measures; the smaller p-value counts, each in its share.
func (c *comparison) calibrate(cal *Calibration, surprise, jump float64) float64 {
	c.reach = [measures]float64{surprise, jump}
	p := 1.0
	for m, reach := range c.reach {
		p = min(p, cal.p(c.cell(measure(m)), reach)/shares[m])
	}
	return p
}

// usual is the count that one in forty windows like this one exceeds in the
// fleet, by whichever measure is the narrower. It is the upper end of what people
// are told was expected: the predictive's own end is far too wide for young and
// sparse apps.
func (c *comparison) usual(cal *Calibration, p *series.Prediction) float64 {
	surprise, jump := cal.usual(c.cell(bySurprise)), cal.usual(c.cell(byJump))
	bySpread := math.Expm1(p.Quantile(math.Pow(10, -surprise)))
	byFleet := float64((1+max(p.Center(), 0))*math.Exp(jump)) - 1
	return max(min(bySpread, byFleet), c.mid)
}

// explainedP is the p-value from which on a comparison keeps its expectation: one
// window in twenty, for memory. What is above it is called ordinary.
const explainedP = 0.05

// discount answers for the fleet: multiply p by its word, and if everybody
// moved, ask how surprising the value is beside what the others did. What is ordinary
// stays so, however calm the day.
func (c *comparison) discount(cal *Calibration, value, factor, shift float64) {
	if shift > 0 && c.expected.OK {
		moved := c.expected
		moved.Shift(shift)
		beside := *c
		c.p = max(c.p, beside.calibrate(cal, moved.Surprise(value, c.feature >= counts), c.reach[byJump]-shift))
	}
	if factor > 1 || c.p <= explainedP {
		c.p = min(c.p*factor, 1)
	}
}

func (c *comparison) encode(e *codec.Encoder) {
	e.Uint(uint64(c.stream))
	e.Uint(uint64(c.feature))
	e.Uint(uint64(c.stratum))
	for _, v := range [...]float64{c.reach[bySurprise], c.reach[byJump], c.p, c.mid, c.low, c.high} {
		e.F64(v)
	}
	c.expected.Encode(e)
}

// minComparison is the least number of bytes a comparison takes.
const minComparison = 3 + 6*8 + 1

func (c *comparison) decode(d *codec.Decoder) {
	c.stream, c.feature, c.stratum = streamID(d.Uint()), Feature(d.Uint()), int(min(d.Uint(), strata))
	if c.stream >= streams || c.feature >= Features || c.stratum >= strata {
		d.Fail("unknown feature")
		return
	}
	c.reach = [measures]float64{d.F64(), d.F64()}
	c.p, c.mid, c.low, c.high = d.F64(), d.F64(), d.F64(), d.F64()
	c.expected.Decode(d)
}
