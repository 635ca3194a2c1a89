package store

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/memberwatch/memberwatch"
	bolt "go.etcd.io/bbolt"
)

// KeptFindings is how many of a signal's newest findings are kept, beside the
// first and the strongest.
const KeptFindings = 100

// keySignals holds the counters of signals.
var keySignals = []byte("signals")

// SignalCounts says how many signals there are.
type SignalCounts struct {
	Opened int64 // since the data directory was created
	Open   int64 // that have not ended
}

// Publish applies a partition's committed outbox rows, in order, in one
// transaction. It is idempotent: rows that were applied before are skipped, and
// of one signal the newest revision wins.
func (p *Platform) Publish(partition int, rows []OutboxRow) error {
	return p.update(func(tx *bolt.Tx) error {
		published := tx.Bucket(bucketPublished)
		key := binary.BigEndian.AppendUint32(nil, uint32(partition))
		done, err := p.published(tx, partition)
		if err != nil {
			return err
		}
		for i := range rows {
			if rows[i].Sequence <= done {
				continue
			}
			if err := p.publish(tx, &rows[i].Update); err != nil {
				return err
			}
			done = rows[i].Sequence
		}
		return published.Put(key, encodeNumber(int64(done)))
	})
}

// Published returns the sequence of the newest outbox row of a partition that
// was applied.
func (p *Platform) Published(partition int) (sequence uint64, err error) {
	err = p.db.View(func(tx *bolt.Tx) error {
		sequence, err = p.published(tx, partition)
		return err
	})
	return sequence, err
}

func (p *Platform) published(tx *bolt.Tx, partition int) (uint64, error) {
	key := binary.BigEndian.AppendUint32(nil, uint32(partition))
	record := tx.Bucket(bucketPublished).Get(key)
	if record == nil {
		return 0, nil
	}
	n, err := decodeNumber(record)
	if err != nil {
		return 0, corruptAt(p.db, bucketPublished, key, err)
	}
	return uint64(n), nil
}

// publish applies one update.
func (p *Platform) publish(tx *bolt.Tx, u *memberwatch.Update) error {
	s, id := &u.Signal, []byte(u.Signal.ID)
	old, err := p.signal(tx, id)
	if err != nil {
		return err
	}
	if u.Finding != nil {
		if err := putFinding(tx, id, u.Finding, s.Strongest.Number); err != nil {
			return err
		}
	}
	if old != nil && old.Revision >= s.Revision {
		return nil
	}
	if err := tx.Bucket(bucketSignals).Put(id, encodeSignal(s)); err != nil {
		return err
	}
	head := *s
	if old != nil {
		head.Triage = old.Triage // the detector knows none
	}
	if err := putHeads(tx, old, &head); err != nil {
		return err
	}
	if s.Shadow { // nobody is asked to look: it is in no feed and in no count
		return nil
	}
	if err := countSignal(tx, old, s); err != nil {
		return err
	}
	return feed(tx, id)
}

func (p *Platform) signal(tx *bolt.Tx, id []byte) (*memberwatch.Signal, error) {
	record := tx.Bucket(bucketSignals).Get(id)
	if record == nil {
		return nil, nil
	}
	s, err := decodeSignal(record)
	if err != nil {
		return nil, corruptAt(p.db, bucketSignals, id, err)
	}
	if record := tx.Bucket(bucketTriage).Get(id); record != nil {
		if s.Triage, err = decodeTriage(record); err != nil {
			return nil, corruptAt(p.db, bucketTriage, id, err)
		}
	}
	return &s, nil
}

// countSignal keeps the list of those that run and the counters in step with a
// signal.
func countSignal(tx *bolt.Tx, old, s *memberwatch.Signal) error {
	counts, err := signalCounts(tx)
	if err != nil {
		return err
	}
	open := tx.Bucket(bucketOpen)
	switch {
	case old == nil:
		counts.Opened++
	case old.Open():
		counts.Open--
	}
	if s.Open() {
		counts.Open++
		err = open.Put([]byte(s.ID), sealBytes(nil))
	} else {
		err = open.Delete([]byte(s.ID))
	}
	if err != nil {
		return err
	}
	e := newEncoder(16)
	e.int(counts.Opened)
	e.int(counts.Open)
	return tx.Bucket(bucketMeta).Put(keySignals, e.seal())
}

func signalCounts(tx *bolt.Tx) (SignalCounts, error) {
	record := tx.Bucket(bucketMeta).Get(keySignals)
	if record == nil {
		return SignalCounts{}, nil
	}
	d := newDecoder(record)
	c := SignalCounts{Opened: d.int(), Open: d.int()}
	return c, d.finish()
}

