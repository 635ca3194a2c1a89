package monitor

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/memberwatch/memberwatch"
)

// Bounds of the counters of data classes.
const (
	maxClasses      = 2000 // counted per partition; events of further ones are not
	reportedUnknown = 100
)

// classCounts counts a partition's events by data class. Its owner adds, others
// read.
type classCounts struct {
	mu      sync.Mutex
	totals  map[string]int64
	changed map[string]struct{}
}

func (c *classCounts) add(class string, events int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.totals == nil {
		c.totals = make(map[string]int64)
	}
	if _, known := c.totals[class]; !known && len(c.totals) >= maxClasses {
		return
	}
	if c.changed == nil {
		c.changed = make(map[string]struct{})
	}
	c.totals[class] += events
	c.changed[class] = struct{}{}
}

// take returns the totals that changed since the last call, in order of name.
func (c *classCounts) take() []memberwatch.Count {
	c.mu.Lock()
	defer c.mu.Unlock()
	var counts []memberwatch.Count
	for class := range c.changed {
		counts = append(counts, memberwatch.Count{Name: class, Count: c.totals[class]})
	}
	clear(c.changed)
	slices.SortFunc(counts, func(a, b memberwatch.Count) int { return cmp.Compare(a.Name, b.Name) })
	return counts
}

// Stats returns a snapshot of the service. It fills what the monitor knows;
// rejected events and failed calls are the server's to count.
func (m *Monitor) Stats(context.Context) memberwatch.Stats {
	s := memberwatch.Stats{Duplicate: m.duplicate.Load(), UnknownClasses: m.unknownClasses()}
	for _, p := range m.partitions {
		s.Applied += p.stats.applied.Load()
		s.Late += p.stats.late.Load()
		s.Lost += p.stats.lost.Load()
		s.Resident += p.stats.resident.Load()
		s.Partitions = append(s.Partitions, memberwatch.PartitionStats{
			Watermark: p.stats.watermark.Load(), Applied: p.stats.applied.Load(), Resident: p.stats.resident.Load(),
			Checkpoints: p.stats.checkpoints.Load(), LastCheckpoint: p.stats.lastCheckpoint.Load(), FileBytes: p.file.FileBytes(),
		})
	}
	m.routes.mu.RLock()
	s.Apps = int64(len(m.routes.known))
	m.routes.mu.RUnlock()
	m.registry.mu.Lock()
	s.Revision = m.registry.revision
	m.registry.mu.Unlock()
	for _, p := range m.producerList() {
		s.Producers = append(s.Producers, p.stats())
	}
	slices.SortFunc(s.Producers, func(a, b memberwatch.ProducerStats) int { return cmp.Compare(a.ID, b.ID) })
	err := m.storage.failure()
	if counts, countErr := m.store.Platform.SignalCounts(); countErr == nil {
		s.SignalsOpened, s.SignalsOpen = counts.Opened, counts.Open
	} else {
		err = cmp.Or(err, countErr)
	}
	if err != nil {
		s.StorageError = err.Error()
	}
	return s
}

func (p *producer) stats() memberwatch.ProducerStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return memberwatch.ProducerStats{ID: p.id, Epoch: p.epoch, Committed: p.committed, Newest: p.seen, Live: p.live}
}

// unknownClasses lists the data classes that were read though nobody declared
// them, those with most events first.
func (m *Monitor) unknownClasses() []memberwatch.Count {
	totals := make(map[string]int64)
	for _, p := range m.partitions {
		p.classes.mu.Lock()
		for class, n := range p.classes.totals {
			totals[class] += n
		}
		p.classes.mu.Unlock()
	}
	m.registry.mu.Lock()
	var unknown []memberwatch.Count
	for class, n := range totals {
		if class != "" && !m.registry.declared[memberwatch.DataClass(class)] {
			unknown = append(unknown, memberwatch.Count{Name: class, Count: n})
		}
	}
	m.registry.mu.Unlock()
	slices.SortFunc(unknown, func(a, b memberwatch.Count) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name))
	})
	return unknown[:min(len(unknown), reportedUnknown)]
}
