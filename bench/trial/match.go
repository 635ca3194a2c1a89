package trial

import (
	"cmp"
	"slices"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/bench/scenario"
)

// Outcome is what one trial came to.
type Outcome struct {
	Trial     Trial
	Events    int64
	AppDays   float64 // of apps that never do wrong
	Incidents []Incident
	False     []Alert
	// Fleet counts signals on the whole population, which accuse nobody, and
	// Aftermath signals on an app that has just stopped its abuse: too late to
	// count as found, and not wrong about the app.
	Fleet, Aftermath int
	// Silenced counts signals about what the platform had declared to expect:
	// nobody is asked to look at them.
	Silenced int
	// Empty counts the empty incidents of a run, which Incidents does not list.
	Empty int
}

// Incident is what was planted, abuse or look-alike, and what was said of it.
type Incident struct {
	Scenario, Kind string
	Abuse          bool
	Clean          bool // without the scenario's tricks: only to compare with
	Empty          bool // abuse that never made a call, as small amounts in a short run may come to
	Rate           float64
	Apps           int
	Found          bool // by a signal that overlaps it
	FoundBy        memberwatch.Kind
	Start          time.Time     // as planned
	Sentence       string        // of that signal
	Delay          time.Duration // from its beginning to that signal; if missed: to its end
	LeakedThen     int64         // members, by then
	Leaked         int64         // members, in all
	Alerts         int           // signals that overlap it
	// Budget is the number of app-days per false alert up to which it would
	// still be found; 0 if missed.
	Budget float64
	Goal   scenario.Goal
	Spent  float64 // of what the goal counts, by that signal; if missed: in all
}

// Met tells whether the incident was found before its goal was spent. A goal
// about recall is not met by single incidents.
func (i *Incident) Met() bool { return i.Found && i.Spent <= i.Goal.Most }

// Alert is a signal on somebody who did nothing wrong then.
type Alert struct {
	About  string // id of the look-alike, or Ordinary
	Signal memberwatch.Signal
}

// Ordinary is what an alert is about when nothing was planted.
const Ordinary = "ordinary traffic"

// aftermath is how long after its end an incident still explains a signal: the
// slow evidence of its last days comes to a head in the week after.
const aftermath = 7 * 24 * time.Hour

// judge holds the signals that opened before the horizon against the truth, by
// this rule: a signal matches an incident when it names one of its apps, or its
// developer and no app, and its window overlaps the incident; one incident
// counts once. The first match is what found it. A signal about several apps
// names an incident when at least half of those it lists are the incident's.
func judge(sim *scenario.Simulator, signals []memberwatch.Signal, horizon int64) *Outcome {
	truth, expected := sim.Truth(), sim.Expectations()
	o := &Outcome{Incidents: make([]Incident, len(truth))}
	for n, i := range truth {
		end := i.End.UnixNano()
		o.Incidents[n] = Incident{
			Scenario: i.Scenario, Kind: i.Kind, Abuse: i.Abuse, Clean: i.Clean, Empty: i.Abuse && i.Began() == 0, Rate: i.Rate, Apps: len(i.Apps), Start: i.Start.UTC(),
			Leaked: i.Leaked(), LeakedThen: i.Leaked(), Delay: time.Duration(max(end-i.Began(), 0)), Goal: i.Goal, Spent: i.Spent(end),
		}
	}
	signals = slices.Clone(signals)
	slices.SortFunc(signals, func(a, b memberwatch.Signal) int {
		return cmp.Or(cmp.Compare(a.Opened, b.Opened), cmp.Compare(a.ID, b.ID))
	})
	for _, s := range signals {
		switch {
		case s.Opened >= horizon:
		case silenced(expected, &s):
			o.Silenced++
		default:
			o.place(truth, s)
		}
	}
	return o
}

// dropEmpty leaves out and counts what there was nothing to find of.
func (o *Outcome) dropEmpty() {
	all := len(o.Incidents)
	o.Incidents = slices.DeleteFunc(o.Incidents, func(i Incident) bool { return i.Empty })
	o.Empty = all - len(o.Incidents)
}

// silenced tells whether the platform had declared to expect what a signal says,
// by the rule by which reviews hide it, in event time.
func silenced(expected []memberwatch.Silence, s *memberwatch.Signal) bool {
	at := time.Unix(0, s.Opened)
	return slices.ContainsFunc(expected, func(e memberwatch.Silence) bool {
		return e.Active(at) && e.Match.Matches(s) && e.Hides(s)
	})
}

// place enters one signal where it belongs.
func (o *Outcome) place(truth []*scenario.Incident, s memberwatch.Signal) {
	n, over := about(truth, &s)
	switch {
	case n < 0 && s.App == "" && s.Developer == "" && len(s.Apps) == 0:
		o.Fleet++
	case n < 0:
		o.False = append(o.False, Alert{About: Ordinary, Signal: s})
	case truth[n].Abuse && over:
		o.Aftermath++
	case truth[n].Abuse:
		o.Incidents[n].match(truth[n], &s)
	default:
		o.False = append(o.False, Alert{About: truth[n].Scenario, Signal: s})
		o.Incidents[n].match(truth[n], &s)
	}
}

// match notes a signal that overlaps the incident.
func (i *Incident) match(truth *scenario.Incident, s *memberwatch.Signal) {
	i.Alerts++
	i.Budget = max(i.Budget, Budget(s))
	if i.Found {
		return
	}
	i.Found, i.FoundBy, i.Sentence = true, s.Kind, s.Sentence
	i.Delay = time.Duration(max(s.Opened-truth.Began(), 0))
	i.LeakedThen, i.Spent = truth.LeakedBy(s.Opened), truth.Spent(s.Opened)
}

// about returns the index of the incident that a signal is about, -1 if none,
// and whether that incident was over. What befalls everyone explains only what
// nothing else does.
func about(truth []*scenario.Incident, s *memberwatch.Signal) (n int, over bool) {
	n = -1
	for i, incident := range truth {
		begun := s.Opened >= incident.Start.UnixNano()
		if !incident.Everyone {
			begun = incident.FirstEvent() > 0 && s.Opened >= incident.FirstEvent()
		}
		end := incident.End.UnixNano()
		window := memberwatch.WindowAt(s.Strongest.Window.Scale, s.Opened)
		switch {
		case !begun:
		case incident.Everyone && n < 0 && s.App != "" && window.Start < end:
			n, over = i, false
		case names(incident, s) && window.Start < end:
			return i, false
		case names(incident, s) && s.Opened < end+int64(aftermath):
			n, over = i, true
		}
	}
	return n, over
}

// names tells whether a signal names the incident.
func names(i *scenario.Incident, s *memberwatch.Signal) bool {
	if s.App == "" && len(s.Apps) > 0 {
		mine := 0
		for _, app := range s.Apps {
			if slices.Contains(i.Apps, app) {
				mine++
			}
		}
		return 2*mine >= len(s.Apps)
	}
	if s.App == "" {
		return s.Developer != "" && slices.Contains(i.Developers, s.Developer)
	}
	return slices.Contains(i.Apps, s.App)
}
