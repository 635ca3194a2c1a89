package store

import (
	"fmt"

	"github.com/memberwatch/memberwatch"
	bolt "go.etcd.io/bbolt"
)

// NewCaseID numbers the next case.
func (r *Review) NewCaseID() (memberwatch.CaseID, error) {
	n, err := r.tx.Bucket(bucketCases).NextSequence()
	return memberwatch.NewCaseID(int64(n)), err
}

// Case returns a case, or ErrNotFound.
func (r *Review) Case(id memberwatch.CaseID) (memberwatch.Case, error) {
	c, found := memberwatch.Case{}, false
	n, ok := id.CaseNumber()
	if ok {
		var err error
		if c, found, err = fetch(r, bucketCases, sequenceKey(uint64(n)), decodeCase); err != nil {
			return c, err
		}
	}
	if !found {
		return c, notFound("CASE_NOT_FOUND", "case", string(id))
	}
	return c, nil
}

// PutCase writes a case and keeps the indices in step.
func (r *Review) PutCase(c *memberwatch.Case) error {
	n, ok := c.ID.CaseNumber()
	if !ok {
		return fmt.Errorf("put case %q: %w", c.ID, memberwatch.ErrInvalid)
	}
	key := sequenceKey(uint64(n))
	old, _, err := fetch(r, bucketCases, key, decodeCase)
	if err != nil {
		return err
	}
	w := writer{tx: r.tx}
	w.put(r.tx.Bucket(bucketCases), key, encodeCase(c))
	w.rankCase(&old, c, key)
	w.put(r.tx.Bucket(bucketCasesByApp), nested(string(c.Entity()), n), nil)
	if c.Open() {
		w.put(r.tx.Bucket(bucketCasesOpen), key, nil)
	} else {
		w.delete(r.tx.Bucket(bucketCasesOpen), key)
	}
	return w.err
}

// CasesOf returns up to limit cases of an app or, under its Entity, of a developer,
// the newest first.
func (r *Review) CasesOf(app memberwatch.AppID, limit int) ([]memberwatch.Case, error) {
	var cases []memberwatch.Case
	prefix := nestedPrefix(string(app))
	cursor := r.tx.Bucket(bucketCasesByApp).Cursor()
	for key := seekBefore(cursor, nested(string(app), maxTime)); hasPrefix(key, prefix) && len(cases) < limit; key, _ = cursor.Prev() {
		c, err := r.Case(memberwatch.NewCaseID(keyInt64(key[len(prefix):])))
		if err != nil {
			return nil, err
		}
		cases = append(cases, c)
	}
	return cases, nil
}

// maxAppCases is how far back an open case of an app is looked for: it is the
// newest but for cases reopened since.
const maxAppCases = 64

// OpenCase returns the app's or developer's newest case that is not closed, and false when
// there is none.
func (r *Review) OpenCase(app memberwatch.AppID) (memberwatch.Case, bool, error) {
	cases, err := r.CasesOf(app, maxAppCases)
	for i := range cases {
		if cases[i].Open() {
			return cases[i], true, err
		}
	}
	return memberwatch.Case{}, false, err
}

// EachOpenCase calls visit with every case that is not closed, in order of
// number, until it fails.
func (r *Review) EachOpenCase(visit func(*memberwatch.Case) error) error {
	cursor := r.tx.Bucket(bucketCasesOpen).Cursor()
	for key, _ := cursor.First(); key != nil; key, _ = cursor.Next() {
		c, err := r.Case(memberwatch.NewCaseID(int64(keySequence(key))))
		if err != nil {
			return err
		}
		if err := visit(&c); err != nil {
			return err
		}
	}
	return nil
}

// newestFirst reads a page of numbered records, backwards.
func newestFirst[T any](p *Platform, bucket []byte, before int64, limit int, match func(*T) bool, decode func([]byte) (T, error)) ([]T, error) {
	var page []T
	err := p.db.View(func(tx *bolt.Tx) error {
		var place []byte
		if before > 0 {
			place = sequenceKey(uint64(before))
		}
		rows := tx.Bucket(bucket)
		cursor := rows.Cursor()
		for key := seekBefore(cursor, place); key != nil && len(page) < limit; key, _ = cursor.Prev() {
			item, err := decode(rows.Get(key))
			if err != nil {
				return corruptAt(p.db, bucket, key, err)
			}
			if match == nil || match(&item) {
				page = append(page, item)
			}
		}
		return nil
	})
	return page, err
}

// Signal returns a published signal with its triage, or ErrNotFound.
func (r *Review) Signal(id memberwatch.SignalID) (memberwatch.Signal, error) {
	s, err := r.p.signal(r.tx, []byte(id))
	if err != nil {
		return memberwatch.Signal{}, err
	}
	if s == nil {
		return memberwatch.Signal{}, notFound("SIGNAL_NOT_FOUND", "signal", string(id))
	}
	return *s, nil
}

// SignalsThat returns all signals that match, the newest Opened first; match is
// shown what lists choose by.
func (r *Review) SignalsThat(match func(*memberwatch.Signal) bool) (all []memberwatch.Signal, err error) {
	head := memberwatch.Signal{}
	cursor := r.tx.Bucket(bucketOpened).Cursor()
	for key, record := cursor.Last(); key != nil; key, record = cursor.Prev() {
		s, err := r.p.matching(r.tx, bucketOpened, &head, key, record, match)
		if err != nil {
			return nil, err
		}
		if s != nil {
			all = append(all, *s)
		}
	}
	return all, nil
}

// PutTriage writes a signal's triage and tells those who watch signals.
func (r *Review) PutTriage(id memberwatch.SignalID, t *memberwatch.Triage) error {
	if err := r.tx.Bucket(bucketTriage).Put([]byte(id), encodeTriage(t)); err != nil {
		return err
	}
	s, err := r.Signal(id)
	if err != nil {
		return err
	}
	if err := putHeads(r.tx, nil, &s); err != nil {
		return err
	}
	return feed(r.tx, []byte(id))
}
