package monitor

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/store"
)

// hour in nanoseconds.
var hour = memberwatch.Hour.Length()

// Append takes a producer's next batch. It blocks while too much waits to be
// applied or committed. A batch that was taken before is ignored, a known
// prefix skipped; a batch from beyond the next sequence number fails with
// SEQUENCE_GAP, one of an older stream with PRODUCER_FENCED. The batch's Release
// is called exactly once, whatever happens.
func (m *Monitor) Append(ctx context.Context, id memberwatch.ProducerID, epoch int64, b *memberwatch.Batch) error {
	taken, err := m.append(ctx, id, epoch, b)
	if !taken && b.Release != nil {
		b.Release()
	}
	return err
}

func (m *Monitor) append(ctx context.Context, id memberwatch.ProducerID, epoch int64, b *memberwatch.Batch) (taken bool, err error) {
	p := m.producer(id)
	if p == nil {
		return false, notOpen(id)
	}
	fenced, err := p.current(epoch)
	if err != nil {
		return false, err
	}
	if !p.take(ctx, m.closing) {
		return false, m.stopped(ctx)
	}
	defer p.give()
	select {
	case <-m.closing: // nothing may be queued behind the final checkpoint
		return false, closedError()
	default:
	}
	cost := batchBytes(b)
	if taken, err := p.admit(b); !taken {
		if err == nil {
			m.duplicate.Add(int64(len(b.Events)))
		}
		return false, err
	}
	if err := m.charge(ctx, p, epoch, fenced, cost); err != nil {
		return false, err
	}
	m.route(p, b, cost)
	return true, nil
}

// admit checks the batch's place in the stream. A batch that needs no work is
// not taken, without an error.
func (p *producer) admit(b *memberwatch.Batch) (taken bool, err error) {
	end := b.Base + int64(len(b.Events))
	switch {
	case b.Base < 1:
		return false, &memberwatch.ReasonError{
			Kind: memberwatch.ErrInvalid, Reason: "SEQUENCE_INVALID",
			Message: fmt.Sprintf("batch of producer %q begins at sequence %d", p.id, b.Base), Hint: "sequence numbers count events from 1",
		}
	case b.Base > p.next:
		next := strconv.FormatInt(p.next, 10)
		return false, &memberwatch.ReasonError{
			Kind: memberwatch.ErrInvalid, Reason: "SEQUENCE_GAP",
			Message: fmt.Sprintf("batch of producer %q begins at sequence %d, expected %s", p.id, b.Base, next),
			Hint:    "resend from the expected one", Metadata: map[string]string{"next_sequence": next},
		}
	case len(b.Events) == 0:
		return (b.Gap != nil || b.Complete > p.newest) && b.Base == p.next, nil
	}
	return end > p.next, nil
}

// charge takes the batch's bytes from both budgets.
func (m *Monitor) charge(ctx context.Context, p *producer, epoch int64, fenced <-chan struct{}, cost int64) error {
	if !m.uncommitted.acquire(ctx, fenced, cost) {
		return m.interrupted(ctx, p, epoch)
	}
	if !m.queued.acquire(ctx, fenced, cost) {
		m.uncommitted.release(cost)
		return m.interrupted(ctx, p, epoch)
	}
	if _, err := p.current(epoch); err != nil {
		m.uncommitted.release(cost)
		m.queued.release(cost)
		return err
	}
	return nil
}

func (m *Monitor) interrupted(ctx context.Context, p *producer, epoch int64) error {
	if _, err := p.current(epoch); err != nil {
		return err
	}
	return m.stopped(ctx)
}

// eventBytes is what an event holds in memory beside its members.
const eventBytes = 160

func batchBytes(b *memberwatch.Batch) int64 {
	n := int64(len(b.Events)+1) * eventBytes
	for i := range b.Events {
		n += 8 * int64(len(b.Events[i].Disclosed)+len(b.Events[i].Requested))
	}
	return n
}

// route splits a batch by partition and queues it. The caller has the
// producer's turn, so all partitions see one order.
func (m *Monitor) route(p *producer, b *memberwatch.Batch, cost int64) {
	m.intake.RLock()
	defer m.intake.RUnlock()
	d := m.deliveries.Get().(*delivery)
	d.reset(p, b, len(m.partitions))
	d.cost = cost
	if len(b.Events) > 0 {
		m.split(d)
		p.charged(d.last, cost)
	} else {
		d.last, d.newest = p.next-1, p.newest
		m.uncommitted.release(cost)
	}
	m.complete(d)
	p.hear()
	for _, partition := range m.partitions {
		partition.queue.push(message{delivery: d})
	}
}

