package feed

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector"
	"github.com/memberwatch/memberwatch/monitor"
)

// Options say what service is fed. The zero value is a default service over a
// temporary directory that goes when the feed is closed.
type Options struct {
	// Dir is the data directory; empty: a temporary one.
	Dir string
	// Detector configures the models; nil: the default configuration.
	Detector *detector.Config
	// Sync makes every checkpoint wait for the disk, as in production. It
	// changes the time a run takes and nothing else.
	Sync bool
	// Partitions is their number; 0: as in production.
	Partitions int
}

// producer is who the feed says it is.
const producer = memberwatch.ProducerID("bench")

// Feed is one producer's stream into a monitor of its own. It is not safe for
// concurrent use.
type Feed struct {
	monitor   *monitor.Monitor
	temporary string // directory to remove
	position  memberwatch.Position
	batch     *batch
	spare     chan *batch
}

// Open starts a service and opens a stream to it.
func Open(ctx context.Context, o Options) (*Feed, error) {
	f := &Feed{spare: make(chan *batch, spareBatches)}
	dir := o.Dir
	if dir == "" {
		made, err := os.MkdirTemp("", "memberwatch-bench-")
		if err != nil {
			return nil, fmt.Errorf("make a data directory: %w", err)
		}
		dir, f.temporary = made, made
	}
	m, err := monitor.Open(MonitorOptions(dir, o))
	if err != nil {
		return nil, errors.Join(err, f.remove())
	}
	f.monitor = m
	if f.position, err = m.OpenProducer(ctx, producer, "bench"); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// MonitorOptions returns the options of a monitor under measurement. A
// producer's silence is the harness's, so it never moves the watermark.
func MonitorOptions(dir string, o Options) monitor.Options {
	return monitor.Options{
		Dir: dir, Detector: o.Detector, NoSync: !o.Sync, Partitions: o.Partitions, IdleTimeout: 24 * time.Hour,
		MaxQueuedBytes: 16 << 20, MaxUncommittedBytes: 64 << 20,
	}
}

// Append adds an event behind those before it, and blocks while the service is
// busy. The event is copied.
func (f *Feed) Append(ctx context.Context, ev *memberwatch.Event) error {
	if f.batch == nil {
		f.batch = f.free()
	}
	f.batch.add(ev)
	if f.batch.full() {
		return f.flush(ctx)
	}
	return nil
}

// Declare makes a control change, which takes effect between the events before
// it and those after it.
func (f *Feed) Declare(ctx context.Context, change *memberwatch.Change) error {
	if err := f.flush(ctx); err != nil {
		return err
	}
	var err error
	switch {
	case change.App != nil:
		_, _, err = f.monitor.PutApp(ctx, *change.App)
	case change.Restriction != nil:
		_, err = f.monitor.PutRestriction(ctx, *change.Restriction)
	case change.Canaries != nil:
		_, err = f.monitor.PutCanaries(ctx, *change.Canaries)
	case change.Attestation != nil:
		_, err = f.monitor.PutAttestation(ctx, *change.Attestation)
	default:
		err = fmt.Errorf("%w: control change %d declares nothing that a bench knows", memberwatch.ErrInvalid, change.Revision)
	}
	return err
}

// Complete says that everything up to an event time has been sent, in
// nanoseconds since the epoch, so that windows up to it close.
func (f *Feed) Complete(ctx context.Context, until int64) error {
	if err := f.flush(ctx); err != nil {
		return err
	}
	return f.monitor.Append(ctx, producer, f.position.Epoch, &memberwatch.Batch{Base: f.position.Next, Complete: until})
}

// flush hands the started batch over.
func (f *Feed) flush(ctx context.Context) error {
	b := f.batch
	if b == nil {
		return nil
	}
	f.batch = nil
	b.Base = f.position.Next
	b.Release = func() { f.recycle(b) }
	f.position.Next += int64(len(b.Events))
	return f.monitor.Append(ctx, producer, f.position.Epoch, &b.Batch)
}

// Settle waits until everything sent is durable and nothing is left to compute
// from it.
func (f *Feed) Settle(ctx context.Context) error {
	if err := f.flush(ctx); err != nil {
		return err
	}
	return f.monitor.Settle(ctx)
}

// Signals settles, and returns all signals in the order in which they opened.
func (f *Feed) Signals(ctx context.Context) ([]memberwatch.Signal, error) {
	if err := f.Settle(ctx); err != nil {
		return nil, err
	}
	signals, _, err := f.monitor.Signals(ctx, memberwatch.Order{}, "", 1<<30, nil)
	Sort(signals)
	return signals, err
}

// Findings returns the kept findings of a signal, oldest first.
func (f *Feed) Findings(ctx context.Context, id memberwatch.SignalID) ([]memberwatch.Finding, error) {
	return f.monitor.Findings(ctx, id)
}

// Sort orders signals by opening, then id, whatever road they came by.
func Sort(signals []memberwatch.Signal) {
	slices.SortFunc(signals, func(a, b memberwatch.Signal) int {
		return cmp.Or(cmp.Compare(a.Opened, b.Opened), cmp.Compare(a.ID, b.ID))
	})
}

// Close ends the service and removes its temporary directory.
func (f *Feed) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return errors.Join(f.monitor.Close(ctx), f.remove())
}

func (f *Feed) remove() error {
	if f.temporary == "" {
		return nil
	}
	return os.RemoveAll(f.temporary)
}
