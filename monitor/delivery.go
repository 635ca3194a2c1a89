package monitor

import (
	"sync"
	"sync/atomic"

	"github.com/memberwatch/memberwatch"
)

// delivery is a batch on its way through the partitions. It is pooled: in
// steady state the router allocates nothing.
type delivery struct {
	producer *producer
	batch    memberwatch.Batch
	last     int64 // sequence number of the batch's last event
	newest   int64 // the producer's newest event time up to and including the batch
	steps    []int64
	parts    [][]entry // by partition
	cost     int64
	refs     atomic.Int32
	queued   *budget
	pool     *sync.Pool
}

// entry is what one partition does next: observe an event of the batch, or take
// a step. Steps come at the same places of the stream in all partitions: when
// the producer's newest event time, less the lateness, passes an hour. They do
// not depend on how the stream was cut into batches, hence neither does what is
// closed when.
type entry struct {
	event uint32 // twice its index in the batch, plus 1 when it is late; or step
	slot  uint32 // of the event's app in the partition
}

// step is the event of an entry that takes the next of delivery.steps.
const step = 1<<32 - 1

func eventEntry(i int, late bool, slot uint32) entry {
	if late {
		return entry{event: uint32(i)<<1 | 1, slot: slot}
	}
	return entry{event: uint32(i) << 1, slot: slot}
}

func (e entry) index() int { return int(e.event >> 1) }
func (e entry) late() bool { return e.event&1 == 1 }

// reset prepares a delivery from the pool for a batch.
func (d *delivery) reset(p *producer, b *memberwatch.Batch, partitions int) {
	d.producer, d.batch, d.steps = p, *b, d.steps[:0]
	for len(d.parts) < partitions {
		d.parts = append(d.parts, nil)
	}
	for i := range d.parts {
		d.parts[i] = d.parts[i][:0]
	}
	d.refs.Store(int32(partitions))
}

// done says that one partition is through with the batch; the last one gives
// its memory back.
func (d *delivery) done() {
	if d.refs.Add(-1) > 0 {
		return
	}
	if d.batch.Release != nil {
		d.batch.Release()
	}
	d.batch = memberwatch.Batch{}
	d.queued.release(d.cost)
	d.pool.Put(d)
}
