package store

import (
	"bytes"

	"github.com/memberwatch/memberwatch"
	bolt "go.etcd.io/bbolt"
)

// State is an app's state as stored: its owner and its opaque parts, nil where
// there is none.
type State struct {
	App       memberwatch.AppID
	Developer memberwatch.DeveloperID
	Parts     [Parts][]byte
}

// Recovered is what a partition needs to go on after a restart.
type Recovered struct {
	Progress   Progress
	Marks      []Mark
	Tallies    []Tally
	Classes    []memberwatch.Count
	OutboxLast uint64
	Engine     []byte // nil when nothing was committed yet
}

// Recover reads where the partition stands.
func (p *Partition) Recover() (Recovered, error) {
	var r Recovered
	err := p.db.View(func(tx *bolt.Tx) error {
		if record := tx.Bucket(bucketMeta).Get(keyProgress); record != nil {
			progress, err := decodeProgress(record)
			if err != nil {
				return corruptAt(p.db, bucketMeta, keyProgress, err)
			}
			r.Progress = progress
		}
		if record := tx.Bucket(bucketMeta).Get(keyEngine); record != nil {
			engine, err := openFrame(record)
			if err != nil {
				return corruptAt(p.db, bucketMeta, keyEngine, err)
			}
			r.Engine = bytes.Clone(engine)
		}
		r.OutboxLast = tx.Bucket(bucketOutbox).Sequence()
		return r.lists(p.db, tx)
	})
	return r, err
}

func (r *Recovered) lists(db *bolt.DB, tx *bolt.Tx) error {
	err := each(db, tx, bucketMarks, func(key, record []byte) error {
		mark, err := decodeMark(key, record)
		r.Marks = append(r.Marks, mark)
		return err
	})
	if err != nil {
		return err
	}
	err = each(db, tx, bucketTallies, func(key, record []byte) error {
		window, err := parseWindowKey(key)
		if err != nil {
			return err
		}
		value, err := openFrame(record)
		r.Tallies = append(r.Tallies, Tally{Window: window, Value: bytes.Clone(value)})
		return err
	})
	if err != nil {
		return err
	}
	return each(db, tx, bucketClasses, func(key, record []byte) error {
		d := newDecoder(record)
		r.Classes = append(r.Classes, memberwatch.Count{Name: string(key[1:]), Count: d.int()})
		return d.finish()
	})
}

// each visits a whole bucket and says where a damaged record lies.
func each(db *bolt.DB, tx *bolt.Tx, bucket []byte, visit func(key, record []byte) error) error {
	return tx.Bucket(bucket).ForEach(func(key, record []byte) error {
		if err := visit(key, record); err != nil {
			return corruptAt(db, bucket, key, err)
		}
		return nil
	})
}

// State reads an app's state; ok is false when the partition has never stored
// the app.
func (p *Partition) State(app memberwatch.AppID) (s State, ok bool, err error) {
	err = p.db.View(func(tx *bolt.Tx) error {
		s, ok, err = p.state(tx, []byte(app))
		return err
	})
	return s, ok, err
}

func (p *Partition) state(tx *bolt.Tx, app []byte) (State, bool, error) {
	record := tx.Bucket(bucketApps).Get(app)
	if record == nil {
		return State{}, false, nil
	}
	owner, err := openFrame(record)
	if err != nil {
		return State{}, false, corruptAt(p.db, bucketApps, app, err)
	}
	s := State{App: memberwatch.AppID(app), Developer: memberwatch.DeveloperID(owner)}
	for i, bucket := range bucketStates {
		if record := tx.Bucket(bucket).Get(app); record != nil {
			value, err := openFrame(record)
			if err != nil {
				return State{}, false, corruptAt(p.db, bucket, app, err)
			}
			s.Parts[i] = bytes.Clone(value)
		}
	}
	return s, true, nil
}

// AppIDs returns up to limit apps of the partition after the given one, in
// order of id. Developers, who come after all apps, are not among them.
func (p *Partition) AppIDs(after memberwatch.AppID, limit int) ([]memberwatch.AppID, error) {
	ids, err := p.ids(bucketApps, after, limit)
	for len(ids) > 0 && ids[len(ids)-1].IsDeveloper() {
		ids = ids[:len(ids)-1]
	}
	return ids, err
}

// HotApps returns up to limit apps, and then developers, after the given one that have part 0, in
// order of id.
func (p *Partition) HotApps(after memberwatch.AppID, limit int) ([]memberwatch.AppID, error) {
	return p.ids(bucketStates[0], after, limit)
}

func (p *Partition) ids(bucket []byte, after memberwatch.AppID, limit int) ([]memberwatch.AppID, error) {
	var ids []memberwatch.AppID
	err := p.db.View(func(tx *bolt.Tx) error {
		cursor := tx.Bucket(bucket).Cursor()
		for key := seekAfter(cursor, []byte(after)); key != nil && len(ids) < limit; key, _ = cursor.Next() {
			ids = append(ids, memberwatch.AppID(key))
		}
		return nil
	})
	return ids, err
}

// seekAfter moves to the first key after the given one; an empty one means the
// first of all.
func seekAfter(cursor *bolt.Cursor, after []byte) []byte {
	if len(after) == 0 {
		key, _ := cursor.First()
		return key
	}
	key, _ := cursor.Seek(after)
	if bytes.Equal(key, after) {
		key, _ = cursor.Next()
	}
	return key
}

// Owners calls visit for every app of the partition and its developer, and for
// developers who have a state of their own under their Entity. It is cheap: no state is read. visit must not write to the store.
func (p *Partition) Owners(visit func(app memberwatch.AppID, developer memberwatch.DeveloperID)) error {
	return p.db.View(func(tx *bolt.Tx) error {
		return each(p.db, tx, bucketApps, func(key, record []byte) error {
			owner, err := openFrame(record)
			if err == nil {
				visit(memberwatch.AppID(key), memberwatch.DeveloperID(owner))
			}
			return err
		})
	})
}

// Routes calls visit for every app whose partition this file remembers. visit
// must not write to the store.
func (p *Partition) Routes(visit func(app memberwatch.AppID, partition int)) error {
	return p.db.View(func(tx *bolt.Tx) error {
		return each(p.db, tx, bucketRoutes, func(key, record []byte) error {
			d := newDecoder(record)
			partition := d.uint()
			if err := d.finish(); err != nil {
				return err
			}
			visit(memberwatch.AppID(key), int(partition))
			return nil
		})
	})
}

// OutboxRow is a committed signal update that waits to be published.
type OutboxRow struct {
	Sequence uint64
	Update   memberwatch.Update
}

// Outbox returns up to limit rows after the sequence, in order.
func (p *Partition) Outbox(after uint64, limit int) ([]OutboxRow, error) {
	var rows []OutboxRow
	err := p.db.View(func(tx *bolt.Tx) error {
		cursor := tx.Bucket(bucketOutbox).Cursor()
		for key, record := cursor.Seek(sequenceKey(after + 1)); key != nil && len(rows) < limit; key, record = cursor.Next() {
			update, err := decodeUpdate(record)
			if err != nil {
				return corruptAt(p.db, bucketOutbox, key, err)
			}
			rows = append(rows, OutboxRow{Sequence: keySequence(key), Update: update})
		}
		return nil
	})
	return rows, err
}
