package throughput

import (
	"slices"
	"time"
)

// Result is what Run measured. The rates and times are medians over the rounds,
// the processor time and allocations are of all rounds together.
type Result struct {
	DrainEventsPerS  float64 `json:"drain_events_per_s"`
	ScoredEventsPerS float64 `json:"scored_events_per_s"`
	// Ratio is the median of the rounds' own ratios of the two rates.
	Ratio float64 `json:"ratio"`
	// ServerCPU and DrainCPU are nanoseconds of the server process per event.
	ServerCPU      float64 `json:"server_cpu_ns_per_event"`
	DrainCPU       float64 `json:"drain_cpu_ns_per_event"`
	AllocsPerEvent float64 `json:"allocs_per_event"`
	MembersPerS    float64 `json:"scored_members_per_s"`
	// WireEventsPerS is the rate of the drain when batches reach it encoded
	// beforehand: the limit of gRPC itself.
	WireEventsPerS  float64 `json:"drain_wire_events_per_s"`
	AckP50          float64 `json:"ack_ms_p50"` // under full load
	AckP99          float64 `json:"ack_ms_p99"`
	IdleAckP50      float64 `json:"ack_idle_ms_p50"`
	IdleAckP99      float64 `json:"ack_idle_ms_p99"`
	BytesPerApp     float64 `json:"bytes_per_active_app"` // of the heap
	ActiveApps      int     `json:"active_apps"`
	EventBytes      float64 `json:"bytes_per_event"` // on the wire
	Rounds          []Round `json:"rounds"`
	Config          Config  `json:"config"`
	scored, drained cost
}

// Round is one round's rates.
type Round struct {
	DrainEventsPerS  float64 `json:"drain_events_per_s"`
	ScoredEventsPerS float64 `json:"scored_events_per_s"`
	ServerCPU        float64 `json:"server_cpu_ns_per_event"`
	DrainCPU         float64 `json:"drain_cpu_ns_per_event"`
}

func (c *cost) add(o cost) {
	c.events += o.events
	c.wall += o.wall
	c.cpu += o.cpu
	c.allocs += o.allocs
}

func (c *cost) rate() float64 { return float64(c.events) / c.wall.Seconds() }

func (c *cost) perEvent() float64 { return float64(c.cpu) / float64(c.events) }

// add takes in a round.
func (r *Result) add(drained, scored cost) {
	r.drained.add(drained)
	r.scored.add(scored)
	r.Rounds = append(r.Rounds, Round{
		DrainEventsPerS: drained.rate(), ScoredEventsPerS: scored.rate(), ServerCPU: scored.perEvent(), DrainCPU: drained.perEvent(),
	})
}

// finish computes the summary.
func (r *Result) finish(loaded, idle []time.Duration, heap int64) {
	r.DrainEventsPerS = r.median(func(o *Round) float64 { return o.DrainEventsPerS })
	r.ScoredEventsPerS = r.median(func(o *Round) float64 { return o.ScoredEventsPerS })
	r.Ratio = r.median(func(o *Round) float64 { return o.ScoredEventsPerS / o.DrainEventsPerS })
	r.MembersPerS = r.ScoredEventsPerS * float64(r.Config.Members)
	r.ServerCPU, r.DrainCPU = r.scored.perEvent(), r.drained.perEvent()
	r.AllocsPerEvent = float64(r.scored.allocs) / float64(r.scored.events)
	r.AckP50, r.AckP99 = quantile(loaded, 0.5), quantile(loaded, 0.99)
	r.IdleAckP50, r.IdleAckP99 = quantile(idle, 0.5), quantile(idle, 0.99)
	r.BytesPerApp = float64(heap) / float64(r.ActiveApps)
}

// median returns the middle of a figure over the rounds.
func (r *Result) median(of func(*Round) float64) float64 {
	values := make([]float64, len(r.Rounds))
	for i := range r.Rounds {
		values[i] = of(&r.Rounds[i])
	}
	slices.Sort(values)
	return (values[len(values)/2] + values[(len(values)-1)/2]) / 2
}
