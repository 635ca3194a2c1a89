package store

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/memberwatch/memberwatch"
	bolt "go.etcd.io/bbolt"
)

// What people do with endpoints goes to the audit log in the same transaction, in
// the name of who did it.

// CreateEndpoint records a new endpoint that is given the notices after a
// sequence. It fails with ErrConflict when there is one of the id. The request in
// the context has its effect once.
func (p *Platform) CreateEndpoint(ctx context.Context, e memberwatch.Endpoint, after int64) (memberwatch.Endpoint, error) {
	e.Revision = 1
	if err := e.Validate(); err != nil {
		return e, err
	}
	return p.onceEndpoint(ctx, e.Created, func(tx *bolt.Tx) (memberwatch.Endpoint, error) {
		endpoints := tx.Bucket(bucketEndpoints)
		if endpoints.Get([]byte(e.ID)) != nil {
			return e, &memberwatch.ReasonError{
				Kind: memberwatch.ErrConflict, Reason: "ENDPOINT_EXISTS",
				Message: fmt.Sprintf("endpoint %q exists", e.ID), Hint: "choose another id, or remove it first",
			}
		}
		if err := tx.Bucket(bucketCursors).Put([]byte(e.ID), encodeNumber(after)); err != nil {
			return e, err
		}
		if err := endpoints.Put([]byte(e.ID), encodeEndpoint(&e)); err != nil {
			return e, err
		}
		return e, auditEndpoint(tx, memberwatch.PersonIn(ctx), "endpoint.create", &e)
	})
}

// Endpoint returns an endpoint, or ErrNotFound.
func (p *Platform) Endpoint(id memberwatch.EndpointID) (e memberwatch.Endpoint, err error) {
	err = p.db.View(func(tx *bolt.Tx) error {
		e, err = p.endpoint(tx, id)
		return err
	})
	return e, err
}

func (p *Platform) endpoint(tx *bolt.Tx, id memberwatch.EndpointID) (memberwatch.Endpoint, error) {
	record := tx.Bucket(bucketEndpoints).Get([]byte(id))
	if record == nil {
		return memberwatch.Endpoint{}, notFound("ENDPOINT_NOT_FOUND", "endpoint", string(id))
	}
	e, err := decodeEndpoint(record)
	if err != nil {
		return e, corruptAt(p.db, bucketEndpoints, []byte(id), err)
	}
	return e, nil
}

// Endpoints returns up to limit endpoints that match and come after an id, in
// order of id. A nil match takes all.
func (p *Platform) Endpoints(after memberwatch.EndpointID, limit int, match func(*memberwatch.Endpoint) bool) ([]memberwatch.Endpoint, error) {
	return pageOf(p.db, bucketEndpoints, []byte(after), limit, match, decodeEndpoint)
}

// UpdateEndpoint changes an endpoint in one transaction and counts its revision.
// What change returns as an error leaves it as it was. The request in the context
// has its effect once.
func (p *Platform) UpdateEndpoint(ctx context.Context, id memberwatch.EndpointID, now time.Time, change func(e *memberwatch.Endpoint) error) (memberwatch.Endpoint, error) {
	return p.onceEndpoint(ctx, now, func(tx *bolt.Tx) (memberwatch.Endpoint, error) {
		e, err := p.endpoint(tx, id)
		if err != nil {
			return e, err
		}
		was := e
		if err := change(&e); err != nil {
			return e, err
		}
		if err := putEndpoint(tx, &e); err != nil {
			return e, err
		}
		return e, auditEndpoint(tx, memberwatch.PersonIn(ctx), endpointAction(&was, &e), &e)
	})
}

func putEndpoint(tx *bolt.Tx, e *memberwatch.Endpoint) error {
	if err := e.Validate(); err != nil {
		return err
	}
	e.Revision++
	return tx.Bucket(bucketEndpoints).Put([]byte(e.ID), encodeEndpoint(e))
}

// RemoveEndpoint removes an endpoint with its deliveries. It fails with
// ErrNotFound when there is none of the id. The request in the context has its
// effect once.
func (p *Platform) RemoveEndpoint(ctx context.Context, id memberwatch.EndpointID, now time.Time) error {
	_, err := p.onceEndpoint(ctx, now, func(tx *bolt.Tx) (memberwatch.Endpoint, error) {
		e, err := p.endpoint(tx, id)
		if err != nil {
			return e, err
		}
		for state := range memberwatch.DeliveryStates {
			if err := deleteRange(tx, deliveryPrefix(state, id), math.MaxInt64); err != nil {
				return e, err
			}
		}
		if err := tx.Bucket(bucketCursors).Delete([]byte(id)); err != nil {
			return e, err
		}
		if err := tx.Bucket(bucketEndpoints).Delete([]byte(id)); err != nil {
			return e, err
		}
		return e, auditEndpoint(tx, memberwatch.PersonIn(ctx), "endpoint.remove", &e)
	})
	return err
}

// endpointAction says what a change of an endpoint was.
func endpointAction(was, is *memberwatch.Endpoint) string {
	switch {
	case was.Disabled == "" && is.Disabled != "":
		return "endpoint.disable"
	case was.Disabled != "" && is.Disabled == "":
		return "endpoint.enable"
	case !slices.Equal(was.Keys, is.Keys):
		return "endpoint.rotate"
	}
	return "endpoint.update"
}

// auditEndpoint appends to the audit log. Keys stay out of it, and so does the
// query of the URL, where some receivers have secrets.
func auditEndpoint(tx *bolt.Tx, by memberwatch.Person, action string, e *memberwatch.Endpoint) error {
	where, _, _ := strings.Cut(e.URL, "?")
	_, err := appendAudit(tx, memberwatch.AuditEntry{Time: time.Now().UTC(), Person: by, Action: action, Subject: "endpoints/" + string(e.ID)}, map[string]any{
		"url": where, "types": e.Types, "min_severity": e.MinSeverity, "full": e.Payload == memberwatch.PayloadFull, "silenced": e.Silenced,
		"allow_private": e.AllowPrivate, "disabled": e.Disabled, "revision": e.Revision,
	})
	return err
}

// NoticeCursor returns the sequence of the newest notice that an endpoint or a
// sink was given.
func (p *Platform) NoticeCursor(name string) (int64, error) { return p.number(bucketCursors, name) }

// MoveNoticeCursor notes that a sink has been given all notices up to a
// sequence. Names of sinks have a slash, those of endpoints do not.
func (p *Platform) MoveNoticeCursor(sink string, through int64) error {
	return p.update(func(tx *bolt.Tx) error { return tx.Bucket(bucketCursors).Put([]byte(sink), encodeNumber(through)) })
}
