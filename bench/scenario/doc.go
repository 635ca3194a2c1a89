// Package scenario simulates a platform: some thousand apps that read the data
// of some million members, honest and abusive, as a stream of events with known
// answers.
//
// It knows what ordinary traffic looks like (Zipf sizes, hour-of-week seasons,
// overdispersed counts that remember yesterday, growth, outages, holidays,
// weekly jobs, groups and friends) and how every known abuse and its benign
// look-alikes differ from it: the files in catalogue declare them, and a
// reviewer can add to them. It must not know how abuse is found, and nothing in
// an event tells what was planted.
//
// Everything is computed from the seed and from what a thing is, never from
// what was drawn before it: the same configuration gives the same bytes, one
// more planting leaves the other apps' traffic as it was, and memory does not
// grow with the run's length.
//
//	sim, err := scenario.New(scenario.Config{
//		Seed: 1, Apps: 300, Days: 60,
//		Plant: []scenario.Planting{{Scenario: "S04"}, {Scenario: "B1", Count: 3}},
//	})
//	if err != nil {
//		return err
//	}
//	declared := sim.Declarations()
//	var event memberwatch.Event
//	for sim.Next(&event) {
//		for len(declared) > 0 && declared[0].Time.UnixNano() <= event.Time {
//			engine.Apply(&declared[0]) // an app registers, a restriction is announced
//			declared = declared[1:]
//		}
//		engine.Observe(state(event.App), &event, false) // copy what outlives the call
//	}
//	for _, incident := range sim.Truth() {
//		fmt.Println(incident.Scenario, incident.Apps, incident.Start, incident.Leaked())
//	}
package scenario
