package store

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/memberwatch/memberwatch"
	bolt "go.etcd.io/bbolt"
)

// Weeks: once a week is over, its ledger rows of one class, app and after are
// united into one, so that a question about two months reads some fifteen rows
// of an app, not sixty. The daily rows stay: they answer for parts of a week.
// Weeks are derived from the ledger and could be made again from it.

// week is the length of what is rolled up. Weeks begin with day 0, a Thursday:
// nobody sees where they begin.
const week = 7

// rollUpBatch bounds how many rows one commit unites.
const rollUpBatch = 500

// weekOf returns the first day of the week of a day.
func weekOf(day int32) int32 {
	rest := day % week
	if rest < 0 {
		rest += week
	}
	return day - rest
}

// rollUp is how far the ledger has been rolled up: all weeks from the first to
// before the next one, and of that the rows up to a key.
type rollUp struct {
	begun       bool
	first, next int32
	upTo        []byte // a ledger key without its day; empty: none yet
}

// has tells whether the row of a ledger key is part of a week.
func (r *rollUp) has(key []byte) bool {
	if !r.begun {
		return false
	}
	at := weekOf(keyDay(key))
	return at >= r.first && at < r.next || at == r.next && bytes.Compare(key[4:], r.upTo) <= 0
}

// weeks returns the days between which a range is made of whole weeks.
func (r *rollUp) weeks(since, until int32) (first, end int32) {
	if !r.begun {
		return 0, 0
	}
	return max(weekOf(since+week-1), r.first), min(weekOf(until+1), r.next)
}

func keyDay(key []byte) int32 { return int32(binary.BigEndian.Uint32(key) ^ (1 << 31)) }

// rolledUp reads how far the ledger has been rolled up.
func (w *writer) rolledUp() *rollUp {
	r := &rollUp{}
	record := w.tx.Bucket(bucketMeta).Get(keyRollUp)
	if record == nil || w.err != nil {
		return r
	}
	d := newDecoder(record)
	r.begun, r.first, r.next, r.upTo = true, d.int32(), d.int32(), bytes.Clone(d.take(d.uint()))
	w.err = d.finish()
	return r
}

func (w *writer) putRollUp(r *rollUp) {
	e := newEncoder(20 + len(r.upTo))
	e.int(int64(r.first))
	e.int(int64(r.next))
	e.bytes(r.upTo)
	w.put(w.tx.Bucket(bucketMeta), keyRollUp, e.seal())
}

// rollUp unites rows of the next week that ends before a day.
func (w *writer) rollUp(below int32, merge func(stored, delta []byte) ([]byte, error)) {
	if below == 0 || w.err != nil {
		return
	}
	r := w.rolledUp()
	rows := w.tx.Bucket(bucketLedger).Cursor()
	from := appendLedgerPrefix(nil, r.next, "")[:4]
	if !r.begun {
		from = nil
	}
	if len(r.upTo) == 0 { // weeks without rows need nothing
		key, _ := rows.Seek(from)
		if key == nil {
			return
		}
		r.next = weekOf(keyDay(key))
	}
	if !r.begun {
		r.begun, r.first = true, r.next
	}
	if w.err != nil || r.next+week > below {
		return
	}
	w.rollUpWeek(r, merge)
	w.putRollUp(r)
}

// dayRows walks the ledger rows of one day.
type dayRows struct {
	cursor     *bolt.Cursor
	day        []byte // as keys begin
	key, value []byte // nil at the end
}

func (d *dayRows) take(key, value []byte) {
	if !bytes.HasPrefix(key, d.day) {
		key, value = nil, nil
	}
	d.key, d.value = key, value
}

// rollUpWeek unites the next rows of a week, and ends it when there are no more.
func (w *writer) rollUpWeek(r *rollUp, merge func(stored, delta []byte) ([]byte, error)) {
	days := w.openWeek(r)
	weeks := w.tx.Bucket(bucketWeeks)
	for range rollUpBatch {
		var least []byte
		for i := range days {
			if name := days[i].key; name != nil && (least == nil || bytes.Compare(name[4:], least) < 0) {
				least = name[4:]
			}
		}
		if least == nil {
			r.next, r.upTo = r.next+week, nil
			return
		}
		r.upTo = bytes.Clone(least)
		for i := range days {
			d := &days[i]
			if d.key == nil || !bytes.Equal(d.key[4:], r.upTo) {
				continue
			}
			var view LedgerView
			if view.decode(d.value) == nil { // a damaged row is found by whoever adds to it or reads it
				row := view.counts()
				w.addToWeek(weeks, d.key, &row, merge)
			}
			d.take(d.cursor.Next())
		}
	}
}

// openWeek goes to the rows behind those that are done, on each day.
func (w *writer) openWeek(r *rollUp) [week]dayRows {
	var days [week]dayRows
	for i := range days {
		d := &days[i]
		d.cursor, d.day = w.tx.Bucket(bucketLedger).Cursor(), appendLedgerPrefix(nil, r.next+int32(i), "")[:4]
		key, value := d.cursor.Seek(append(bytes.Clone(d.day), r.upTo...))
		if len(r.upTo) > 0 && len(key) > 4 && bytes.HasPrefix(key, d.day) && bytes.Equal(key[4:], r.upTo) {
			key, value = d.cursor.Next()
		}
		d.take(key, value)
	}
	return days
}

// counts is the row without its key.
func (v *LedgerView) counts() memberwatch.LedgerRow {
	return memberwatch.LedgerRow{
		Calls: v.Calls, Records: v.Records, Denials: v.Denials, Late: v.Late, Members: v.Members, Groups: v.Groups,
	}
}

// addToWeek merges a ledger row, or what was added to it, into its week. It
// returns 1 if the week was unreadable: it is set aside and begins anew.
func (w *writer) addToWeek(weeks *bolt.Bucket, key []byte, row *memberwatch.LedgerRow, merge func(stored, delta []byte) ([]byte, error)) (damaged int) {
	day := keyDay(key)
	first := weekOf(day)
	name := append(appendLedgerPrefix(nil, first, "")[:4], key[4:]...)
	sum, days := *row, uint8(1)<<(day-first)
	if stored := weeks.Get(name); stored != nil && w.err == nil {
		merged, before, err := mergeWeek(stored, row, merge)
		if err != nil {
			damaged = 1
			w.put(w.tx.Bucket(bucketDamaged), append([]byte("weeks/"), name...), bytes.Clone(stored))
		} else {
			sum, days = merged, days|before
		}
	}
	e := w.encoder(rowBytes + len(sum.Members) + len(sum.Groups))
	e.uint(uint64(days))
	e.row(&sum)
	w.put(weeks, name, w.seal(e))
	return damaged
}

func mergeWeek(stored []byte, row *memberwatch.LedgerRow, merge func(stored, delta []byte) ([]byte, error)) (memberwatch.LedgerRow, uint8, error) {
	var view LedgerView
	if err := view.decodeWeek(stored); err != nil {
		return memberwatch.LedgerRow{}, 0, err
	}
	sum, err := view.plus(row, merge)
	return sum, view.Days, err
}

// decodeWeek fills everything but the key of a row of a week.
func (v *LedgerView) decodeWeek(record []byte) error {
	payload, err := openFrame(record)
	d := decoder{b: payload, err: err}
	days := d.uint()
	if d.err == nil && (days == 0 || days >= 1<<week) {
		return fmt.Errorf("%w: days %b of a week", ErrCorrupt, days)
	}
	v.Days, v.byEndpoint = uint8(days), nil
	v.row(&d)
	return d.finish()
}
