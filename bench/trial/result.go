package trial

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/bench/scenario"
	"github.com/memberwatch/memberwatch/detector"
)

// Result is what a plan's trials came to, in the order in which people read it.
// It holds nothing of the machine or the hour, so the same plan gives the same
// bytes.
type Result struct {
	Seed   uint64    `json:"seed"`
	Seeds  int       `json:"seeds"`
	Rates  []float64 `json:"rates"`
	Apps   int       `json:"apps"`
	Days   int       `json:"days"`
	Budget float64   `json:"budget_app_days"` // app-days in which one false alert is accepted
	// Purposes tells whether the platform certified apps for purposes.
	Purposes bool  `json:"purposes"`
	Events   int64 `json:"events"`
	// AppWeeks is the time of honest apps on which false alerts are counted.
	AppWeeks        float64 `json:"app_weeks"`
	FalseAlerts     float64 `json:"false_alerts_per_200_app_weeks"`
	FalseAlertsLow  float64 `json:"false_alerts_per_200_app_weeks_low"`
	FalseAlertsHigh float64 `json:"false_alerts_per_200_app_weeks_high"`
	// Realised compares the alerts of statistics on ordinary traffic with the
	// budget that promised them. Rules have no budget, look-alikes break the
	// promise's premise.
	Realised     float64 `json:"budget_realised_over_nominal"`
	RealisedLow  float64 `json:"budget_realised_over_nominal_low"`
	RealisedHigh float64 `json:"budget_realised_over_nominal_high"`
	// Prevalence is how many incidents of abuse there are for each app of a
	// platform, on average; a fleet counts once.
	Prevalence float64     `json:"prevalence"`
	Scenarios  []Row       `json:"scenarios"`
	LookAlikes []LookAlike `json:"look_alikes"`
	False      []FalseRow  `json:"false_alerts"`
	Stricter   []Operating `json:"by_budget"`
	Fleet      int         `json:"fleet_signals"`
	Silenced   int         `json:"silenced_signals"` // about what was declared to be expected
	Aftermath  int         `json:"aftermath_signals"`
	// FalseSignals and Late are what went wrong, one by one.
	FalseSignals []FalseSignal  `json:"false_signals"`
	Late         []LateIncident `json:"late"`
	Warnings     []string       `json:"warnings,omitempty"`
}

// Row is one scenario at one rate. A miss counts as the whole leak and the whole
// length.
type Row struct {
	ID             string  `json:"id"`
	Kind           string  `json:"kind"`
	Rate           float64 `json:"rate"`
	Runs           int     `json:"runs"` // incidents
	Found          int     `json:"found"`
	Recall         float64 `json:"recall"`
	RecallLow      float64 `json:"recall_low"`
	RecallHigh     float64 `json:"recall_high"`
	DelayP50       float64 `json:"delay_hours_p50"`
	DelayP90       float64 `json:"delay_hours_p90"`
	LeakedShareP50 float64 `json:"leaked_share_p50"`
	LeakedShareP90 float64 `json:"leaked_share_p90"`
	LeakedP50      float64 `json:"leaked_members_p50"`
	LeakedP90      float64 `json:"leaked_members_p90"`
	By             []Count `json:"found_by"` // kinds of the first signals
	*Aim                   // nil: the scenario has no target
}

// Aim is how a scenario fares against its target: found before so many hours,
// ids, members or the like were spent. A target of recall lost compares with the
// same scenario without its tricks.
type Aim struct {
	Target   string  `json:"target"`
	Met      float64 `json:"met"` // share of the incidents; of a loss: 1 or 0
	MetLow   float64 `json:"met_low"`
	MetHigh  float64 `json:"met_high"`
	Unit     string  `json:"target_unit"`
	Most     float64 `json:"target_most"`
	SpentP50 float64 `json:"spent_p50"` // of a loss: what was lost
	SpentP90 float64 `json:"spent_p90"`
	// CleanRuns and CleanRecall are those of the comparison.
	CleanRuns   int     `json:"clean_runs,omitempty"`
	CleanRecall float64 `json:"clean_recall,omitempty"`
}

// LookAlike is one benign scenario.
type LookAlike struct {
	ID      string  `json:"id"`
	Kind    string  `json:"kind"`
	Runs    int     `json:"runs"`
	Alerted int     `json:"alerted"` // with at least one alert
	Alerts  int     `json:"alerts"`
	By      []Count `json:"by"`
}

