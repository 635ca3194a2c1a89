package monitor

import (
	"errors"
	"fmt"
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
	if err := m.restoreRegistry(); err != nil {
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
	return errors.Join(m.fleet.restore(), m.publisher.restore(), m.restoreStates())
}

// restoreRegistry applies all control changes to all engines.
func (m *Monitor) restoreRegistry() error {
	for revision := int64(0); ; {
		changes, err := m.store.Platform.Changes(revision, restorePage)
		if err != nil || len(changes) == 0 {
			return err
		}
		for i := range changes {
			revision = changes[i].Revision
			m.learn(&changes[i])
			for _, p := range m.partitions {
				p.engine.Apply(&changes[i])
			}
		}
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
		p.m.fleet.tally(t)
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
	return p.file.Owners(func(app memberwatch.AppID, _ memberwatch.DeveloperID) { m.routes.add(app, p.index) })
}

// restoreStates indexes the open and waiting windows of all apps that have any,
// and keeps as many of them in memory as fit.
func (m *Monitor) restoreStates() error {
	for _, p := range m.partitions {
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
		p.stats.resident.Store(int64(len(p.apps)))
	}
	return nil
}
