package monitor

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector"
	"github.com/memberwatch/memberwatch/store"
)

// registry numbers control changes and sends them to all partitions.
type registry struct {
	mu       sync.Mutex // one change at a time, so that all partitions see one order
	revision int64
	tuning   *memberwatch.Tuning            // the newest; nil: as configured
	declared map[memberwatch.DataClass]bool // classes that purposes or restrictions name
}

// PutApp declares an app, or declares it anew, and returns it with the number
// of the change. When it returns, the declaration is durable and holds for all
// events appended afterwards.
func (m *Monitor) PutApp(ctx context.Context, app memberwatch.App) (memberwatch.App, int64, error) {
	if err := app.Validate(); err != nil {
		return app, 0, err
	}
	change, err := m.change(func(now time.Time) (memberwatch.Change, error) {
		return m.store.Platform.PutApp(ctx, app, now)
	})
	if err != nil {
		return app, 0, err
	}
	return *change.App, change.Revision, nil
}

// PutRestriction records a restriction or replaces the one of the same id. It
// returns when it is durable and holds for all events appended afterwards.
func (m *Monitor) PutRestriction(ctx context.Context, r memberwatch.Restriction) (memberwatch.Restriction, error) {
	if err := r.Validate(); err != nil {
		return r, err
	}
	change, err := m.change(func(now time.Time) (memberwatch.Change, error) {
		return m.store.Platform.PutRestriction(ctx, r, now)
	})
	if err != nil {
		return r, err
	}
	return *change.Restriction, nil
}

// LiftRestriction ends a restriction at a time. It fails with ErrNotFound when
// there is none of the id.
func (m *Monitor) LiftRestriction(ctx context.Context, id memberwatch.RestrictionID, at time.Time) (memberwatch.Restriction, error) {
	change, err := m.change(func(now time.Time) (memberwatch.Change, error) {
		return m.store.Platform.LiftRestriction(ctx, id, at, now)
	})
	if err != nil {
		return memberwatch.Restriction{}, err
	}
	return *change.Restriction, nil
}

// PutCanaries declares or withdraws planted members and returns the number of
// the change. It holds for all events appended afterwards.
func (m *Monitor) PutCanaries(ctx context.Context, c memberwatch.Canaries) (int64, error) {
	if err := c.Validate(); err != nil {
		return 0, err
	}
	change, err := m.change(func(now time.Time) (memberwatch.Change, error) {
		return m.store.Platform.PutCanaries(ctx, c, now)
	})
	return change.Revision, err
}

// PutAttestation records that an app's data is attested to be deleted. It holds
// for all events appended afterwards.
func (m *Monitor) PutAttestation(ctx context.Context, a memberwatch.Attestation) (memberwatch.Attestation, error) {
	if err := a.Validate(); err != nil {
		return a, err
	}
	change, err := m.change(func(now time.Time) (memberwatch.Change, error) {
		return m.store.Platform.PutAttestation(ctx, a, now)
	})
	if err != nil {
		return a, err
	}
	return *change.Attestation, nil
}

// change makes one control change durable, then queues it in every partition.
func (m *Monitor) change(commit func(now time.Time) (memberwatch.Change, error)) (change memberwatch.Change, err error) {
	err = m.Commit(func(now time.Time) ([]memberwatch.Change, error) {
		change, err = commit(now)
		return []memberwatch.Change{change}, err
	})
	return change, err
}

// Commit runs a transaction on platform.db that may number control changes, and
// queues those in every partition. One commit runs at a time, so all partitions
// see the changes in the order of their revisions. Watchers of signals wake: the
// transaction may have moved some in triage.
func (m *Monitor) Commit(commit func(now time.Time) ([]memberwatch.Change, error)) error {
	m.registry.mu.Lock()
	defer m.registry.mu.Unlock()
	select {
	case <-m.closing:
		return closedError()
	default:
	}
	changes, err := commit(time.Now().UTC())
	if err != nil {
		return err
	}
	for i := range changes {
		if changes[i].Revision <= m.registry.revision {
			continue // a repeated request made it before
		}
		m.learn(&changes[i])
		m.tell(message{change: &changes[i]})
	}
	m.publisher.announce()
	return nil
}

// Platform returns the platform's file, for the review side. It is open as long
// as the monitor.
func (m *Monitor) Platform() *store.Platform { return m.store.Platform }

// learn takes from a change what the router and the statistics need.
func (m *Monitor) learn(change *memberwatch.Change) {
	m.registry.revision = change.Revision
	if change.Tuning != nil {
		m.registry.tuning = change.Tuning
		m.fleet.tune(change.Tuning)
	}
	if app := change.App; app != nil {
		m.routes.mu.Lock()
		if app.Developer != "" {
			m.routes.developers[app.ID] = app.Developer
		}
		m.routes.categories[app.ID] = app.Category
		m.routes.mu.Unlock()
		for _, p := range app.Purposes {
			m.registry.declared[p.Class] = true
		}
	}
	if r := change.Restriction; r != nil && r.Class != "" {
		m.registry.declared[r.Class] = true
	}
}

