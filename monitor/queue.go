package monitor

import (
	"sync"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/store"
)

// message is one entry of a partition's queue; one field is set. All partitions
// get the same messages of a producer, and the same control changes, in the
// same order.
type message struct {
	delivery *delivery
	change   *memberwatch.Change
	route    *store.Route // a new app's partition
	live     *liveness
	settle   chan<- struct{} // closed when the states are written
	look     func()          // reads what belongs to the owner, and changes nothing
	flush    bool            // write the final checkpoint and end
}

// liveness says that a producer begins or ceases to hold back the watermark.
type liveness struct {
	producer *producer
	live     bool
}

// queue hands messages to a partition's owner. Pushing never blocks: the
// budgets bound what is in it, and a batch must reach either all partitions or
// none.
type queue struct {
	mu       sync.Mutex
	messages []message
	wake     chan struct{}
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1)} }

func (q *queue) push(m message) {
	q.mu.Lock()
	q.messages = append(q.messages, m)
	q.mu.Unlock()
	signal(q.wake)
}

// take returns everything queued and keeps the memory of spare for what comes.
func (q *queue) take(spare []message) []message {
	clear(spare)
	q.mu.Lock()
	defer q.mu.Unlock()
	taken := q.messages
	q.messages = spare[:0]
	return taken
}

// signal wakes whoever waits on a channel of capacity one.
func signal(wake chan<- struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}
