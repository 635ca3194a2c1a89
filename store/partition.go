package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/memberwatch/memberwatch"
	bolt "go.etcd.io/bbolt"
)

// Parts is how many opaque parts an app's state has. Part 0 is the one that is
// walked when a partition starts.
const Parts = 4

// Buckets of a partition's file.
var (
	bucketMeta     = []byte("meta")
	bucketApps     = []byte("apps")    // app: its developer
	bucketRoutes   = []byte("routes")  // app: the partition that owns it
	bucketLedger   = []byte("ledger")  // day, class, app, after: a ledger row
	bucketJournal  = []byte("journal") // sequence: a bucket with what was applied since the states were written
	bucketClues    = []byte("clues")   // start of a window, scale, entity: what it was worth
	bucketOutbox   = []byte("outbox")  // sequence: a signal update
	bucketTallies  = []byte("tallies") // window: opaque bytes for the fleet
	bucketMarks    = []byte("marks")   // producer: a mark
	bucketClasses  = []byte("classes") // data class: number of events
	bucketDamaged  = []byte("damaged") // bytes that could not be read, kept for people
	bucketStates   = [Parts][]byte{[]byte("state-0"), []byte("state-1"), []byte("state-2"), []byte("state-3")}
	keyProgress    = []byte("progress")
	keyEngine      = []byte("engine")
	keyRollUp      = []byte("spans")
	bucketWeeks    = []byte("weeks") // of older versions, as is keyWeeks
	keyWeeks       = []byte("roll-up")
	partitionNames = slices.Concat([][]byte{
		bucketMeta, bucketApps, bucketRoutes, bucketLedger, bucketJournal, bucketClues, bucketOutbox, bucketTallies,
		bucketMarks, bucketClasses, bucketDamaged,
	}, bucketStates[:], bucketSpans[:])
)

// Partition is the file of one partition. It is safe for concurrent use.
type Partition struct {
	db    *bolt.DB
	index int
	merge mergeFunc
}

// PartitionCommit is everything one checkpoint makes durable.
type PartitionCommit struct {
	Apps     []AppOwner
	Routes   []Route
	States   []StatePart
	Ledger   []memberwatch.LedgerRow // deltas; counts add to the stored row, sketches unite with it
	Outbox   []memberwatch.Update
	Clues    []memberwatch.Clue // of windows that the fleet has judged
	Tallies  []Tally
	Marks    []Mark
	Classes  []memberwatch.Count // totals, not deltas
	Progress Progress
	Engine   []byte // opaque: what the engine remembers apart from the states

	// Journal holds what was applied since the commit before, of which States has
	// nothing. It is opaque, and kept until a commit is Whole.
	Journal []byte
	// Whole says that after this commit states and ledger hold everything applied.
	Whole bool
	// SetAside names apps whose stored parts could not be read. Their bytes are
	// kept for people before this commit's parts replace them.
	SetAside []memberwatch.AppID
	// OutboxDone drops outbox rows up to and including this sequence.
	OutboxDone uint64
	// TalliesDone drops tallies of windows that end at or before this time.
	TalliesDone int64
	// RollUpBelow lets the ledger rows of spans of days that end before this day be
	// united, a bounded number with each commit. Rows may still be added to them.
	RollUpBelow int32
	// LedgerFrom drops clues and ledger rows of days before this one, a bounded number
	// with each commit.
	LedgerFrom int32
}

// AppOwner says which developer owned an app when it was first seen.
type AppOwner struct {
	App       memberwatch.AppID
	Developer memberwatch.DeveloperID
}

// Route says which partition owns an app, for ever.
type Route struct {
	App       memberwatch.AppID
	Partition int
}

// StatePart is one opaque part of an app's state. An empty value deletes it.
type StatePart struct {
	App   memberwatch.AppID
	Part  uint8
	Value []byte
}

// Tally is a partition's opaque word to the fleet about a closed window.
type Tally struct {
	Window memberwatch.Window
	Value  []byte
}

// Mark says how far a partition has come in one producer's stream.
type Mark struct {
	Producer memberwatch.ProducerID
	Sequence int64 // events up to this one are applied
	Newest   int64 // event time of the newest of them; 0: none yet
	Live     bool  // it holds back the watermark
}

// Progress is how far a partition has come.
type Progress struct {
	Closed  int64 // windows that end at or before it are closed
	Judged  int64 // the fleet's judgements up to here are applied
	Applied int64 // events
	Late    int64 // events that came after their window had closed
	Lost    int64 // events that producers said they dropped
}

