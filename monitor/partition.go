package monitor

import (
	"sync/atomic"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector"
	"github.com/memberwatch/memberwatch/store"
)

// partition owns the apps of one partition. All fields but the queue, the inbox
// and the counters belong to its owner goroutine, run.
type partition struct {
	m      *Monitor
	index  int
	file   *store.Partition
	engine *detector.Engine
	queue  *queue
	inbox  *inbox
	stop   <-chan struct{} // closed when the owner must end at once

	apps     map[memberwatch.AppID]*resident
	slots    []*resident       // the same by slot, once an event has named it
	max      int               // apps to keep in memory
	tick     uint64            // for finding the least recently used app
	crowded  uint64            // checkpoint after which evicting was tried in vain
	marks    []mark            // by producer
	calls    []detector.Call   // accepted, not yet observed
	closing  []*detector.State // whose windows close
	touched  []int             // producers whose marks changed since the last checkpoint
	progress store.Progress
	rulings  []ruling // from the fleet, not yet applied
	judged   int64    // windows up to here are judged by the fleet, durably

	changes  pendingChanges
	journal  journal
	waiters  []chan<- struct{} // for the states to be written
	classes  classCounts
	commits  committer
	interval time.Duration
	began    time.Time // of the newest checkpoint
	saved    time.Time // of the newest one with states

	kept  atomic.Bool // all that was applied is on the disk, for good
	stats partitionStats
}

// mark is how far the partition has come in one producer's stream.
type mark struct {
	sequence int64
	newest   int64
	live     bool
	changed  bool
}

// pendingChanges are what the next checkpoint writes beside events and marks.
type pendingChanges struct {
	any      bool
	whole    bool        // the states must be written with it: the journal does not tell all
	dirty    []*resident // changed since the states were written
	owners   []store.AppOwner
	routes   []store.Route
	tallies  []store.Tally
	setAside []memberwatch.AppID
}

// partitionStats are read by others.
type partitionStats struct {
	watermark, applied, late, lost, resident, checkpoints, lastCheckpoint atomic.Int64

	behind atomic.Bool // the states on the disk are behind what is acknowledged
}

// run is the owner: it applies messages and writes checkpoints until it is told
// to flush, or to stop at once.
func (p *partition) run() {
	defer close(p.commits.work)
	var messages []message
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		messages = p.queue.take(messages)
		if !p.apply(messages) {
			return
		}
		if len(messages) > 0 {
			continue
		}
		p.checkpointIfDue()
		timer.Reset(p.untilCheckpoint())
		select {
		case <-p.queue.wake:
		case <-timer.C:
		case c := <-p.commits.finished:
			p.committed(c)
		case <-p.stop:
		}
	}
}

// apply takes messages in order, with checkpoints in between, and returns
// whether the owner goes on. When it must stop at once, it only gives back what
// the queue holds.
func (p *partition) apply(messages []message) bool {
	for i := range messages {
		switch {
		case p.stopped():
			p.abandon(messages[i:])
			return false
		case messages[i].flush:
			p.flush()
			return false
		}
		p.handle(&messages[i])
		p.checkpointIfDue()
	}
	if p.stopped() {
		p.abandon(p.queue.take(nil))
		return false
	}
	return true
}

// abandon gives back batches that nobody will apply. Their events were not
// acknowledged and will come again.
func (p *partition) abandon(messages []message) {
	for i := range messages {
		if d := messages[i].delivery; d != nil {
			d.done()
		}
	}
}

func (p *partition) stopped() bool {
	select {
	case <-p.stop:
		return true
	default:
		return false
	}
}

func (p *partition) handle(msg *message) {
	switch {
	case msg.delivery != nil:
		p.deliver(msg.delivery)
		msg.delivery.done()
	case msg.change != nil:
		p.engine.Apply(msg.change)
	case msg.route != nil:
		p.changes.routes = append(p.changes.routes, *msg.route)
		p.changes.any = true
	case msg.live != nil:
		p.setLive(msg.live)
	case msg.settle != nil:
		p.waiters = append(p.waiters, msg.settle)
	case msg.look != nil:
		msg.look()
	}
}

// deliver applies a batch: events that this partition has not seen, and the
// steps between them.
func (p *partition) deliver(d *delivery) {
	index := d.producer.index
	at := p.mark(index)
	base := d.batch.Base
	if gap := d.batch.Gap; gap != nil && p.index == 0 && (base > at.sequence || len(d.batch.Events) == 0) {
		p.progress.Lost += max(gap.Count, 0)
		p.touch(index)
	}
	if !at.live {
		at.live = true
		p.touch(index)
	}
	if d.last <= at.sequence && d.newest <= at.newest {
		return
	}
	p.tick++
	p.touch(index)
	steps := d.steps
	for _, e := range d.parts[p.index] {
		if e.event == step {
			p.observe()
			at.newest = max(at.newest, steps[0])
			steps = steps[1:]
			p.advance()
			continue
		}
		if base+int64(e.index()) > at.sequence {
			p.accept(&d.batch.Events[e.index()], e.late(), e.slot)
		}
	}
	p.observe()
	at.sequence, at.newest = max(at.sequence, d.last), max(at.newest, d.newest)
	p.stats.applied.Store(p.progress.Applied)
	p.stats.late.Store(p.progress.Late)
	p.stats.lost.Store(p.progress.Lost)
	p.stats.resident.Store(int64(len(p.apps)))
}

// accept takes one event for its app, to be observed with those that follow.
func (p *partition) accept(ev *memberwatch.Event, late bool, slot uint32) {
	if int(slot) >= len(p.slots) {
		p.slots = append(p.slots, make([]*resident, int(slot)+1-len(p.slots))...)
	}
	r := p.slots[slot]
	if r == nil {
		r = p.admit(ev)
		r.slot, r.placed, p.slots[slot] = slot, true, r
	}
	r.used = p.tick
	late = late || hourOf(ev.Time)+hour <= p.progress.Closed
	if !p.changes.whole {
		p.journal.add(ev, late, p.engine.Revision())
	}
	p.calls = append(p.calls, detector.Call{State: r.state, Event: ev, Late: late})
	p.progress.Applied++
	if late {
		p.progress.Late++
	}
	p.dirty(r)
}

// observe folds the accepted events into their apps.
func (p *partition) observe() {
	p.engine.ObserveAll(p.calls)
	clear(p.calls) // the events are the batch's
	p.calls = p.calls[:0]
}

// dirty puts an app on the list of the next checkpoint.
func (p *partition) dirty(r *resident) {
	if !r.dirty {
		r.dirty = true
		p.changes.dirty = append(p.changes.dirty, r)
		p.changes.any = true
	}
}

// mark returns a producer's mark. The pointer is valid until the next call with
// a producer not seen before.
func (p *partition) mark(producer int) *mark {
	for len(p.marks) <= producer {
		p.marks = append(p.marks, mark{})
	}
	return &p.marks[producer]
}

// touch notes that a producer's mark must be written.
func (p *partition) touch(producer int) {
	at := p.mark(producer)
	if !at.changed {
		at.changed = true
		p.touched = append(p.touched, producer)
		p.changes.any = true
	}
}

func (p *partition) setLive(l *liveness) {
	at := p.mark(l.producer.index)
	if at.live != l.live {
		at.live = l.live
		p.touch(l.producer.index)
	}
	if !l.live {
		p.advance()
	}
}
