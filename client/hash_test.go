package client_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/client"
)

// TestHash holds the hasher against test cases 1 and 6 of RFC 4231 (section 4.2
// and 4.7, HMAC-SHA-256), cut to 64 bits.
func TestHash(t *testing.T) {
	for _, tt := range []struct {
		name string
		key  []byte
		id   string
		want uint64
	}{
		{"RFC 4231 case 1", bytes.Repeat([]byte{0x0b}, 20), "Hi There", 0xb0344c61d8db3853},
		{"RFC 4231 case 6", bytes.Repeat([]byte{0xaa}, 131), "Test Using Larger Than Block-Size Key - Hash Key First", 0x60e431591ee0b67f},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, err := client.NewHasher(tt.key)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second use meets a state that was used before
				if got := h.Hash(tt.id); got != tt.want {
					t.Errorf("got %#x, want %#x", got, tt.want)
				}
			}
		})
	}
}

func TestHasherRefusesShortKey(t *testing.T) {
	if _, err := client.NewHasher(make([]byte, client.MinKeyBytes-1)); !errors.Is(err, memberwatch.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

func TestHashAllocatesNothing(t *testing.T) {
	h, err := client.NewHasher(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	id := strings.Repeat("7", 100)
	if n := testing.AllocsPerRun(1000, func() { h.Hash(id) }); n > 0 {
		t.Errorf("%v allocations per hash", n)
	}
}
