package detector

import (
	"errors"
	"fmt"
	"slices"

	"github.com/memberwatch/memberwatch"
)

// A finding is stored with its grounds: everything it follows from, as numbers.
// The engine itself makes the finding from the grounds and from nothing else, so
// whoever has the record can make it again, years later and elsewhere.

// ErrOtherModel means that findings were made by another version of the models,
// which alone can make them again.
var ErrOtherModel = errors.New("made by another version of the models")

// ErrNoRecord means that a finding was stored without its grounds.
var ErrNoRecord = errors.New("the finding has no record of its grounds")

// grounds are what a finding of one sort follows from. budget is the number of
// app-days in which one false signal was accepted at the time.
type grounds interface {
	finding(budget float64) memberwatch.Finding
	encode(e *encoder)
	decode(d *decoder)
}

// sorts are the kinds of grounds; the number of each is stored, so it stays.
var sorts = [...]func() grounds{
	1:  func() grounds { return new(judged) },
	2:  func() grounds { return new(broken) },
	3:  func() grounds { return new(woken) },
	4:  func() grounds { return new(estranged) },
	5:  func() grounds { return new(outgrown) },
	6:  func() grounds { return new(outstanding) },
	7:  func() grounds { return new(knowing) },
	8:  func() grounds { return new(moved) },
	9:  func() grounds { return new(brood) },
	10: func() grounds { return new(acting) },
	11: func() grounds { return new(brought) },
	12: func() grounds { return new(gathered) },
}

func sortOf(g grounds) uint64 {
	switch g.(type) {
	case *judged:
		return 1
	case *broken:
		return 2
	case *woken:
		return 3
	case *estranged:
		return 4
	case *outgrown:
		return 5
	case *outstanding:
		return 6
	case *knowing:
		return 7
	case *moved:
		return 8
	case *brood:
		return 9
	case *acting:
		return 10
	case *brought:
		return 11
	case *gathered:
		return 12
	default:
		panic(fmt.Sprintf("bug: grounds %T have no number", g))
	}
}

const groundsVersion = 4

// ground makes the finding about an app that follows from grounds, with their
// record.
func (e *Engine) ground(s *State, g grounds) memberwatch.Finding {
	budget := e.cfg.Budget
	f := conclude(g, budget)
	if tuned := e.on(f.Window.Start).cfg.Budget; tuned != budget {
		budget = tuned
		f = conclude(g, budget)
	}
	return recorded(g, f, e.basis(s, &f), budget)
}

// recorded adds basis and record to a finding that was made from grounds.
func recorded(g grounds, f memberwatch.Finding, basis memberwatch.Basis, budget float64) memberwatch.Finding {
	f = based(f, basis)
	enc := newEncoder(nil, groundsVersion)
	enc.string(Model)
	enc.string(string(f.Basis.App))
	enc.string(string(f.Basis.Developer))
	enc.int(f.Basis.Calibration)
	enc.int(f.Basis.Control)
	enc.uint(uint64(f.Basis.Learning))
	enc.int(int64(f.Basis.LearningDays))
	enc.f64(budget)
	enc.uint(sortOf(g))
	g.encode(enc)
	record, err := enc.finish()
	if err != nil {
		panic(fmt.Sprintf("bug: grounds %T do not encode: %v", g, err))
	}
	f.Record = record
	return f
}

// basis is what a finding rests on.
func (e *Engine) basis(s *State, f *memberwatch.Finding) memberwatch.Basis {
	b := memberwatch.Basis{
		App: s.App, Developer: s.Developer, Model: Model, Calibration: int64(e.calibration(dayOf(f.Window.Start)).Through), Control: e.revision,
		Learning: s.learning(&e.cfg, f.Time), LearningDays: s.days(),
	}
	if s.joint() {
		b.App = ""
	}
	return b
}

// conclude makes a finding but for its basis and number.
func conclude(g grounds, budget float64) memberwatch.Finding {
	f := g.finding(budget)
	f.Severity = severityOf(&f, budget)
	return f
}

// Recompute makes a finding again from its stored record; only its number
// within the signal is taken from it. The error wraps ErrNoRecord, ErrOtherModel
// with the model's name, or ErrCorrupt.
func Recompute(stored *memberwatch.Finding) (memberwatch.Finding, error) {
	if len(stored.Record) == 0 {
		return memberwatch.Finding{}, ErrNoRecord
	}
	d := newDecoder(stored.Record, groundsVersion, "grounds")
	if model := d.string(); d.err == nil && model != Model {
		return memberwatch.Finding{}, fmt.Errorf("%w: by models %q, these are %q", ErrOtherModel, model, Model)
	}
	basis := memberwatch.Basis{
		App: memberwatch.AppID(d.string()), Developer: memberwatch.DeveloperID(d.string()), Model: Model, Calibration: d.int(), Control: d.int(),
		Learning: memberwatch.Learning(d.uint()), LearningDays: int32(d.int()),
	}
	budget, sort := d.f64(), d.uint()
	if d.err == nil && (sort == 0 || sort >= uint64(len(sorts)) || !(budget > 0)) {
		d.fail("grounds of no known sort")
	}
	if d.err != nil {
		return memberwatch.Finding{}, d.err
	}
	g := sorts[sort]()
	g.decode(d)
	if err := d.finish(); err != nil {
		return memberwatch.Finding{}, err
	}
	f := conclude(g, budget)
	f = based(f, basis)
	f.Number, f.Record = stored.Number, stored.Record
	return f, nil
}

