package feed

import "github.com/memberwatch/memberwatch"

// Bounds of a batch, and of the batches kept for reuse. Together they bound the
// feed's memory, whatever a run's length.
const (
	batchEvents  = 512
	batchMembers = 1 << 16
	spareBatches = 64
)

// batch is a batch with the memory its events point into.
type batch struct {
	memberwatch.Batch
	members []uint64
	classes []string
}

// free returns an empty batch.
func (f *Feed) free() *batch {
	select {
	case b := <-f.spare:
		b.Events, b.members, b.classes = b.Events[:0], b.members[:0], b.classes[:0]
		return b
	default:
		return new(batch)
	}
}

// recycle keeps a batch that no partition needs any more.
func (f *Feed) recycle(b *batch) {
	select {
	case f.spare <- b:
	default:
	}
}

// add copies an event. A slice that grows leaves earlier events pointing into
// the old array, which is still theirs.
func (b *batch) add(ev *memberwatch.Event) {
	e := *ev
	b.members, e.Disclosed = keep(b.members, ev.Disclosed)
	b.members, e.Requested = keep(b.members, ev.Requested)
	b.classes, e.DataClasses = keep(b.classes, ev.DataClasses)
	b.Events = append(b.Events, e)
}

// keep appends values and returns where they stand.
func keep[T any](all, values []T) (grown, kept []T) {
	from := len(all)
	all = append(all, values...)
	return all, all[from:len(all):len(all)]
}

func (b *batch) full() bool { return len(b.Events) >= batchEvents || len(b.members) >= batchMembers }
