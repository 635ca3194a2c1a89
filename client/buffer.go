package client

import (
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/memberwatch/memberwatch"
)

// batch is a run of encoded events that goes out in one frame if the service's
// limits allow it.
type batch struct {
	data   []byte  // events, each encoded as a field of EventBatch
	ends   []int32 // where each event ends in data
	span   span    // of the events' times
	gap    *memberwatch.Gap
	opened time.Time // when its first event came in
	sealed bool      // takes no more events and is due at once
	gone   bool      // acknowledged or dropped
}

// offset returns where event i begins in data.
func (b *batch) offset(i int) int {
	if i == 0 {
		return 0
	}
	return int(b.ends[i-1])
}

// span is a stretch of event time, nanoseconds since the epoch.
type span struct{ first, last int64 }

// buffer keeps encoded events, oldest first, from Append to acknowledgement.
// Behind the cursor lie events that a stream has carried; only these have
// sequence numbers, so any event before the cursor's reach may be dropped and
// the rest still follow each other without a hole.
type buffer struct {
	limit, batchBytes, batchEvents int

	queue     []*batch
	bytes     int              // in the queue
	events    int              // in the queue and not acknowledged
	acked     int              // events of queue[0] that are acknowledged
	committed int64            // sequence number of the last acknowledged event
	sent      int              // cursor: queue[:sent] were sent,
	sentIn    int              // and the first sentIn events of queue[sent]
	next      int64            // sequence number of the event at the cursor; 0 until a stream has opened
	unacked   int              // bytes between acknowledgement and cursor
	gap       *memberwatch.Gap // dropped behind the newest batch
}

// fits tells whether an encoded event of some size can be added now.
func (b *buffer) fits(size int) bool { return b.bytes+size <= b.limit }

// grow makes room for one encoded event and returns its bytes to be filled in.
// The second result tells whether the sender should look: a batch has begun or
// is full.
func (b *buffer) grow(size int, eventTime int64, now time.Time) ([]byte, bool) {
	tail, begun := b.tail(size, now)
	from := len(tail.data)
	tail.data = slices.Grow(tail.data, size)[:from+size]
	tail.ends = append(tail.ends, int32(from+size))
	if len(tail.ends) == 1 {
		tail.span = span{eventTime, eventTime}
	}
	tail.span = span{min(tail.span.first, eventTime), max(tail.span.last, eventTime)}
	tail.sealed = len(tail.ends) >= b.batchEvents || len(tail.data) >= b.batchBytes
	b.bytes += size
	b.events++
	return tail.data[from:], begun || tail.sealed
}

// tail returns the batch that takes the next event, begun if need be.
func (b *buffer) tail(size int, now time.Time) (*batch, bool) {
	guess := 512
	if n := len(b.queue); n > 0 {
		last := b.queue[n-1]
		if !last.sealed && b.gap == nil && len(last.data)+size <= b.batchBytes {
			return last, false
		}
		last.sealed = true
		guess = max(guess, len(last.data)) // batches of one producer are alike
	}
	fresh := &batch{data: make([]byte, 0, max(guess, size)), gap: b.gap, opened: now}
	b.gap = nil
	b.queue = append(b.queue, fresh)
	return fresh, true
}

// seal closes the newest batch, so that it is sent without delay, and returns
// it; nil if nothing is kept.
func (b *buffer) seal() *batch {
	if len(b.queue) == 0 {
		return nil
	}
	last := b.queue[len(b.queue)-1]
	last.sealed = true
	return last
}

// dropOldest drops the oldest batch that no stream has begun to carry and
// returns how many events it held; 0 if there is none.
func (b *buffer) dropOldest() int {
	i := b.sent
	if b.sentIn > 0 {
		i++
	}
	if i >= len(b.queue) {
		return 0
	}
	victim := b.queue[i]
	victim.gone = true
	lost := merge(victim.gap, &memberwatch.Gap{Count: int64(len(victim.ends)), Start: victim.span.first, End: victim.span.last})
	b.queue = slices.Delete(b.queue, i, i+1)
	b.bytes -= len(victim.data)
	b.events -= len(victim.ends)
	if i < len(b.queue) {
		b.queue[i].gap = merge(lost, b.queue[i].gap)
	} else {
		b.gap = merge(lost, b.gap)
	}
	return len(victim.ends)
}

