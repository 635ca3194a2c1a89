package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/memberwatch/memberwatch"
)

// dispatcher delivers to one endpoint. One goroutine owns all of its fields but
// the channels; attempts run in goroutines of their own and report back.
type dispatcher struct {
	c       *Courier
	id      memberwatch.EndpointID
	wake    chan struct{} // the endpoint or its deliveries have changed
	removed chan struct{} // closed when the endpoint is gone
	ended   chan struct{} // closed when run has returned
	results chan result

	endpoint memberwatch.Endpoint
	jobs     []*job // waiting deliveries in order of their notices, at most window at a time
	more     bool   // more wait in the store than are in jobs
	stale    bool   // endpoint and jobs must be read again
	inFlight int
	paused   time.Time // no attempt before
	settled  []memberwatch.Delivery
	disable  string // why the endpoint must be disabled
}

// job is a waiting delivery in memory.
type job struct {
	delivery memberwatch.Delivery
	notice   memberwatch.Notice
	busy     bool // under way, or done and not recorded yet
}

// result is what an attempt reports.
type result struct {
	job        *job
	attempt    memberwatch.Attempt
	retryAfter time.Duration
}

func newDispatcher(c *Courier, id memberwatch.EndpointID) *dispatcher {
	return &dispatcher{
		c: c, id: id, stale: true, wake: make(chan struct{}, 1), removed: make(chan struct{}), ended: make(chan struct{}),
		results: make(chan result, maxInFlight),
	}
}

// reload makes the dispatcher read its endpoint and deliveries again.
func (d *dispatcher) reload() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// run delivers until ctx ends or the endpoint is removed.
func (d *dispatcher) run(ctx context.Context) {
	defer close(d.ended)
	ctx, cancel := context.WithCancel(ctx)
	var attempts sync.WaitGroup
	defer attempts.Wait()
	defer cancel()
	for {
		grown := d.c.growth() // before reading, so that no growth is missed
		var next time.Time
		if err := d.step(); err != nil {
			d.c.log.Error("cannot go on delivering, trying again", "endpoint", d.id, "error", err)
			next = time.Now().Add(retryPause)
		} else {
			next = d.launch(ctx, &attempts)
		}
		if !d.wait(ctx, grown, next) {
			return
		}
	}
}

// wait waits until there may be something to do; false means the end.
func (d *dispatcher) wait(ctx context.Context, grown <-chan struct{}, next time.Time) bool {
	var due <-chan time.Time
	if !next.IsZero() {
		timer := time.NewTimer(time.Until(next))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case r := <-d.results:
		d.finish(ctx, r)
		for len(d.results) > 0 {
			d.finish(ctx, <-d.results)
		}
	case <-d.wake:
		d.stale = true
	case <-grown:
	case <-due:
	case <-d.removed:
		return false
	case <-ctx.Done():
		return false
	}
	return true
}

// step brings store and memory together: results into the store, new notices and
// changes into memory.
func (d *dispatcher) step() error {
	if err := d.settle(); err != nil {
		return err
	}
	if d.stale || d.more && len(d.jobs) < window/2 {
		if err := d.load(); err != nil {
			return err
		}
	}
	if d.endpoint.Disabled != "" {
		return nil
	}
	return d.take()
}

// settle records what attempts have come to.
func (d *dispatcher) settle() error {
	if len(d.settled) == 0 && d.disable == "" {
		return nil
	}
	if err := d.c.store.SettleDeliveries(d.id, d.settled, d.disable, time.Now()); err != nil {
		return err
	}
	for _, s := range d.settled {
		i := slices.IndexFunc(d.jobs, func(j *job) bool { return j.delivery.Sequence == s.Sequence })
		if s.State == memberwatch.DeliveryWaiting {
			d.jobs[i].busy = false
		} else {
			d.jobs = slices.Delete(d.jobs, i, i+1)
		}
	}
	if d.disable != "" {
		d.c.log.Error("endpoint disabled", "endpoint", d.id, "reason", d.disable)
		d.stale = true
		d.c.announce()
	}
	d.settled, d.disable = d.settled[:0], ""
	return nil
}

// load reads the endpoint and what waits for it. Jobs under way stay what they
// are.
func (d *dispatcher) load() error {
	endpoint, err := d.c.store.Endpoint(d.id)
	if err != nil {
		return err
	}
	waiting, err := d.c.store.WaitingDeliveries(d.id, window)
	if err != nil {
		return err
	}
	jobs, err := d.merge(waiting)
	if err != nil {
		return err
	}
	if d.endpoint.Disabled != "" && endpoint.Disabled == "" {
		d.paused = time.Time{}
		for _, j := range jobs {
			j.delivery.Next = time.Time{} // who enables it does not mean: tomorrow
		}
	}
	d.endpoint, d.jobs, d.more, d.stale = endpoint, jobs, len(waiting) == window, false
	return nil
}

