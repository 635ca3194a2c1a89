// Package trial measures how well the service finds planted abuse, and how
// often it cries wolf: it streams simulated platforms into a service, and holds
// the signals that come out against what was planted.
//
// It knows when a signal matches an incident, and how recall, delay, leaks and
// false alerts are counted over many platforms. It must not know how abuse is
// found, nor how the service is reached: a [Service] is all it sees, and events
// and declarations are all that a service sees of the platform.
//
//	for _, t := range trials {
//		outcome, err := trial.Run(ctx, t, service, nil)
//		...
//		outcomes = append(outcomes, outcome)
//	}
//	result := trial.Summarise(plan, outcomes)
package trial
