package tune

import (
	"cmp"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/bench/trial"
	"github.com/memberwatch/memberwatch/detector"
)

// Record is a signal with its findings, as recorded under a budget.
type Record struct {
	Signal   memberwatch.Signal
	Findings []memberwatch.Finding
}

// Evidence is everything recorded about some apps, with labels.
type Evidence struct {
	Config  detector.Config // under which it was recorded
	Days    float64         // that the recording spans
	Apps    int
	signals []signal
	cases   []abuse
}

// abuse is one label of abuse: what there is to find.
type abuse struct {
	label Label
	half  int
}

// signal is a recorded signal in the form in which it is decided again.
type signal struct {
	app      memberwatch.AppID
	kind     memberwatch.Kind
	cases    []int // labels of abuse that it is about; none: a false alert
	half     int
	findings []finding
}

// finding is met when it is a rule, or one of its parts earns its share.
type finding struct {
	time  int64
	rule  bool
	parts []part
}

// part is one factor: its return period and the share of the budget that it
// had when it was recorded.
type part struct {
	feature string
	period  float64
	share   float64
}

// NewEvidence joins records with labels. Days is how long the recording lasted,
// apps how many apps made events in it.
func NewEvidence(c detector.Config, records []Record, labels *Labels, days float64, apps int) *Evidence {
	e := &Evidence{Config: c, Days: days, Apps: apps}
	for _, row := range labels.Rows {
		if row.Abuse {
			e.cases = append(e.cases, abuse{label: row})
		}
	}
	slices.SortStableFunc(e.cases, func(a, b abuse) int { return strings.Compare(string(a.label.App), string(b.label.App)) })
	half := make(map[memberwatch.AppID]int)
	for n := range e.cases { // in turn, so that both halves have some
		app := e.cases[n].label.App
		if _, placed := half[app]; !placed {
			half[app] = len(half) % 2
		}
		e.cases[n].half = half[app]
	}
	for i := range records {
		e.add(&records[i])
	}
	return e
}

// add takes a record over. Signals on the whole population are about nobody.
func (e *Evidence) add(r *Record) {
	if r.Signal.App == "" {
		return
	}
	s := signal{app: r.Signal.App, kind: r.Signal.Kind, half: e.halfOf(r.Signal.App)}
	findings := r.Findings
	if len(findings) == 0 {
		findings = []memberwatch.Finding{r.Signal.Strongest}
	}
	for i := range findings {
		f := &findings[i]
		one := finding{time: f.Time, rule: f.ReturnPeriod <= 0}
		for k := range f.Factors {
			x := &f.Factors[k]
			one.parts = append(one.parts, part{x.Feature, x.ReturnPeriod, e.Config.Share(f, x)})
		}
		e.lift(&one, f.ReturnPeriod)
		s.findings = append(s.findings, one)
	}
	for n := range e.cases {
		if l := &e.cases[n].label; l.App == s.app && l.covers(r.Signal.Opened, r.Signal.Last) {
			s.cases = append(s.cases, n)
		}
	}
	e.signals = append(e.signals, s)
}

// lift makes sure that a finding is met under the settings it was made under:
// an app without acting users has larger shares than the configuration says.
func (e *Evidence) lift(f *finding, period float64) {
	if f.rule || f.worth(Setting{}) >= e.Config.Budget {
		return
	}
	for i := range f.parts {
		if f.parts[i].period == period {
			f.parts[i].share = e.Config.Budget / period * (1 + 1e-12)
			return
		}
	}
	f.parts = append(f.parts, part{period: period, share: e.Config.Budget / period * (1 + 1e-12)})
}

// AddClues takes over what a service has kept of closed windows: the clues of one
// app and kind that come within a week of each other are one signal.
func (e *Evidence) AddClues(clues []memberwatch.Clue) {
	clues = slices.Clone(clues)
	slices.SortStableFunc(clues, func(a, b memberwatch.Clue) int {
		return cmp.Or(strings.Compare(string(a.App), string(b.App)), strings.Compare(string(a.Kind), string(b.Kind)), cmp.Compare(a.Window.End(), b.Window.End()))
	})
	for from := 0; from < len(clues); {
		to := from + 1
		for to < len(clues) && clues[to].App == clues[from].App && clues[to].Kind == clues[from].Kind &&
			clues[to].Window.End()-clues[to-1].Window.End() < e.Config.QuietDays*memberwatch.Day.Length() {
			to++
		}
		if clues[from].App != "" {
			e.addRun(clues[from:to])
		}
		from = to
	}
}

// addRun takes over a run of clues as one signal.
func (e *Evidence) addRun(run []memberwatch.Clue) {
	s := signal{app: run[0].App, kind: run[0].Kind, half: e.halfOf(run[0].App)}
	for i := range run {
		c := &run[i]
		s.findings = append(s.findings, finding{time: c.Window.End() - 1, parts: []part{{c.Feature, c.Period, c.Share}}})
	}
	for n := range e.cases {
		if l := &e.cases[n].label; l.App == s.app && l.covers(run[0].Window.Start, run[len(run)-1].Window.End()) {
			s.cases = append(s.cases, n)
		}
	}
	e.signals = append(e.signals, s)
}

// halfOf returns the half that an app belongs to.
func (e *Evidence) halfOf(app memberwatch.AppID) int {
	for n := range e.cases {
		if e.cases[n].label.App == app {
			return e.cases[n].half
		}
	}
	f := fnv.New32a()
	f.Write([]byte(app))
	return int(f.Sum32() >> 7 & 1)
}

// Setting is a way to decide. The zero value of a field leaves things as they
// were recorded.
type Setting struct {
	Budget  float64          `json:"budget_app_days"` // app-days per false alert
	Shadow  memberwatch.Kind `json:"shadow,omitempty"`
	Feature string           `json:"feature,omitempty"` // whose share is multiplied
	Weight  float64          `json:"weight,omitempty"`  // by this
}

// worth is the budget up to which a finding is made under a setting's shares.
func (f *finding) worth(s Setting) float64 {
	if f.rule {
		return trial.Unlimited
	}
	most := 0.0
	for _, p := range f.parts {
		share := p.share
		if s.Feature != "" && p.feature == s.Feature {
			share *= s.Weight
		}
		most = max(most, p.period*share)
	}
	return most
}

// worth is the budget up to which the signal would be raised.
func (s *signal) worth(under Setting) float64 {
	if s.kind == under.Shadow {
		return 0
	}
	most := 0.0
	for i := range s.findings {
		most = max(most, s.findings[i].worth(under))
	}
	return most
}
