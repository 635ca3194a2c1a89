package client

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/memberwatch/memberwatch"
)

// MinKeyBytes is the shortest key a Hasher takes: 128 bits. Ids of members are
// easy to enumerate, so the key alone protects them.
const MinKeyBytes = 16

// Hasher turns ids of members and actors into keyed hashes: HMAC-SHA-256 under
// the platform's key (RFC 2104), cut to its first 64 bits. Equal ids give equal
// hashes as long as the key stays, so all gateways must share one key, and the
// service never sees it. It is safe for concurrent use.
//
// It spells out the HMAC over whole messages, because crypto/hmac keeps a state
// per message: without one, a hash needs neither lock nor allocation.
type Hasher struct{ inner, outer [sha256.BlockSize]byte }

// NewHasher returns a hasher for a key of at least MinKeyBytes random bytes.
func NewHasher(key []byte) (*Hasher, error) {
	if len(key) < MinKeyBytes {
		return nil, &memberwatch.ReasonError{
			Kind: memberwatch.ErrInvalid, Reason: "KEY_TOO_SHORT",
			Message: fmt.Sprintf("key for hashing members has %d bytes, it needs at least %d", len(key), MinKeyBytes),
			Hint:    "make one with: head -c 32 /dev/urandom | base64",
		}
	}
	if len(key) > sha256.BlockSize {
		short := sha256.Sum256(key)
		key = short[:]
	}
	h := new(Hasher)
	copy(h.inner[:], key)
	copy(h.outer[:], key)
	for i := range sha256.BlockSize { // the pads of RFC 2104
		h.inner[i] ^= 0x36
		h.outer[i] ^= 0x5c
	}
	return h, nil
}

// Hash returns the keyed hash of an id. It is never 0, which stands for nobody.
func (h *Hasher) Hash(id string) uint64 {
	var room [sha256.BlockSize + 256]byte // on the stack; a longer id moves to the heap
	inner := sha256.Sum256(append(append(room[:0], h.inner[:]...), id...))
	outer := sha256.Sum256(append(append(room[:0], h.outer[:]...), inner[:]...))
	return max(binary.BigEndian.Uint64(outer[:]), 1)
}
