package monitor

import (
	"fmt"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector"
	"github.com/memberwatch/memberwatch/store"
)

// committer writes a partition's checkpoints, one at a time, while the owner
// goes on.
type committer struct {
	work     chan *checkpoint
	finished chan *checkpoint
	started  uint64 // number of the newest checkpoint begun
	done     uint64 // number of the newest one committed
	arena    []byte // encoded values of a checkpoint; the end of it is free
	spare    []byte // memory of a committed journal entry
}

// checkpoint is a numbered commit on its way to the disk.
type checkpoint struct {
	number  uint64
	began   time.Time
	commit  store.PartitionCommit
	marks   []producerMark
	waiters []chan<- struct{} // for its states
	took    time.Duration
	failed  bool // the monitor stopped before it was written
}

// release lets go of those who wait for the states: they are written, or cannot
// be at the moment.
func (c *checkpoint) release() {
	for _, w := range c.waiters {
		close(w)
	}
	c.waiters = nil
}

// producerMark is a mark of a commit with the producer to tell.
type producerMark struct {
	producer *producer
	sequence int64
}

// retry bounds the wait between two tries of a failed commit.
const (
	firstRetry = 50 * time.Millisecond
	lastRetry  = 2 * time.Second
)

func (c *committer) inFlight() bool { return c.started != c.done }

// States are written when the journal has grown so old or so large: what a
// restart has to apply again is bounded, and so is what may stay in memory.
const (
	statesInterval = time.Minute
	journalBytes   = 32 << 20
)

// untilCheckpoint returns how long the owner may sleep.
func (p *partition) untilCheckpoint() time.Duration {
	switch {
	case p.commits.inFlight():
		return time.Hour
	case len(p.waiters) > 0:
		return 0
	case p.changes.any:
		return max(p.interval-time.Since(p.began), 0)
	case len(p.changes.dirty) > 0:
		return max(statesInterval-time.Since(p.saved), 0)
	}
	return time.Hour
}

// checkpointIfDue begins a checkpoint when its time has come and none is in
// flight.
func (p *partition) checkpointIfDue() {
	select {
	case c := <-p.commits.finished:
		p.committed(c)
	default:
	}
	if p.untilCheckpoint() == 0 && !p.stopped() {
		p.checkpoint()
	}
}

// statesDue tells whether the next checkpoint writes the states.
func (p *partition) statesDue() bool {
	return p.changes.whole || len(p.waiters) > 0 || p.journal.bytes >= journalBytes || time.Since(p.saved) >= statesInterval
}

// checkpoint encodes what changed, as events or as states, and hands it to the
// committer.
func (p *partition) checkpoint() {
	p.began = time.Now()
	p.commits.started++
	c := &checkpoint{number: p.commits.started, began: p.began}
	c.commit = store.PartitionCommit{
		Apps: p.changes.owners, Routes: p.changes.routes, Tallies: p.changes.tallies, SetAside: p.changes.setAside,
		Outbox: p.engine.TakeUpdates(), Clues: p.engine.TakeClues(), OutboxDone: p.m.publisher.done(p.index),
		TalliesDone: p.judged, RollUpBelow: p.closedDay(), LedgerFrom: p.ledgerFrom(), Progress: p.progress,
	}
	c.commit.Engine = p.arena(p.engine.AppendBinary)
	p.encodeMarks(c)
	dirty := p.changes.dirty
	if p.statesDue() {
		p.encodeStates(c)
		dirty = dirty[:0]
	} else {
		c.commit.Journal = p.journal.take(p.commits.spare)
	}
	p.commits.arena, p.commits.spare = nil, nil
	p.changes = pendingChanges{dirty: dirty}
	p.commits.work <- c
}

// encodeStates takes all that changed since the states were last written. They
// hold what the journal would tell.
func (p *partition) encodeStates(c *checkpoint) {
	for _, r := range p.changes.dirty {
		p.encode(c, r)
	}
	c.commit.Whole = true
	c.commit.Classes = p.classes.take()
	c.waiters, p.waiters = p.waiters, nil
	p.journal.entry, p.journal.bytes = p.journal.entry[:0], 0
	p.saved = p.began
}

// ledgerFrom is the first day whose ledger rows are kept.
func (p *partition) ledgerFrom() int32 {
	if p.progress.Closed == 0 {
		return 0
	}
	return p.closedDay() - int32(p.m.options.RetentionDays)
}

// closedDay is the day before which all days are closed.
func (p *partition) closedDay() int32 { return int32(p.progress.Closed / memberwatch.Day.Length()) }

// arenaBytes is how much memory a checkpoint takes at once for what it encodes:
// little enough to leave none idle after the last one, and mostly more than one
// value needs.
const arenaBytes = 256 << 10

