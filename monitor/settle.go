package monitor

import "context"

// settle waits until the states and ledgers on the disk hold every event that is
// acknowledged. It gives up when the disk takes nothing, or the monitor closes:
// what is read then is a little older.
func (m *Monitor) settle(ctx context.Context) {
	var waits []<-chan struct{}
	for _, p := range m.partitions {
		if p.stats.behind.Load() {
			written := make(chan struct{})
			p.queue.push(message{settle: written})
			waits = append(waits, written)
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