// dropNew records that an event was not even buffered.
func (b *buffer) dropNew(eventTime int64) {
	b.gap = merge(b.gap, &memberwatch.Gap{Count: 1, Start: eventTime, End: eventTime})
}

// merge unites two gaps; either may be nil.
func merge(a, b *memberwatch.Gap) *memberwatch.Gap {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return &memberwatch.Gap{Count: a.Count + b.Count, Start: min(a.Start, b.Start), End: max(a.End, b.End)}
}

// due returns the batch at the cursor, and since when it may be sent.
func (b *buffer) due(delay time.Duration) (*batch, time.Time) {
	if b.sent == len(b.queue) {
		return nil, time.Time{}
	}
	at := b.queue[b.sent]
	if at.sealed {
		return at, at.opened
	}
	return at, at.opened.Add(delay)
}

// take moves the cursor over events of the batch at it and returns them as a
// frame. While anything is unacknowledged it takes the whole rest of the batch
// or, if the credit in bytes forbids it, nothing.
func (b *buffer) take(maxEvents, credit int) (frame, bool) {
	at := b.queue[b.sent]
	at.sealed = true
	from, start := b.sentIn, at.offset(b.sentIn)
	to := min(len(at.ends), from+maxEvents)
	if b.unacked+at.offset(to)-start > credit {
		if b.unacked > 0 {
			return frame{}, false
		}
		fitting := sort.Search(to-from, func(i int) bool { return int(at.ends[from+i])-start > credit })
		to = from + max(1, fitting)
	}
	f := frame{base: b.next, events: to - from, body: at.data[start:at.offset(to)]}
	if from == 0 {
		f.gap = at.gap
	}
	b.next += int64(f.events)
	b.unacked += len(f.body)
	b.sentIn = to
	if to == len(at.ends) {
		b.sent, b.sentIn = b.sent+1, 0
	}
	return f, true
}

// ack forgets the events up to a sequence number. It fails if they were never
// sent.
func (b *buffer) ack(committed int64) error {
	if committed >= b.next {
		return fmt.Errorf("service acknowledged event %d, but only events before %d were sent", committed, b.next)
	}
	for b.committed < committed {
		head := b.queue[0]
		n := min(len(head.ends)-b.acked, int(committed-b.committed))
		b.unacked -= head.offset(b.acked+n) - head.offset(b.acked)
		b.acked += n
		b.committed += int64(n)
		b.events -= n
		if b.acked == len(head.ends) {
			b.popHead()
		}
	}
	return nil
}

// popHead removes the oldest batch, all of whose events were sent and
// acknowledged.
func (b *buffer) popHead() {
	head := b.queue[0]
	head.gone = true
	b.bytes -= len(head.data)
	b.queue = slices.Delete(b.queue, 0, 1)
	b.acked = 0
	b.sent--
}

// resume moves the cursor to where the service wants a new stream to go on. The
// very first stream says where the producer's numbering stands.
func (b *buffer) resume(next int64) error {
	if b.next == 0 {
		b.next, b.committed = next, next-1
	}
	switch {
	case next <= b.committed:
		return diverged("service asks for event %d again, but had acknowledged all up to %d: it lost data or was replaced", next, b.committed)
	case next > b.next:
		return diverged("service already has event %d of this producer, but this process only sent up to %d: another process uses its name", next-1, b.next-1)
	}
	b.next = next
	b.sent, b.sentIn, b.unacked = 0, b.acked+int(next-b.committed-1), 0
	for b.sent < len(b.queue) && b.sentIn >= len(b.queue[b.sent].ends) {
		b.unacked += len(b.queue[b.sent].data)
		b.sentIn -= len(b.queue[b.sent].ends)
		b.sent++
	}
	if len(b.queue) > 0 {
		b.unacked -= b.queue[0].offset(b.acked)
	}
	if b.sent < len(b.queue) {
		b.unacked += b.queue[b.sent].offset(b.sentIn)
	}
	return nil
}

// diverged is the error for a service and a client that disagree about what the
// producer has sent. Going on would lose or double events silently.
func diverged(format string, args ...any) error {
	return &memberwatch.ReasonError{
		Kind: memberwatch.ErrConflict, Reason: "PRODUCER_DIVERGED", Message: fmt.Sprintf(format, args...),
		Hint: "start a new client, which goes on from where the service stands, or give it a producer name of its own",
	}
}
