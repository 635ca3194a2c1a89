package client

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"sync"

	"github.com/memberwatch/memberwatch"
)

// MinKeyBytes is the shortest key a Hasher takes: 128 bits. Ids of members are
// easy to enumerate, so the key alone protects them.
const MinKeyBytes = 16

// Hasher turns ids of members and actors into keyed hashes: HMAC-SHA-256 under
// the platform's key (RFC 2104), cut to its first 64 bits. Equal ids give equal
// hashes as long as the key stays, so all gateways must share one key, and the
// service never sees it. It is safe for concurrent use.
type Hasher struct{ states sync.Pool }

// hashState is one running HMAC with room for its input and output.
type hashState struct {
	mac hash.Hash
	buf []byte
}

// NewHasher returns a hasher for a key of at least MinKeyBytes random bytes.
func NewHasher(key []byte) (*Hasher, error) {
	if len(key) < MinKeyBytes {
		return nil, &memberwatch.ReasonError{
			Kind: memberwatch.ErrInvalid, Reason: "KEY_TOO_SHORT",
			Message: fmt.Sprintf("key for hashing members has %d bytes, it needs at least %d", len(key), MinKeyBytes),
			Hint:    "make one with: head -c 32 /dev/urandom | base64",
		}
	}
	own := append([]byte(nil), key...)
	return &Hasher{states: sync.Pool{New: func() any {
		return &hashState{mac: hmac.New(sha256.New, own), buf: make([]byte, 0, 128)}
	}}}, nil
}

// Hash returns the keyed hash of an id. It is never 0, which stands for nobody.
func (h *Hasher) Hash(id string) uint64 {
	s := h.states.Get().(*hashState)
	defer h.states.Put(s)
	s.buf = append(s.buf[:0], id...)
	s.mac.Reset()
	s.mac.Write(s.buf)
	s.buf = s.mac.Sum(s.buf[:0])
	return max(binary.BigEndian.Uint64(s.buf), 1)
}