// arena returns an encoding, in memory that lasts as long as the checkpoint.
func (p *partition) arena(encode func([]byte) ([]byte, error)) []byte {
	free := p.commits.arena
	if cap(free)-len(free) < arenaBytes/16 {
		free = make([]byte, 0, arenaBytes)
	}
	from := len(free)
	b, err := encode(free)
	if err != nil {
		panic(fmt.Sprintf("bug: partition %d does not encode: %v", p.index, err))
	}
	p.commits.arena = b
	return b[from:len(b):len(b)]
}

// encode takes what changed of an app: parts of its state and ledger deltas.
func (p *partition) encode(c *checkpoint, r *resident) {
	r.dirty, r.saved = false, c.number
	changed := r.state.Dirty()
	for _, s := range storedParts {
		if changed&s.part != 0 {
			value := p.arena(func(b []byte) ([]byte, error) { return r.state.AppendPart(s.part, b) })
			c.commit.States = append(c.commit.States, store.StatePart{App: r.state.App, Part: s.slot, Value: value})
		}
	}
	r.state.MarkClean()
	ledger := p.engine.Ledger(r.state)
	for i := range ledger {
		if ledger[i].Calls > 0 {
			p.encodeRow(c, &ledger[i])
		}
	}
	r.state.ResetLedger()
}

func (p *partition) encodeRow(c *checkpoint, d *detector.LedgerDelta) {
	row := memberwatch.LedgerRow{LedgerKey: d.Key, Endpoint: d.Endpoint, Rest: d.Rest, Calls: d.Calls, Records: d.Records, Denials: d.Denials, Late: d.Late}
	if !d.Members.Empty() {
		row.Members = p.arena(d.Members.AppendBinary)
	}
	if !d.Groups.Empty() {
		row.Groups = p.arena(d.Groups.AppendBinary)
	}
	c.commit.Ledger = append(c.commit.Ledger, row)
	p.classes.add(string(d.Key.Class), int64(d.Calls))
}

func (p *partition) encodeMarks(c *checkpoint) {
	producers := p.m.producerList()
	for _, index := range p.touched {
		at := &p.marks[index]
		at.changed = false
		c.marks = append(c.marks, producerMark{producer: producers[index], sequence: at.sequence})
		c.commit.Marks = append(c.commit.Marks, store.Mark{
			Producer: producers[index].id, Sequence: at.sequence, Newest: at.newest, Live: at.live,
		})
	}
	p.touched = p.touched[:0]
}

// commitLoop writes checkpoints until the owner closes the channel. It tries a
// failed one again until it succeeds or the monitor stops: nothing that changed
// may be left out, for its events will be acknowledged and not come again.
func (p *partition) commitLoop() {
	for c := range p.commits.work {
		done, ok := p.commit(c)
		if !ok {
			c.failed = true
			p.commits.finished <- c
			continue
		}
		p.stats.behind.Store(!c.commit.Whole)
		if done.Damaged > 0 {
			p.m.log.Error("stored ledger rows are damaged: set aside", "partition", p.index, "rows", done.Damaged)
		}
		c.took = time.Since(c.began)
		p.stats.checkpoints.Add(1)
		p.stats.lastCheckpoint.Store(int64(c.took))
		for _, mark := range c.marks {
			p.m.uncommitted.release(mark.producer.durableIn(p.index, mark.sequence))
		}
		p.m.fleet.applied(p.index, c.commit.Progress)
		p.m.publisher.wakeFor(p.index, done.OutboxLast)
		c.release()
		p.commits.finished <- c
	}
}

func (p *partition) commit(c *checkpoint) (store.Committed, bool) {
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		done, err := p.file.Commit(&c.commit)
		if err == nil {
			p.m.storage.clear(p.index)
			return done, true
		}
		p.m.storage.fail(p.index, err)
		c.release()
		select {
		case <-time.After(wait):
		case <-p.stop:
			return done, false
		}
	}
}

// committed takes note of the finished checkpoint. Under load, when commits
// take long, the next one waits longer: at most a fifth of the time goes into
// them, up to the longest interval.
func (p *partition) committed(c *checkpoint) {
	p.commits.done = p.commits.started
	p.commits.spare = c.commit.Journal
	shortest := p.m.options.CheckpointInterval
	p.interval = max(shortest, min(4*time.Duration(p.stats.lastCheckpoint.Load()), maxInterval))
}

// flush applies nothing more: it writes checkpoints until nothing is left to
// write, what is new first: from then on the states may stay behind. It returns early when the monitor must stop.
func (p *partition) flush() {
	for !p.stopped() {
		if p.commits.inFlight() {
			select {
			case c := <-p.commits.finished:
				p.committed(c)
			case <-p.stop:
			}
			continue
		}
		if !p.changes.any {
			p.kept.Store(true)
			if len(p.changes.dirty)+len(p.waiters) == 0 {
				return
			}
			p.changes.whole = true
		}
		p.checkpoint()
	}
}
