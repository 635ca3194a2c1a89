package store

import (
	"context"
	"time"

	"github.com/memberwatch/memberwatch"
	bolt "go.etcd.io/bbolt"
)

// PutTuning records how evidence is decided from now on. Only the log of changes
// holds it.
func (p *Platform) PutTuning(ctx context.Context, t memberwatch.Tuning, now time.Time) (memberwatch.Change, error) {
	return p.change(ctx, now, func(*bolt.Tx) (memberwatch.Change, error) { return memberwatch.Change{Tuning: &t}, nil })
}

// Tunings returns up to limit changes of the tuning before a revision, the newest
// first; 0 begins at the newest.
func (p *Platform) Tunings(before int64, limit int) (page []memberwatch.Change, err error) {
	err = p.db.View(func(tx *bolt.Tx) error {
		cursor := tx.Bucket(bucketChanges).Cursor()
		key, record := cursor.Last()
		if before > 0 {
			if later, _ := cursor.Seek(sequenceKey(uint64(before))); later != nil {
				key, record = cursor.Prev()
			}
		}
		for ; key != nil && len(page) < limit; key, record = cursor.Prev() {
			change, err := decodeChange(record)
			if err != nil {
				return corruptAt(p.db, bucketChanges, key, err)
			}
			if change.Tuning != nil {
				page = append(page, change)
			}
		}
		return nil
	})
	return page, err
}
