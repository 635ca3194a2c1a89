package store

import (
	"bytes"
	"fmt"

	"github.com/memberwatch/memberwatch"
	bolt "go.etcd.io/bbolt"
)

// Heads: the indices of signals and cases hold beside each key what lists choose by, so that a list that matches little does not read every signal. A
// signal that was last written before there were heads has an empty one, or one
// without a verdict, and is read itself.

// encodeHead is what lists choose signals by, but for what is in the key.
func encodeHead(s *memberwatch.Signal) []byte {
	e := newEncoder(32 + len(s.App) + len(s.Developer) + len(s.Kind) + len(s.Triage.Case))
	e.string(string(s.App))
	e.string(string(s.Developer))
	e.string(string(s.Kind))
	e.uint(uint64(s.Severity))
	e.int(s.Ended)
	e.uint(uint64(s.Triage.State))
	e.string(string(s.Triage.Case))
	e.uint(uint64(s.Triage.Verdict))
	return e.seal()
}

// putHeads puts a signal into its indices, in place of what it was; nil: it is new
// there.
func putHeads(tx *bolt.Tx, old, s *memberwatch.Signal) error {
	w, ranks := writer{tx: tx}, tx.Bucket(bucketSignalRanks)
	if old != nil {
		w.delete(tx.Bucket(openedIn(old.Shadow)), timeKey(old.Opened, string(old.ID)))
		for _, by := range signalOrders {
			w.delete(ranks, signalRankKey(by, old))
		}
	}
	head := encodeHead(s)
	w.put(tx.Bucket(openedIn(s.Shadow)), timeKey(s.Opened, string(s.ID)), head)
	for _, by := range signalOrders {
		w.put(ranks, signalRankKey(by, s), head)
	}
	return w.err
}

// openedIn returns the index by opening of signals in shadow, or of the others.
func openedIn(shadow bool) []byte {
	if shadow {
		return bucketShadow
	}
	return bucketOpened
}

// readHead fills a signal from an entry of an index, of whose key it takes the place
// by opening, and says whether it has a head. Texts that are as before are kept: many
// repeat from signal to signal.
func readHead(s *memberwatch.Signal, key, record []byte) (bool, error) {
	payload, err := openFrame(record)
	if err != nil || len(payload) == 0 {
		return false, err
	}
	d := decoder{b: payload}
	s.ID, s.Opened = memberwatch.SignalID(key[8:]), keyInt64(key[:8])
	s.App, s.Developer, s.Kind = repeated(&d, s.App), repeated(&d, s.Developer), repeated(&d, s.Kind)
	s.Severity, s.Ended = memberwatch.Severity(d.byte()), d.int()
	s.Triage.State, s.Triage.Case = memberwatch.TriageState(d.byte()), repeated(&d, s.Triage.Case)
	if d.err == nil && len(d.b) == 0 {
		return false, nil
	}
	s.Triage.Verdict = memberwatch.Verdict(d.byte())
	return true, d.finish()
}

// encodeCaseHead is what lists choose cases by.
func encodeCaseHead(c *memberwatch.Case) []byte {
	e := newEncoder(64 + len(c.App) + len(c.Developer) + len(c.Assignee))
	e.string(string(c.App))
	e.string(string(c.Developer))
	e.uint(uint64(c.State))
	e.uint(uint64(c.Severity))
	e.uint(uint64(c.Verdict))
	e.string(c.Reason)
	e.string(string(c.Assignee))
	e.uint(uint64(len(c.Tags)))
	for _, tag := range c.Tags {
		e.string(tag)
	}
	e.time(c.Created)
	e.time(c.Due.Acknowledge)
	e.time(c.Due.Decide)
	e.time(c.Due.Remediate)
	return e.seal()
}