// Committed reports what a commit left behind.
type Committed struct {
	OutboxLast uint64 // sequence of the newest outbox row ever written
	Damaged    int    // stored ledger rows that were unreadable and set aside
}

func openPartition(dir string, index int, o Options) (*Partition, error) {
	db, err := openFile(dir, PartitionFile(index), o, partitionNames)
	if err != nil {
		return nil, err
	}
	if err := dropWeeks(db); err != nil {
		return nil, errors.Join(storageError(db.Path(), err), db.Close())
	}
	return &Partition{db: db, index: index, merge: o.MergeSketch}, nil
}

// dropWeeks drops what older versions rolled the ledger up to: spans are made
// again from the days.
func dropWeeks(db *bolt.DB) error {
	old := false
	err := db.View(func(tx *bolt.Tx) error {
		old = tx.Bucket(bucketWeeks) != nil
		return nil
	})
	if err != nil || !old {
		return err
	}
	return db.Update(func(tx *bolt.Tx) error {
		return errors.Join(tx.DeleteBucket(bucketWeeks), tx.Bucket(bucketMeta).Delete(keyWeeks))
	})
}

// PartitionFile returns the name of a partition's file.
func PartitionFile(index int) string { return fmt.Sprintf("partition-%03d.db", index) }

// FileBytes returns the size of the file.
func (p *Partition) FileBytes() int64 {
	stat, err := os.Stat(p.db.Path())
	if err != nil {
		return 0 // a size for people, not worth an error
	}
	return stat.Size()
}

// Commit writes the checkpoint in one fsynced transaction. An error means that
// nothing of it is stored and the same commit may be tried again; it is a
// *memberwatch.ReasonError with reason STORAGE_FULL when space is missing.
func (p *Partition) Commit(c *PartitionCommit) (Committed, error) {
	var done Committed
	err := p.db.Update(func(tx *bolt.Tx) error {
		done = Committed{} // a retry starts afresh
		w := writer{tx: tx}
		w.setAside(c.SetAside)
		w.states(c)
		w.journal(c)
		w.marks(c)
		w.fleet(c)
		done.Damaged = w.ledger(c, p.merge)
		w.rollUp(c.RollUpBelow, p.merge)
		w.expireLedger(c.LedgerFrom)
		w.clues(c)
		done.OutboxLast = w.outbox(c)
		return w.err
	})
	return done, storageError(p.db.Path(), err)
}

// writer puts the pieces of a commit into their buckets and remembers the first
// error.
type writer struct {
	tx    *bolt.Tx
	err   error
	chunk []byte // records are cut from its end
}

// chunkBytes is how much memory is taken at once for the records of a commit:
// bbolt needs them until it ends, and one by one they are many.
const chunkBytes = 1 << 20

// encoder begins a record of at most so many bytes that will be sealed before
// the next one begins.
func (w *writer) encoder(most int) *encoder {
	if cap(w.chunk)-len(w.chunk) < most+frameBytes {
		w.chunk = make([]byte, 0, max(chunkBytes, most+frameBytes))
	}
	end := len(w.chunk)
	return &encoder{b: append(w.chunk[end:end:cap(w.chunk)], recordVersion)}
}

// seal ends a record.
func (w *writer) seal(e *encoder) []byte {
	e.seal()
	return w.cut(e)
}

// cut keeps the bytes of a record that is sealed.
func (w *writer) cut(e *encoder) []byte {
	w.chunk = w.chunk[:len(w.chunk)+len(e.b)]
	return slices.Clip(e.b)
}

func (w *writer) put(bucket *bolt.Bucket, key, value []byte) {
	if w.err == nil {
		w.err = bucket.Put(key, value)
	}
}

func (w *writer) delete(bucket *bolt.Bucket, key []byte) {
	if w.err == nil {
		w.err = bucket.Delete(key)
	}
}

// states writes apps and their parts, in the order of the keys: that is how
// bbolt is fastest.
func (w *writer) states(c *PartitionCommit) {
	slices.SortFunc(c.States, func(a, b StatePart) int {
		if a.Part != b.Part {
			return int(a.Part) - int(b.Part)
		}
		return bytes.Compare([]byte(a.App), []byte(b.App))
	})
	for i := range c.States {
		s := &c.States[i]
		bucket := w.tx.Bucket(bucketStates[s.Part])
		if len(s.Value) == 0 {
			w.delete(bucket, []byte(s.App))
		} else {
			e := w.encoder(len(s.Value))
			e.b = append(e.b, s.Value...)
			w.put(bucket, []byte(s.App), w.seal(e))
		}
	}
	apps, routes := w.tx.Bucket(bucketApps), w.tx.Bucket(bucketRoutes)
	for _, a := range c.Apps {
		w.put(apps, []byte(a.App), sealBytes([]byte(a.Developer)))
	}
	for _, r := range c.Routes {
		e := newEncoder(4)
		e.uint(uint64(r.Partition))
		w.put(routes, []byte(r.App), e.seal())
	}
}

