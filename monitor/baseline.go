package monitor

import (
	"context"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector"
)

// Baseline returns what is normal for an app: what is expected of it on the day of
// the oldest window that is open. It fails with ErrNotFound when the app is neither
// declared nor seen.
func (m *Monitor) Baseline(ctx context.Context, id memberwatch.AppID) (memberwatch.Baseline, error) {
	m.routes.mu.RLock()
	at, seen := m.routes.known[id]
	m.routes.mu.RUnlock()
	if !seen {
		_, err := m.store.Platform.App(id)
		return memberwatch.Baseline{App: id}, err
	}
	var b memberwatch.Baseline
	p, answer := m.partitions[at.partition], make(chan error, 1)
	p.queue.push(message{look: func() {
		found, err := p.baseline(id)
		b = found
		answer <- err
	}})
	select {
	case err := <-answer:
		return b, err
	case <-ctx.Done():
		return memberwatch.Baseline{}, ctx.Err()
	case <-m.closing:
		return memberwatch.Baseline{}, closedError()
	}
}

// baseline asks the engine about an app. One that is not in memory stays on the
// disk: people who look must not push out those that are at work.
func (p *partition) baseline(id memberwatch.AppID) (memberwatch.Baseline, error) {
	if r := p.apps[id]; r != nil {
		return p.engine.Baseline(r.state, p.progress.Closed), nil
	}
	state := detector.NewState(id, p.owner(id))
	stored, ok, err := p.file.State(id)
	if err == nil && ok {
		err = load(state, &stored)
	}
	if err != nil {
		return memberwatch.Baseline{}, err
	}
	return p.engine.Baseline(state, p.progress.Closed), nil
}
