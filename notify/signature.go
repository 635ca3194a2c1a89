package notify

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/memberwatch/memberwatch"
)

// Headers of Standard Webhooks 1.0.0.
const (
	HeaderID        = "Webhook-Id"
	HeaderTimestamp = "Webhook-Timestamp"
	HeaderSignature = "Webhook-Signature"
)

// Prefixes of keys, as the specification has them.
const (
	prefixSecret  = "whsec_" // v1: HMAC-SHA256, both sides have it
	prefixPrivate = "whsk_"  // v1a: ed25519, ours
	prefixPublic  = "whpk_"  // v1a: ed25519, the receiver's
)

// Tolerance is how far a message's timestamp may be from a receiver's clock.
const Tolerance = 5 * time.Minute

// Bounds of a v1 secret in bytes, as the specification has them.
const minSecret, maxSecret = 24, 64

// NewSecret returns a new secret for v1 signatures.
func NewSecret() string {
	var key [32]byte
	rand.Read(key[:])
	return prefixSecret + base64.StdEncoding.EncodeToString(key[:])
}

// NewPrivateKey returns a new private key for v1a signatures.
func NewPrivateKey() string {
	var seed [ed25519.SeedSize]byte
	rand.Read(seed[:])
	return prefixPrivate + base64.StdEncoding.EncodeToString(ed25519.NewKeyFromSeed(seed[:]))
}

// PublicKey returns what a receiver checks v1a signatures with; empty for a v1
// secret, which has no public part.
func PublicKey(secret string) string {
	if key, err := privateKey(secret); err == nil {
		return prefixPublic + base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
	}
	return ""
}

// CheckSecret says what is wrong with a secret to sign with.
func CheckSecret(secret string) error {
	var err error
	if strings.HasPrefix(secret, prefixPrivate) {
		_, err = privateKey(secret)
	} else {
		_, err = secretKey(secret)
	}
	if err == nil {
		return nil
	}
	return &memberwatch.ReasonError{
		Kind: memberwatch.ErrInvalid, Reason: "SECRET_INVALID", Message: fmt.Sprintf("secret is of no use: %v", err),
		Hint: "leave it out to have one made, or give whsec_ and base64 of 24 to 64 bytes, or whsk_ and base64 of an ed25519 key",
	}
}

func secretKey(secret string) ([]byte, error) {
	key, err := keyBytes(secret, prefixSecret)
	if err == nil && (len(key) < minSecret || len(key) > maxSecret) {
		err = fmt.Errorf("%d bytes, not %d to %d", len(key), minSecret, maxSecret)
	}
	return key, err
}

// privateKey takes the seed, or the seed with the public key after it.
func privateKey(secret string) (ed25519.PrivateKey, error) {
	key, err := keyBytes(secret, prefixPrivate)
	switch {
	case err != nil:
		return nil, err
	case len(key) == ed25519.SeedSize:
		return ed25519.NewKeyFromSeed(key), nil
	case len(key) == ed25519.PrivateKeySize:
		return ed25519.NewKeyFromSeed(key[:ed25519.SeedSize]), nil
	}
	return nil, fmt.Errorf("%d bytes, not %d or %d", len(key), ed25519.SeedSize, ed25519.PrivateKeySize)
}

// keyBytes never puts the key into its error.
func keyBytes(key, prefix string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(key, prefix)
	if !ok {
		return nil, fmt.Errorf("it does not begin with %s", prefix)
	}
	b, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, errors.New("it is not base64")
	}
	return b, nil
}

// Sign returns the signature of a message with one secret, v1 or v1a by its
// kind. A header holds several, separated by spaces.
func Sign(secret, id string, at time.Time, body []byte) (string, error) {
	signed := signedBytes(id, strconv.FormatInt(at.Unix(), 10), body)
	if strings.HasPrefix(secret, prefixPrivate) {
		key, err := privateKey(secret)
		if err != nil {
			return "", fmt.Errorf("sign %q: %w", id, err)
		}
		return "v1a," + base64.StdEncoding.EncodeToString(ed25519.Sign(key, signed)), nil
	}
	key, err := secretKey(secret)
	if err != nil {
		return "", fmt.Errorf("sign %q: %w", id, err)
	}
	return "v1," + base64.StdEncoding.EncodeToString(sum(key, signed)), nil
}

func signedBytes(id, timestamp string, body []byte) []byte {
	return append([]byte(id+"."+timestamp+"."), body...)
}

func sum(key, signed []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(signed)
	return h.Sum(nil)
}

// Verify checks a message as its receiver: that one of the signatures is by one
// of the keys (whsec_ or whpk_), and that the message is not older or newer than
// Tolerance. It returns the message's id, which the receiver remembers: a message
// comes again when its receipt was not heard.
func Verify(keys []string, h http.Header, body []byte, now time.Time) (id string, err error) {
	id, timestamp := h.Get(HeaderID), h.Get(HeaderTimestamp)
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if id == "" || err != nil {
		return "", fmt.Errorf("%w: message without %s and %s", memberwatch.ErrInvalid, HeaderID, HeaderTimestamp)
	}
	if age := now.Sub(time.Unix(seconds, 0)); age.Abs() > Tolerance {
		return "", fmt.Errorf("%w: message %q is %s away from this clock", memberwatch.ErrInvalid, id, age)
	}
	signed := signedBytes(id, timestamp, body)
	for signature := range strings.FieldsSeq(h.Get(HeaderSignature)) {
		kind, encoded, _ := strings.Cut(signature, ",")
		raw, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			continue
		}
		for _, key := range keys {
			if verifies(key, kind, raw, signed) {
				return id, nil
			}
		}
	}
	return "", fmt.Errorf("%w: message %q has no signature by a known key", memberwatch.ErrInvalid, id)
}

func verifies(key, kind string, signature, signed []byte) bool {
	switch kind {
	case "v1":
		k, err := secretKey(key)
		return err == nil && subtle.ConstantTimeCompare(signature, sum(k, signed)) == 1
	case "v1a":
		k, err := keyBytes(key, prefixPublic)
		return err == nil && len(k) == ed25519.PublicKeySize && ed25519.Verify(k, signed, signature)
	default:
		return false
	}
}
