package monitor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector"
	"github.com/memberwatch/memberwatch/detector/sketch"
	"github.com/memberwatch/memberwatch/store"
)

// Monitor is a running service over one data directory. It is safe for
// concurrent use.
type Monitor struct {
	options    Options
	log        *slog.Logger
	store      *store.Store
	partitions []*partition
	fleet      *fleet
	publisher  *publisher
	storage    *storage
	registry   registry
	intake     sync.RWMutex // routing a batch is reading; who writes sees all events that have come
	routes     routes

	mu        sync.RWMutex
	byID      map[memberwatch.ProducerID]*producer
	producers []*producer

	queued, uncommitted *budget
	deliveries          sync.Pool
	duplicate           atomic.Int64

	closing chan struct{} // closed when the intake ends
	flushed chan struct{} // closed when the final checkpoints are written
	stop    chan struct{} // closed when every goroutine must end
	closed  sync.Once
	owners  sync.WaitGroup // owners and committers of partitions
	others  sync.WaitGroup
}

// Open opens or creates the data directory and starts to work. It fails when
// another process has the directory open, when it has another number of
// partitions, or when what is stored cannot be read.
func Open(o Options) (*Monitor, error) {
	o = o.withDefaults()
	files, err := store.Open(o.Dir, store.Options{Partitions: o.Partitions, LockTimeout: o.LockTimeout, NoSync: o.NoSync, MergeSketch: SketchMerger()})
	if err != nil {
		return nil, err
	}
	m := newMonitor(o, files)
	if err := m.restore(); err != nil {
		return nil, errors.Join(fmt.Errorf("restore %q: %w", o.Dir, err), files.Close())
	}
	m.start()
	return m, nil
}

func newMonitor(o Options, files *store.Store) *Monitor {
	n := len(files.Partitions)
	m := &Monitor{
		options: o, log: o.Logger, store: files, storage: newStorage(o.Logger),
		byID:   make(map[memberwatch.ProducerID]*producer),
		queued: &budget{size: o.MaxQueuedBytes}, uncommitted: &budget{size: o.MaxUncommittedBytes},
		closing: make(chan struct{}), flushed: make(chan struct{}), stop: make(chan struct{}),
	}
	m.routes = routes{
		known: make(map[memberwatch.AppID]place), apps: make([]uint32, n),
		developers: make(map[memberwatch.AppID]memberwatch.DeveloperID),
		categories: make(map[memberwatch.AppID]string),
	}
	m.registry.declared = make(map[memberwatch.DataClass]bool)
	m.deliveries.New = func() any { return &delivery{queued: m.queued, pool: &m.deliveries} }
	m.fleet = newFleet(m, n)
	m.publisher = newPublisher(m, n)
	for i, file := range files.Partitions {
		m.partitions = append(m.partitions, &partition{
			m: m, index: i, file: file, engine: detector.New(*o.Detector), queue: newQueue(), stop: m.stop,
			inbox: &inbox{wake: make(chan struct{}, 1)}, max: max(o.MaxResident/n, 1),
			apps:     make(map[memberwatch.AppID]*resident),
			commits:  committer{work: make(chan *checkpoint, 1), finished: make(chan *checkpoint, 1)},
			interval: o.CheckpointInterval,
		})
	}
	return m
}

// SketchMerger returns what the store unites two encoded distinct sketches with.
// It is safe for concurrent use.
func SketchMerger() func(stored, delta []byte) ([]byte, error) {
	unions := sync.Pool{New: func() any { return new(sketch.Distinct) }}
	return func(stored, delta []byte) ([]byte, error) {
		union := unions.Get().(*sketch.Distinct)
		defer unions.Put(union)
		if err := union.UnmarshalBinary(stored); err != nil {
			return nil, err
		}
		if err := union.MergeBinary(delta); err != nil {
			return nil, err
		}
		return union.AppendBinary(nil)
	}
}

// start begins all goroutines.
func (m *Monitor) start() {
	for _, p := range m.partitions {
		m.owners.Go(p.run)
		m.owners.Go(p.commitLoop)
	}
	m.others.Go(func() { m.fleet.run(m.stop) })
	m.others.Go(func() { m.publisher.run(m.stop) })
	m.others.Go(m.watchIdle)
	signal(m.fleet.wake)
	signal(m.publisher.wake)
}

// Close ends the intake, applies what is queued, writes the final checkpoints,
// publishes their signals and closes the files. When ctx is done before, it
// stops at once: what was not committed is lost here and will be resent by the
// producers, as after a crash, and Close fails if there is any. Calls in progress
// end with ErrUnavailable.
func (m *Monitor) Close(ctx context.Context) error {
	err := errors.New("monitor is closed")
	m.closed.Do(func() { err = m.shutDown(ctx) })
	return err
}

func (m *Monitor) shutDown(ctx context.Context) error {
	close(m.closing)
	for _, p := range m.producerList() {
		p.interrupt()
		p.turn <- struct{}{} // nobody routes any more
	}
	m.tell(message{flush: true})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m.owners.Wait()
	}()
	var err error
	select {
	case <-ended:
		err = m.publisher.publishAll()
	case <-ctx.Done():
		if !m.kept() {
			err = fmt.Errorf("close before the final checkpoint: %w", context.Cause(ctx))
		}
	}
	close(m.flushed)
	close(m.stop)
	<-ended
	m.others.Wait()
	return errors.Join(err, m.store.Close())
}

// kept tells whether all partitions have on the disk what they applied.
func (m *Monitor) kept() bool {
	for _, p := range m.partitions {
		if !p.kept.Load() {
			return false
		}
	}
	return true
}

func (m *Monitor) producerList() []*producer {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.producers
}
