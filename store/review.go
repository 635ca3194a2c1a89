package store

import (
	"encoding/json"
	"fmt"

	"github.com/memberwatch/memberwatch"
	bolt "go.etcd.io/bbolt"
)

// Review is one transaction on the review side of platform.db: cases,
// remediations, silences, triage, labels, control changes, the audit log and the
// outbox of review events. What one decision does is written in one of them, so
// a crash leaves all of it or nothing. It is valid only inside the function that
// got it, and what it returns is copied.
//
// The outbox is read with [Platform.ReviewEvents]: entries
// {sequence, type, subject, app, severity, time, payload} in the order of their
// sequence, which has no holes. A consumer keeps the newest sequence it has
// delivered or journalled, reads on from there, and lets
// [Platform.DropReviewEvents] forget what all consumers have.
type Review struct {
	p  *Platform
	tx *bolt.Tx
}

// Buckets of the review side.
var (
	bucketCases          = []byte("cases")           // number: a case
	bucketCasesOpen      = []byte("cases-open")      // number, of cases that are not closed
	bucketCasesByApp     = []byte("cases-by-app")    // app, number
	bucketCaseRanks      = []byte("case-ranks")      // order, rank, number: what lists choose by
	bucketTriage         = []byte("triage")          // signal id: its triage
	bucketRemediations   = []byte("remediations")    // number: a remediation
	bucketRemediationsOf = []byte("remediations-of") // case number, number
	bucketSilences       = []byte("silences")        // number: a silence
	bucketLabels         = []byte("labels")          // signal id: a label
	bucketReviewEvents   = []byte("review-events")   // sequence: a review event
	bucketReviewMarks    = []byte("review-marks")    // name: a number
	bucketAudit          = []byte("audit")           // number: a leaf of the audit log
	bucketAuditTree      = []byte("audit-tree")      // index: a node of its Merkle tree
	bucketAuditSubject   = []byte("audit-subject")   // subject, number
	bucketTokens         = []byte("tokens")          // number: a token
	reviewNames          = [][]byte{
		bucketCases, bucketCasesOpen, bucketCasesByApp, bucketCaseRanks, bucketTriage, bucketRemediations, bucketRemediationsOf,
		bucketSilences, bucketLabels, bucketReviewEvents, bucketReviewMarks, bucketAudit, bucketAuditTree,
		bucketAuditSubject, bucketTokens,
	}
)

// Review runs one write transaction. When do fails, nothing was written.
func (p *Platform) Review(do func(*Review) error) error {
	return p.update(func(tx *bolt.Tx) error { return do(&Review{p: p, tx: tx}) })
}

// ReadReview runs one transaction that sees one state and writes nothing.
func (p *Platform) ReadReview(do func(*Review) error) error {
	return p.db.View(func(tx *bolt.Tx) error { return do(&Review{p: p, tx: tx}) })
}

// Emit appends an event to the outbox; payload is the subject as it is now.
func (r *Review) Emit(e memberwatch.ReviewEvent, payload any) error {
	b, err := json.Marshal(payload)
	if err != nil {
		return fmt.Errorf("payload of %s of %q: %w", e.Type, e.Subject, err)
	}
	bucket := r.tx.Bucket(bucketReviewEvents)
	n, err := bucket.NextSequence()
	if err != nil {
		return err
	}
	e.Sequence, e.Payload = int64(n), b
	return bucket.Put(sequenceKey(n), encodeReviewEvent(&e))
}

// ReviewEvents returns up to limit review events after a sequence, in order.
func (p *Platform) ReviewEvents(after int64, limit int) ([]memberwatch.ReviewEvent, error) {
	return pageOf(p.db, bucketReviewEvents, sequenceKey(uint64(max(after, 0))), limit, nil, decodeReviewEvent)
}

// DropReviewEvents forgets the events up to a sequence, inclusive.
func (p *Platform) DropReviewEvents(through int64) error {
	return p.update(func(tx *bolt.Tx) error {
		w := writer{tx: tx}
		w.deleteBelow(tx.Bucket(bucketReviewEvents), sequenceKey(uint64(through)+1), -1)
		return w.err
	})
}

// ReviewPlace returns the sequence of the newest review event, 0 before the
// first.
func (p *Platform) ReviewPlace() (place int64, err error) {
	err = p.db.View(func(tx *bolt.Tx) error {
		place = int64(tx.Bucket(bucketReviewEvents).Sequence())
		return nil
	})
	return place, err
}

func encodeReviewEvent(e *memberwatch.ReviewEvent) []byte {
	w := newEncoder(64 + len(e.Payload))
	w.int(e.Sequence)
	w.string(string(e.Type))
	w.string(e.Subject)
	w.string(string(e.App))
	w.uint(uint64(e.Severity))
	w.time(e.Time)
	w.bytes(e.Payload)
	return w.seal()
}

func decodeReviewEvent(record []byte) (memberwatch.ReviewEvent, error) {
	d := newDecoder(record)
	e := memberwatch.ReviewEvent{
		Sequence: d.int(), Type: memberwatch.ReviewEventType(d.string()), Subject: d.string(),
		App: memberwatch.AppID(d.string()), Severity: memberwatch.Severity(d.byte()), Time: d.time(), Payload: []byte(d.string()),
	}
	return e, d.finish()
}

// Mark returns a named number, 0 before it was set.
func (r *Review) Mark(name string) (int64, error) {
	n, _, err := fetch(r, bucketReviewMarks, []byte(name), decodeNumber)
	return n, err
}

// SetMark keeps a named number.
func (r *Review) SetMark(name string, n int64) error {
	return r.tx.Bucket(bucketReviewMarks).Put([]byte(name), encodeNumber(n))
}

// fetch reads one record.
func fetch[T any](r *Review, bucket, key []byte, decode func([]byte) (T, error)) (item T, found bool, err error) {
	record := r.tx.Bucket(bucket).Get(key)
	if record == nil {
		return item, false, nil
	}
	if item, err = decode(record); err != nil {
		return item, false, corruptAt(r.p.db, bucket, key, err)
	}
	return item, true, nil
}

// Change numbers a control change of the review side, applies it to the registry
// and appends it to the audit log. The caller hands it to the partitions once
// the transaction is on the disk.
func (r *Review) Change(change *memberwatch.Change) error {
	return appendChange(r.tx, change)
}

// Restriction returns a restriction, or ErrNotFound.
func (r *Review) Restriction(id memberwatch.RestrictionID) (memberwatch.Restriction, error) {
	restriction, found, err := fetch(r, bucketRestrictions, []byte(id), decodeRestriction)
	if err == nil && !found {
		err = notFound("RESTRICTION_NOT_FOUND", "restriction", string(id))
	}
	return restriction, err
}

// nested is a key below a name: the name with its length before it, so that no
// name is the beginning of another, and a number.
func nested(name string, n int64) []byte { return appendKeyInt64(nestedPrefix(name), n) }

func nestedPrefix(name string) []byte {
	b := append(make([]byte, 0, len(name)+10), byte(len(name)>>8), byte(len(name)))
	return append(b, name...)
}

// ChangeAt returns the control change of a revision, or ErrNotFound.
func (r *Review) ChangeAt(revision int64) (memberwatch.Change, error) {
	c, found, err := fetch(r, bucketChanges, sequenceKey(uint64(revision)), decodeChange)
	if err == nil && !found {
		err = notFound("CHANGE_NOT_FOUND", "control change", fmt.Sprint(revision))
	}
	return c, err
}
