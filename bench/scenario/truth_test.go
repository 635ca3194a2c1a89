package scenario

import (
	"math"
	"slices"
	"testing"

	"github.com/memberwatch/memberwatch"
)

// tally is what a test counts of one incident by itself.
type tally struct {
	events      int64
	first, last int64
	members     map[uint64]int64 // hash to when it leaked first
}

// TestTruth holds the truth of every scenario against a count of the events
// that it made: events, times, apps, members, and the leak over time.
func TestTruth(t *testing.T) {
	t.Parallel()
	config := Config{Seed: 11, Apps: 500, Days: 110, Members: 300_000, EventsPerDay: 3_000, Plant: everything(t)}
	sim := build(t, config)
	tallies := make([]tally, len(sim.Truth()))
	var e memberwatch.Event
	for sim.Next(&e) {
		n := sim.Incident()
		if n < 0 {
			continue
		}
		incident, own := sim.Truth()[n], &tallies[n]
		if !slices.Contains(incident.Apps, e.App) {
			t.Fatalf("%s: event of app %q, which the truth does not name", incident.Scenario, e.App)
		}
		own.count(&e)
	}
	for n, incident := range sim.Truth() {
		own := &tallies[n]
		if own.events != incident.Events() {
			t.Errorf("%s: truth counts %d events, there are %d", incident.Scenario, incident.Events(), own.events)
		}
		if own.events == 0 {
			if !incident.Everyone {
				t.Errorf("%s: no events", incident.Scenario)
			}
			continue
		}
		if own.first != incident.FirstEvent() || own.last >= incident.End.UnixNano() || own.first < incident.Start.UnixNano()-hour {
			t.Errorf("%s: events from %d to %d do not lie in %s to %s", incident.Scenario, own.first, own.last, incident.Start, incident.End)
		}
		checkLeak(t, incident, own)
	}
}

func (own *tally) count(e *memberwatch.Event) {
	own.events++
	if own.first == 0 || e.Time < own.first {
		own.first = e.Time
	}
	own.last = max(own.last, e.Time)
	if own.members == nil {
		own.members = make(map[uint64]int64)
	}
	for _, m := range e.Disclosed {
		if at, known := own.members[m]; !known || e.Time < at {
			own.members[m] = e.Time
		}
	}
}

// checkLeak compares members and their curve. Scenarios with decoys or with
// altered ordinary traffic disclose more than they leak.
func checkLeak(t *testing.T, incident *Incident, own *tally) {
	t.Helper()
	if !incident.Abuse {
		if incident.Leaked() != 0 {
			t.Errorf("%s is benign, yet %d members leaked", incident.Scenario, incident.Leaked())
		}
		return
	}
	if incident.Scenario == "S20" || incident.Scenario == "S21" {
		if leaked := incident.Leaked(); leaked == 0 || leaked > int64(len(own.members)) {
			t.Errorf("%s: %d of %d disclosed members leaked", incident.Scenario, leaked, len(own.members))
		}
		return
	}
	if incident.Leaked() != int64(len(own.members)) {
		t.Errorf("%s: truth says %d members leaked, there are %d", incident.Scenario, incident.Leaked(), len(own.members))
	}
	middle := own.first + (own.last-own.first)/2
	var low, high int64 // by an hour and a bit before and after
	for _, at := range own.members {
		if at <= middle-2*hour {
			low++
		}
		if at <= middle+2*hour {
			high++
		}
	}
	if by := incident.LeakedBy(middle); by < low || by > high {
		t.Errorf("%s: %d leaked by the middle, want %d to %d", incident.Scenario, by, low, high)
	}
	if incident.LeakedBy(own.last) != incident.Leaked() || incident.LeakedBy(own.first-1) != 0 {
		t.Errorf("%s: the leak does not run from 0 to %d", incident.Scenario, incident.Leaked())
	}
}

// TestAmounts compares what incidents add with what their scenarios say, at
// two rates.
func TestAmounts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		scenario, parameter string
		want                func(i *Incident, value float64) float64 // events or members
		members             bool
	}{
		{"S04", "members_per_minute", func(i *Incident, v float64) float64 { return v * i.End.Sub(i.Start).Minutes() }, true},
		{"S08", "calls_per_minute", func(i *Incident, v float64) float64 { return v * i.End.Sub(i.Start).Minutes() }, false},
		{"S14", "calls_per_minute", func(i *Incident, v float64) float64 { return v * i.End.Sub(i.Start).Minutes() }, false},
		{"S11", "members_per_day", func(i *Incident, v float64) float64 { return v * i.End.Sub(i.Start).Hours() / 24 }, true},
	} {
		for _, rate := range []float64{0.1, 0.3, 1} {
			sim := build(t, Config{Seed: 4, Apps: 50, Days: 110, Members: 20_000_000, Groups: 1_000, EventsPerDay: 500, Plant: []Planting{{Scenario: test.scenario, Rate: rate}}})
			var e memberwatch.Event
			for sim.Next(&e) {
			}
			incident := sim.Truth()[0]
			got, value := float64(incident.Events()), parameter(incident, test.parameter)
			if test.members {
				got = float64(incident.Leaked())
			}
			if want := rate * test.want(incident, value); math.Abs(got-want) > 0.1*want+30 {
				t.Errorf("%s at rate %g: got %g, want about %g (%v)", test.scenario, rate, got, want, incident.Parameters)
			}
		}
	}
}

func parameter(i *Incident, name string) float64 {
	for _, p := range i.Parameters {
		if p.Name == name {
			return p.Value
		}
	}
	return math.NaN()
}

// TestRestriction: after a restriction only those who retain access, or are
// exempt, read the class; those who still try are refused.
func TestRestriction(t *testing.T) {
	t.Parallel()
	sim := build(t, Config{Seed: 6, Apps: 300, Days: 60, Members: 100_000, Plant: []Planting{{Scenario: "S01"}, {Scenario: "S02"}, {Scenario: "B2"}, {Scenario: "S04"}}})
	var restriction *memberwatch.Restriction
	for _, change := range sim.Declarations() {
		if change.Restriction != nil {
			if restriction != nil {
				t.Fatal("the class was restricted twice")
			}
			restriction = change.Restriction
			if !change.Time.Before(restriction.Effective) {
				t.Errorf("announced %s, effective %s", change.Time, restriction.Effective)
			}
		}
	}
	var e memberwatch.Event
	before, after, refused := 0, 0, 0
	for sim.Next(&e) {
		if !slices.Contains(e.DataClasses, string(restriction.Class)) {
			continue
		}
		switch {
		case !restriction.InForce(e.Time) || !restriction.Covers(e.App):
			before++
		case e.Outcome == memberwatch.OutcomeDenied:
			refused++
		default:
			after++
			if n := sim.Incident(); n < 0 || sim.Truth()[n].Restriction != restriction.ID {
				t.Fatalf("honest app %q reads %q after the restriction", e.App, restriction.Class)
			}
		}
	}
	if before == 0 || after == 0 {
		t.Errorf("%d reads before the restriction, %d after, %d refused", before, after, refused)
	}
}
