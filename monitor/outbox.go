package monitor

import (
	"sync"
	"sync/atomic"
	"time"
)

// publishPage is how many outbox rows one transaction applies.
const publishPage = 256

// publisher makes committed signal updates visible: it reads the outboxes in
// order, applies their rows to platform.db, and wakes those who watch. Each row
// takes effect once, however often it is read.
type publisher struct {
	m        *Monitor
	wake     chan struct{}
	written  []atomic.Uint64 // by partition: newest committed outbox row
	applied  []atomic.Uint64 // by partition: newest published one
	mu       sync.Mutex
	progress chan struct{} // closed when signals have changed
}

func newPublisher(m *Monitor, partitions int) *publisher {
	return &publisher{
		m: m, wake: make(chan struct{}, 1), progress: make(chan struct{}),
		written: make([]atomic.Uint64, partitions), applied: make([]atomic.Uint64, partitions),
	}
}

// done returns the newest outbox row of a partition that may be dropped.
func (b *publisher) done(partition int) uint64 { return b.applied[partition].Load() }

// wakeFor notes that a partition's outbox reaches so far.
func (b *publisher) wakeFor(partition int, written uint64) {
	b.written[partition].Store(written)
	if written > b.applied[partition].Load() {
		signal(b.wake)
	}
}

// caughtUp tells whether all that a partition has written is published.
func (b *publisher) caughtUp(partition int) bool {
	return b.applied[partition].Load() >= b.written[partition].Load()
}

// run publishes until stop is closed. What is left then waits in the outboxes
// for the next start.
func (b *publisher) run(stop <-chan struct{}) {
	for {
		select {
		case <-b.wake:
			if !b.drain(stop) {
				return
			}
		case <-stop:
			return
		}
	}
}

// drain publishes what is committed, trying again when the disk is in the way;
// it returns false when it was stopped.
func (b *publisher) drain(stop <-chan struct{}) bool {
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		err := b.publishAll()
		if err == nil {
			b.m.storage.clear(publisherStorage)
			return true
		}
		b.m.storage.fail(publisherStorage, err)
		select {
		case <-time.After(wait):
		case <-stop:
			return false
		}
	}
}

// publishAll empties all outboxes.
func (b *publisher) publishAll() error {
	for i, p := range b.m.partitions {
		for b.written[i].Load() > b.applied[i].Load() {
			rows, err := p.file.Outbox(b.applied[i].Load(), publishPage)
			if err != nil {
				return err
			}
			if len(rows) == 0 {
				b.applied[i].Store(b.written[i].Load())
				b.announce()
				break
			}
			if err := b.m.store.Platform.Publish(i, rows); err != nil {
				return err
			}
			b.applied[i].Store(rows[len(rows)-1].Sequence)
			b.announce()
		}
	}
	return nil
}

// announce wakes everybody who waits for changed signals.
func (b *publisher) announce() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.progress)
	b.progress = make(chan struct{})
}

// changed returns a channel that closes at the next change of a signal.
func (b *publisher) changed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.progress
}

// restore reads how far the outboxes were published. It runs before any
// goroutine.
func (b *publisher) restore() error {
	for i := range b.applied {
		applied, err := b.m.store.Platform.Published(i)
		if err != nil {
			return err
		}
		b.applied[i].Store(applied)
	}
	return nil
}
