package throughput

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Config says what is measured. Every field must be set; Defaults has values.
type Config struct {
	Apps    int    // on the platform
	Events  int    // a round, for each of the two servers
	Members int    // disclosed by each event
	Rounds  int    // of which medians are taken
	Batch   int    // events in a message
	Streams int    // producers that send side by side
	Pace    int    // events in a second of event time
	Credit  int    // bytes that may be on their way, over all streams
	Idle    int    // acknowledgements timed without load
	Seed    uint64 // chooses everything that is random
	Encoded bool   // send batches that are encoded already, not through the client
}

// Defaults returns a platform of 20,000 apps, and rounds of some seconds. The
// credit is what one client buffers by default.
func Defaults() Config {
	return Config{
		Apps: 20_000, Events: 2_000_000, Members: 10, Rounds: 5, Batch: 1000, Streams: 1, Pace: 20_000, Credit: 64 << 20, Idle: 40, Seed: 1,
	}
}

// Check says what is wrong with a configuration.
func (c *Config) Check() error {
	for name, value := range map[string]int{
		"apps": c.Apps, "events": c.Events, "rounds": c.Rounds, "batch": c.Batch, "streams": c.Streams, "pace": c.Pace,
	} {
		if value < 1 {
			return fmt.Errorf("%s is %d, must be at least 1", name, value)
		}
	}
	if c.Apps < 2 || c.Members < 0 || c.Members > 10_000 || c.Batch > 10_000 {
		return fmt.Errorf("%d apps, %d members, %d events in a batch: at least 2 apps, at most 10,000 members and 10,000 events", c.Apps, c.Members, c.Batch)
	}
	if c.Events%(c.Streams*c.Batch) != 0 {
		return fmt.Errorf("%d events are not whole batches of %d on each of %d streams", c.Events, c.Batch, c.Streams)
	}
	return nil
}

// maxPool bounds how many different events there are; then they come again.
const maxPool = 384_000

// pool is how many different events there are, whole batches on each stream.
func (c *Config) pool() int {
	whole := c.Streams * c.Batch
	return max(min(maxPool, c.Events)/whole, 1) * whole
}

// lateness is the service's default: its windows close that much after their end.
const lateness = 2 * time.Minute

// side is one of the two servers with the senders to it.
type side struct {
	peer    *Peer
	drops   bool        // it is the drain
	raw     []*stream   // of encoded batches
	gateway []*producer // through the client; none when batches are sent encoded
	probe   *stream
}

// Run measures. The peers must be fresh, and stay the caller's. progress is told
// after each step how many of all steps are done.
func Run(ctx context.Context, c Config, drain, service *Peer, progress func(done, all int)) (*Result, error) {
	empty, err := service.ask(askHeap)
	if err != nil {
		return nil, err
	}
	sides := [2]*side{{peer: drain, drops: true}, {peer: service}}
	result := &Result{Config: c}
	for _, s := range sides {
		active, err := s.open(ctx, &c)
		if err != nil {
			return nil, err
		}
		result.ActiveApps, result.EventBytes = active.apps, active.eventBytes
	}
	all := 2*c.Rounds + 4
	for i, s := range sides { // a warm-up: every event once
		if err := s.send(ctx, c.pool()); err != nil {
			return nil, err
		}
		progress(i+1, all)
	}
	var loaded []time.Duration
	for round := range c.Rounds {
		var costs [2]cost
		for i := range sides {
			which := (round + i) % 2 // neither always goes first
			var probed []time.Duration
			if costs[which], probed, err = sides[which].measure(ctx, c.Events); err != nil {
				return nil, err
			}
			if which == 1 {
				loaded = append(loaded, probed...)
			}
			progress(2+2*round+i+1, all)
		}
		result.add(costs[0], costs[1])
	}
	if err := result.extremes(ctx, sides, empty.Heap, loaded); err != nil {
		return nil, err
	}
	progress(all, all)
	return result, errors.Join(sides[0].close(ctx), sides[1].close(ctx))
}

// extremes measures what is beside full load: an idle service, memory, and how
// fast batches that are encoded already can be dropped.
func (r *Result) extremes(ctx context.Context, sides [2]*side, empty uint64, loaded []time.Duration) error {
	idle, err := sides[1].probe.ping(ctx, idlePause, r.Config.Idle)
	if err != nil {
		return err
	}
	full, err := sides[1].peer.ask(askHeap)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := sides[0].sendRaw(r.Config.Events); err != nil {
		return err
	}
	r.WireEventsPerS = float64(r.Config.Events) / time.Since(began).Seconds()
	r.finish(loaded, idle, int64(full.Heap)-int64(empty))
	return nil
}

// population says what a workload is made of.
type population struct {
	apps       int
	eventBytes float64
}

