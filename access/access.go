// Package access knows who may call: it makes tokens, tells whose a token is, and
// writes down who came in. It keeps the hash of a token's secret, never the
// secret. It may know store, and must not know gRPC, nor what each role opens:
// that is for whoever takes the calls.
//
// As long as no token was ever made, names are claimed and nothing proves them.
// From the first token on every call needs one, also when all are revoked: a
// service does not fall open. Who can write to the data directory can always make
// another.
package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/store"
)

// Service knows the tokens of one data directory. It is safe for concurrent use.
type Service struct {
	files *store.Platform

	mu   sync.Mutex
	day  int64            // that seen is about
	seen map[visitor]bool // who came in today, since the service started
}

// visitor is a person and what proved the name, if anything.
type visitor struct {
	person memberwatch.Person
	token  memberwatch.TokenID
}

// Open returns the service over a data directory.
func Open(files *store.Platform) *Service { return &Service{files: files} }

// secretBytes is the size of a secret: 256 bits cannot be guessed.
const secretBytes = 32

// Make makes a token in a person's name and returns it with the text for its
// bearer, which nobody can read again. The first one must open the making of
// others.
func (s *Service) Make(_ context.Context, by memberwatch.Person, want memberwatch.Token) (t memberwatch.Token, text string, err error) {
	t = want
	t.Created, t.CreatedBy = time.Now().UTC(), by
	slices.Sort(t.Roles)
	if err := t.Validate(); err != nil {
		return t, "", err
	}
	random := make([]byte, secretBytes)
	_, _ = rand.Read(random) // never fails
	secret := base64.RawURLEncoding.EncodeToString(random)
	t.Hash = sha256.Sum256([]byte(secret))
	err = s.write(by, func(r *store.Review) error {
		if t.ID, err = r.NewTokenID(); err != nil {
			return err
		}
		if n, _ := t.ID.TokenNumber(); n == 1 && !slices.Contains(t.Roles, memberwatch.RoleAdmin) {
			return &memberwatch.ReasonError{
				Kind: memberwatch.ErrState, Reason: "FIRST_TOKEN_NOT_ADMIN",
				Message: "from the first token on every call needs one, and this one could not make others", Hint: "make one with role admin first",
			}
		}
		if err := r.PutToken(&t); err != nil {
			return err
		}
		return note(r, t.Created, by, "token.create", &t, map[string]any{"person": t.Person, "roles": t.Roles, "expires": t.Expires, "comment": t.Comment})
	})
	return t, memberwatch.FormatToken(t.ID, secret), err
}

// Revoke ends a token for good. It fails with ErrState when it is revoked
// already, or is the last that can make others.
func (s *Service) Revoke(_ context.Context, by memberwatch.Person, id memberwatch.TokenID, comment string) (t memberwatch.Token, err error) {
	now := time.Now().UTC()
	err = s.write(by, func(r *store.Review) error {
		if t, err = r.Token(id); err != nil {
			return err
		}
		if !t.Revoked.IsZero() {
			return stateError("TOKEN_REVOKED", fmt.Sprintf("token %q was revoked on %s", id, t.Revoked.Format(time.RFC3339)), "")
		}
		admins, err := goodAdmins(r, now)
		if err != nil {
			return err
		}
		if slices.Equal(admins, []memberwatch.TokenID{id}) {
			return stateError("LAST_ADMIN", fmt.Sprintf("token %q is the last one of an admin", id), "make another first")
		}
		t.Revoked, t.RevokedBy = now, by
		if err := r.PutToken(&t); err != nil {
			return err
		}
		return note(r, now, by, "token.revoke", &t, map[string]any{"person": t.Person, "comment": comment})
	})
	return t, err
}

// goodAdmins returns the tokens that can make others at a time.
func goodAdmins(r *store.Review, now time.Time) (admins []memberwatch.TokenID, err error) {
	err = r.EachToken(func(t *memberwatch.Token) error {
		if t.Good(now) && slices.Contains(t.Roles, memberwatch.RoleAdmin) {
			admins = append(admins, t.ID)
		}
		return nil
	})
	return admins, err
}

