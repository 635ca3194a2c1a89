package store

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/memberwatch/memberwatch"
	bolt "go.etcd.io/bbolt"
)

// Requests: the answer of a call that carries a request id is written in the
// transaction of its effect, so a repetition finds both or neither.
var (
	bucketRequests    = []byte("requests")     // id: when, fingerprint, answer
	bucketRequestsOld = []byte("requests-old") // when, id
	requestNames      = [][]byte{bucketRequests, bucketRequestsOld}
)

// forgetRequests bounds how many old answers one transaction forgets.
const forgetRequests = 100

// once gives a request its effect, or the answer of the time it had it.
func once[T any](
	p *Platform, tx *bolt.Tx, r memberwatch.Request, now time.Time, do func() (T, error),
	encode func(*T) []byte, decode func([]byte) (T, error),
) (answer T, err error) {
	if r.ID == "" {
		return do()
	}
	if record := tx.Bucket(bucketRequests).Get([]byte(r.ID)); record != nil {
		at, print, stored, err := decodeRequest(record)
		switch {
		case err != nil:
			return answer, corruptAt(p.db, bucketRequests, []byte(r.ID), err)
		case now.Sub(at) < memberwatch.RequestTTL && print != r.Print:
			return answer, requestReused(r.ID, at)
		case now.Sub(at) < memberwatch.RequestTTL:
			return decode(stored)
		}
	}
	if answer, err = do(); err != nil {
		return answer, err
	}
	return answer, putRequest(tx, r, now, encode(&answer))
}

func requestReused(id string, at time.Time) error {
	return &memberwatch.ReasonError{
		Kind: memberwatch.ErrInvalid, Reason: "REQUEST_ID_REUSED",
		Message: fmt.Sprintf("request id %q was used for another request at %s", id, at.UTC().Format(time.RFC3339)),
		Hint:    "give each request an id of its own, and repeat it only with all else unchanged",
	}
}

// putRequest keeps an answer and forgets some that are over.
func putRequest(tx *bolt.Tx, r memberwatch.Request, now time.Time, answer []byte) error {
	w := writer{tx: tx}
	w.forgetRequests(now)
	e := newEncoder(32 + len(answer))
	e.time(now)
	e.uint(r.Print)
	e.bytes(answer)
	w.put(tx.Bucket(bucketRequests), []byte(r.ID), e.seal())
	w.put(tx.Bucket(bucketRequestsOld), timeKey(now.UnixNano(), r.ID), sealBytes(nil))
	return w.err
}

// forgetRequests drops answers that are over. An id that was used again since has
// a newer entry.
func (w *writer) forgetRequests(now time.Time) {
	requests, old := w.tx.Bucket(bucketRequests), w.tx.Bucket(bucketRequestsOld)
	end := timeKey(now.Add(-memberwatch.RequestTTL).UnixNano()+1, "")
	var gone [][]byte
	cursor := old.Cursor()
	for key, _ := cursor.First(); key != nil && bytes.Compare(key, end) < 0 && len(gone) < forgetRequests; key, _ = cursor.Next() {
		gone = append(gone, bytes.Clone(key))
	}
	for _, key := range gone {
		w.delete(old, key)
		if at, _, _, err := decodeRequest(requests.Get(key[8:])); err != nil || !now.Before(at.Add(memberwatch.RequestTTL)) {
			w.delete(requests, key[8:])
		}
	}
}

func decodeRequest(record []byte) (at time.Time, print uint64, answer []byte, err error) {
	d := newDecoder(record)
	at, print, answer = d.time(), d.uint(), bytes.Clone(d.take(d.uint()))
	return at, print, answer, d.finish()
}

// OnceCase gives a request that answers with a case its effect, or its first
// answer once more.
func (r *Review) OnceCase(request memberwatch.Request, now time.Time, do func() (memberwatch.Case, error)) (memberwatch.Case, error) {
	return once(r.p, r.tx, request, now, do, encodeCase, decodeCase)
}

// OnceRemediation is like OnceCase.
func (r *Review) OnceRemediation(request memberwatch.Request, now time.Time, do func() (memberwatch.Remediation, error)) (memberwatch.Remediation, error) {
	return once(r.p, r.tx, request, now, do, encodeRemediation, decodeRemediation)
}

// OnceSilence is like OnceCase.
func (r *Review) OnceSilence(request memberwatch.Request, now time.Time, do func() (memberwatch.Silence, error)) (memberwatch.Silence, error) {
	return once(r.p, r.tx, request, now, do, encodeSilence, decodeSilence)
}

// OnceText is like OnceCase; the answer is whatever the caller makes of the bytes.
func (r *Review) OnceText(request memberwatch.Request, now time.Time, do func() ([]byte, error)) ([]byte, error) {
	same := func(text *[]byte) []byte { return *text }
	return once(r.p, r.tx, request, now, do, same, func(stored []byte) ([]byte, error) { return stored, nil })
}

// onceEndpoint is one transaction about an endpoint, once for the request in the
// context.
func (p *Platform) onceEndpoint(ctx context.Context, now time.Time, do func(tx *bolt.Tx) (memberwatch.Endpoint, error)) (e memberwatch.Endpoint, err error) {
	err = p.update(func(tx *bolt.Tx) error {
		e, err = once(p, tx, memberwatch.RequestIn(ctx), now, func() (memberwatch.Endpoint, error) { return do(tx) }, encodeEndpoint, decodeEndpoint)
		return err
	})
	return e, err
}

// change runs the transaction of a control change for the person and the request
// in the context. A repetition is given the change of the first time.
func (p *Platform) change(ctx context.Context, now time.Time, do func(tx *bolt.Tx) (memberwatch.Change, error)) (change memberwatch.Change, err error) {
	err = p.update(func(tx *bolt.Tx) error {
		decode := func(stored []byte) (memberwatch.Change, error) {
			revision, err := decodeNumber(stored)
			if err != nil {
				return memberwatch.Change{}, err
			}
			return (&Review{p: p, tx: tx}).ChangeAt(revision)
		}
		encode := func(c *memberwatch.Change) []byte { return encodeNumber(c.Revision) }
		first := func() (memberwatch.Change, error) {
			c, err := do(tx)
			if err == nil {
				c.Time, c.By = now, memberwatch.PersonIn(ctx)
				err = appendChange(tx, &c)
			}
			return c, err
		}
		change, err = once(p, tx, memberwatch.RequestIn(ctx), now, first, encode, decode)
		return err
	})
	return change, err
}
