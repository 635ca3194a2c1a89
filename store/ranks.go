package store

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"github.com/memberwatch/memberwatch"
	bolt "go.etcd.io/bbolt"
)

// Ranks: each order of a list has an index, all in one bucket. A key is the order, the
// rank in it, and the place by opening; an entry holds the head. Signals by opening are
// in buckets of their own.

// Orders that are indexed by rank.
var (
	signalOrders = []memberwatch.OrderField{memberwatch.BySeverity, memberwatch.ByEvidence, memberwatch.ByLast}
	caseOrders   = []memberwatch.OrderField{memberwatch.ByOpening, memberwatch.BySeverity, memberwatch.ByDue, memberwatch.ByUpdate}
)

// rankBytes is how much of a key comes before the place by opening.
const rankBytes = 1 + 8

// shadowOrders tells the orders of signals in shadow from those of the others.
const shadowOrders = 0x80

func orderByte(by memberwatch.OrderField, shadow bool) byte {
	if shadow {
		return byte(by) | shadowOrders
	}
	return byte(by)
}

// rankKey puts an order and a rank before the place by opening.
func rankKey(order byte, rank uint64, place []byte) []byte {
	key := binary.BigEndian.AppendUint64(append(make([]byte, 0, rankBytes+len(place)), order), rank)
	return append(key, place...)
}

func signalRankKey(by memberwatch.OrderField, s *memberwatch.Signal) []byte {
	return rankKey(orderByte(by, s.Shadow), s.Rank(by), timeKey(s.Opened, string(s.ID)))
}

// rankCase puts a case into its indices, in place of what it was.
func (w *writer) rankCase(old, c *memberwatch.Case, number []byte) {
	ranks, head := w.tx.Bucket(bucketCaseRanks), encodeCaseHead(c)
	for _, by := range caseOrders {
		w.delete(ranks, rankKey(byte(by), old.Rank(by), number))
		w.put(ranks, rankKey(byte(by), c.Rank(by), number), head)
	}
}

// span is a part of a bucket that is read in one direction: the keys that begin
// with a prefix.
type span struct {
	bucket    []byte
	prefix    []byte // of at most one byte
	ascending bool
}

// signalSpan returns where signals in an order are read.
func signalSpan(order memberwatch.Order, shadow bool) span {
	if order.By == memberwatch.ByOpening {
		return span{bucket: openedIn(shadow), ascending: order.Ascending}
	}
	return span{bucket: bucketSignalRanks, prefix: []byte{orderByte(order.By, shadow)}, ascending: order.Ascending}
}

// place returns the part of a key that is the place by opening; empty when the key is
// too short.
func (s *span) place(key []byte) []byte {
	if len(s.prefix) == 0 {
		return key
	}
	return key[min(len(key), rankBytes):]
}

// walk calls visit with the entries that come after a cursor, all if it is empty,
// as long as it wants more.
func (s *span) walk(tx *bolt.Tx, after []byte, visit func(key, value []byte) (more bool, err error)) error {
	cursor := tx.Bucket(s.bucket).Cursor()
	step := cursor.Prev
	if s.ascending {
		step = cursor.Next
	}
	for key, value := s.seek(cursor, after); key != nil && bytes.HasPrefix(key, s.prefix); key, value = step() {
		if more, err := visit(key, value); err != nil || !more {
			return err
		}
	}
	return nil
}

// seek moves to the first entry after a key, in the span's direction.
func (s *span) seek(cursor *bolt.Cursor, after []byte) (key, value []byte) {
	switch {
	case s.ascending && len(after) > 0:
		if key, value = cursor.Seek(after); bytes.Equal(key, after) {
			return cursor.Next()
		}
		return key, value
	case s.ascending:
		return cursor.Seek(s.prefix)
	case len(after) == 0 && len(s.prefix) > 0:
		return seekBeforeEntry(cursor, []byte{s.prefix[0] + 1})
	default:
		return seekBeforeEntry(cursor, after)
	}
}

// seekBeforeEntry moves to the last key before the given one; empty means the last
// of all.
func seekBeforeEntry(cursor *bolt.Cursor, before []byte) (key, value []byte) {
	if len(before) > 0 {
		if key, _ := cursor.Seek(before); key != nil {
			return cursor.Prev()
		}
	}
	return cursor.Last()
}

// encodeCursor writes a key as the cursor of a page.
func encodeCursor(key []byte) string { return base64.RawURLEncoding.EncodeToString(key) }

// decodeCursor reads a cursor, empty for the beginning.
func decodeCursor(cursor string) ([]byte, error) {
	key, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return nil, &memberwatch.ReasonError{Kind: memberwatch.ErrInvalid, Reason: "PAGE_TOKEN_INVALID", Message: fmt.Sprintf("page token %q is not one of ours", cursor)}
	}
	return key, nil
}

// Cases returns up to limit cases that match, in an order, and the cursor to go on
// from: empty at the end. A cursor is a place in the order, so pages stay in step
// while cases come; one whose rank changes meanwhile may move across it.
//
// A nil match takes all. Else match is shown what lists choose by: id, app, developer,
// state, severity, verdict, reason, assignee, tags, Created and Due. The rest is zero.
func (p *Platform) Cases(order memberwatch.Order, after string, limit int, match func(*memberwatch.Case) bool) (page []memberwatch.Case, next string, err error) {
	from, err := decodeCursor(after)
	if err != nil {
		return nil, "", err
	}
	list := span{bucket: bucketCaseRanks, prefix: []byte{orderByte(order.By, false)}, ascending: order.Ascending}
	err = p.db.View(func(tx *bolt.Tx) error {
		rows, head, last := tx.Bucket(bucketCases), memberwatch.Case{}, []byte(nil)
		return list.walk(tx, from, func(key, record []byte) (bool, error) {
			number := list.place(key)
			if err := readCaseHead(&head, number, record); err != nil {
				return false, corruptAt(p.db, list.bucket, key, err)
			}
			if match != nil && !match(&head) {
				return true, nil
			}
			if len(page) == limit {
				next = encodeCursor(last)
				return false, nil
			}
			c, err := decodeCase(rows.Get(number))
			if err != nil {
				return false, corruptAt(p.db, bucketCases, number, err)
			}
			page, last = append(page, c), key
			return true, nil
		})
	})
	return page, next, err
}

// rankAll fills the indices of a directory that was written before there were any.
func (p *Platform) rankAll() error {
	missing := false
	err := p.db.View(func(tx *bolt.Tx) error {
		missing = lacksRanks(tx, bucketCases, bucketCaseRanks) || lacksRanks(tx, bucketSignals, bucketSignalRanks)
		return nil
	})
	if err != nil || !missing {
		return err
	}
	return p.update(func(tx *bolt.Tx) error {
		w := writer{tx: tx}
		err := each(p.db, tx, bucketCases, func(key, record []byte) error {
			c, err := decodeCase(record)
			if err == nil {
				w.rankCase(&c, &c, bytes.Clone(key))
			}
			return err
		})
		if err != nil {
			return err
		}
		err = each(p.db, tx, bucketSignals, func(key, _ []byte) error {
			s, err := p.signal(tx, key)
			if err == nil {
				err = putHeads(tx, nil, s)
			}
			return err
		})
		if err != nil {
			return err
		}
		return w.err
	})
}

// lacksRanks tells whether there are rows and no ranks of theirs with heads.
func lacksRanks(tx *bolt.Tx, rows, ranks []byte) bool {
	row, _ := tx.Bucket(rows).Cursor().First()
	_, head := tx.Bucket(ranks).Cursor().First()
	return row != nil && len(head) == 0
}
