package store

import (
	"fmt"

	"github.com/memberwatch/memberwatch"
	bolt "go.etcd.io/bbolt"
)

// NewTokenID numbers the next token.
func (r *Review) NewTokenID() (memberwatch.TokenID, error) {
	n, err := r.tx.Bucket(bucketTokens).NextSequence()
	return memberwatch.NewTokenID(int64(n)), err
}

// Token returns a token, or ErrNotFound.
func (r *Review) Token(id memberwatch.TokenID) (memberwatch.Token, error) {
	t, found := memberwatch.Token{}, false
	n, ok := id.TokenNumber()
	if ok {
		var err error
		if t, found, err = fetch(r, bucketTokens, sequenceKey(uint64(n)), decodeToken); err != nil {
			return t, err
		}
	}
	if !found {
		return t, notFound("TOKEN_NOT_FOUND", "token", string(id))
	}
	return t, nil
}

// PutToken writes a token. Tokens are never removed.
func (r *Review) PutToken(t *memberwatch.Token) error {
	n, ok := t.ID.TokenNumber()
	if !ok {
		return fmt.Errorf("put token %q: %w", t.ID, memberwatch.ErrInvalid)
	}
	return r.tx.Bucket(bucketTokens).Put(sequenceKey(uint64(n)), encodeToken(t))
}

// EachToken calls visit with every token, oldest first.
func (r *Review) EachToken(visit func(*memberwatch.Token) error) error {
	return each(r.p.db, r.tx, bucketTokens, func(_, record []byte) error {
		t, err := decodeToken(record)
		if err != nil {
			return err
		}
		return visit(&t)
	})
}

// Tokens is like Cases.
func (p *Platform) Tokens(before int64, limit int, match func(*memberwatch.Token) bool) ([]memberwatch.Token, error) {
	return newestFirst(p, bucketTokens, before, limit, match, decodeToken)
}

// TokensMade returns how many tokens were ever made, good or not.
func (p *Platform) TokensMade() (n int64, err error) {
	err = p.db.View(func(tx *bolt.Tx) error {
		n = int64(tx.Bucket(bucketTokens).Sequence())
		return nil
	})
	return n, err
}

func encodeToken(t *memberwatch.Token) []byte {
	e := newEncoder(128)
	e.string(string(t.ID))
	e.string(string(t.Person))
	e.uint(uint64(len(t.Roles)))
	for _, role := range t.Roles {
		e.uint(uint64(role))
	}
	e.string(t.Comment)
	e.bytes(t.Hash[:])
	e.time(t.Created)
	e.string(string(t.CreatedBy))
	e.time(t.Expires)
	e.time(t.Revoked)
	e.string(string(t.RevokedBy))
	e.time(t.Used)
	return e.seal()
}

func decodeToken(record []byte) (memberwatch.Token, error) {
	d := newDecoder(record)
	t := memberwatch.Token{ID: memberwatch.TokenID(d.string()), Person: memberwatch.Person(d.string())}
	for n := d.count(); n > 0 && d.err == nil; n-- {
		t.Roles = append(t.Roles, memberwatch.Role(d.byte()))
	}
	t.Comment = d.string()
	hash := d.string()
	if len(hash) != len(t.Hash) {
		d.fail("bad hash")
	}
	copy(t.Hash[:], hash)
	t.Created, t.CreatedBy, t.Expires = d.time(), memberwatch.Person(d.string()), d.time()
	t.Revoked, t.RevokedBy, t.Used = d.time(), memberwatch.Person(d.string()), d.time()
	return t, d.finish()
}
