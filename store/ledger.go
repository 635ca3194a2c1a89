package store

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/memberwatch/memberwatch"
	bolt "go.etcd.io/bbolt"
)

// expireBatch bounds how many old ledger rows one commit deletes.
const expireBatch = 2000

// ledger merges the deltas into the stored rows and returns how many stored
// rows were unreadable. Those are set aside, not overwritten: one damaged row
// must not stop a partition for ever, and must not vanish either.
func (w *writer) ledger(c *PartitionCommit, merge func(stored, delta []byte) ([]byte, error)) (damaged int) {
	rows := w.tx.Bucket(bucketLedger)
	for i := range c.Ledger {
		if w.err != nil {
			return damaged
		}
		delta := &c.Ledger[i]
		key, err := appendLedgerKey(nil, &delta.LedgerKey)
		if err != nil {
			w.err = err
			return damaged
		}
		row := *delta
		if stored := rows.Get(key); stored != nil {
			merged, err := mergeRow(stored, delta, merge)
			if err != nil {
				damaged++
				w.put(w.tx.Bucket(bucketDamaged), append([]byte("ledger/"), key...), bytes.Clone(stored))
			} else {
				row = merged
			}
		}
		w.put(rows, key, encodeRow(&row))
	}
	return damaged
}

func (w *writer) expireLedger(from int32) {
	if from != 0 && w.err == nil {
		w.deleteBelow(w.tx.Bucket(bucketLedger), appendLedgerPrefix(nil, from, "")[:4], expireBatch)
	}
}

func mergeRow(stored []byte, delta *memberwatch.LedgerRow, merge func(stored, delta []byte) ([]byte, error)) (memberwatch.LedgerRow, error) {
	var view LedgerView
	if err := view.decode(stored); err != nil {
		return memberwatch.LedgerRow{}, err
	}
	row := *delta
	row.Calls += view.Calls
	row.Records += view.Records
	row.Denials += view.Denials
	row.Late += view.Late
	var err error
	if row.Members, err = mergeSketch(view.Members, delta.Members, merge); err != nil {
		return memberwatch.LedgerRow{}, fmt.Errorf("members: %w", err)
	}
	if row.Groups, err = mergeSketch(view.Groups, delta.Groups, merge); err != nil {
		return memberwatch.LedgerRow{}, fmt.Errorf("groups: %w", err)
	}
	return row, nil
}

func mergeSketch(stored, delta []byte, merge func(stored, delta []byte) ([]byte, error)) ([]byte, error) {
	switch {
	case len(stored) == 0:
		return delta, nil
	case len(delta) == 0:
		return stored, nil
	default:
		return merge(stored, delta)
	}
}

func encodeRow(r *memberwatch.LedgerRow) []byte {
	e := newEncoder(32 + len(r.Members) + len(r.Groups))
	e.uint(r.Calls)
	e.uint(r.Records)
	e.uint(r.Denials)
	e.uint(r.Late)
	e.bytes(r.Members)
	e.bytes(r.Groups)
	return e.seal()
}

// LedgerView is a stored row whose texts and sketches still point into the
// file: they are valid only during the visit.
type LedgerView struct {
	Day             int32
	Class, App      []byte
	After           bool
	Calls, Records  uint64
	Denials, Late   uint64
	Members, Groups []byte
}

// decode fills everything but the key.
func (v *LedgerView) decode(record []byte) error {
	payload, err := openFrame(record)
	d := decoder{b: payload, err: err}
	v.Calls, v.Records, v.Denials, v.Late = d.uint(), d.uint(), d.uint(), d.uint()
	v.Members, v.Groups = d.take(d.uint()), d.take(d.uint())
	return d.finish()
}

// LedgerRange chooses ledger rows by day, inclusive, and data class.
type LedgerRange struct {
	Since, Until int32
	Class        memberwatch.DataClass
	AnyClass     bool // every class; Class is ignored
}

// Ledger calls visit for every chosen row, in the order of the keys: day,
// class, app, after. The view is valid only during the call, and visit must not
// write to the store. A visit that returns an error ends the walk with it.
func (p *Partition) Ledger(r LedgerRange, visit func(row *LedgerView) error) error {
	return p.db.View(func(tx *bolt.Tx) error {
		cursor := tx.Bucket(bucketLedger).Cursor()
		var view LedgerView
		prefix := make([]byte, 0, 5+len(r.Class))
		key, value := cursor.Seek(appendLedgerPrefix(prefix, r.Since, "")[:4])
		for key != nil {
			if err := view.parseKey(key); err != nil {
				return corruptAt(p.db, bucketLedger, key, err)
			}
			if view.Day > r.Until {
				return nil
			}
			if !r.AnyClass && string(view.Class) != string(r.Class) {
				key, value = seekClass(cursor, key, appendLedgerPrefix(prefix, view.Day, r.Class))
				continue
			}
			if err := view.decode(value); err != nil {
				return corruptAt(p.db, bucketLedger, key, err)
			}
			if err := visit(&view); err != nil {
				return err
			}
			key, value = cursor.Next()
		}
		return nil
	})
}

// seekClass goes from a key of another class to the wanted one of the same day,
// or to the next day if that is behind.
func seekClass(cursor *bolt.Cursor, key, wanted []byte) ([]byte, []byte) {
	if bytes.Compare(key, wanted) < 0 {
		return cursor.Seek(wanted)
	}
	day := binary.BigEndian.Uint32(wanted) + 1
	return cursor.Seek(binary.BigEndian.AppendUint32(nil, day))
}
