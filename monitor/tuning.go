package monitor

import (
	"context"
	"fmt"
	"time"

	"github.com/memberwatch/memberwatch"
)

// Tuning returns how evidence is decided, counting the newest change.
func (m *Monitor) Tuning(context.Context) (memberwatch.TuningView, error) {
	m.registry.mu.Lock()
	defer m.registry.mu.Unlock()
	applied := m.registry.tuning
	if applied == nil {
		applied = &memberwatch.Tuning{Configured: true}
	}
	cfg, err := m.options.Detector.Tuned(applied)
	if err != nil { // by another release
		cfg, applied = *m.options.Detector, &memberwatch.Tuning{Configured: true}
	}
	v := memberwatch.TuningView{Tuning: cfg.Tuning(), Shares: cfg.Shares()}
	v.Configured, v.From, v.Comment, v.Revision = applied.Configured, applied.From, applied.Comment, applied.Revision
	return v, nil
}

// Tunings returns up to limit tunings that were applied before a revision, the
// newest first; 0 begins at the newest.
func (m *Monitor) Tunings(_ context.Context, before int64, limit int) ([]memberwatch.Change, error) {
	return m.store.Platform.Tunings(before, limit)
}

// PutTuning changes how evidence is decided, from the first full hour on that
// lies after all events that have arrived. It returns when the change is durable
// and every partition has it in its queue. It fails with ErrConflict when the
// tuning in force is not of the expected revision, unless that is negative.
func (m *Monitor) PutTuning(ctx context.Context, t memberwatch.Tuning, expected int64) (memberwatch.Change, error) {
	if err := t.Validate(); err != nil {
		return memberwatch.Change{}, err
	}
	if _, err := m.options.Detector.Tuned(&t); err != nil {
		return memberwatch.Change{}, err
	}
	m.intake.Lock() // no event comes in between
	defer m.intake.Unlock()
	var newest int64
	for _, p := range m.producerList() {
		newest = max(newest, p.newest)
	}
	t.From = time.Unix(0, memberwatch.WindowAt(memberwatch.Hour, newest).End()).UTC()
	return m.change(func(now time.Time) (memberwatch.Change, error) {
		if inForce := m.registry.tuningRevision(); expected >= 0 && expected != inForce {
			return memberwatch.Change{}, &memberwatch.ReasonError{
				Kind: memberwatch.ErrConflict, Reason: "TUNING_CHANGED",
				Message: fmt.Sprintf("tuning %d is in force, not %d", inForce, expected), Hint: "look at it, then try again",
			}
		}
		return m.store.Platform.PutTuning(ctx, t, now)
	})
}

// Clues visits what closed windows were worth that start from an event time on,
// whether or not they raised anything.
func (m *Monitor) Clues(ctx context.Context, from int64, visit func(memberwatch.Clue) error) error {
	for _, p := range m.partitions {
		err := p.file.Clues(from, func(c memberwatch.Clue) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return visit(c)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// TryTuning holds a tuning against the clues of the last days of event time: what
// it would have raised, beside what the one in force comes to and what was raised
// in fact. Kinds of which there are no clues, those of rules and of new apps, are
// as they were raised, unless they are in shadow.
func (m *Monitor) TryTuning(ctx context.Context, t memberwatch.Tuning, days int) (memberwatch.Trial, error) {
	if err := t.Validate(); err != nil {
		return memberwatch.Trial{}, err
	}
	then, err := m.options.Detector.Tuned(&t)
	if err != nil {
		return memberwatch.Trial{}, err
	}
	inForce, err := m.Tuning(ctx)
	if err != nil {
		return memberwatch.Trial{}, err
	}
	now, err := m.options.Detector.Tuned(&inForce.Tuning)
	if err != nil {
		return memberwatch.Trial{}, err
	}
	to := m.watermark()
	x := trying{now: &now, then: &then, from: to - int64(days)*memberwatch.Day.Length(), to: to}
	if err := m.collect(ctx, &x); err != nil {
		return memberwatch.Trial{}, err
	}
	return x.result(), nil
}

// tuningRevision is that of the tuning in force, 0 as configured.
func (r *registry) tuningRevision() int64 {
	if r.tuning == nil {
		return 0
	}
	return r.tuning.Revision
}
