package trial

import (
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/bench/scenario"
)

// truthOf returns a burst, a campaign and a day on which everybody moves.
func truthOf(t *testing.T) *scenario.Simulator {
	t.Helper()
	sim, err := scenario.New(scenario.Config{
		Seed: 3, Apps: 80, Days: 40, Members: 100_000, EventsPerDay: 1_000, Rest: 2,
		Plant: []scenario.Planting{{Scenario: "S04", Rate: 0.1}, {Scenario: "B1"}, {Scenario: "B11"}, {Scenario: "S12", Rate: 0.01}, {Scenario: "B13"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var event memberwatch.Event
	for sim.Next(&event) {
	}
	return sim
}

// TestMatch holds the rule of matching: it names the app, or for a fleet the
// developer, its window overlaps, and one incident counts once.
func TestMatch(t *testing.T) {
	sim := truthOf(t)
	truth, end := sim.Truth(), sim.End()
	abuse, campaign, everyone, fleet := truth[0], truth[1], truth[2], truth[3]
	began := time.Unix(0, abuse.FirstEvent())
	hourly := memberwatch.Window{Scale: memberwatch.Hour}
	daily := memberwatch.Window{Scale: memberwatch.Day}
	signal := func(app memberwatch.AppID, at time.Time, w memberwatch.Window) memberwatch.Signal {
		return memberwatch.Signal{App: app, Opened: at.UnixNano(), Strongest: memberwatch.Finding{Window: w, ReturnPeriod: 5000}}
	}
	type want struct{ found, wrong, aftermath, fleet, silenced int }
	for name, test := range map[string]struct {
		signals []memberwatch.Signal
		want    want
	}{
		"none":           {nil, want{}},
		"in time":        {[]memberwatch.Signal{signal(abuse.Apps[0], began.Add(time.Minute), hourly)}, want{found: 1}},
		"twice":          {[]memberwatch.Signal{signal(abuse.Apps[0], began, hourly), signal(abuse.Apps[0], began.Add(time.Minute), daily)}, want{found: 1}},
		"too early":      {[]memberwatch.Signal{signal(abuse.Apps[0], began.Add(-time.Hour), hourly)}, want{wrong: 1}},
		"just after":     {[]memberwatch.Signal{signal(abuse.Apps[0], abuse.End.Add(49*time.Hour), hourly)}, want{aftermath: 1}},
		"long after":     {[]memberwatch.Signal{signal(abuse.Apps[0], abuse.End.AddDate(0, 0, 8), hourly)}, want{wrong: 1}},
		"look-alike":     {[]memberwatch.Signal{signal(campaign.Apps[0], time.Unix(0, campaign.FirstEvent()), hourly)}, want{wrong: 1}},
		"somebody":       {[]memberwatch.Signal{signal("nobody", everyone.End.AddDate(0, 0, 3), hourly)}, want{wrong: 1}},
		"the population": {[]memberwatch.Signal{signal("", began, hourly)}, want{fleet: 1}},
		"a cohort": {[]memberwatch.Signal{{
			Apps: []memberwatch.AppID{"nobody", fleet.Apps[0]}, Opened: fleet.FirstEvent(), Strongest: memberwatch.Finding{Window: daily},
		}}, want{found: 1}},
		"mostly others": {[]memberwatch.Signal{{
			Apps: []memberwatch.AppID{"nobody", "no one", fleet.Apps[0]}, Opened: fleet.FirstEvent(), Strongest: memberwatch.Finding{Window: daily},
		}}, want{wrong: 1}},
		"the developer": {[]memberwatch.Signal{{
			Developer: fleet.Developers[0], Opened: fleet.FirstEvent(), Strongest: memberwatch.Finding{Window: daily},
		}}, want{found: 1}},
		"expected":     {[]memberwatch.Signal{signal(truth[4].Apps[0], truth[4].Start.Add(time.Hour), hourly)}, want{silenced: 1}},
		"the last day": {[]memberwatch.Signal{signal("nobody", end.Add(-time.Hour), hourly)}, want{}},
	} {
		t.Run(name, func(t *testing.T) {
			o := judge(sim, test.signals, end.Add(-24*time.Hour).UnixNano())
			got := want{wrong: len(o.False), aftermath: o.Aftermath, fleet: o.Fleet, silenced: o.Silenced}
			for _, i := range o.Incidents {
				if i.Abuse && i.Found {
					got.found++
				}
				if i.Delay < 0 || i.LeakedThen > i.Leaked || i.Found != (i.Alerts > 0) {
					t.Errorf("%s: delay %s, %d of %d leaked, %d alerts", i.Scenario, i.Delay, i.LeakedThen, i.Leaked, i.Alerts)
				}
			}
			if got != test.want {
				t.Errorf("%+v, want %+v", got, test.want)
			}
		})
	}
}

func TestEveryoneExplainsOnlyTheRest(t *testing.T) {
	sim := truthOf(t)
	truth, end := sim.Truth(), sim.End()
	moved := truth[2]
	s := memberwatch.Signal{App: "app-x", Opened: moved.Start.Add(time.Hour).UnixNano()}
	o := judge(sim, []memberwatch.Signal{s}, end.UnixNano())
	if len(o.False) != 1 || o.False[0].About != "B11" {
		t.Errorf("a signal on the day on which everybody moves is about %+v", o.False)
	}
}

// TestMatchNothing: abuse that never makes a call is neither found nor missed.
func TestMatchNothing(t *testing.T) {
	sim, err := scenario.New(scenario.Config{
		Seed: 3, Apps: 80, Days: 40, Members: 100_000, EventsPerDay: 1_000, Rest: 2,
		Plant: []scenario.Planting{{Scenario: "S04", Rate: 0.1}, {Scenario: "S02", Rate: 1e-6}, {Scenario: "B1"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var event memberwatch.Event
	for sim.Next(&event) {
	}
	o := judge(sim, nil, sim.End().UnixNano())
	o.dropEmpty()
	if o.Empty != 1 || len(o.Incidents) != 2 || o.Incidents[0].Scenario != "S04" || o.Incidents[1].Scenario != "B1" {
		t.Errorf("%d without a call, others %+v", o.Empty, o.Incidents)
	}
	r := Summarise(Plan{}, []*Outcome{o}, nil)
	if len(r.Warnings) != 1 || len(r.Scenarios) != 1 {
		t.Errorf("warnings %q, %d rows", r.Warnings, len(r.Scenarios))
	}
}