// merge returns the jobs for what waits: those there are, and new ones.
func (d *dispatcher) merge(waiting []memberwatch.Delivery) ([]*job, error) {
	known := make(map[int64]*job, len(d.jobs))
	for _, j := range d.jobs {
		known[j.delivery.Sequence] = j
	}
	var jobs []*job
	for i := range waiting {
		j := known[waiting[i].Sequence]
		delete(known, waiting[i].Sequence)
		if j == nil {
			notice, err := d.c.store.Notice(waiting[i].Sequence)
			if errors.Is(err, memberwatch.ErrNotFound) {
				continue // the journal has just dropped it, and the delivery with it
			}
			if err != nil {
				return nil, err
			}
			j = &job{delivery: waiting[i], notice: notice}
		}
		jobs = append(jobs, j)
	}
	for _, j := range known { // beyond the page, but under way
		if j.busy {
			jobs = append(jobs, j)
		}
	}
	slices.SortFunc(jobs, func(a, b *job) int { return int(a.delivery.Sequence - b.delivery.Sequence) })
	return jobs, nil
}

// take gives the endpoint further notices, as many as fit into the window. It
// waits until all that wait in the store are in memory: else a notice could
// overtake an earlier one of its subject.
func (d *dispatcher) take() error {
	for !d.more && len(d.jobs) < window {
		cursor, err := d.c.store.NoticeCursor(string(d.id))
		if err != nil {
			return err
		}
		notices, err := d.c.store.Notices(cursor, window-len(d.jobs))
		if err != nil || len(notices) == 0 {
			return err
		}
		var jobs []*job
		var waiting []memberwatch.Delivery
		for i := range notices {
			if d.endpoint.Takes(&notices[i]) {
				j := &job{delivery: memberwatch.NewDelivery(d.id, &notices[i]), notice: notices[i]}
				jobs, waiting = append(jobs, j), append(waiting, j.delivery)
			}
		}
		if err := d.c.store.TakeNotices(d.id, notices[len(notices)-1].Sequence, waiting); err != nil {
			return err
		}
		d.jobs = append(d.jobs, jobs...)
	}
	return nil
}

// launch starts what is due and returns when the next is; zero: not by itself.
// Of each subject only the earliest delivery is tried, so that a receiver never
// sees a later state before an earlier one.
func (d *dispatcher) launch(ctx context.Context, attempts *sync.WaitGroup) (next time.Time) {
	if d.endpoint.Disabled != "" || d.inFlight == maxInFlight {
		return next
	}
	now := time.Now()
	if now.Before(d.paused) {
		return d.paused
	}
	begun := make(map[string]bool, len(d.jobs))
	for _, j := range d.jobs {
		if begun[j.delivery.Subject] {
			continue
		}
		begun[j.delivery.Subject] = true
		switch {
		case j.busy:
		case j.delivery.Next.After(now):
			if next.IsZero() || j.delivery.Next.Before(next) {
				next = j.delivery.Next
			}
		case d.inFlight < maxInFlight:
			j.busy = true
			d.inFlight++
			endpoint := d.endpoint
			attempts.Go(func() { d.results <- d.c.try(ctx, &endpoint, j) })
		}
	}
	return next
}

// finish decides what becomes of a delivery after an attempt. It goes into the
// store with the next step.
func (d *dispatcher) finish(ctx context.Context, r result) {
	d.inFlight--
	if ctx.Err() != nil {
		return // cut off by us: the next courier tries it again
	}
	v, now := &r.job.delivery, time.Now()
	v.Attempts++
	v.Last, v.Next, v.Status, v.Error = now, time.Time{}, r.attempt.Status, r.attempt.Error
	wait, again := backoff(d.c.waits, v.Notice, v.Attempts)
	if r.retryAfter > 0 || throttles(v.Status) {
		// Not this delivery alone: the receiver wants to be left in peace.
		wait = max(wait, r.retryAfter)
		d.paused = now.Add(max(r.retryAfter, min(wait, maxPause)))
	}
	switch {
	case v.Error == "":
		v.State = memberwatch.DeliveryDelivered
	case v.Status == statusGone:
		d.disable = "it answered 410 Gone"
	case again:
		v.Next = now.Add(wait)
	default:
		v.State = memberwatch.DeliveryDead
		d.disable = fmt.Sprintf("%d attempts to deliver %s failed, the last one: %s", v.Attempts, v.Notice, v.Error)
	}
	d.settled = append(d.settled, *v)
}