// FalseRow counts the false alerts of one kind about one thing.
type FalseRow struct {
	About  string           `json:"about"` // id of a look-alike, or ordinary traffic
	Kind   memberwatch.Kind `json:"kind"`
	Alerts int              `json:"alerts"`
}

// Operating is what the same evidence comes to under a stricter budget. Slow
// evidence is capped at ten budgets, so that beyond these its part in the
// recall is a lower bound.
type Operating struct {
	Budget      float64 `json:"budget_app_days"`
	FalseAlerts float64 `json:"false_alerts_per_200_app_weeks"`
	Recall      float64 `json:"recall"` // over all abuse of the result
}

// Count is how often a kind of signal came.
type Count struct {
	Kind memberwatch.Kind `json:"kind"`
	N    int              `json:"n"`
}

// Summarise adds the outcomes of a plan's trials up.
func Summarise(p Plan, outcomes []*Outcome, warnings []string) *Result {
	p = p.WithDefaults()
	r := &Result{
		Seed: p.Seed, Seeds: p.Seeds, Rates: p.Rates, Apps: p.Apps, Days: p.Days, Budget: detector.DefaultConfig().Budget, Purposes: !p.WithoutPurposes,
		Scenarios: []Row{}, LookAlikes: []LookAlike{}, False: []FalseRow{}, FalseSignals: []FalseSignal{}, Late: []LateIncident{}, Warnings: warnings,
	}
	r.rows(outcomes)
	r.count(outcomes)
	r.particulars(outcomes)
	empty := 0
	for _, o := range outcomes {
		empty += o.Empty
	}
	if empty > 0 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("%d planted incidents made no call at their rate and do not count: simulate more days", empty))
	}
	return r
}

// rows groups the incidents by scenario and rate.
func (r *Result) rows(outcomes []*Outcome) {
	type place struct {
		id   string
		rate float64
	}
	groups, clean := make(map[place][]Incident), make(map[place][]Incident)
	var places []place
	for _, o := range outcomes {
		for _, i := range o.Incidents {
			at := place{i.Scenario, i.Rate}
			if i.Clean {
				clean[at] = append(clean[at], i)
				continue
			}
			if groups[at] == nil {
				places = append(places, at)
			}
			groups[at] = append(groups[at], i)
		}
	}
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(len(a.id), len(b.id)), cmp.Compare(a.id, b.id), cmp.Compare(a.rate, b.rate))
	})
	for _, at := range places {
		if group := groups[at]; group[0].Abuse {
			row := summariseAbuse(group)
			row.Aim = aim(&row, group, clean[at])
			r.Scenarios = append(r.Scenarios, row)
		} else {
			r.LookAlikes = append(r.LookAlikes, summariseLookAlike(group))
		}
	}
}

func summariseAbuse(group []Incident) Row {
	row := Row{ID: group[0].Scenario, Kind: group[0].Kind, Rate: group[0].Rate, Runs: len(group)}
	var delays, shares, leaks []float64
	by := make(map[memberwatch.Kind]int)
	for _, i := range group {
		if i.Found {
			row.Found++
			by[i.FoundBy]++
		}
		delays = append(delays, i.Delay.Hours())
		leaks = append(leaks, float64(i.LeakedThen))
		shares = append(shares, share(i.LeakedThen, i.Leaked, i.Found))
	}
	row.Recall = float64(row.Found) / float64(row.Runs)
	row.RecallLow, row.RecallHigh = Jeffreys(row.Found, row.Runs)
	row.DelayP50, row.DelayP90 = quantile(delays, 0.5), quantile(delays, 0.9)
	row.LeakedP50, row.LeakedP90 = quantile(leaks, 0.5), quantile(leaks, 0.9)
	row.LeakedShareP50, row.LeakedShareP90 = quantile(shares, 0.5), quantile(shares, 0.9)
	row.By = counts(by)
	return row
}

// aim holds incidents of one scenario and rate against its target.
func aim(row *Row, group, clean []Incident) *Aim {
	goal := group[0].Goal
	if goal.Unit == "" {
		return nil
	}
	a := &Aim{Target: goal.String(), Unit: string(goal.Unit), Most: goal.Most, MetHigh: 1}
	if goal.Unit == scenario.Loss {
		found := 0
		for _, i := range clean {
			if i.Found {
				found++
			}
		}
		a.CleanRuns, a.CleanRecall = len(clean), float64(found)/float64(max(len(clean), 1))
		a.SpentP50 = max(a.CleanRecall-row.Recall, 0)
		a.SpentP90 = a.SpentP50
		if a.SpentP50 <= goal.Most+1e-9 {
			a.Met = 1
		}
		return a
	}
	met := 0
	var spent []float64
	for _, i := range group {
		if i.Met() {
			met++
		}
		spent = append(spent, i.Spent)
	}
	a.Met = float64(met) / float64(len(group))
	a.MetLow, a.MetHigh = Jeffreys(met, len(group))
	a.SpentP50, a.SpentP90 = quantile(spent, 0.5), quantile(spent, 0.9)
	return a
}

