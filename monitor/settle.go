package monitor

import (
	"context"
	"fmt"

	"github.com/memberwatch/memberwatch"
)

// Settle waits until nothing is left to be computed from what was appended: all
// of it is applied, judged and written, and its signals are published. It fails
// when the disk takes nothing, when ctx is done or when the monitor closes.
func (m *Monitor) Settle(ctx context.Context) error {
	waits := make([]<-chan struct{}, len(m.partitions))
	for i, p := range m.partitions {
		waits[i] = p.settled()
	}
	for i, written := range waits {
		if err := m.await(ctx, written); err != nil {
			return err
		}
		for !m.publisher.caughtUp(i) {
			changed := m.publisher.changed()
			if m.publisher.caughtUp(i) {
				break
			}
			if err := m.await(ctx, changed); err != nil {
				return err
			}
		}
	}
	return nil
}

// await waits for a step towards rest.
func (m *Monitor) await(ctx context.Context, step <-chan struct{}) error {
	for {
		failing, err := m.storage.watch()
		if err != nil {
			return fmt.Errorf("wait until all is written: %w: %w", memberwatch.ErrUnavailable, err)
		}
		select {
		case <-step:
			return m.storage.failure()
		case <-failing:
		case <-ctx.Done():
			return fmt.Errorf("wait until all is written: %w", context.Cause(ctx))
		case <-m.closing:
			return closedError()
		}
	}
}

// settled returns a channel that closes when all that is queued in the partition
// so far is applied and the states are written, or cannot be at the moment.
func (p *partition) settled() <-chan struct{} {
	written := make(chan struct{})
	p.queue.push(message{settle: written})
	return written
}

// settle waits until the states and ledgers on the disk hold every event that is
// acknowledged. It gives up when the disk takes nothing, or the monitor closes:
// what is read then is a little older.
func (m *Monitor) settle(ctx context.Context) {
	var waits []<-chan struct{}
	for _, p := range m.partitions {
		if p.stats.behind.Load() {
			waits = append(waits, p.settled())
		}
	}
	for _, written := range waits {
		select {
		case <-written:
		case <-ctx.Done():
		case <-m.closing:
		}
	}
}
