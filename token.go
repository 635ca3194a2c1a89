package memberwatch

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Role is something that a caller may do. Package server holds which calls each
// role opens.
type Role uint8

// Roles. A token may have several.
const (
	RoleUnspecified Role = iota
	RoleProducer         // streams events
	RolePlatform         // declares apps, restrictions, canaries and attestations, and answers requests for remediation
	RoleReviewer         // works on cases
	RoleLead             // a reviewer who also approves, rejects and waives remediations
	RoleAuditor          // reads everything, changes nothing
	RoleAdmin            // runs the service: tokens, webhooks, declarations of apps
	RoleCount            // how many there are
)

// String returns the role in capitals, as in the contract.
func (r Role) String() string {
	names := [RoleCount]string{"UNSPECIFIED", "PRODUCER", "PLATFORM", "REVIEWER", "LEAD", "AUDITOR", "ADMIN"}
	if r >= RoleCount {
		return names[0]
	}
	return names[r]
}

// TokenID names a token: t and its number, such as t3.
type TokenID string

// TokenNumber returns the number in a token's id, and false when it is not one
// of ours.
func (id TokenID) TokenNumber() (int64, bool) { return numberAfter("t", string(id)) }

// NewTokenID returns the id of the n-th token.
func NewTokenID(n int64) TokenID { return TokenID("t" + strconv.FormatInt(n, 10)) }

// Token proves who calls: a person or a service. The secret is known to its
// bearer alone, what is kept is a hash of it.
type Token struct {
	ID      TokenID
	Person  Person
	Roles   []Role // sorted, each once
	Comment string // what it is for
	// Hash is SHA-256 of the secret. The secret has 256 random bits, so no slower
	// hash is needed.
	Hash      [sha256.Size]byte
	Created   time.Time
	CreatedBy Person
	Expires   time.Time // zero: never
	Revoked   time.Time // zero while it is good
	RevokedBy Person
	// Used is when it was used for the first time on the newest day of its use.
	Used time.Time
}

// Validate checks a token that somebody wants.
func (t *Token) Validate() error {
	switch {
	case !t.Person.Valid():
		return invalidf("PERSON_INVALID", "%q cannot be the name of a person or service: it has 1 to %d printable ASCII letters and is not %q", t.Person, MaxPersonBytes, System)
	case len(t.Roles) == 0:
		return invalidf("ROLES_INVALID", "a token for %q without a role opens nothing: give it one", t.Person)
	case len(t.Comment) > MaxCommentBytes:
		return invalidf("TEXT_TOO_LONG", "the comment has more than %d bytes", MaxCommentBytes)
	case !t.Expires.IsZero() && !t.Expires.After(t.Created):
		return invalidf("EXPIRY_INVALID", "the token would have expired on %s already", t.Expires.UTC().Format(time.RFC3339))
	}
	for i, r := range t.Roles {
		if r == RoleUnspecified || r >= RoleCount || slices.Contains(t.Roles[:i], r) {
			return invalidf("ROLES_INVALID", "roles %v of a token for %q: each must be known, and named once", t.Roles, t.Person)
		}
	}
	return nil
}

// Good tells whether the token opens anything at a time.
func (t *Token) Good(now time.Time) bool {
	return t.Revoked.IsZero() && (t.Expires.IsZero() || now.Before(t.Expires))
}

// tokenPrefix begins every token, so that scanners find one that leaked.
const tokenPrefix = "mwt_"

// FormatToken returns the text that the bearer keeps.
func FormatToken(id TokenID, secret string) string { return tokenPrefix + string(id) + "_" + secret }

// ParseToken splits the text that a bearer shows.
func ParseToken(text string) (id TokenID, secret string, err error) {
	rest, ok := strings.CutPrefix(text, tokenPrefix)
	name, secret, ok2 := strings.Cut(rest, "_")
	id = TokenID(name)
	if _, ours := id.TokenNumber(); !ok || !ok2 || !ours || secret == "" {
		return "", "", fmt.Errorf("text of %d bytes is no token: %w", len(text), ErrInvalid) // it may be a secret of something else
	}
	return id, secret, nil
}

// Matches tells whether a secret is the token's, in constant time.
func (t *Token) Matches(secret string) bool {
	hash := sha256.Sum256([]byte(secret))
	return subtle.ConstantTimeCompare(hash[:], t.Hash[:]) == 1
}

// Caller is who makes a call.
type Caller struct {
	Person Person  // empty: nobody said
	Token  TokenID // that proves it; empty: the name is only claimed
	Roles  []Role
}

// Proven tells whether a token proves who the caller is.
func (c *Caller) Proven() bool { return c.Token != "" }

// HasAny tells whether the caller has one of some roles.
func (c *Caller) HasAny(roles []Role) bool {
	return slices.ContainsFunc(c.Roles, func(r Role) bool { return slices.Contains(roles, r) })
}
