package store

import (
	"bytes"
	"encoding/binary"

	"github.com/memberwatch/memberwatch"
	bolt "go.etcd.io/bbolt"
)

// WindowValue is opaque bytes about a window.
type WindowValue struct {
	Window memberwatch.Window
	Value  []byte
}

// FleetSnapshot is the fleet's opaque history as it was after a day.
type FleetSnapshot struct {
	Day   int32 // days since the epoch
	Value []byte
}

// FleetCommit is one step of the fleet, made durable before any partition hears
// of it.
type FleetCommit struct {
	Judgements []WindowValue
	// Merged are the tallies the judgements rest on. Together with the newest
	// snapshot they rebuild the fleet.
	Merged []WindowValue
	// Snapshots, if any, make the merged tallies written before this commit
	// superfluous.
	Snapshots []FleetSnapshot
	// Updates are the changes of the fleet's own signals. They are published in
	// the same transaction.
	Updates []memberwatch.Update
	Through int64 // all windows that end at or before it are judged
	// JudgementsDone drops judgements of windows that end at or before it.
	JudgementsDone int64
	// SnapshotsFrom drops snapshots of earlier days.
	SnapshotsFrom int32
}

// FleetState is what the fleet needs to go on after a restart; lists are in the
// order of windows and days.
type FleetState struct {
	Through    int64
	Snapshots  []FleetSnapshot
	Merged     []WindowValue
	Judgements []WindowValue
}

// CommitFleet writes one step in one fsynced transaction.
func (p *Platform) CommitFleet(c *FleetCommit) error {
	return p.update(func(tx *bolt.Tx) error {
		w := writer{tx: tx}
		judgements, merged, fleet := tx.Bucket(bucketJudgements), tx.Bucket(bucketMerged), tx.Bucket(bucketFleet)
		w.deleteBelow(judgements, appendKeyInt64(nil, c.JudgementsDone+1), -1)
		for _, j := range c.Judgements {
			w.put(judgements, windowKey(j.Window), sealBytes(j.Value))
		}
		if len(c.Snapshots) > 0 {
			w.deleteBelow(merged, windowKey(memberwatch.WindowAt(memberwatch.Hour, maxTime)), -1)
		}
		for _, m := range c.Merged {
			w.put(merged, windowKey(m.Window), sealBytes(m.Value))
		}
		w.deleteBelow(fleet, dayKey(c.SnapshotsFrom), -1)
		for _, s := range c.Snapshots {
			w.put(fleet, dayKey(s.Day), sealBytes(s.Value))
		}
		w.put(tx.Bucket(bucketMeta), keyFleet, encodeNumber(c.Through))
		for i := range c.Updates {
			if err := p.publish(tx, &c.Updates[i]); err != nil {
				return err
			}
		}
		return w.err
	})
}

// maxTime is far beyond any event, and its window's end does not overflow.
const maxTime = int64(1) << 62

func dayKey(day int32) []byte { return binary.BigEndian.AppendUint32(nil, uint32(day)^(1<<31)) }

// Fleet reads where the fleet stands.
func (p *Platform) Fleet() (FleetState, error) {
	var s FleetState
	err := p.db.View(func(tx *bolt.Tx) error {
		if record := tx.Bucket(bucketMeta).Get(keyFleet); record != nil {
			through, err := decodeNumber(record)
			if err != nil {
				return corruptAt(p.db, bucketMeta, keyFleet, err)
			}
			s.Through = through
		}
		err := each(p.db, tx, bucketFleet, func(key, record []byte) error {
			value, err := openFrame(record)
			s.Snapshots = append(s.Snapshots, FleetSnapshot{Day: int32(binary.BigEndian.Uint32(key) ^ (1 << 31)), Value: bytes.Clone(value)})
			return err
		})
		if err != nil {
			return err
		}
		if s.Merged, err = p.windowValues(tx, bucketMerged); err != nil {
			return err
		}
		s.Judgements, err = p.windowValues(tx, bucketJudgements)
		return err
	})
	return s, err
}

func (p *Platform) windowValues(tx *bolt.Tx, bucket []byte) ([]WindowValue, error) {
	var values []WindowValue
	err := each(p.db, tx, bucket, func(key, record []byte) error {
		window, err := parseWindowKey(key)
		if err != nil {
			return err
		}
		value, err := openFrame(record)
		values = append(values, WindowValue{Window: window, Value: bytes.Clone(value)})
		return err
	})
	return values, err
}