// open opens the streams. Their event time starts so that an hour ends, and is
// closed, in the middle of the measured rounds.
func (s *side) open(ctx context.Context, c *Config) (population, error) {
	step := time.Duration(int64(time.Second) * int64(c.Streams) / int64(c.Pace))
	before := time.Duration(c.pool()+c.Rounds*c.Events/2) * time.Second / time.Duration(c.Pace)
	start := time.Date(2024, 1, 3, 11, 0, 0, 0, time.UTC).Add(lateness - before)
	seen := make(map[int32]bool)
	size, events := 0, 0
	for i := range c.Streams {
		g := newGenerator(c, uint64(i)+1)
		one := &stream{clock: start, step: step, credit: max(c.Credit/c.Streams, 1<<20)}
		gateway := &producer{clock: start, step: step}
		for n := 0; n < c.pool()/c.Streams; n += c.Batch {
			b, err := g.batch(c.Batch, gateway)
			if err != nil {
				return population{}, err
			}
			one.pool = append(one.pool, b)
			size, events = size+len(b.body), events+len(b.times)
			for _, app := range b.apps {
				seen[app] = true
			}
		}
		if c.Encoded || s.drops { // a stream that is silent would hold the service's windows open
			if err := one.open(ctx, s.peer.address, fmt.Sprintf("encoded-%d", i)); err != nil {
				return population{}, err
			}
			s.raw = append(s.raw, one)
		}
		if c.Encoded {
			continue
		}
		if err := gateway.open(c, s.peer.address, fmt.Sprintf("gateway-%d", i)); err != nil {
			return population{}, err
		}
		s.gateway = append(s.gateway, gateway)
	}
	s.probe = &stream{clock: start, credit: 1 << 20} // its time stands still within a round
	b, err := newGenerator(&Config{Apps: 100, Members: 1, Seed: c.Seed}, 0).batch(probeEvents, &producer{})
	s.probe.pool = []*batch{b}
	return population{apps: len(seen), eventBytes: float64(size) / float64(events)}, errors.Join(err, s.probe.open(ctx, s.peer.address, "probe"))
}

// send sends events over all streams at once and waits for all acknowledgements.
func (s *side) send(ctx context.Context, events int) error {
	if len(s.gateway) == 0 {
		return s.sendRaw(events)
	}
	return together(s.gateway, func(p *producer) error { return p.send(ctx, events/len(s.gateway)) })
}

func (s *side) sendRaw(events int) error {
	return together(s.raw, func(one *stream) error { return one.send(events / len(s.raw)) })
}

// together does something with all senders at once.
func together[S any](senders []S, do func(S) error) error {
	errs := make([]error, len(senders))
	var running sync.WaitGroup
	for i, one := range senders {
		running.Go(func() { errs[i] = do(one) })
	}
	running.Wait()
	return errors.Join(errs...)
}

// cost is what one round took.
type cost struct {
	events int64
	wall   time.Duration
	cpu    time.Duration
	allocs uint64
}

// measure sends a round, and probes how long acknowledgements take meanwhile.
func (s *side) measure(ctx context.Context, events int) (cost, []time.Duration, error) {
	before, err := s.peer.ask(askUsage)
	if err != nil {
		return cost{}, nil, err
	}
	s.probe.clock = s.now()
	probing, stop := context.WithCancel(ctx)
	defer stop()
	var probed []time.Duration
	var probeErr error
	var probe sync.WaitGroup
	probe.Go(func() { probed, probeErr = s.probe.ping(probing, loadedPause, events) })
	began := time.Now()
	err = s.send(ctx, events)
	wall := time.Since(began)
	stop()
	probe.Wait()
	if err := errors.Join(err, probeErr); err != nil {
		return cost{}, nil, err
	}
	after, err := s.peer.ask(askUsage)
	return cost{
		events: int64(events), wall: wall, cpu: time.Duration(after.CPU - before.CPU), allocs: after.Allocs - before.Allocs,
	}, probed, err
}

// now returns the event time that the senders have reached.
func (s *side) now() time.Time {
	if len(s.gateway) > 0 {
		return s.gateway[0].clock
	}
	return s.raw[0].clock
}

// Probes are small batches of a producer of their own. An idle service gets them
// so far apart that each finds nothing to do.
const (
	probeEvents = 10
	loadedPause = 20 * time.Millisecond
	idlePause   = 50 * time.Millisecond
)

func (s *side) close(ctx context.Context) error {
	errs := []error{s.probe.close()}
	for _, one := range s.raw {
		errs = append(errs, one.close())
	}
	for _, one := range s.gateway {
		errs = append(errs, one.close(ctx))
	}
	return errors.Join(errs...)
}

// quantile returns the q-th of the durations in milliseconds, by nearest rank.
func quantile(all []time.Duration, q float64) float64 {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return float64(sorted[int(q*float64(len(sorted)-1)+0.5)]) / float64(time.Millisecond)
}
