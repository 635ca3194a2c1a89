package store

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/memberwatch/memberwatch"
)

// mergeFunc unites two encoded distinct sketches.
type mergeFunc = func(stored, delta []byte) ([]byte, error)

// expireBatch bounds how many old ledger rows one commit deletes.
const expireBatch = 2000

// ledger merges the deltas into the stored rows and returns how many stored
// rows were unreadable. Those are set aside, not overwritten: one damaged row
// must not stop a partition for ever, and must not vanish either.
func (w *writer) ledger(c *PartitionCommit, merge mergeFunc) (damaged int) {
	rows, done := w.tx.Bucket(bucketLedger), w.rolledUp()
	var late [][]byte // keys of rows that spans have taken in already
	var key []byte    // bbolt takes a copy
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
		if done.has(daySpanOf(0, keyDay(key)), key[4:]) {
			late = append(late, bytes.Clone(key))
		}
	}
	slices.SortFunc(late, bytes.Compare)
	for _, key := range slices.CompactFunc(late, bytes.Equal) {
		w.remake(done, key, merge)
	}
	return damaged
}

// expireLedger drops rows of days before one, and spans with them.
func (w *writer) expireLedger(from int32) {
	if from == 0 || w.err != nil {
		return
	}
	for level, bucket := range bucketSpans {
		w.deleteBelow(w.tx.Bucket(bucket), appendKeyDay(nil, daySpanOf(level, from).first), expireBatch)
	}
	w.deleteBelow(w.tx.Bucket(bucketLedger), appendKeyDay(nil, from), expireBatch)
}

func mergeRow(
	stored []byte, delta *memberwatch.LedgerRow, merge mergeFunc,
) (sum memberwatch.LedgerRow, parts []part, err error) {
	var view LedgerView
	if err = view.decode(dayLevel, stored); err != nil {
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
func (v *LedgerView) plus(delta *memberwatch.LedgerRow, merge mergeFunc) (memberwatch.LedgerRow, error) {
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

// counts is the row without its key.
func (v *LedgerView) counts() memberwatch.LedgerRow {
	return memberwatch.LedgerRow{
		Calls: v.Calls, Records: v.Records, Denials: v.Denials, Late: v.Late, Members: v.Members, Groups: v.Groups,
	}
}

func mergeSketch(stored, delta []byte, merge mergeFunc) ([]byte, error) {
	switch {
	case len(stored) == 0:
		return delta, nil
	case len(delta) == 0:
		return stored, nil
	default:
		return merge(stored, delta)
	}
}

// rowBytes bounds a row without its sketches: six numbers and the days of a span.
const rowBytes = 80

func (e *encoder) row(r *memberwatch.LedgerRow) {
	e.uint(r.Calls)
	e.uint(r.Records)
	e.uint(r.Denials)
	e.uint(r.Late)
	e.bytes(r.Members)
	e.bytes(r.Groups)
}