// split writes each partition's entries and moves the producer on.
func (m *Monitor) split(d *delivery) {
	p, lateness := d.producer, int64(m.options.Lateness)
	newest, events := p.newest, d.batch.Events
	m.routes.mu.RLock()
	for i := int(max(p.next-d.batch.Base, 0)); i < len(events); i++ {
		ev := &events[i]
		if ev.App == "" {
			continue
		}
		at, ok := m.routes.known[ev.App]
		if !ok {
			m.routes.mu.RUnlock()
			at = m.assign(ev)
			m.routes.mu.RLock()
		}
		end := hourOf(ev.Time) + hour
		d.parts[at.partition] = append(d.parts[at.partition], eventEntry(i, end <= newest-lateness, at.slot))
		if ev.Time > newest {
			if hourOf(ev.Time-lateness) > hourOf(newest-lateness) {
				d.step(ev.Time)
			}
			newest = ev.Time
		}
	}
	m.routes.mu.RUnlock()
	p.newest, d.newest = newest, newest
	p.next = d.batch.Base + int64(len(events))
	d.last = p.next - 1
}

// complete moves the producer's newest time to where its batch says that it has
// sent everything, as an event of that time would.
func (m *Monitor) complete(d *delivery) {
	p, lateness, until := d.producer, int64(m.options.Lateness), d.batch.Complete
	if until <= p.newest {
		return
	}
	if hourOf(until-lateness) > hourOf(p.newest-lateness) {
		d.step(until)
	}
	p.newest, d.newest = until, until
}

// step lets all partitions look at their watermark here.
func (d *delivery) step(newest int64) {
	d.steps = append(d.steps, newest)
	for i := range d.parts {
		d.parts[i] = append(d.parts[i], entry{event: step})
	}
}

// hourOf returns the start of the hour of an event time.
func hourOf(t int64) int64 {
	rest := t % hour
	if rest < 0 {
		rest += hour
	}
	return t - rest
}

// tell queues a message in every partition.
func (m *Monitor) tell(msg message) {
	for _, partition := range m.partitions {
		partition.queue.push(msg)
	}
}

// routes remembers where each app lives. A developer's apps live together, and
// an app never moves: not even when its developer becomes known later, or after
// a restart.
type routes struct {
	mu         sync.RWMutex
	known      map[memberwatch.AppID]place
	apps       []uint32                                      // by partition: how many live there
	developers map[memberwatch.AppID]memberwatch.DeveloperID // as declared
	categories map[memberwatch.AppID]string                  // as declared
}

// place is an app's partition, and its number there in this process: so that an
// event costs one look-up by name, not one more in its partition.
type place struct {
	partition int32
	slot      uint32
}

// add gives a new app the next place in a partition.
func (r *routes) add(app memberwatch.AppID, partition int) place {
	if at, ok := r.known[app]; ok {
		return at
	}
	at := place{partition: int32(partition), slot: r.apps[partition]}
	r.apps[partition]++
	r.known[app] = at
	return at
}

// assign gives a new app its partition and tells all partitions about it before
// any event of the app can reach them. Each writes it down with its next
// checkpoint, so whoever has committed an event knows where its app lives.
func (m *Monitor) assign(ev *memberwatch.Event) place {
	m.routes.mu.Lock()
	defer m.routes.mu.Unlock()
	if at, ok := m.routes.known[ev.App]; ok {
		return at // another producer was faster
	}
	key := string(ev.Developer)
	if key == "" {
		key = string(m.routes.developers[ev.App])
	}
	if key == "" {
		key = string(ev.App)
	}
	app := memberwatch.AppID([]byte(ev.App)) // the event's memory is borrowed
	at := m.routes.add(app, int(hashName(key)%uint64(len(m.partitions))))
	m.tell(message{route: &store.Route{App: app, Partition: int(at.partition)}})
	return at
}

// hashName is FNV-1a with the finaliser of MurmurHash3, which spreads the low
// bits that the modulus reads. It is part of the data directory's format: the
// same in every process for ever.
func hashName(name string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
