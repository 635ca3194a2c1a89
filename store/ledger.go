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
	rows, weeks, done := w.tx.Bucket(bucketLedger), w.tx.Bucket(bucketWeeks), w.rolledUp()
	var key []byte // bbolt takes a copy
	for i := range c.Ledger {
		if w.err != nil {
			return damaged
		}
		delta := &c.Ledger[i]
		var err error
		key, err = appendLedgerKey(key[:0], &delta.LedgerKey)
		if err != nil {
			w.err = err
			return damaged
		}
		row, parts := *delta, []part{partOf(delta)}
		if stored := rows.Get(key); stored != nil {
			merged, by, err := mergeRow(stored, delta, merge)
			if err != nil {
				damaged++
				w.put(w.tx.Bucket(bucketDamaged), append([]byte("ledger/"), key...), bytes.Clone(stored))
			} else {
				row, parts = merged, by
			}
		}
		e := w.encoder(rowBytes + len(row.Members) + len(row.Groups) + partsBytes(parts))
		e.b[0] = ledgerVersion
		e.row(&row)
		e.parts(parts)
		w.put(rows, key, w.seal(e))
		if done.has(key) { // a late one
			damaged += w.addToWeek(weeks, key, delta, merge)
		}
	}
	return damaged
}

func (w *writer) expireLedger(from int32) {
	if from != 0 && w.err == nil {
		w.deleteBelow(w.tx.Bucket(bucketWeeks), appendLedgerPrefix(nil, weekOf(from), "")[:4], expireBatch)
		w.deleteBelow(w.tx.Bucket(bucketLedger), appendLedgerPrefix(nil, from, "")[:4], expireBatch)
	}
}

func mergeRow(
	stored []byte, delta *memberwatch.LedgerRow, merge func(stored, delta []byte) ([]byte, error),
) (sum memberwatch.LedgerRow, parts []part, err error) {
	var view LedgerView
	if err = view.decode(stored); err != nil {
		return sum, nil, err
	}
	if parts, err = view.parts(); err != nil {
		return sum, nil, err
	}
	if parts, err = addPart(parts, partOf(delta), merge); err != nil {
		return sum, nil, err
	}
	sum, err = view.plus(delta, merge)
	return sum, parts, err
}

// plus merges a delta into the row: counts add, sketches unite.
func (v *LedgerView) plus(delta *memberwatch.LedgerRow, merge func(stored, delta []byte) ([]byte, error)) (memberwatch.LedgerRow, error) {
	row := *delta
	row.Calls += v.Calls
	row.Records += v.Records
	row.Denials += v.Denials
	row.Late += v.Late
	var err error
	if row.Members, err = mergeSketch(v.Members, delta.Members, merge); err != nil {
		return memberwatch.LedgerRow{}, fmt.Errorf("members: %w", err)
	}
	if row.Groups, err = mergeSketch(v.Groups, delta.Groups, merge); err != nil {
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

// rowBytes bounds a row without its sketches: six numbers and the days of a week.
const rowBytes = 64

func (e *encoder) row(r *memberwatch.LedgerRow) {
	e.uint(r.Calls)
	e.uint(r.Records)
	e.uint(r.Denials)
	e.uint(r.Late)
	e.bytes(r.Members)
	e.bytes(r.Groups)
}

// LedgerView is a stored row whose texts and sketches still point into the
// file: they are valid only during the visit.
type LedgerView struct {
	Day             int32 // the first, of a week
	Days            uint8 // bit i: it has access of day Day+i
	Class, App      []byte
	After           bool
	Calls, Records  uint64
	Denials, Late   uint64
	Members, Groups []byte
	byEndpoint      []byte // encoded parts; nil in rows of weeks and of version 1
}

// ledgerVersion is the version of ledger rows that say what came by which
// endpoint. Those of version 1 do not.
const ledgerVersion = 2

// decode fills everything but the key.
func (v *LedgerView) decode(record []byte) error {
	version, payload, err := openVersion(record, ledgerVersion)
	d := decoder{b: payload, err: err}
	v.Days, v.byEndpoint = 1, nil
	v.row(&d)
	if version == ledgerVersion {
		v.byEndpoint = d.take(uint64(len(d.b)))
	}
	return d.finish()
}

func (v *LedgerView) row(d *decoder) {
	v.Calls, v.Records, v.Denials, v.Late = d.uint(), d.uint(), d.uint(), d.uint()
	v.Members, v.Groups = d.take(d.uint()), d.take(d.uint())
}

// LedgerRange chooses ledger rows by day, inclusive, and data class.
type LedgerRange struct {
	Since, Until int32
	Class        memberwatch.DataClass
	AnyClass     bool // every class; Class is ignored
	// Daily leaves weeks aside: their rows do not say what happened on which day,
	// nor by which endpoint.
	Daily bool
}

// Ledger calls visit for every chosen row, by day, class, app and after. Whole
// weeks come as one row for each class, app and after, as far as they have been
// rolled up. The view is valid only during the call, and visit must not write to
// the store. A visit that returns an error ends the walk with it.
func (p *Partition) Ledger(r LedgerRange, visit func(row *LedgerView) error) error {
	return p.db.View(func(tx *bolt.Tx) error {
		if r.Daily {
			return p.walk(tx, bucketLedger, r, (*LedgerView).decode, visit)
		}
		w := writer{tx: tx}
		first, end := w.rolledUp().weeks(r.Since, r.Until)
		if w.err != nil {
			return corruptAt(p.db, bucketMeta, keyRollUp, w.err)
		}
		if first >= end {
			return p.walk(tx, bucketLedger, r, (*LedgerView).decode, visit)
		}
		before, weeks, after := r, r, r
		before.Until, weeks.Since, weeks.Until, after.Since = first-1, first, end-1, end
		if err := p.walk(tx, bucketLedger, before, (*LedgerView).decode, visit); err != nil {
			return err
		}
		if err := p.walk(tx, bucketWeeks, weeks, (*LedgerView).decodeWeek, visit); err != nil {
			return err
		}
		return p.walk(tx, bucketLedger, after, (*LedgerView).decode, visit)
	})
}

// walk visits the rows of one bucket.
func (p *Partition) walk(
	tx *bolt.Tx, bucket []byte, r LedgerRange, decode func(*LedgerView, []byte) error, visit func(row *LedgerView) error,
) error {
	cursor := tx.Bucket(bucket).Cursor()
	var view LedgerView
	prefix := make([]byte, 0, 5+len(r.Class))
	key, value := cursor.Seek(appendLedgerPrefix(prefix, r.Since, "")[:4])
	for key != nil {
		if err := view.parseKey(key); err != nil {
			return corruptAt(p.db, bucket, key, err)
		}
		if view.Day > r.Until {
			return nil
		}
		if !r.AnyClass && string(view.Class) != string(r.Class) {
			key, value = seekClass(cursor, key, appendLedgerPrefix(prefix, view.Day, r.Class))
			continue
		}
		if err := decode(&view, value); err != nil {
			return corruptAt(p.db, bucket, key, err)
		}
		if err := visit(&view); err != nil {
			return err
		}
		key, value = cursor.Next()
	}
	return nil
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
