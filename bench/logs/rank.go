package logs

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/bench/feed"
	"github.com/memberwatch/memberwatch/bench/trial"
	"github.com/memberwatch/memberwatch/detector"
)

// Ranking is a log in which some apps are named as offenders.
type Ranking struct {
	Events    int64          `json:"events"`
	Apps      int            `json:"apps"`
	Signals   int            `json:"signals"` // at the default budget
	Accused   int            `json:"accused"` // apps, developers and groups of apps with one
	Ranked    int            `json:"ranked"`  // those with any evidence recorded
	Offenders []Offender     `json:"offenders"`
	Top       []Accused      `json:"top"`   // those with the strongest evidence
	Kinds     map[string]int `json:"kinds"` // of the signals
}

// Offender is an app that others have named, and where the evidence puts it.
type Offender struct {
	App  memberwatch.AppID `json:"app"`
	Why  string            `json:"why"`
	Rank int               `json:"rank"` // of the strongest evidence that names it or its developer, from 1; 0: none recorded
	// DayRank is the rank among the evidence of the same day: who reviews signals as they
	// come compares those. 0: none recorded.
	DayRank int              `json:"day_rank"`
	Kind    memberwatch.Kind `json:"kind,omitempty"`
	// Through is the developer or group of apps that the evidence is about; empty: the
	// app itself.
	Through string `json:"through,omitempty"`
	// Raised tells whether there was a signal at the default budget.
	Raised bool `json:"raised"`
	// VolumeRank is its rank by distinct members alone, for comparison.
	VolumeRank int `json:"volume_rank"`
}

// Accused is an app, a developer or a group of apps with its strongest signal.
type Accused struct {
	Who     string              `json:"who"`
	Apps    []memberwatch.AppID `json:"apps"` // that it names, or that the developer has
	Kind    memberwatch.Kind    `json:"kind"`
	Budget  float64             `json:"budget_app_days"` // up to which it would be raised
	Members float64             `json:"members"`
	Named   bool                `json:"named"` // one of the apps is

	day int64 // start of the UTC day of that signal
}

// names tells whether an app is accused.
func (a *Accused) names(app memberwatch.AppID) bool { return slices.Contains(a.Apps, app) }

// volumes counts distinct members by app.
type volumes map[memberwatch.AppID]map[uint64]struct{}

func (v volumes) add(ev *memberwatch.Event) {
	seen := v[ev.App]
	if seen == nil {
		seen = make(map[uint64]struct{})
		v[ev.App] = seen
	}
	for _, m := range slices.Concat(ev.Disclosed, ev.Requested) {
		seen[m] = struct{}{}
	}
}

// rank returns an app's place by distinct members; ties share the better one.
func (v volumes) rank(app memberwatch.AppID) int {
	rank := 1
	for _, seen := range v {
		if len(seen) > len(v[app]) {
			rank++
		}
	}
	return rank
}

// runner feeds one log and keeps count.
type runner struct {
	apps     map[memberwatch.DeveloperID]map[memberwatch.AppID]struct{}
	feed     *feed.Feed
	events   int64
	newest   int64
	volumes  volumes
	watch    func(events int64)
	findings map[memberwatch.SignalID][]memberwatch.Finding // as many of each as are kept
}

// Budgets, in app-days per false alert, under which evidence far below the
// default's 1,400 is recorded: to rank apps that raise no signal, and to find
// the budget that meets a number of alerts on few sources.
const (
	rankingBudget = 70
	choosingFrom  = 1 // less would promise more than an alert a day for each app
)

// recording returns the default configuration with another budget.
func recording(budget float64) *detector.Config {
	c := detector.DefaultConfig()
	c.Budget = budget
	return &c
}

