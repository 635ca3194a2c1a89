package logs

import (
	"cmp"
	"context"
	"math"
	"path/filepath"
	"slices"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/bench/trial"
	"github.com/memberwatch/memberwatch/detector"
)

// DARPA is the intrusion log of 1998: recall of its attacks at a fixed number of
// alerts a day on sources that never attack.
type DARPA struct {
	Events       int64   `json:"events"`
	Apps         int     `json:"apps"`
	Days         float64 `json:"days"`
	Quiet        int     `json:"quiet_sources"`
	Signals      int     `json:"signals"` // at the budget below
	Budget       float64 `json:"budget_app_days"`
	AlertsPerDay float64 `json:"alerts_per_day_on_quiet_sources"`
	// Outside counts alerts a day on sources that attack, while they do not.
	Outside   float64          `json:"alerts_per_day_between_attacks"`
	Found     int              `json:"found"`
	Incidents int              `json:"incidents"`
	Kinds     []AttackKind     `json:"kinds"`
	All       []AttackIncident `json:"by_incident"`
}

// AttackKind is one kind of attack.
type AttackKind struct {
	Attack  string  `json:"attack"`
	Runs    int     `json:"runs"`
	Found   int     `json:"found"`
	Recall  float64 `json:"recall"`
	Low     float64 `json:"recall_low"`
	High    float64 `json:"recall_high"`
	Minutes float64 `json:"delay_minutes_p50"` // of those found
}

// AttackIncident is one run of an attack.
type AttackIncident struct {
	Attack  string           `json:"attack"`
	Start   time.Time        `json:"start"`
	Sources int              `json:"sources"`
	Found   bool             `json:"found"`
	Kind    memberwatch.Kind `json:"kind,omitempty"`
	Minutes float64          `json:"delay_minutes,omitempty"`

	end  int64
	apps map[memberwatch.AppID]bool
}

// leastConnections is how many an attack must make to be visible in a log that
// holds nothing but connections.
const leastConnections = 3

// minuteLayout is how the set writes times: lab time, taken as UTC.
const minuteLayout = "2006-01-02T15:04"

