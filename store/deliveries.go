package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/memberwatch/memberwatch"
	bolt "go.etcd.io/bbolt"
)

// deliveryPrefix begins the keys of an endpoint's deliveries in one state. Ids
// of endpoints have at most 63 bytes.
func deliveryPrefix(state memberwatch.DeliveryState, id memberwatch.EndpointID) []byte {
	return append([]byte{byte(state), byte(len(id))}, id...)
}

func deliveryKey(d *memberwatch.Delivery) []byte {
	return append(deliveryPrefix(d.State, d.Endpoint), sequenceKey(uint64(d.Sequence))...)
}

// deleteRange deletes the deliveries under a prefix up to a sequence.
func deleteRange(tx *bolt.Tx, prefix []byte, last int64) error {
	deliveries := tx.Bucket(bucketDeliveries)
	cursor := deliveries.Cursor()
	for {
		key, _ := cursor.Seek(prefix)
		if !bytes.HasPrefix(key, prefix) || int64(keySequence(key[len(prefix):])) > last {
			return nil
		}
		if err := deliveries.Delete(key); err != nil {
			return err
		}
	}
}

// TakeNotices notes that an endpoint was given all notices up to a sequence:
// those that it takes wait for delivery from now on, in one transaction with the
// cursor. It does nothing when the endpoint was removed meanwhile.
func (p *Platform) TakeNotices(id memberwatch.EndpointID, through int64, waiting []memberwatch.Delivery) error {
	return p.update(func(tx *bolt.Tx) error {
		if tx.Bucket(bucketEndpoints).Get([]byte(id)) == nil {
			return nil
		}
		for i := range waiting {
			if err := putDelivery(tx, &waiting[i]); err != nil {
				return err
			}
		}
		return tx.Bucket(bucketCursors).Put([]byte(id), encodeNumber(through))
	})
}

func putDelivery(tx *bolt.Tx, d *memberwatch.Delivery) error {
	return tx.Bucket(bucketDeliveries).Put(deliveryKey(d), encodeDelivery(d))
}

