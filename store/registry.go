package store

import (
	"context"
	"fmt"
	"time"

	"github.com/memberwatch/memberwatch"
	bolt "go.etcd.io/bbolt"
)

// PutApp declares an app, or declares it anew, at the time now, and returns the
// numbered control change. Created is kept from the first declaration.
func (p *Platform) PutApp(ctx context.Context, app memberwatch.App, now time.Time) (memberwatch.Change, error) {
	return p.change(ctx, now, func(tx *bolt.Tx) (memberwatch.Change, error) {
		app.Created, app.Updated = now, now
		bucket := tx.Bucket(bucketRegistry)
		if record := bucket.Get([]byte(app.ID)); record != nil {
			old, err := decodeApp(record)
			if err != nil {
				return memberwatch.Change{}, corruptAt(p.db, bucketRegistry, []byte(app.ID), err)
			}
			app.Created = old.Created
		}
		return memberwatch.Change{App: &app}, bucket.Put([]byte(app.ID), encodeApp(&app))
	})
}

// PutRestriction records a restriction, or replaces the one of the same id.
func (p *Platform) PutRestriction(ctx context.Context, r memberwatch.Restriction, now time.Time) (memberwatch.Change, error) {
	return p.change(ctx, now, func(*bolt.Tx) (memberwatch.Change, error) { return memberwatch.Change{Restriction: &r}, nil })
}

// LiftRestriction ends a restriction at a time. The error is ErrNotFound when
// there is none of the id, and ErrInvalid when it would end before it begins.
func (p *Platform) LiftRestriction(ctx context.Context, id memberwatch.RestrictionID, at, now time.Time) (memberwatch.Change, error) {
	return p.change(ctx, now, func(tx *bolt.Tx) (memberwatch.Change, error) {
		r, err := (&Review{p: p, tx: tx}).Restriction(id)
		if err == nil {
			r.Lifted = at
			err = r.Validate()
		}
		return memberwatch.Change{Restriction: &r}, err
	})
}

// PutCanaries records planted members. Only the log of changes holds them.
func (p *Platform) PutCanaries(ctx context.Context, c memberwatch.Canaries, now time.Time) (memberwatch.Change, error) {
	return p.change(ctx, now, func(*bolt.Tx) (memberwatch.Change, error) { return memberwatch.Change{Canaries: &c}, nil })
}

// PutAttestation records what a developer attests. Only the log of changes
// holds it.
func (p *Platform) PutAttestation(ctx context.Context, a memberwatch.Attestation, now time.Time) (memberwatch.Change, error) {
	return p.change(ctx, now, func(*bolt.Tx) (memberwatch.Change, error) { return memberwatch.Change{Attestation: &a}, nil })
}

// appendChange numbers a change and writes it to the log, and to the audit log. A
// restriction also goes to the others, with its revision. What has a revision of its own learns it.
func appendChange(tx *bolt.Tx, change *memberwatch.Change) error {
	bucket := tx.Bucket(bucketChanges)
	n, err := bucket.NextSequence()
	if err != nil {
		return err
	}
	change.Revision = int64(n)
	if change.Restriction != nil {
		change.Restriction.Revision = change.Revision
	}
	if change.Attestation != nil {
		change.Attestation.Revision = change.Revision
	}
	if change.Tuning != nil {
		change.Tuning.Revision = change.Revision
	}
	if change.Exclusion != nil {
		change.Exclusion.Revision = change.Revision
	}
	if err := bucket.Put(sequenceKey(n), encodeChange(change)); err != nil {
		return err
	}
	if r := change.Restriction; r != nil {
		if err := tx.Bucket(bucketRestrictions).Put([]byte(r.ID), encodeRestriction(r)); err != nil {
			return err
		}
	}
	return auditChange(tx, change)
}

// Changes returns up to limit control changes after a revision, in order.
func (p *Platform) Changes(after int64, limit int) ([]memberwatch.Change, error) {
	var page []memberwatch.Change
	err := p.db.View(func(tx *bolt.Tx) error {
		cursor := tx.Bucket(bucketChanges).Cursor()
		for key, record := cursor.Seek(sequenceKey(uint64(after) + 1)); key != nil && len(page) < limit; key, record = cursor.Next() {
			change, err := decodeChange(record)
			if err != nil {
				return corruptAt(p.db, bucketChanges, key, err)
			}
			page = append(page, change)
		}
		return nil
	})
	return page, err
}

// App returns a declared app, or ErrNotFound.
func (p *Platform) App(id memberwatch.AppID) (app memberwatch.App, err error) {
	err = p.db.View(func(tx *bolt.Tx) error {
		record := tx.Bucket(bucketRegistry).Get([]byte(id))
		if record == nil {
			return notFound("APP_NOT_FOUND", "app", string(id))
		}
		if app, err = decodeApp(record); err != nil {
			return corruptAt(p.db, bucketRegistry, []byte(id), err)
		}
		return nil
	})
	return app, err
}

// Apps returns up to limit declared apps after an id, in order of id.
func (p *Platform) Apps(after memberwatch.AppID, limit int) ([]memberwatch.App, error) {
	return pageOf(p.db, bucketRegistry, []byte(after), limit, nil, decodeApp)
}

// Restrictions returns up to limit restrictions that match and come after an id,
// in order of id. A nil match takes all.
func (p *Platform) Restrictions(after memberwatch.RestrictionID, limit int, match func(*memberwatch.Restriction) bool) ([]memberwatch.Restriction, error) {
	return pageOf(p.db, bucketRestrictions, []byte(after), limit, match, decodeRestriction)
}

// pageOf reads a page of records that match in the order of their keys.
func pageOf[T any](db *bolt.DB, bucket, after []byte, limit int, match func(*T) bool, decode func(record []byte) (T, error)) ([]T, error) {
	var page []T
	err := db.View(func(tx *bolt.Tx) error {
		rows := tx.Bucket(bucket)
		cursor := rows.Cursor()
		for key := seekAfter(cursor, after); key != nil && len(page) < limit; key, _ = cursor.Next() {
			item, err := decode(rows.Get(key))
			if err != nil {
				return corruptAt(db, bucket, key, err)
			}
			if match == nil || match(&item) {
				page = append(page, item)
			}
		}
		return nil
	})
	return page, err
}

func notFound(reason, what, id string) error {
	return &memberwatch.ReasonError{Kind: memberwatch.ErrNotFound, Reason: reason, Message: fmt.Sprintf("%s %q does not exist", what, id)}
}
