package monitor

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector"
	"github.com/memberwatch/memberwatch/store"
)

// restorePage is how many records are read in one transaction.
const restorePage = 256

// restore rebuilds everything in memory from what is committed. It runs before
// any goroutine.
func (m *Monitor) restore() error {
	changes, err := m.restoreRegistry()
	if err != nil {
		return err
	}
	marks := make(map[memberwatch.ProducerID][]store.Mark)
	for _, p := range m.partitions {
		if err := p.restore(marks); err != nil {
			return fmt.Errorf("partition %d: %w", p.index, err)
		}
	}
	if err := m.restoreProducers(marks); err != nil {
		return err
	}
	for _, p := range m.partitions {
		if err := m.restoreRoutes(p); err != nil {
			return err
		}
	}
	return errors.Join(m.fleet.restore(), m.publisher.restore(), m.restoreStates(changes))
}

// restoreRegistry reads all control changes.
func (m *Monitor) restoreRegistry() (all []memberwatch.Change, err error) {
	for revision := int64(0); ; {
		changes, err := m.store.Platform.Changes(revision, restorePage)
		if err != nil || len(changes) == 0 {
			return all, err
		}
		for i := range changes {
			m.learn(&changes[i])
		}
		revision = changes[len(changes)-1].Revision
		all = append(all, changes...)
	}
}

// restore reads where the partition stands. The tallies that the fleet has not
// judged are told again.
func (p *partition) restore(marks map[memberwatch.ProducerID][]store.Mark) error {
	stored, err := p.file.Recover()
	if err != nil {
		return err
	}
	p.progress = stored.Progress
	if stored.Engine != nil {
		if err := p.engine.UnmarshalBinary(stored.Engine); err != nil {
			return err
		}
	}
	for _, tally := range stored.Tallies {
		t := new(detector.Tally)
		if err := t.UnmarshalBinary(tally.Value); err != nil {
			return fmt.Errorf("tally of window %v: %w", tally.Window, err)
		}
		p.m.fleet.tally(p.index, t)
	}
	p.m.fleet.through[p.index] = p.progress.Closed
	for _, mark := range stored.Marks {
		of := marks[mark.Producer]
		if of == nil {
			of = make([]store.Mark, len(p.m.partitions))
			marks[mark.Producer] = of
		}
		of[p.index] = mark
	}
	for _, count := range stored.Classes {
		p.classes.add(count.Name, count.Count)
	}
	p.classes.changed = nil
	p.m.publisher.written[p.index].Store(stored.OutboxLast)
	p.stats.watermark.Store(p.progress.Closed)
	p.stats.applied.Store(p.progress.Applied)
	p.stats.late.Store(p.progress.Late)
	p.stats.lost.Store(p.progress.Lost)
	return nil
}

// restoreProducers gives every producer the place that all partitions have
// committed, and every partition its own marks. A producer that was live may
// come back: it holds the watermark for the idle timeout.
func (m *Monitor) restoreProducers(marks map[memberwatch.ProducerID][]store.Mark) error {
	epochs, err := m.store.Platform.Epochs()
	if err != nil {
		return err
	}
	for id, epoch := range epochs {
		p, err := m.addProducer(id)
		if err != nil {
			return err
		}
		p.epoch = epoch
	}
	for id, of := range marks {
		p, err := m.addProducer(id)
		if err != nil {
			return err
		}
		p.resume(of)
		for i := range of {
			*m.partitions[i].mark(p.index) = mark{sequence: of[i].Sequence, newest: of[i].Newest, live: p.live}
		}
	}
	return nil
}

// resume sets the producer to the least of its marks.
func (p *producer) resume(marks []store.Mark) {
	least := marks[0]
	for i, mark := range marks {
		p.durable[i] = mark.Sequence
		p.live = p.live || mark.Live
		if mark.Sequence < least.Sequence || mark.Sequence == least.Sequence && mark.Newest < least.Newest {
			least = mark
		}
	}
	p.committed, p.next, p.newest = least.Sequence, least.Sequence+1, least.Newest
	p.heard, p.seen = time.Now(), least.Newest
}

func (m *Monitor) restoreRoutes(p *partition) error {
	err := p.file.Routes(func(app memberwatch.AppID, partition int) { m.routes.add(app, partition) })
	if err != nil {
		return err
	}
	return p.file.Owners(func(app memberwatch.AppID, developer memberwatch.DeveloperID) {
		if app.IsDeveloper() {
			p.engine.Enlist(developer)
			return
		}
		m.routes.add(app, p.index)
	})
}

// restoreStates brings all partitions to where they were, side by side.
func (m *Monitor) restoreStates(changes []memberwatch.Change) error {
	errs := make([]error, len(m.partitions))
	var restoring sync.WaitGroup
	for i, p := range m.partitions {
		restoring.Go(func() {
			if err := p.restoreStates(changes); err != nil {
				errs[i] = fmt.Errorf("partition %d: %w", i, err)
			}
		})
	}
	restoring.Wait()
	return errors.Join(errs...)
}

// restoreStates indexes the open and waiting windows of all apps that have any,
// keeps as many of them in memory as fit, and applies the journal and the control
// changes.
func (p *partition) restoreStates(changes []memberwatch.Change) error {
	for after := memberwatch.AppID(""); ; {
		apps, err := p.file.HotApps(after, restorePage)
		if err != nil {
			return err
		}
		if len(apps) == 0 {
			break
		}
		p.tick++
		for _, app := range apps {
			after = app
			if r := p.resident(app); r != nil {
				p.engine.Restore(r.state)
			}
		}
	}
	if err := p.replay(&changes); err != nil {
		return err
	}
	p.revise(&changes, math.MaxInt64)
	p.stats.resident.Store(int64(len(p.apps)))
	return nil
}

// revise applies the next control changes up to a revision.
func (p *partition) revise(changes *[]memberwatch.Change, through int64) {
	for len(*changes) > 0 && (*changes)[0].Revision <= through {
		p.engine.Apply(&(*changes)[0])
		*changes = (*changes)[1:]
	}
}

// replay applies the journal to the states. What its events brought about is
// committed with them and not said again.
func (p *partition) replay(changes *[]memberwatch.Change) error {
	err := p.file.Journal(func(entry []byte) error {
		p.tick++
		p.journal.bytes += len(entry)
		return replay(entry,
			func(revision int64) { p.revise(changes, revision) },
			func(ev *memberwatch.Event, late bool) error {
				r := p.resident(ev.App)
				if r == nil {
					return fmt.Errorf("%w: app %q has no owner", errJournal, ev.App)
				}
				r.used = p.tick
				p.engine.Observe(r.state, ev, late)
				p.dirty(r)
				return nil
			})
	})
	p.engine.TakeUpdates()
	p.engine.TakeClues()
	p.changes.any = len(p.changes.setAside) > 0
	p.stats.behind.Store(p.journal.bytes > 0)
	// States come due apart from each other, so that not all are written at once.
	p.saved = time.Now().Add(-statesInterval * time.Duration(p.index) / time.Duration(len(p.m.partitions)))
	return err
}