// run feeds a log that a function emits into a fresh service, closes its last
// windows, and returns the signals.
func run(ctx context.Context, c *detector.Config, watch func(int64), emit func(*runner) error) (*runner, []memberwatch.Signal, error) {
	f, err := feed.Open(ctx, feed.Options{Detector: c})
	if err != nil {
		return nil, nil, err
	}
	r := &runner{feed: f, volumes: make(volumes), watch: watch, apps: make(map[memberwatch.DeveloperID]map[memberwatch.AppID]struct{})}
	if err = emit(r); err == nil {
		last := memberwatch.WindowAt(memberwatch.Day, r.newest)
		err = f.Complete(ctx, last.End()+memberwatch.Hour.Length())
	}
	var signals []memberwatch.Signal
	if err == nil {
		signals, err = f.Signals(ctx)
	}
	r.findings = make(map[memberwatch.SignalID][]memberwatch.Finding)
	for i := 0; i < len(signals) && err == nil; i++ {
		r.findings[signals[i].ID], err = f.Findings(ctx, signals[i].ID)
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return r, signals, err
}

func (r *runner) append(ctx context.Context, ev *memberwatch.Event) error {
	r.events++
	r.newest = max(r.newest, ev.Time)
	if ev.Developer != "" {
		if r.apps[ev.Developer] == nil {
			r.apps[ev.Developer] = make(map[memberwatch.AppID]struct{})
		}
		r.apps[ev.Developer][ev.App] = struct{}{}
	}
	if r.watch != nil && r.events%4096 == 0 {
		r.watch(r.events)
	}
	return r.feed.Append(ctx, ev)
}

// accused returns whom a signal is about; nobody: the fleet.
func (r *runner) accused(s *memberwatch.Signal) (who string, apps []memberwatch.AppID) {
	switch {
	case s.App != "":
		return string(s.App), []memberwatch.AppID{s.App}
	case s.Developer != "":
		return "developer " + string(s.Developer), slices.Sorted(maps.Keys(r.apps[s.Developer]))
	case len(s.Apps) > 0:
		return fmt.Sprintf("%s and %d more", s.Apps[0], len(s.Apps)-1), s.Apps
	default:
		return "", nil
	}
}

// ranked orders those accused by their strongest signal: by the strictest budget
// that would still raise it, then by the members exposed.
func (r *runner) ranked(c *detector.Config, signals []memberwatch.Signal, named func(memberwatch.AppID) bool) []Accused {
	best := make(map[string]Accused)
	for i := range signals {
		s := &signals[i]
		who, apps := r.accused(s)
		if who == "" {
			continue
		}
		a := Accused{
			Who: who, Apps: apps, Kind: s.Kind, Budget: trial.FindingBudget(c, &s.Strongest), Members: s.Strongest.Members.Value,
			Named: slices.ContainsFunc(apps, named), day: memberwatch.WindowAt(memberwatch.Day, s.Strongest.Window.Start).Start,
		}
		if known, ok := best[who]; !ok || compareAccused(a, known) < 0 {
			best[who] = a
		}
	}
	return slices.SortedFunc(maps.Values(best), compareAccused)
}

func compareAccused(a, b Accused) int {
	return cmp.Or(cmp.Compare(b.Budget, a.Budget), cmp.Compare(b.Members, a.Members), cmp.Compare(a.Who, b.Who))
}

// shown is how many of the accused a result lists.
const shown = 15

// rank runs a log twice: at the default budget, for the signals, and recording,
// for the ranks.
func rank(ctx context.Context, named []Offender, watch func(int64), emit func(*runner) error) (*Ranking, error) {
	raising, signals, err := run(ctx, nil, watch, emit)
	if err != nil {
		return nil, err
	}
	c := recording(rankingBudget)
	r, recorded, err := run(ctx, c, watch, emit)
	if err != nil {
		return nil, err
	}
	isNamed := func(app memberwatch.AppID) bool {
		return slices.ContainsFunc(named, func(o Offender) bool { return o.App == app })
	}
	list, raised := r.ranked(c, recorded, isNamed), raising.ranked(c, signals, isNamed)
	result := &Ranking{
		Events: r.events, Apps: len(r.volumes), Signals: len(signals), Accused: len(raised), Ranked: len(list), Offenders: named,
		Top: list[:min(len(list), shown)], Kinds: kinds(signals),
	}
	for i := range named {
		o := &named[i]
		is := func(a Accused) bool { return a.names(o.App) }
		o.VolumeRank, o.Raised = r.volumes.rank(o.App), slices.ContainsFunc(raised, is)
		if at := slices.IndexFunc(list, is); at >= 0 {
			o.Rank, o.DayRank, o.Kind = at+1, dayRank(list, at), list[at].Kind
			if list[at].Who != string(o.App) {
				o.Through = list[at].Who
			}
		}
	}
	return result, nil
}

// dayRank is the rank of a place in a list among those of the same day.
func dayRank(list []Accused, at int) int {
	rank := 1
	for _, a := range list[:at] {
		if a.day == list[at].day {
			rank++
		}
	}
	return rank
}

// kinds counts signals by kind.
func kinds(signals []memberwatch.Signal) map[string]int {
	count := make(map[string]int)
	for i := range signals {
		count[string(signals[i].Kind)]++
	}
	return count
}