func stateError(reason, message, hint string) error {
	return &memberwatch.ReasonError{Kind: memberwatch.ErrState, Reason: reason, Message: message, Hint: hint}
}

// Tokens returns up to limit tokens that match and come before a number, the
// newest first; 0 begins at the newest.
func (s *Service) Tokens(_ context.Context, before int64, limit int, match func(*memberwatch.Token) bool) ([]memberwatch.Token, error) {
	return s.files.Tokens(before, limit, match)
}

// Proves tells whether callers must prove who they are: a token was made.
func (s *Service) Proves(context.Context) (bool, error) {
	n, err := s.files.TokensMade()
	return n > 0, err
}

// Identify returns whose a token is. It fails with ErrUnidentified, in the same
// words whatever is wrong, when nobody has it or it is not good any more.
func (s *Service) Identify(_ context.Context, text string) (c memberwatch.Caller, err error) {
	id, secret, err := memberwatch.ParseToken(text)
	if err != nil {
		return c, unknown()
	}
	err = s.files.ReadReview(func(r *store.Review) error {
		t, err := r.Token(id)
		if err != nil {
			return err
		}
		if !t.Matches(secret) || !t.Good(time.Now()) {
			return unknown()
		}
		c = memberwatch.Caller{Person: t.Person, Token: t.ID, Roles: t.Roles}
		return nil
	})
	if errors.Is(err, memberwatch.ErrNotFound) {
		err = unknown()
	}
	return c, err
}

func unknown() error {
	return &memberwatch.ReasonError{
		Kind: memberwatch.ErrUnidentified, Reason: "TOKEN_UNKNOWN", Message: "the token is not one of this service, has expired or was revoked",
		Hint: "ask an admin for another",
	}
}

// ComeIn writes down that a caller came in: once for each person, token and UTC
// day, and again when the service has been started anew. Callers without a name
// are nobody.
func (s *Service) ComeIn(_ context.Context, c memberwatch.Caller, from string) error {
	now := time.Now().UTC()
	v := visitor{c.Person, c.Token}
	if c.Person == "" || !s.first(v, now) {
		return nil
	}
	err := s.files.Review(func(r *store.Review) error {
		e := memberwatch.AuditEntry{Time: now, Person: c.Person, Action: "login", Subject: "people/" + string(c.Person)}
		if c.Proven() {
			t, err := r.Token(c.Token)
			if err != nil {
				return err
			}
			t.Used = now
			if err := r.PutToken(&t); err != nil {
				return err
			}
		}
		_, err := r.Audit(e, map[string]any{"proven": c.Proven(), "token": c.Token, "from": from})
		return err
	})
	if err != nil {
		s.forget(v)
	}
	return err
}

// maxSeen bounds the memory for claimed names, which anybody can make up.
const maxSeen = 100_000

// first tells whether somebody came in for the first time on a day.
func (s *Service) first(v visitor, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if day := now.Unix() / (24 * 60 * 60); s.seen == nil || day != s.day || len(s.seen) >= maxSeen {
		s.day, s.seen = day, make(map[visitor]bool)
	}
	if s.seen[v] {
		return false
	}
	s.seen[v] = true
	return true
}

func (s *Service) forget(v visitor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.seen, v)
}

// write runs one transaction in a person's name.
func (s *Service) write(by memberwatch.Person, do func(*store.Review) error) error {
	if by == "" {
		return &memberwatch.ReasonError{Kind: memberwatch.ErrInvalid, Reason: "PERSON_MISSING", Message: "nobody is named who decides about tokens"}
	}
	return s.files.Review(do)
}

// note appends to the audit log. The hash of the secret stays out of it.
func note(r *store.Review, now time.Time, by memberwatch.Person, action string, t *memberwatch.Token, detail any) error {
	_, err := r.Audit(memberwatch.AuditEntry{Time: now, Person: by, Action: action, Subject: "tokens/" + string(t.ID)}, detail)
	return err
}