func (w *writer) marks(c *PartitionCommit) {
	marks, classes := w.tx.Bucket(bucketMarks), w.tx.Bucket(bucketClasses)
	for i := range c.Marks {
		w.put(marks, []byte(c.Marks[i].Producer), encodeMark(&c.Marks[i]))
	}
	for _, count := range c.Classes {
		e := newEncoder(10)
		e.int(count.Count)
		w.put(classes, []byte(className(count.Name)), e.seal())
	}
	w.put(w.tx.Bucket(bucketMeta), keyProgress, encodeProgress(&c.Progress))
	if len(c.Engine) > 0 {
		w.put(w.tx.Bucket(bucketMeta), keyEngine, sealBytes(c.Engine))
	}
}

// setAside moves all parts of an app to the bucket of damaged records.
func (w *writer) setAside(apps []memberwatch.AppID) {
	damaged := w.tx.Bucket(bucketDamaged)
	for _, app := range apps {
		for _, name := range bucketStates {
			bucket := w.tx.Bucket(name)
			if record := bucket.Get([]byte(app)); record != nil {
				w.put(damaged, fmt.Appendf(nil, "%s/%s", name, app), bytes.Clone(record))
				w.delete(bucket, []byte(app))
			}
		}
	}
}

// className makes a key of a data class: bbolt has no empty keys.
func className(name string) string { return "/" + name }

// fleet writes new tallies and drops those the fleet has judged.
func (w *writer) fleet(c *PartitionCommit) {
	tallies := w.tx.Bucket(bucketTallies)
	for _, t := range c.Tallies {
		w.put(tallies, windowKey(t.Window), sealBytes(t.Value))
	}
	if c.TalliesDone != 0 {
		w.deleteBelow(tallies, appendKeyInt64(nil, c.TalliesDone+1), -1)
	}
}

// outbox appends signal updates, drops the published ones and returns the
// newest sequence.
func (w *writer) outbox(c *PartitionCommit) uint64 {
	rows := w.tx.Bucket(bucketOutbox)
	for i := range c.Outbox {
		n, err := rows.NextSequence()
		if err != nil && w.err == nil {
			w.err = err
		}
		w.put(rows, sequenceKey(n), encodeUpdate(&c.Outbox[i]))
	}
	if c.OutboxDone > 0 {
		w.deleteBelow(rows, sequenceKey(c.OutboxDone+1), -1)
	}
	return rows.Sequence()
}

// deleteBelow deletes up to limit keys smaller than end; -1 means all. It
// gathers the keys first: a bbolt cursor may skip keys while they are deleted.
func (w *writer) deleteBelow(bucket *bolt.Bucket, end []byte, limit int) {
	var keys [][]byte
	cursor := bucket.Cursor()
	for k, _ := cursor.First(); k != nil && bytes.Compare(k, end) < 0 && len(keys) != limit; k, _ = cursor.Next() {
		keys = append(keys, k)
	}
	for _, k := range keys {
		w.delete(bucket, k)
	}
}

func encodeMark(m *Mark) []byte {
	e := newEncoder(24)
	e.int(m.Sequence)
	e.int(m.Newest)
	e.bool(m.Live)
	return e.seal()
}

func decodeMark(producer, record []byte) (Mark, error) {
	d := newDecoder(record)
	m := Mark{Producer: memberwatch.ProducerID(producer), Sequence: d.int(), Newest: d.int(), Live: d.bool()}
	return m, d.finish()
}

func encodeProgress(p *Progress) []byte {
	e := newEncoder(40)
	for _, v := range [...]int64{p.Closed, p.Judged, p.Applied, p.Late, p.Lost} {
		e.int(v)
	}
	return e.seal()
}

func decodeProgress(record []byte) (Progress, error) {
	d := newDecoder(record)
	p := Progress{Closed: d.int(), Judged: d.int(), Applied: d.int(), Late: d.int(), Lost: d.int()}
	return p, d.finish()
}
