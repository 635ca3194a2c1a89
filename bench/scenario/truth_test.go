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

// TestSpent holds what incidents spent before a time against a count of the
// events.
func TestSpent(t *testing.T) {
	t.Parallel()
	sim := build(t, Config{
		Seed: 5, Apps: 120, Days: 110, Members: 300_000, EventsPerDay: 2_000,
		Plant: []Planting{{Scenario: "S02"}, {Scenario: "S06"}, {Scenario: "S08", Rate: 0.1}, {Scenario: "S19"}, {Scenario: "S20"}, {Scenario: "S20", Clean: true}},
	})
	truth := sim.Truth()
	type counts struct{ events, ids, traps float64 }
	seen := make([]map[int64]counts, len(truth)) // by time, of the first hundred
	var e memberwatch.Event
	for sim.Next(&e) {
		n := sim.Incident()
		if n < 0 || len(seen[n]) == 90 {
			continue
		}
		if seen[n] == nil {
			seen[n] = make(map[int64]counts)
		}
		var c counts
		for _, before := range seen[n] {
			c = counts{max(c.events, before.events), max(c.ids, before.ids), max(c.traps, before.traps)}
		}
		c.events, c.ids = c.events+1, c.ids+float64(len(e.Requested))
		for _, m := range e.Disclosed {
			if slices.Contains(truth[n].Canaries, memberwatch.MemberID(m)) {
				c.traps++
			}
		}
		seen[n][e.Time] = c
	}
	for n, i := range truth {
		for at, c := range seen[n] {
			want := map[Unit]float64{Events: c.events, IDs: c.ids, Traps: c.traps}[i.Goal.Unit]
			if got := i.Spent(at); i.Goal.Unit != Level && got != want {
				t.Errorf("%s: %g %s spent, want %g", i.Scenario, got, i.Goal.Unit, want)
			}
		}
	}
	ramp := truth[1]
	growth := parameter(ramp, "growth_per_day")
	if got, want := ramp.Spent(ramp.Start.UnixNano()+10*day), math.Pow(1+growth, 10); math.Abs(got-want) > 1e-9 {
		t.Errorf("ten days into a ramp of %g its level is %g, want %g", growth, got, want)
	}
	if padded, clean := truth[4], truth[5]; padded.Began()-padded.FirstEvent() < 27*day || clean.Began() != clean.FirstEvent() {
		t.Errorf("padding lasts %d days, and %d in a clean run", (padded.Began()-padded.FirstEvent())/day, (clean.Began()-clean.FirstEvent())/day)
	}
}

// TestDeclared: new apps are certified for what they read, what the platform
// arranged is expected, and a platform may know no purposes.
func TestDeclared(t *testing.T) {
	config := Config{Seed: 5, Apps: 120, Days: 60, Members: 300_000, EventsPerDay: 2_000, Plant: []Planting{{Scenario: "S12"}, {Scenario: "B13"}}}
	sim := build(t, config)
	fleet, test := sim.Truth()[0], sim.Truth()[1]
	certified := 0
	for _, change := range sim.Declarations() {
		if a := change.App; a != nil && slices.Contains(fleet.Apps, a.ID) && a.MayRead(classContact) && a.MayRead(classBasic) {
			certified++
		}
	}
	if certified != len(fleet.Apps) {
		t.Errorf("%d of %d partners are certified for what they came for", certified, len(fleet.Apps))
	}
	expected := sim.Expectations()
	if len(expected) != 1 || expected[0].Match.App != test.Apps[0] || !expected[0].Active(test.Start) || expected[0].Active(test.End.AddDate(0, 0, 3)) {
		t.Errorf("a load test of %q from %s to %s: expected are %+v", test.Apps, test.Start, test.End, expected)
	}
	if err := expected[0].Validate(); err != nil {
		t.Error(err)
	}
	config.WithoutPurposes = true
	for _, change := range build(t, config).Declarations() {
		if change.App != nil && len(change.App.Purposes) > 0 {
			t.Fatalf("app %q has purposes", change.App.ID)
		}
	}
}

// TestDeclaredBeforehand: the service knows the planted members from the first
// day on, and of an attestation when it is made. Without that, neither scenario
// can be found by what gives it away.
func TestDeclaredBeforehand(t *testing.T) {
	sim := build(t, Config{Seed: 5, Apps: 120, Days: 90, Members: 300_000, EventsPerDay: 2_000, Plant: []Planting{{Scenario: "S18"}, {Scenario: "S19"}}})
	liar, thief := sim.Truth()[0], sim.Truth()[1]
	attested, planted := 0, 0
	for _, change := range sim.Declarations() {
		if a := change.Attestation; a != nil && a.App == liar.Apps[0] && a.Time.Equal(liar.Start) && a.Validate() == nil {
			attested++
		}
		if c := change.Canaries; c != nil && slices.Equal(c.Members, thief.Canaries) && change.Time.Before(thief.Start) && c.Validate() == nil {
			planted++
		}
	}
	if attested != 1 || planted != 1 {
		t.Errorf("%d attestations and %d declarations of canaries, want one of each", attested, planted)
	}
}

// TestNobodyGuiltyIsExempt: several incidents share the restriction of a class,
// and none of their apps may read on by right. What they still read is the
// incident's.
func TestNobodyGuiltyIsExempt(t *testing.T) {
	shared := 0
	for seed := range uint64(30) {
		sim := build(t, Config{Seed: seed, Apps: 200, Days: 60, Members: 50_000, EventsPerDay: 500, Plant: []Planting{{Scenario: "S01"}, {Scenario: "S02"}, {Scenario: "S02"}}})
		for _, i := range sim.Truth() {
			for _, change := range sim.Declarations() {
				if r := change.Restriction; r != nil && r.ID == i.Restriction {
					shared++
					if slices.ContainsFunc(r.Exempt, func(app memberwatch.AppID) bool { return slices.Contains(i.Apps, app) }) {
						t.Errorf("seed %d: an app of %s is exempt", seed, i.Scenario)
					}
				}
			}
		}
	}
	sim := build(t, Config{Seed: 22, Apps: 200, Days: 60, Members: 50_000, EventsPerDay: 500, Plant: []Planting{{Scenario: "S01"}, {Scenario: "S02"}, {Scenario: "S02"}}})
	var e memberwatch.Event
	for sim.Next(&e) {
		n := slices.IndexFunc(sim.Truth(), func(i *Incident) bool { return i.Scenario == "S02" && slices.Contains(i.Apps, e.App) })
		if n >= 0 && sim.Incident() < 0 && e.Time > sim.Truth()[n].Start.UnixNano() && slices.Contains(e.DataClasses, "group_membership") {
			t.Fatalf("%q reads on beside the incident", e.App)
		}
	}
	if shared < 60 {
		t.Fatalf("only %d incidents follow a restriction", shared)
	}
}
