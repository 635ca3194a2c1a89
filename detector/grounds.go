package detector

import (
	"errors"
	"fmt"
	"slices"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/codec"
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
	encode(e *codec.Encoder)
	decode(d *codec.Decoder)
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

const groundsVersion = 6

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
	enc := codec.NewEncoder(nil, groundsVersion)
	enc.Text(Model)
	enc.Text(string(f.Basis.App))
	enc.Text(string(f.Basis.Developer))
	enc.Int(f.Basis.Calibration)
	enc.Int(f.Basis.Control)
	enc.Uint(uint64(f.Basis.Learning))
	enc.Int(int64(f.Basis.LearningDays))
	enc.F64(budget)
	enc.Uint(sortOf(g))
	g.encode(enc)
	record, err := enc.Finish()
	if err != nil {
		panic(fmt.Sprintf("bug: grounds %T do not encode: %v", g, err))
	}
	f.Record = record
	return f
}

// basis is what a finding rests on.
func (e *Engine) basis(s *State, f *memberwatch.Finding) memberwatch.Basis {
	b := memberwatch.Basis{
		App: s.App, Developer: e.developerOf(s), Model: Model, Calibration: int64(e.calibration(dayOf(f.Window.Start)).Through), Control: e.revision,
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
// with the model's name, or codec.ErrCorrupt.
func Recompute(stored *memberwatch.Finding) (memberwatch.Finding, error) {
	if len(stored.Record) == 0 {
		return memberwatch.Finding{}, ErrNoRecord
	}
	d := codec.NewDecoder(stored.Record, groundsVersion, "grounds")
	if model := d.Text(); d.Err() == nil && model != Model {
		return memberwatch.Finding{}, fmt.Errorf("%w: by models %q, these are %q", ErrOtherModel, model, Model)
	}
	basis := memberwatch.Basis{
		App: memberwatch.AppID(d.Text()), Developer: memberwatch.DeveloperID(d.Text()), Model: Model, Calibration: d.Int(), Control: d.Int(),
		Learning: memberwatch.Learning(d.Uint()), LearningDays: int32(d.Int()),
	}
	budget, sort := d.F64(), d.Uint()
	if d.Err() == nil && (sort == 0 || sort >= uint64(len(sorts)) || !(budget > 0)) {
		d.Fail("grounds of no known sort")
	}
	if d.Err() != nil {
		return memberwatch.Finding{}, d.Err()
	}
	g := sorts[sort]()
	g.decode(d)
	if err := d.Finish(); err != nil {
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

func encodeEstimate(e *codec.Encoder, x memberwatch.Estimate) {
	e.F64(x.Value)
	e.F64(x.Low)
	e.F64(x.High)
}

func decodeEstimate(d *codec.Decoder) memberwatch.Estimate {
	return memberwatch.Estimate{Value: d.F64(), Low: d.F64(), High: d.F64()}
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
		if t.expected.OK {
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
	f.Influences = g.influences(verdicts) // judgedFinding has put the strongest first
	if g.raised != 0 {
		f.Time, f.Provisional = g.raised, true
		f.Caveats = append(f.Caveats, stillOpen)
	}
	return f
}

func (g *judged) encode(e *codec.Encoder) {
	e.Text(string(g.kind))
	e.Int(g.raised)
	p := g.pending
	p.tests = nil
	p.encode(e)
	e.Int(int64(g.ready))
	e.Uint(uint64(len(g.trials)))
	for i := range g.trials {
		g.trials[i].encode(e)
		for _, id := range g.trials[i].cells() {
			g.cal.cells[id].encode(e)
		}
		g.cal.laws[g.trials[i].feature].encode(e)
	}
}

func (g *judged) decode(d *codec.Decoder) {
	g.kind, g.raised = memberwatch.Kind(d.Text()), d.Int()
	g.pending.decode(d)
	g.ready = int32(d.Int())
	g.cal = &Calibration{Through: g.through}
	for range d.Count(minComparison) {
		var t trial
		t.decode(d)
		if d.Err() == nil {
			for _, id := range t.cells() {
				g.cal.cells[id].decode(d)
			}
			g.cal.laws[t.feature].decode(d)
		}
		g.trials = append(g.trials, t)
	}
	if len(g.trials) == 0 {
		d.Fail("a judged window without a trial")
	}
}

func (t *trial) encode(e *codec.Encoder) {
	t.comparison.encode(e)
	e.F64(t.factor)
	e.F64(t.shift)
	e.F64(t.weight)
	t.rise.Encode(e)
	e.Bool(t.crossed)
	e.F64(t.peers.part)
	e.F64(t.peers.days)
}

func (t *trial) decode(d *codec.Decoder) {
	t.comparison.decode(d)
	t.factor, t.shift, t.weight = d.F64(), d.F64(), d.F64()
	t.rise.Decode(d)
	t.crossed = d.Bool()
	t.peers = standing{d.F64(), d.F64()}
}

// encode writes a cell, of its ranks only where they change.
func (c *cell) encode(e *codec.Encoder) {
	e.F64(c.n)
	e.F64(c.all)
	if c.n == 0 {
		return
	}
	for _, v := range [...]float64{c.u, c.sigma, c.xi, c.tailPut} {
		e.F64(v)
	}
	steps := 0
	for i := range c.beyond {
		if i == 0 || c.beyond[i] != c.beyond[i-1] {
			steps++
		}
	}
	e.Uint(uint64(steps))
	for i := range c.beyond {
		if i == 0 || c.beyond[i] != c.beyond[i-1] {
			e.Uint(uint64(i))
			e.F32(c.beyond[i])
		}
	}
}

func (c *cell) decode(d *codec.Decoder) {
	*c = cell{n: d.F64(), all: d.F64()}
	if c.n == 0 {
		return
	}
	c.u, c.sigma, c.xi, c.tailPut = d.F64(), d.F64(), d.F64(), d.F64()
	c.beyond = make([]float32, bins)
	at := 0
	for range d.Count(5) {
		i, v := d.Uint(), d.F32()
		if i >= bins || int(i) < at {
			d.Fail("ranks out of order")
			return
		}
		for at = int(i); at < bins; at++ {
			c.beyond[at] = v
		}
		at = int(i)
	}
}
