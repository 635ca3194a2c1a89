package monitor

import (
	"context"
	"fmt"
	"time"

	"github.com/memberwatch/memberwatch"
)

// OpenProducer begins a producer's next stream: it numbers it durably, ends the
// older one, and says where to go on. The instance names the caller's process
// for the log.
func (m *Monitor) OpenProducer(ctx context.Context, id memberwatch.ProducerID, instance string) (memberwatch.Position, error) {
	if id == "" || len(id) > memberwatch.MaxNameBytes {
		return memberwatch.Position{}, &memberwatch.ReasonError{
			Kind: memberwatch.ErrInvalid, Reason: "PRODUCER_INVALID",
			Message: fmt.Sprintf("producer %q must have 1 to %d bytes", id, memberwatch.MaxNameBytes),
		}
	}
	select {
	case <-m.closing:
		return memberwatch.Position{}, closedError()
	default:
	}
	p, err := m.addProducer(id)
	if err != nil {
		return memberwatch.Position{}, err
	}
	if err := m.storage.failure(); err != nil {
		return memberwatch.Position{}, err
	}
	epoch, err := m.store.Platform.BumpEpoch(id)
	if err != nil {
		return memberwatch.Position{}, err
	}
	p.fence(epoch)
	if !p.take(ctx, m.closing) {
		return memberwatch.Position{}, m.stopped(ctx)
	}
	defer p.give()
	if _, err := p.current(epoch); err != nil {
		return memberwatch.Position{}, err
	}
	if p.hear() {
		m.tell(message{live: &liveness{producer: p, live: true}})
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	m.log.Info("stream opened", "producer", id, "instance", instance, "epoch", epoch, "next", p.next)
	return memberwatch.Position{Committed: p.committed, Next: p.next, Epoch: epoch}, nil
}

// CloseProducer ends a stream. What it sent is kept; the producer holds back
// the watermark until the idle timeout, for it may come back.
func (m *Monitor) CloseProducer(id memberwatch.ProducerID, epoch int64) {
	if p := m.producer(id); p != nil {
		m.log.Info("stream closed", "producer", id, "epoch", epoch)
	}
}

// WaitCommitted waits until more of the producer's events than up to after are
// durable in every partition, and returns up to which. It fails with
// PRODUCER_FENCED when a newer stream has begun, with STORAGE_FULL
// (ErrExhausted) or STORAGE_FAILED while checkpoints cannot be written, and
// with ErrUnavailable once the monitor is closed.
func (m *Monitor) WaitCommitted(ctx context.Context, id memberwatch.ProducerID, epoch, after int64) (int64, error) {
	p := m.producer(id)
	if p == nil {
		return 0, notOpen(id)
	}
	for {
		troubled, trouble := m.storage.watch()
		p.mu.Lock()
		committed, changed := p.committed, p.changed
		var fenced error
		if epoch != p.epoch {
			fenced = p.fencedError(epoch)
		}
		p.mu.Unlock()
		switch {
		case fenced != nil:
			return committed, fenced
		case committed > after:
			return committed, nil
		case trouble != nil:
			return committed, trouble
		}
		select {
		case <-changed:
		case <-troubled:
		case <-ctx.Done():
			return committed, fmt.Errorf("wait for producer %q: %w", id, ctx.Err())
		case <-m.flushed:
			return m.lastCommitted(p, after)
		}
	}
}

// lastCommitted answers after the final checkpoint.
func (m *Monitor) lastCommitted(p *producer, after int64) (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.committed > after {
		return p.committed, nil
	}
	return p.committed, closedError()
}

func closedError() error {
	return &memberwatch.ReasonError{
		Kind: memberwatch.ErrUnavailable, Reason: "SHUTTING_DOWN", Message: "the service is shutting down", Hint: "reconnect and resume",
	}
}

func notOpen(id memberwatch.ProducerID) error {
	return &memberwatch.ReasonError{
		Kind: memberwatch.ErrInvalid, Reason: "STREAM_NOT_OPEN",
		Message: fmt.Sprintf("producer %q has no stream", id), Hint: "open one first",
	}
}

// stopped says why a wait ended: the caller gave up, or the monitor closes.
func (m *Monitor) stopped(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("append: %w", err)
	}
	return closedError()
}

func (m *Monitor) producer(id memberwatch.ProducerID) *producer {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.byID[id]
}

// addProducer returns the producer, making its place if it is new.
func (m *Monitor) addProducer(id memberwatch.ProducerID) (*producer, error) {
	if p := m.producer(id); p != nil {
		return p, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.byID[id]; p != nil {
		return p, nil
	}
	if len(m.producers) >= maxProducers {
		return nil, &memberwatch.ReasonError{
			Kind: memberwatch.ErrExhausted, Reason: "TOO_MANY_PRODUCERS",
			Message: fmt.Sprintf("producer %q would be one more than %d", id, maxProducers), Hint: "use durable names, one per gateway shard",
		}
	}
	p := newProducer(id, len(m.producers), len(m.partitions))
	m.byID[id], m.producers = p, append(m.producers, p)
	return p, nil
}

// watchIdle tells the partitions about producers that have fallen silent, until
// the monitor closes.
func (m *Monitor) watchIdle() {
	ticker := time.NewTicker(max(m.options.IdleTimeout/4, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-m.closing:
			return
		}
		m.mu.RLock()
		producers := m.producers
		m.mu.RUnlock()
		for _, p := range producers {
			m.checkIdle(p)
		}
	}
}

func (m *Monitor) checkIdle(p *producer) {
	select {
	case p.turn <- struct{}{}:
	default:
		return // it is sending right now
	}
	defer p.give()
	if p.fallSilent(m.options.IdleTimeout) {
		m.tell(message{live: &liveness{producer: p}})
	}
}
