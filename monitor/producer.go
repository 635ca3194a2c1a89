package monitor

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/memberwatch/memberwatch"
)

// maxProducers bounds the producers a data directory knows.
const maxProducers = 10_000

// producer is one stream's place. The router's part (next, newest) belongs to
// whoever holds turn; the rest is under mu.
type producer struct {
	id    memberwatch.ProducerID
	index int // in the monitor's list, and in every partition's marks
	turn  chan struct{}

	next   int64 // sequence number expected next
	newest int64 // event time of the newest event

	mu        sync.Mutex
	epoch     int64
	fenced    chan struct{} // closed when the epoch ends
	live      bool          // as the partitions were told
	seen      int64         // newest, for statistics
	heard     time.Time     // wall clock: last opening or events
	durable   []int64       // by partition: events up to it are committed
	committed int64         // the least of durable
	changed   chan struct{} // closed when committed grows
	unacked   []charge      // batches not yet durable, in order
}

// charge is what a batch holds of the uncommitted budget.
type charge struct {
	last  int64
	bytes int64
}

func newProducer(id memberwatch.ProducerID, index, partitions int) *producer {
	return &producer{
		id: id, index: index, turn: make(chan struct{}, 1), next: 1,
		fenced: make(chan struct{}), changed: make(chan struct{}), durable: make([]int64, partitions),
	}
}

// take waits for the producer's turn; only its holder may route.
func (p *producer) take(ctx context.Context, stop <-chan struct{}) bool {
	select {
	case p.turn <- struct{}{}:
		return true
	case <-ctx.Done():
	case <-stop:
	}
	return false
}

func (p *producer) give() { <-p.turn }

// fence ends the current epoch and begins another.
func (p *producer) fence(epoch int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.epoch = max(p.epoch, epoch)
	close(p.fenced)
	p.fenced = make(chan struct{})
	p.wake()
}

// interrupt ends the waits of the current stream's Append.
func (p *producer) interrupt() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.fenced)
	p.fenced = make(chan struct{})
}

// wake lets those who wait for a commit look again.
func (p *producer) wake() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// current returns the channel that closes when the epoch ends, or an error when
// it has.
func (p *producer) current(epoch int64) (<-chan struct{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if epoch != p.epoch {
		return nil, p.fencedError(epoch)
	}
	return p.fenced, nil
}

func (p *producer) fencedError(epoch int64) error {
	return &memberwatch.ReasonError{
		Kind: memberwatch.ErrConflict, Reason: "PRODUCER_FENCED",
		Message:  fmt.Sprintf("stream %d of producer %q has ended: stream %d took over", epoch, p.id, p.epoch),
		Hint:     "give each process its own producer name",
		Metadata: map[string]string{"epoch": strconv.FormatInt(p.epoch, 10)},
	}
}

// durableIn notes that a partition has committed the producer's events up to a
// sequence number, and returns the bytes that are free now.
func (p *producer) durableIn(partition int, last int64) (freed int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.durable[partition] = last
	least := p.durable[0]
	for _, v := range p.durable[1:] {
		least = min(least, v)
	}
	if least <= p.committed {
		return 0
	}
	p.committed = least
	n := 0
	for n < len(p.unacked) && p.unacked[n].last <= least {
		freed += p.unacked[n].bytes
		n++
	}
	p.unacked = append(p.unacked[:0], p.unacked[n:]...)
	p.wake()
	return freed
}

// charged notes what a batch holds until it is durable.
func (p *producer) charged(last, bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unacked = append(p.unacked, charge{last: last, bytes: bytes})
	p.seen = p.newest
}

// hear notes that the producer is there, and returns whether the partitions
// took it for absent.
func (p *producer) hear() (woke bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard = time.Now()
	woke = !p.live
	p.live = true
	return woke
}

// fallSilent ends the producer's hold on the watermark if it has been silent
// for so long, and owes no commit.
func (p *producer) fallSilent(timeout time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.live || len(p.unacked) > 0 || time.Since(p.heard) < timeout {
		return false
	}
	p.live = false
	return true
}