// developer returns the declared developer of an app, empty when unknown.
func (m *Monitor) developer(app memberwatch.AppID) memberwatch.DeveloperID {
	m.routes.mu.RLock()
	defer m.routes.mu.RUnlock()
	return m.routes.developers[app]
}

// Restrictions returns up to limit restrictions that match and come after an id,
// in order of id. A nil match takes all.
func (m *Monitor) Restrictions(_ context.Context, after memberwatch.RestrictionID, limit int, match func(*memberwatch.Restriction) bool) ([]memberwatch.Restriction, error) {
	return m.store.Platform.Restrictions(after, limit, match)
}

// App returns an app as declared and as seen up to the newest checkpoint. It
// fails with ErrNotFound when it is neither.
func (m *Monitor) App(ctx context.Context, id memberwatch.AppID) (memberwatch.AppView, error) {
	app, err := m.store.Platform.App(id)
	declared := err == nil
	if err != nil && !errors.Is(err, memberwatch.ErrNotFound) {
		return memberwatch.AppView{}, err
	}
	m.settle(ctx)
	seen, err2 := m.stored(id)
	if err2 != nil {
		return memberwatch.AppView{}, err2
	}
	if !declared && seen == nil {
		return memberwatch.AppView{}, err
	}
	return m.view(app, declared, seen)
}

// stored returns the committed state of an app, nil when it was never seen.
func (m *Monitor) stored(id memberwatch.AppID) (*store.State, error) {
	m.routes.mu.RLock()
	at, ok := m.routes.known[id]
	m.routes.mu.RUnlock()
	if !ok {
		return nil, nil
	}
	s, ok, err := m.store.Partitions[at.partition].State(id)
	if err != nil || !ok {
		return nil, err
	}
	return &s, nil
}

// watermark is the event time up to which some partition has closed its windows.
func (m *Monitor) watermark() int64 {
	newest := int64(0)
	for _, p := range m.partitions {
		newest = max(newest, p.stats.watermark.Load())
	}
	return newest
}

// view joins what is declared and what was seen.
func (m *Monitor) view(app memberwatch.App, declared bool, seen *store.State) (memberwatch.AppView, error) {
	v := memberwatch.AppView{App: app, Declared: declared}
	if seen == nil {
		return v, nil
	}
	state := detector.NewState(seen.App, seen.Developer)
	if err := load(state, seen); err != nil {
		return v, err
	}
	state.View(&v, m.options.Detector, m.watermark())
	return v, nil
}

// Apps returns up to limit apps after an id that match, in order of id, those
// declared and those seen up to the newest checkpoint. A nil match takes all.
func (m *Monitor) Apps(ctx context.Context, after memberwatch.AppID, limit int, match func(*memberwatch.AppView) bool) ([]memberwatch.AppView, error) {
	m.settle(ctx)
	var page []memberwatch.AppView
	for ctx.Err() == nil {
		ids, declared, err := m.nextApps(after)
		if err != nil || len(ids) == 0 {
			return page, err
		}
		for _, id := range ids {
			after = id
			app, isDeclared := declared[id]
			seen, err := m.stored(id)
			if err != nil {
				return nil, err
			}
			v, err := m.view(app, isDeclared, seen)
			if err != nil {
				return nil, err
			}
			if match == nil || match(&v) {
				page = append(page, v)
			}
			if len(page) == limit {
				return page, nil
			}
		}
	}
	return nil, ctx.Err()
}

// nextApps returns the next ids after one, declared or seen, in order, at most
// restorePage of them, and the declarations among them.
func (m *Monitor) nextApps(after memberwatch.AppID) ([]memberwatch.AppID, map[memberwatch.AppID]memberwatch.App, error) {
	apps, err := m.store.Platform.Apps(after, restorePage)
	if err != nil {
		return nil, nil, err
	}
	declared := make(map[memberwatch.AppID]memberwatch.App, len(apps))
	var ids []memberwatch.AppID
	for _, app := range apps {
		declared[app.ID] = app
		ids = append(ids, app.ID)
	}
	for _, p := range m.store.Partitions {
		seen, err := p.AppIDs(after, restorePage)
		if err != nil {
			return nil, nil, err
		}
		ids = append(ids, seen...)
	}
	slices.SortFunc(ids, func(a, b memberwatch.AppID) int { return strings.Compare(string(a), string(b)) })
	ids = slices.Compact(ids)
	return ids[:min(len(ids), restorePage)], declared, nil
}