// SettleDeliveries records what became of attempts at one endpoint, in one
// transaction. A reason disables the endpoint and journals a notice of that. It
// does nothing when the endpoint was removed meanwhile.
func (p *Platform) SettleDeliveries(id memberwatch.EndpointID, tried []memberwatch.Delivery, disable string, now time.Time) error {
	return p.update(func(tx *bolt.Tx) error {
		e, err := p.endpoint(tx, id)
		if errors.Is(err, memberwatch.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		for i := range tried {
			d := tried[i]
			d.State = memberwatch.DeliveryWaiting
			if err := tx.Bucket(bucketDeliveries).Delete(deliveryKey(&d)); err != nil {
				return err
			}
			if tx.Bucket(bucketNotices).Get(sequenceKey(uint64(d.Sequence))) == nil {
				continue // dropped meanwhile: what is left would be about nothing
			}
			if err := putDelivery(tx, &tried[i]); err != nil {
				return err
			}
		}
		if disable == "" || e.Disabled != "" {
			return nil
		}
		e.Disabled, e.DisabledAt, e.Updated = disable, now.UTC(), now.UTC()
		if err := putEndpoint(tx, &e); err != nil {
			return err
		}
		if err := auditEndpoint(tx, memberwatch.System, "endpoint.disable", &e); err != nil {
			return err
		}
		return appendNotice(tx, disabledNotice(&e), now)
	})
}

// disabledNotice tells the other endpoints that one gets nothing any more.
func disabledNotice(e *memberwatch.Endpoint) *memberwatch.Notice {
	facts, err := json.Marshal(map[string]string{"name": "endpoints/" + string(e.ID), "reason": e.Disabled})
	if err != nil {
		panic(fmt.Sprintf("store: marshal two texts: %v", err))
	}
	return &memberwatch.Notice{
		ID: fmt.Sprintf("endpoint-%s-%d-disabled", e.ID, e.Revision), Type: memberwatch.NoticeEndpointDisabled,
		Subject: "endpoints/" + string(e.ID), Severity: memberwatch.SeverityHigh, Time: e.DisabledAt, Data: facts,
	}
}

// WaitingDeliveries returns up to limit deliveries that wait at an endpoint, in
// order of their notices.
func (p *Platform) WaitingDeliveries(id memberwatch.EndpointID, limit int) (page []memberwatch.Delivery, err error) {
	prefix := deliveryPrefix(memberwatch.DeliveryWaiting, id)
	err = p.db.View(func(tx *bolt.Tx) error {
		cursor := tx.Bucket(bucketDeliveries).Cursor()
		for key, record := cursor.Seek(prefix); bytes.HasPrefix(key, prefix) && len(page) < limit; key, record = cursor.Next() {
			d, err := decodeDelivery(record)
			if err != nil {
				return corruptAt(p.db, bucketDeliveries, key, err)
			}
			page = append(page, d)
		}
		return nil
	})
	return page, err
}

// Deliveries returns up to limit deliveries of an endpoint in one state that
// match, those of the newest notices first, before a sequence; 0 begins with the
// newest. A nil match takes all.
func (p *Platform) Deliveries(id memberwatch.EndpointID, state memberwatch.DeliveryState, before int64, limit int, match func(*memberwatch.Delivery) bool) (page []memberwatch.Delivery, err error) {
	prefix := deliveryPrefix(state, id)
	err = p.db.View(func(tx *bolt.Tx) error {
		if _, err := p.endpoint(tx, id); err != nil {
			return err
		}
		cursor := tx.Bucket(bucketDeliveries).Cursor()
		if before == 0 {
			before = math.MaxInt64
		}
		key := seekBefore(cursor, append(bytes.Clone(prefix), sequenceKey(uint64(before))...))
		for ; bytes.HasPrefix(key, prefix) && len(page) < limit; key, _ = cursor.Prev() {
			d, err := decodeDelivery(tx.Bucket(bucketDeliveries).Get(key))
			if err != nil {
				return corruptAt(p.db, bucketDeliveries, key, err)
			}
			if match == nil || match(&d) {
				page = append(page, d)
			}
		}
		return nil
	})
	return page, err
}

// ReplayNotices lets notices from first to last wait at an endpoint again, up to
// limit of them, and returns how many they were and where to go on, 0 at the end.
// What already waits, what the endpoint does not take and what it has yet to be
// given is left alone; so is, on wish, what is not dead.
func (p *Platform) ReplayNotices(id memberwatch.EndpointID, first, last int64, deadOnly bool, limit int) (replayed int, next int64, err error) {
	err = p.update(func(tx *bolt.Tx) error {
		replayed, next = 0, 0
		e, err := p.endpoint(tx, id)
		if err != nil {
			return err
		}
		given, err := decodeNumber(tx.Bucket(bucketCursors).Get([]byte(id)))
		if err != nil {
			return corruptAt(p.db, bucketCursors, []byte(id), err)
		}
		last = min(last, given)
		cursor := tx.Bucket(bucketNotices).Cursor()
		for key, record := cursor.Seek(sequenceKey(uint64(first))); key != nil && int64(keySequence(key)) <= last; key, record = cursor.Next() {
			if replayed == limit {
				next = int64(keySequence(key))
				return nil
			}
			n, err := decodeNotice(record)
			if err != nil {
				return corruptAt(p.db, bucketNotices, key, err)
			}
			again, err := replay(tx, &e, &n, deadOnly)
			if err != nil {
				return err
			}
			if again {
				replayed++
			}
		}
		return nil
	})
	return replayed, next, err
}

// replay lets one notice wait again, and tells whether it did.
func replay(tx *bolt.Tx, e *memberwatch.Endpoint, n *memberwatch.Notice, deadOnly bool) (bool, error) {
	d := memberwatch.NewDelivery(e.ID, n)
	deliveries := tx.Bucket(bucketDeliveries)
	dead, delivered := d, d
	dead.State, delivered.State = memberwatch.DeliveryDead, memberwatch.DeliveryDelivered
	isDead := deliveries.Get(deliveryKey(&dead)) != nil
	if !isDead && (deadOnly || !e.Takes(n)) || deliveries.Get(deliveryKey(&d)) != nil {
		return false, nil
	}
	return true, errors.Join(deliveries.Delete(deliveryKey(&dead)), deliveries.Delete(deliveryKey(&delivered)), putDelivery(tx, &d))
}

// CountDeliveries counts the deliveries of an endpoint in one state, and stops
// at most.
func (p *Platform) CountDeliveries(id memberwatch.EndpointID, state memberwatch.DeliveryState, most int) (n int, err error) {
	prefix := deliveryPrefix(state, id)
	err = p.db.View(func(tx *bolt.Tx) error {
		cursor := tx.Bucket(bucketDeliveries).Cursor()
		for key, _ := cursor.Seek(prefix); bytes.HasPrefix(key, prefix) && n < most; key, _ = cursor.Next() {
			n++
		}
		return nil
	})
	return n, err
}