// share is the part of the leak that happened before the signal. Where nothing
// leaks, all depends on whether there was one.
func share(then, all int64, found bool) float64 {
	switch {
	case all > 0:
		return float64(then) / float64(all)
	case found:
		return 0
	default:
		return 1
	}
}

func summariseLookAlike(group []Incident) LookAlike {
	row := LookAlike{ID: group[0].Scenario, Kind: group[0].Kind, Runs: len(group)}
	by := make(map[memberwatch.Kind]int)
	for _, i := range group {
		row.Alerts += i.Alerts
		if i.Found {
			row.Alerted++
			by[i.FoundBy]++
		}
	}
	row.By = counts(by)
	return row
}

// counts lists kinds, the most frequent first.
func counts(by map[memberwatch.Kind]int) []Count {
	list := make([]Count, 0, len(by))
	for kind, n := range by {
		list = append(list, Count{kind, n})
	}
	slices.SortFunc(list, func(a, b Count) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Kind, b.Kind)) })
	return list
}

// count adds up what is no scenario's own.
func (r *Result) count(outcomes []*Outcome) {
	places := make(map[FalseRow]int)
	var days, prevalence float64
	alerts, statistical := 0, 0
	for _, o := range outcomes {
		r.Events += o.Events
		r.Fleet += o.Fleet
		r.Silenced += o.Silenced
		r.Aftermath += o.Aftermath
		days += o.AppDays
		alerts += len(o.False)
		for _, a := range o.False {
			places[FalseRow{About: a.About, Kind: a.Signal.Kind}]++
			if a.About == Ordinary && a.Signal.Strongest.ReturnPeriod > 0 {
				statistical++
			}
		}
		bad := 0
		for _, i := range o.Incidents {
			if i.Abuse && !i.Clean {
				bad++
			}
		}
		prevalence += float64(bad) / float64(max(o.Trial.Platform.Apps, 1)) / float64(len(outcomes))
	}
	for at, n := range places {
		at.Alerts = n
		r.False = append(r.False, at)
	}
	slices.SortFunc(r.False, func(a, b FalseRow) int {
		return cmp.Or(cmp.Compare(b.Alerts, a.Alerts), cmp.Compare(a.About, b.About), cmp.Compare(a.Kind, b.Kind))
	})
	r.AppWeeks, r.Prevalence = days/7, prevalence
	if days > 0 {
		r.rates(alerts, statistical, days)
		r.stricter(outcomes, days)
	}
}

// rates turns counts into rates with intervals.
func (r *Result) rates(alerts, statistical int, days float64) {
	const unit = 200 * 7 // app-days
	low, high := Counted(alerts)
	r.FalseAlerts, r.FalseAlertsLow, r.FalseAlertsHigh = float64(alerts)/days*unit, low/days*unit, high/days*unit
	low, high = Counted(statistical)
	r.Realised, r.RealisedLow, r.RealisedHigh = float64(statistical)/days*r.Budget, low/days*r.Budget, high/days*r.Budget
}

// stricter works out what would be left under the reference budgets of 1 in 200,
// 1,000 and 5,000 app-weeks. Incidents found by several signals keep the best.
func (r *Result) stricter(outcomes []*Outcome, days float64) {
	for _, budget := range []float64{1_400, 7_000, 35_000} {
		abuse, found, alerts := 0, 0, 0
		for _, o := range outcomes {
			for _, i := range o.Incidents {
				if i.Abuse && !i.Clean {
					abuse++
					if i.Budget >= budget {
						found++
					}
				}
			}
			for _, a := range o.False {
				if Budget(&a.Signal) >= budget {
					alerts++
				}
			}
		}
		r.Stricter = append(r.Stricter, Operating{
			Budget: budget, FalseAlerts: float64(alerts) / days * 1_400, Recall: float64(found) / float64(max(abuse, 1)),
		})
	}
}
