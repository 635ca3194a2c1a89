package store

import (
	"fmt"
	"time"

	"github.com/memberwatch/memberwatch"
	bolt "go.etcd.io/bbolt"
)

// Buckets of delivery, in platform.db.
var (
	bucketNotices    = []byte("notices")        // sequence: a notice
	bucketNoticeIDs  = []byte("notice-ids")     // id: its sequence
	bucketFeeds      = []byte("notice-feeds")   // feed: place up to which it was journalled
	bucketEndpoints  = []byte("endpoints")      // id: an endpoint
	bucketCursors    = []byte("notice-cursors") // endpoint or sink: sequence of the newest notice it was given
	bucketDeliveries = []byte("deliveries")     // state, endpoint, sequence: a delivery
	deliveryNames    = [][]byte{
		bucketNotices, bucketNoticeIDs, bucketFeeds, bucketEndpoints, bucketCursors, bucketDeliveries,
	}
)

// AppendNotices numbers notices and adds them to the journal, and notes the
// place that their feed has reached, in one transaction. A notice whose id is in
// the journal already is left out. An empty feed notes no place.
func (p *Platform) AppendNotices(feed string, through int64, notices []memberwatch.Notice, now time.Time) error {
	return p.update(func(tx *bolt.Tx) error {
		for i := range notices {
			if err := appendNotice(tx, &notices[i], now); err != nil {
				return err
			}
		}
		if feed == "" {
			return nil
		}
		return tx.Bucket(bucketFeeds).Put([]byte(feed), encodeNumber(through))
	})
}

func appendNotice(tx *bolt.Tx, n *memberwatch.Notice, now time.Time) error {
	if err := n.Validate(); err != nil {
		return err
	}
	ids, notices := tx.Bucket(bucketNoticeIDs), tx.Bucket(bucketNotices)
	if ids.Get([]byte(n.ID)) != nil {
		return nil
	}
	sequence, err := notices.NextSequence()
	if err != nil {
		return err
	}
	n.Sequence, n.Recorded = int64(sequence), now.UTC()
	if err := notices.Put(sequenceKey(sequence), encodeNotice(n)); err != nil {
		return err
	}
	return ids.Put([]byte(n.ID), encodeNumber(n.Sequence))
}

// number reads a number from a bucket, 0 where there is none.
func (p *Platform) number(bucket []byte, key string) (n int64, err error) {
	err = p.db.View(func(tx *bolt.Tx) error {
		record := tx.Bucket(bucket).Get([]byte(key))
		if record == nil {
			return nil
		}
		if n, err = decodeNumber(record); err != nil {
			return corruptAt(p.db, bucket, []byte(key), err)
		}
		return nil
	})
	return n, err
}

// NoticePlace returns the place up to which a feed was journalled.
func (p *Platform) NoticePlace(feed string) (int64, error) { return p.number(bucketFeeds, feed) }

// Notices returns up to limit notices after a sequence, in order.
func (p *Platform) Notices(after int64, limit int) ([]memberwatch.Notice, error) {
	return pageOf(p.db, bucketNotices, sequenceKey(uint64(after)), limit, nil, decodeNotice)
}

// Notice returns the notice of a sequence, or ErrNotFound.
func (p *Platform) Notice(sequence int64) (n memberwatch.Notice, err error) {
	err = p.db.View(func(tx *bolt.Tx) error {
		record := tx.Bucket(bucketNotices).Get(sequenceKey(uint64(sequence)))
		if record == nil {
			return notFound("NOTICE_NOT_FOUND", "notice", fmt.Sprint(sequence))
		}
		if n, err = decodeNotice(record); err != nil {
			return corruptAt(p.db, bucketNotices, sequenceKey(uint64(sequence)), err)
		}
		return nil
	})
	return n, err
}

// NoticeSequence returns the sequence of the notice with an id, or ErrNotFound.
func (p *Platform) NoticeSequence(id string) (int64, error) {
	n, err := p.number(bucketNoticeIDs, id)
	if err == nil && n == 0 {
		err = notFound("NOTICE_NOT_FOUND", "notice", id)
	}
	return n, err
}

// LastNotice returns the sequence of the newest notice, 0 when there was none.
func (p *Platform) LastNotice() (sequence int64, err error) {
	err = p.db.View(func(tx *bolt.Tx) error {
		sequence = int64(tx.Bucket(bucketNotices).Sequence())
		return nil
	})
	return sequence, err
}

// DropNotices drops up to limit notices that were journalled before a time,
// with their deliveries, and returns how many they were.
func (p *Platform) DropNotices(before time.Time, limit int) (dropped int, err error) {
	err = p.update(func(tx *bolt.Tx) error {
		dropped = 0
		notices, last := tx.Bucket(bucketNotices), int64(0)
		cursor := notices.Cursor()
		for key, record := cursor.First(); key != nil && dropped < limit; key, record = cursor.First() {
			n, err := decodeNotice(record)
			if err != nil {
				return corruptAt(p.db, bucketNotices, key, err)
			}
			if !n.Recorded.Before(before) {
				break
			}
			if err := tx.Bucket(bucketNoticeIDs).Delete([]byte(n.ID)); err != nil {
				return err
			}
			if err := notices.Delete(key); err != nil {
				return err
			}
			last = n.Sequence
			dropped++
		}
		if dropped == 0 {
			return nil
		}
		return p.dropDeliveries(tx, last)
	})
	return dropped, err
}

// dropDeliveries drops all deliveries of notices up to a sequence.
func (p *Platform) dropDeliveries(tx *bolt.Tx, last int64) error {
	return each(p.db, tx, bucketEndpoints, func(id, _ []byte) error {
		for state := range memberwatch.DeliveryStates {
			if err := deleteRange(tx, deliveryPrefix(state, memberwatch.EndpointID(id)), last); err != nil {
				return err
			}
		}
		return nil
	})
}