// RunDARPA runs the log and chooses the least budget at which quiet sources
// raise at most so many alerts a day.
func RunDARPA(ctx context.Context, dir string, alertsPerDay float64, watch func(int64)) (*DARPA, error) {
	incidents, err := readIncidents(filepath.Join(dir, "incidents.csv"))
	if err != nil {
		return nil, err
	}
	config := recording(choosingFrom)
	attackers := make(map[memberwatch.AppID]bool)
	seen := make(map[memberwatch.AppID]bool)
	var first int64
	r, signals, err := run(ctx, config, watch, func(r *runner) error {
		return read(filepath.Join(dir, "edges.csv.gz"), func(row *row) error {
			at, app, label := row.time("t", minuteLayout), memberwatch.AppID("host-"+row.text("app")), row.text("label")
			if first == 0 {
				first = at
			}
			seen[app] = true
			if label != "-" {
				attackers[app] = true
				attribute(incidents, label, at, app)
			}
			ev := memberwatch.Event{
				App: app, Group: "net-" + row.text("group"), Endpoint: "connect", Outcome: memberwatch.OutcomeOK,
				Disclosed: []uint64{hash(row.number("member"))},
			}
			n := int64(row.number("n"))
			for k := range n { // evenly within the minute
				ev.Time = at + k*int64(time.Minute)/n
				if err := r.append(ctx, &ev); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	d := &DARPA{
		Events: r.events, Apps: len(seen), Quiet: len(seen) - len(attackers), Days: float64(r.newest-first) / float64(24*time.Hour),
		Incidents: len(incidents),
	}
	d.choose(config, signals, attackers, alertsPerDay)
	d.match(config, r, signals, incidents)
	d.sum(incidents)
	d.Outside = float64(d.outside(config, r, signals, incidents, attackers)) / d.Days
	return d, nil
}

func readIncidents(path string) ([]AttackIncident, error) {
	var incidents []AttackIncident
	err := read(path, func(row *row) error {
		i := AttackIncident{
			Attack: row.text("attack"), Start: time.Unix(0, row.time("start", minuteLayout)).UTC(),
			end: row.time("end", minuteLayout) + int64(time.Minute), apps: make(map[memberwatch.AppID]bool),
		}
		if row.number("events") >= leastConnections {
			incidents = append(incidents, i)
		}
		return nil
	})
	return incidents, err
}

// attribute notes the source of a labelled row with its incident.
func attribute(incidents []AttackIncident, attack string, at int64, app memberwatch.AppID) {
	for n := range incidents {
		i := &incidents[n]
		if i.Attack == attack && at >= i.Start.UnixNano() && at < i.end {
			i.apps[app] = true
		}
	}
}

// choose sets the least budget at which quiet sources raise few enough alerts.
func (d *DARPA) choose(c *detector.Config, signals []memberwatch.Signal, attackers map[memberwatch.AppID]bool, perDay float64) {
	var loud []float64
	for i := range signals {
		if s := &signals[i]; s.App != "" && !attackers[s.App] {
			loud = append(loud, trial.FindingBudget(c, &s.Strongest))
		}
	}
	slices.SortFunc(loud, func(a, b float64) int { return cmp.Compare(b, a) })
	d.Budget = c.Budget
	allowed := int(perDay * d.Days)
	if len(loud) > allowed {
		d.Budget = math.Nextafter(loud[allowed], math.Inf(1))
		loud = loud[:allowed]
	}
	for len(loud) > 0 && loud[len(loud)-1] < d.Budget {
		loud = loud[:len(loud)-1] // ties with the first that is too many
	}
	d.AlertsPerDay = float64(len(loud)) / d.Days
}

// match holds the signals that the budget leaves against the incidents: one
// matches that names a source and has a finding whose window overlaps.
func (d *DARPA) match(c *detector.Config, r *runner, signals []memberwatch.Signal, incidents []AttackIncident) {
	for k := range signals {
		s := &signals[k]
		if trial.FindingBudget(c, &s.Strongest) < d.Budget {
			continue
		}
		d.Signals++
		for n := range incidents {
			i := &incidents[n]
			at, ok := i.overlap(s, r.findings[s.ID])
			minutes := max(time.Duration(at-i.Start.UnixNano()).Minutes(), 0)
			if ok && (!i.Found || minutes < i.Minutes) {
				i.Found, i.Kind, i.Minutes = true, s.Kind, minutes
			}
		}
	}
}

// overlap returns when a signal's first finding about the incident was raised.
func (i *AttackIncident) overlap(s *memberwatch.Signal, findings []memberwatch.Finding) (at int64, ok bool) {
	if !i.apps[s.App] {
		return 0, false
	}
	for n := range findings {
		f := &findings[n]
		if f.Time >= i.Start.UnixNano() && f.Window.Start < i.end {
			return f.Time, true
		}
	}
	return 0, false
}

// outside counts the signals, within the budget, on sources that attack at
// other times.
func (d *DARPA) outside(c *detector.Config, r *runner, signals []memberwatch.Signal, incidents []AttackIncident, attackers map[memberwatch.AppID]bool) (n int) {
	for k := range signals {
		s := &signals[k]
		about := slices.ContainsFunc(incidents, func(i AttackIncident) bool {
			_, ok := i.overlap(s, r.findings[s.ID])
			return ok
		})
		if attackers[s.App] && !about && trial.FindingBudget(c, &s.Strongest) >= d.Budget {
			n++
		}
	}
	return n
}

// sum adds the incidents up by kind.
func (d *DARPA) sum(incidents []AttackIncident) {
	byKind := make(map[string][]AttackIncident)
	for n := range incidents {
		i := &incidents[n]
		i.Sources = len(i.apps)
		byKind[i.Attack] = append(byKind[i.Attack], *i)
		if i.Found {
			d.Found++
		}
	}
	d.All = incidents
	for attack, runs := range byKind {
		d.Kinds = append(d.Kinds, summarise(attack, runs))
	}
	slices.SortFunc(d.Kinds, func(a, b AttackKind) int { return cmp.Or(cmp.Compare(b.Runs, a.Runs), cmp.Compare(a.Attack, b.Attack)) })
}

func summarise(attack string, runs []AttackIncident) AttackKind {
	k := AttackKind{Attack: attack, Runs: len(runs)}
	var minutes []float64
	for _, i := range runs {
		if i.Found {
			k.Found++
			minutes = append(minutes, i.Minutes)
		}
	}
	k.Recall = float64(k.Found) / float64(k.Runs)
	k.Low, k.High = trial.Jeffreys(k.Found, k.Runs)
	if slices.Sort(minutes); len(minutes) > 0 {
		k.Minutes = minutes[(len(minutes)-1)/2]
	}
	return k
}