// based says what a finding rests on, and if that weakens it.
func based(f memberwatch.Finding, basis memberwatch.Basis) memberwatch.Finding {
	f.Basis = basis
	if basis.Learning == memberwatch.LearningStale && f.Stream != memberwatch.StreamRule {
		f.Caveats = append(f.Caveats, "the baseline is stale: the app has lately come back from a long silence")
	}
	return f
}

// Withdraw says of a provisional finding that the fleet explains it: everybody
// moved.
func Withdraw(f memberwatch.Finding) memberwatch.Finding {
	f.Provisional = false
	f.Caveats = slices.DeleteFunc(slices.Clone(f.Caveats), func(c string) bool { return c == stillOpen })
	f.Caveats = append(f.Caveats, "withdrawn: the whole population, the acting users of this app or the rest of its calls account for this window")
	return f
}

// stillOpen is the caveat of a provisional finding.
const stillOpen = "the window is still open and the fleet's part in it not yet known"

func (e *encoder) estimate(x memberwatch.Estimate) {
	e.f64(x.Value)
	e.f64(x.Low)
	e.f64(x.High)
}

func (d *decoder) estimate() memberwatch.Estimate {
	return memberwatch.Estimate{Value: d.f64(), Low: d.f64(), High: d.f64()}
}

// judged are the grounds of a finding about a window that was compared with what
// the app's own past expects.
type judged struct {
	kind    memberwatch.Kind
	raised  int64 // event time, of an open window; 0: it had closed
	pending       // without its tests
	ready   int32 // days of its own after which a baseline is ready
	trials  []trial
	cal     *Calibration // of which only the trials' cells count
}

func (g *judged) finding(budget float64) memberwatch.Finding {
	verdicts := make([]verdict, 0, len(g.trials))
	for i := range g.trials {
		t := g.trials[i]
		if t.expected.ok {
			expected := t.expected
			t.weigh(g.cal, &expected, g.values.v[t.feature])
			t.tell(g.cal, &expected)
		} else {
			t.p = t.calibrate(g.cal, t.reach[bySurprise], t.reach[byJump])
			t.tellTogether(g.cal)
		}
		v, _ := t.settle(g.cal, g.values.v[t.feature], budget)
		verdicts = append(verdicts, v)
	}
	f := judgedFinding(&g.pending, g.kind, verdicts, g.ready)
	top := verdicts[0] // judgedFinding has put the strongest first
	for _, t := range g.trials {
		if t.stream == top.stream && t.feature == top.feature {
			f.Influences = g.influences(t, top)
		}
	}
	if g.raised != 0 {
		f.Time, f.Provisional = g.raised, true
		f.Caveats = append(f.Caveats, stillOpen)
	}
	return f
}

func (g *judged) encode(e *encoder) {
	e.string(string(g.kind))
	e.int(g.raised)
	p := g.pending
	p.tests = nil
	p.encode(e)
	e.int(int64(g.ready))
	e.uint(uint64(len(g.trials)))
	for i := range g.trials {
		g.trials[i].encode(e)
		for _, id := range g.trials[i].cells() {
			g.cal.cells[id].encode(e)
		}
		g.cal.laws[g.trials[i].feature].encode(e)
	}
}

func (g *judged) decode(d *decoder) {
	g.kind, g.raised = memberwatch.Kind(d.string()), d.int()
	g.pending.decode(d)
	g.ready = int32(d.int())
	g.cal = &Calibration{Through: g.through}
	for range d.count(minComparison) {
		var t trial
		t.decode(d)
		if d.err == nil {
			for _, id := range t.cells() {
				g.cal.cells[id].decode(d)
			}
			g.cal.laws[t.feature].decode(d)
		}
		g.trials = append(g.trials, t)
	}
	if len(g.trials) == 0 {
		d.fail("a judged window without a trial")
	}
}

func (t *trial) encode(e *encoder) {
	t.comparison.encode(e)
	e.f64(t.factor)
	e.f64(t.shift)
	e.f64(t.weight)
	t.rise.encode(e)
	e.bool(t.crossed)
	e.f64(t.peers.part)
	e.f64(t.peers.days)
}

func (t *trial) decode(d *decoder) {
	t.comparison.decode(d)
	t.factor, t.shift, t.weight = d.f64(), d.f64(), d.f64()
	t.rise.decode(d)
	t.crossed = d.bool()
	t.peers = standing{d.f64(), d.f64()}
}

// encode writes a cell, of its ranks only where they change.
func (c *cell) encode(e *encoder) {
	e.f64(c.n)
	e.f64(c.all)
	if c.n == 0 {
		return
	}
	for _, v := range [...]float64{c.u, c.sigma, c.xi, c.tailPut} {
		e.f64(v)
	}
	steps := 0
	for i := range c.beyond {
		if i == 0 || c.beyond[i] != c.beyond[i-1] {
			steps++
		}
	}
	e.uint(uint64(steps))
	for i := range c.beyond {
		if i == 0 || c.beyond[i] != c.beyond[i-1] {
			e.uint(uint64(i))
			e.f32(c.beyond[i])
		}
	}
}

func (c *cell) decode(d *decoder) {
	*c = cell{n: d.f64(), all: d.f64()}
	if c.n == 0 {
		return
	}
	c.u, c.sigma, c.xi, c.tailPut = d.f64(), d.f64(), d.f64(), d.f64()
	c.beyond = make([]float32, bins)
	at := 0
	for range d.count(5) {
		i, v := d.uint(), d.f32()
		if i >= bins || int(i) < at {
			d.fail("ranks out of order")
			return
		}
		for at = int(i); at < bins; at++ {
			c.beyond[at] = v
		}
		at = int(i)
	}
}