// readCaseHead fills a case from an entry of an index. It keeps texts, as readHead
// does.
func readCaseHead(c *memberwatch.Case, number, record []byte) error {
	if len(number) != 8 {
		return fmt.Errorf("%w: number of %d bytes", ErrCorrupt, len(number))
	}
	payload, err := openFrame(record)
	if err != nil {
		return err
	}
	d := decoder{b: payload}
	c.ID = memberwatch.NewCaseID(int64(keySequence(number)))
	c.App, c.Developer = repeated(&d, c.App), repeated(&d, c.Developer)
	c.State, c.Severity, c.Verdict = memberwatch.CaseState(d.byte()), memberwatch.Severity(d.byte()), memberwatch.Verdict(d.byte())
	c.Reason, c.Assignee, c.Tags = repeated(&d, c.Reason), repeated(&d, c.Assignee), c.Tags[:0]
	for n := d.count(); n > 0 && d.err == nil; n-- {
		c.Tags = append(c.Tags, d.string())
	}
	c.Created = d.time()
	c.Due = memberwatch.Clocks{Acknowledge: d.time(), Decide: d.time(), Remediate: d.time()}
	return d.finish()
}

// repeated reads a text that may be the one before.
func repeated[T ~string](d *decoder, before T) T {
	if b := d.take(d.uint()); string(b) != string(before) {
		return T(b)
	}
	return before
}

// scanned bounds how many heads one call of Signals reads: then the caller may
// look whether anybody still waits.
const scanned = 50_000

// Signals returns up to limit signals that match, in an order, and the cursor to go
// on from: empty at the end. A cursor is a place in the order, so pages stay in step
// while signals come and change; one whose rank changes meanwhile may move across it.
// It may come with fewer signals than the limit, as one call reads no more than some
// ten thousands.
//
// A nil match takes all. Else match is shown what lists choose by: id, app,
// developer, kind, severity, Opened, Ended, and of the triage state, case and verdict. The
// rest is zero.
func (p *Platform) Signals(order memberwatch.Order, after string, limit int, match func(*memberwatch.Signal) bool) (page []memberwatch.Signal, next string, err error) {
	return p.signalsIn(signalSpan(order, false), after, limit, match)
}

// ShadowSignals returns the signals that were in shadow, which Signals leaves
// out, likewise.
func (p *Platform) ShadowSignals(order memberwatch.Order, after string, limit int, match func(*memberwatch.Signal) bool) (page []memberwatch.Signal, next string, err error) {
	return p.signalsIn(signalSpan(order, true), after, limit, match)
}

// signalsIn pages through an index.
func (p *Platform) signalsIn(list span, after string, limit int, match func(*memberwatch.Signal) bool) (page []memberwatch.Signal, next string, err error) {
	from, err := decodeCursor(after)
	if err != nil {
		return nil, "", err
	}
	err = p.db.View(func(tx *bolt.Tx) error {
		head, last, n := memberwatch.Signal{}, []byte(nil), 0
		return list.walk(tx, from, func(key, record []byte) (bool, error) {
			if len(page) == limit || n == scanned {
				next = encodeCursor(last)
				return false, nil
			}
			n++
			s, err := p.matching(tx, list.bucket, &head, list.place(key), record, match)
			if err != nil {
				return false, err
			}
			if s != nil {
				page = append(page, *s)
			}
			last = key
			return true, nil
		})
	})
	return page, next, err
}

// matching returns the signal of an entry of an index if it matches; key is the place
// by opening, and head memory for what is shown to match.
func (p *Platform) matching(tx *bolt.Tx, bucket []byte, head *memberwatch.Signal, key, record []byte, match func(*memberwatch.Signal) bool) (*memberwatch.Signal, error) {
	if len(key) < 8 {
		return nil, corruptAt(p.db, bucket, key, fmt.Errorf("%w: key of %d bytes", ErrCorrupt, len(key)))
	}
	known := false
	if match != nil {
		var err error
		if known, err = readHead(head, key, record); err != nil {
			return nil, corruptAt(p.db, bucket, key, err)
		}
		if known && !match(head) {
			return nil, nil
		}
	}
	s, err := p.signal(tx, key[8:])
	switch {
	case err != nil:
		return nil, err
	case s == nil:
		return nil, corruptAt(p.db, bucket, bytes.Clone(key), fmt.Errorf("%w: no such signal", ErrCorrupt))
	case match != nil && !known && !match(s):
		return nil, nil
	}
	return s, nil
}
