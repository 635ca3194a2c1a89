package tune

import (
	"cmp"
	"math"
	"slices"

	"github.com/memberwatch/memberwatch/bench/trial"
)

// Point is what a setting comes to on some of the apps.
type Point struct {
	Setting
	Alerts       int     `json:"alerts"`
	AlertsPerDay float64 `json:"alerts_per_day"` // of a platform with all apps
	False        int     `json:"false"`
	Precision    float64 `json:"precision"` // 1 without alerts
	Found        int     `json:"found"`
	Cases        int     `json:"cases"`
	Recall       float64 `json:"recall"`
	RecallLow    float64 `json:"recall_low"`
	RecallHigh   float64 `json:"recall_high"`
	Cost         float64 `json:"cost"` // in false alerts
}

// Which apps a point is about.
const (
	Train = iota // the half on which the setting is chosen
	Test         // the half on which it is checked
	All
)

// MissCost is how many false alerts one missed abuse is worth in the cost
// curve. It is a judgement, not a measurement.
const MissCost = 50

// At returns what a setting comes to on a half, or on all apps.
func (e *Evidence) At(s Setting, half int) Point {
	s.Budget = max(s.Budget, e.Config.Budget)
	p := Point{Setting: s}
	found := make(map[int]bool)
	for i := range e.signals {
		one := &e.signals[i]
		if half != All && one.half != half || one.worth(s) < s.Budget {
			continue
		}
		p.Alerts++
		if len(one.cases) == 0 {
			p.False++
		}
		for _, n := range one.cases {
			found[n] = true
		}
	}
	for n := range e.cases {
		if half == All || e.cases[n].half == half {
			p.Cases++
		}
	}
	p.Found = len(found)
	p.AlertsPerDay = float64(p.Alerts) / e.Days
	if half != All {
		p.AlertsPerDay *= 2
	}
	p.Precision = 1
	if p.Alerts > 0 {
		p.Precision = float64(p.Alerts-p.False) / float64(p.Alerts)
	}
	p.Recall = float64(p.Found) / float64(max(p.Cases, 1))
	p.RecallLow, p.RecallHigh = trial.Jeffreys(p.Found, p.Cases)
	p.Cost = float64(p.False) + MissCost*float64(p.Cases-p.Found)
	return p
}

// Curve returns the points of every budget at which something changes, from the
// most generous to the strictest, under otherwise equal settings.
func (e *Evidence) Curve(s Setting, half int) []Point {
	budgets := []float64{e.Config.Budget}
	for i := range e.signals {
		if worth := e.signals[i].worth(s); worth < trial.Unlimited {
			budgets = append(budgets, math.Nextafter(max(worth, e.Config.Budget), math.Inf(1)))
		}
	}
	slices.Sort(budgets)
	budgets = slices.Compact(budgets)
	var points []Point
	for _, b := range budgets {
		s.Budget = b
		points = append(points, e.At(s, half))
	}
	return points
}

// Proposal is the smallest change that meets the wanted number of alerts, and
// what else would.
type Proposal struct {
	Wanted float64 `json:"wanted_alerts_per_day"`
	Before Point   `json:"before"` // as configured, on all apps
	Chosen *Point  `json:"chosen"` // on all apps; nil: nothing meets it
	Train  *Point  `json:"train"`  // the same setting, on the half it was chosen on
	Test   *Point  `json:"test"`   // and on the other
	Others []Point `json:"others"` // other changes that meet it, on all apps
	// Rescored are the chosen change and the best others with all events scored
	// again under them, on all apps; empty unless that was asked for.
	Rescored []Point  `json:"rescored,omitempty"`
	Curve    []Point  `json:"curve"`   // over budgets, on all apps
	Reasons  []string `json:"reasons"` // why the chosen one
}

// weights are the factors on one feature's share that are tried.
var weights = []float64{0.5, 0.25, 0.1}

// Propose chooses the smallest single change, of the budget, of one feature's
// share or of one kind, that meets a number of alerts a day on one half of the
// apps, checks it on the other, and lists what other changes would come to.
// Configured is the budget in force.
func (e *Evidence) Propose(wanted, configured float64) *Proposal {
	now := Setting{Budget: max(configured, e.Config.Budget)}
	r := &Proposal{Wanted: wanted, Before: e.At(now, All), Curve: e.Curve(Setting{}, All), Others: []Point{}}
	if r.Before.AlertsPerDay <= wanted {
		r.choose(e, now)
		r.Reasons = append(r.Reasons, "the budget in force meets it: nothing needs to change")
		return r
	}
	if best := e.smallest(wanted, now.Budget); best != nil {
		r.choose(e, *best)
	}
	for _, s := range e.candidates(wanted, now.Budget) {
		if p := e.At(s, All); p.AlertsPerDay <= wanted && (r.Chosen == nil || s != r.Chosen.Setting) {
			r.Others = append(r.Others, p)
		}
	}
	slices.SortStableFunc(r.Others, func(a, b Point) int {
		return cmp.Or(cmp.Compare(b.Recall, a.Recall), cmp.Compare(a.Cost, b.Cost))
	})
	r.reason()
	return r
}

// smallest returns, of the single changes that meet the wanted number on the half
// for choosing, the one that loses the fewest abuses there, and of those the one
// that silences the fewest signals; of equals a budget. Nil: there is none.
func (e *Evidence) smallest(wanted, inForce float64) *Setting {
	var best *Point
	for _, s := range e.candidates(wanted, inForce) {
		p := e.At(s, Train)
		if p.AlertsPerDay <= wanted && (best == nil || p.Found > best.Found || p.Found == best.Found && p.Alerts > best.Alerts) {
			best = &p
		}
	}
	if best == nil {
		return nil
	}
	return &best.Setting
}

// candidates are the least strict budget that meets the wanted number on the half
// for choosing, and all single changes of a share or a kind.
func (e *Evidence) candidates(wanted, inForce float64) []Setting {
	var list []Setting
	for _, p := range e.Curve(Setting{}, Train) {
		if p.Budget > inForce && p.AlertsPerDay <= wanted {
			list = append(list, Setting{Budget: roundUp(p.Budget)})
			break
		}
	}
	return append(list, e.alternatives(inForce)...)
}

func (r *Proposal) choose(e *Evidence, s Setting) {
	chosen, train, test := e.At(s, All), e.At(s, Train), e.At(s, Test)
	r.Chosen, r.Train, r.Test = &chosen, &train, &test
}

// alternatives are all single changes of a share or a kind.
func (e *Evidence) alternatives(budget float64) []Setting {
	kinds, features := make(map[string]bool), make(map[string]bool)
	var list []Setting
	for i := range e.signals {
		one := &e.signals[i]
		if !kinds[string(one.kind)] {
			kinds[string(one.kind)] = true
			list = append(list, Setting{Budget: budget, Shadow: one.kind})
		}
		for _, f := range one.findings {
			for _, p := range f.parts {
				if p.feature == "" || features[p.feature] {
					continue
				}
				features[p.feature] = true
				for _, w := range weights {
					list = append(list, Setting{Budget: budget, Feature: p.feature, Weight: w})
				}
			}
		}
	}
	return list
}

// roundUp gives a budget two digits: more would claim too much.
func roundUp(budget float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(budget))-1)
	return math.Ceil(budget/unit) * unit
}