// SignalCounts returns how many signals there are.
func (p *Platform) SignalCounts() (c SignalCounts, err error) {
	err = p.db.View(func(tx *bolt.Tx) error {
		c, err = signalCounts(tx)
		return err
	})
	return c, err
}

// feed moves a signal to the end of the change feed. A signal is in the feed
// once, so the feed is as long as there are signals and never expires.
func feed(tx *bolt.Tx, id []byte) error {
	entries, places := tx.Bucket(bucketFeed), tx.Bucket(bucketFeedAt)
	if key := places.Get(id); key != nil {
		if err := entries.Delete(bytes.Clone(key)); err != nil {
			return err
		}
	}
	n, err := entries.NextSequence()
	if err != nil {
		return err
	}
	if err := entries.Put(sequenceKey(n), id); err != nil {
		return err
	}
	return places.Put(id, sequenceKey(n))
}

// findingPrefix begins the keys of a signal's findings.
func findingPrefix(id []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(id))), id...)
}

// putFinding stores a finding and drops those that are neither the first, nor
// the strongest, nor among the newest.
func putFinding(tx *bolt.Tx, id []byte, f *memberwatch.Finding, strongest int64) error {
	findings, prefix := tx.Bucket(bucketFindings), findingPrefix(id)
	key := func(number int64) []byte { return appendKeyInt64(bytes.Clone(prefix), number) }
	if err := findings.Put(key(f.Number), encodeFinding(f)); err != nil {
		return err
	}
	var old [][]byte // gathered first: a cursor may skip keys while they are deleted
	cursor, end := findings.Cursor(), key(f.Number-KeptFindings)
	for k, _ := cursor.Seek(prefix); k != nil && bytes.Compare(k, end) <= 0; k, _ = cursor.Next() {
		if n := keyInt64(k[len(prefix):]); n != 1 && n != strongest {
			old = append(old, k)
		}
	}
	for _, k := range old {
		if err := findings.Delete(k); err != nil {
			return err
		}
	}
	return nil
}

// Signal returns a signal, or ErrNotFound.
func (p *Platform) Signal(id memberwatch.SignalID) (s memberwatch.Signal, err error) {
	err = p.db.View(func(tx *bolt.Tx) error {
		stored, err := p.signal(tx, []byte(id))
		if err != nil {
			return err
		}
		if stored == nil {
			return notFound("SIGNAL_NOT_FOUND", "signal", string(id))
		}
		s = *stored
		return nil
	})
	return s, err
}

// Findings returns the kept findings of a signal, oldest first.
func (p *Platform) Findings(id memberwatch.SignalID) ([]memberwatch.Finding, error) {
	var findings []memberwatch.Finding
	err := p.db.View(func(tx *bolt.Tx) error {
		prefix := findingPrefix([]byte(id))
		cursor := tx.Bucket(bucketFindings).Cursor()
		for key, record := cursor.Seek(prefix); bytes.HasPrefix(key, prefix); key, record = cursor.Next() {
			finding, err := decodeFinding(record)
			if err != nil {
				return corruptAt(p.db, bucketFindings, key, err)
			}
			findings = append(findings, finding)
		}
		return nil
	})
	return findings, err
}

// seekBefore moves to the last key before the given one; empty means the last
// of all.
func seekBefore(cursor *bolt.Cursor, before []byte) []byte {
	key, _ := seekBeforeEntry(cursor, before)
	return key
}

// SignalsSince returns up to limit signals that changed after a place in the
// change feed, in the order of their newest change, and the place reached. A
// signal that changed several times comes once, as it is now.
func (p *Platform) SignalsSince(after int64, limit int) (changed []memberwatch.Signal, through int64, err error) {
	through = after
	err = p.db.View(func(tx *bolt.Tx) error {
		cursor := tx.Bucket(bucketFeed).Cursor()
		for key, id := cursor.Seek(sequenceKey(uint64(after) + 1)); key != nil && len(changed) < limit; key, id = cursor.Next() {
			s, err := p.signal(tx, id)
			if err != nil {
				return err
			}
			if s == nil {
				return corruptAt(p.db, bucketFeed, key, fmt.Errorf("%w: no such signal", ErrCorrupt))
			}
			changed, through = append(changed, *s), int64(keySequence(key))
		}
		return nil
	})
	return changed, through, err
}

// FeedPlace returns the newest place in the change feed.
func (p *Platform) FeedPlace() (place int64, err error) {
	err = p.db.View(func(tx *bolt.Tx) error {
		place = int64(tx.Bucket(bucketFeed).Sequence())
		return nil
	})
	return place, err
}
