package scenario_test

import (
	"fmt"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/bench/scenario"
)

// A consumer takes declarations and events in order of time, and compares what
// it found with the truth at the end.
func Example() {
	sim, err := scenario.New(scenario.Config{
		Seed: 1, Apps: 50, Days: 30, Members: 100_000, EventsPerDay: 1_000,
		Plant: []scenario.Planting{{Scenario: "S04", Rate: 0.1}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	declared := sim.Declarations()
	apps, members := 0, 0
	var event memberwatch.Event
	for sim.Next(&event) {
		for len(declared) > 0 && declared[0].Time.UnixNano() <= event.Time {
			apps++
			declared = declared[1:]
		}
		if sim.Incident() >= 0 {
			members += len(event.Disclosed)
		}
	}
	incident := sim.Truth()[0]
	fmt.Println(apps, "apps,", incident.Scenario, incident.Kind, "in", len(incident.Apps), "of them")
	fmt.Println("leaked members are counted:", incident.Leaked() > 0 && incident.Leaked() <= int64(members))
	// Output:
	// 50 apps, S04 burst-harvest in 1 of them
	// leaked members are counted: true
}
