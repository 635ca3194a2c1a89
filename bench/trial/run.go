package trial

import (
	"context"
	"fmt"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/bench/scenario"
)

// Service is a fresh service on trial. It sees what a platform sends in
// production, in that order, and nothing else.
type Service interface {
	// Append takes an event; what outlives the call must be copied.
	Append(ctx context.Context, ev *memberwatch.Event) error
	// Declare takes a control change.
	Declare(ctx context.Context, change *memberwatch.Change) error
	// Signals waits until all of that is judged and returns all signals.
	Signals(ctx context.Context) ([]memberwatch.Signal, error)
}

// Watcher is told how far a trial is, in nanoseconds of simulated time since
// its start, and how many events it has sent.
type Watcher func(simulated, events int64)

// watchEvery is how many events pass between two calls of a Watcher.
const watchEvery = 4096

// Run streams a trial's platform into a service and returns what it found.
func Run(ctx context.Context, t Trial, service Service, watch Watcher) (*Outcome, error) {
	sim, err := scenario.New(t.Platform)
	if err != nil {
		return nil, err
	}
	seen, events, err := stream(ctx, sim, service, watch)
	if err != nil {
		return nil, fmt.Errorf("trial of seed %d at rate %g: %w", t.Seed, t.Rate, err)
	}
	signals, err := service.Signals(ctx)
	if err != nil {
		return nil, fmt.Errorf("trial of seed %d at rate %g: %w", t.Seed, t.Rate, err)
	}
	horizon := sim.End().Add(-24 * time.Hour).UnixNano()
	o := judge(sim, signals, horizon)
	o.dropEmpty()
	o.Trial, o.Events = t, events
	o.AppDays = appDays(sim.Truth(), seen, horizon)
	return o, nil
}

// stream sends everything, and returns when each app was first seen.
func stream(ctx context.Context, sim *scenario.Simulator, service Service, watch Watcher) (map[memberwatch.AppID]int64, int64, error) {
	seen := make(map[memberwatch.AppID]int64)
	declared := sim.Declarations()
	var start, events int64
	var event memberwatch.Event
	for ; sim.Next(&event); events++ {
		for len(declared) > 0 && declared[0].Time.UnixNano() <= event.Time {
			if err := service.Declare(ctx, &declared[0]); err != nil {
				return nil, 0, err
			}
			declared = declared[1:]
		}
		if err := service.Append(ctx, &event); err != nil {
			return nil, 0, err
		}
		if _, known := seen[event.App]; !known {
			seen[event.App] = event.Time
		}
		if start == 0 {
			start = event.Time
		}
		if watch != nil && events%watchEvery == 0 {
			watch(event.Time-start, events)
		}
	}
	return seen, events, nil
}

// appDays sums the days, up to the horizon, of the apps that never do wrong:
// false alerts are counted on their time.
func appDays(truth []*scenario.Incident, seen map[memberwatch.AppID]int64, horizon int64) float64 {
	bad := make(map[memberwatch.AppID]bool)
	for _, i := range truth {
		for _, app := range i.Apps {
			bad[app] = bad[app] || i.Abuse
		}
	}
	var sum int64 // whole nanoseconds: their order does not matter
	for app, first := range seen {
		if !bad[app] {
			sum += max(horizon-first, 0) / int64(time.Second)
		}
	}
	return float64(sum) / (24 * 60 * 60)
}
