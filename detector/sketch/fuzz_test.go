package sketch

import (
	"bytes"
	"encoding"
	"encoding/binary"
	"errors"
	"testing"
)

// sketcher is what both decoders offer.
type sketcher interface {
	encoding.BinaryAppender
	encoding.BinaryUnmarshaler
	Size() int
}

// fuzzDecoder feeds bytes as they are, and once more with kind, length and
// checksum put right, so that the fuzzer gets past the frame.
func fuzzDecoder(t *testing.T, b []byte, kind byte, into sketcher) {
	check := func(b []byte) {
		err := into.UnmarshalBinary(b)
		if into.Size() > 64<<10 {
			t.Fatalf("%d bytes held", into.Size())
		}
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("error %v is not ErrCorrupt", err)
			}
			return
		}
		if again := encoded(t, into); !bytes.Equal(again, b) {
			t.Fatalf("%d bytes decode, but encode to %d other ones", len(b), len(again))
		}
	}
	check(b)
	if len(b) < headerSize || len(b) >= 1<<16*8 {
		return
	}
	b = bytes.Clone(b[:len(b)-len(b)%8])
	b[0] = kind
	binary.LittleEndian.PutUint16(b[2:], uint16(len(b)/8-1))
	endFrame(b, 0)
	check(b)
}

func FuzzDistinctUnmarshal(f *testing.F) {
	for _, n := range []uint64{0, 1, 3, 128, 129, 1_000, 100_000} {
		b := encoded(f, counted(0, n))
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var d Distinct
		fuzzDecoder(t, b, kindDistinct, &d)
		// Whatever decodes must keep working.
		before := d.Estimate()
		d.Insert(1)
		d.Merge(counted(0, 200))
		if d.Estimate() < before {
			t.Fatalf("estimate fell from %g to %g", before, d.Estimate())
		}
	})
}

func FuzzSampleUnmarshal(f *testing.F) {
	for _, n := range []uint64{0, 1, 3, 300, 4_096, 4_097, 100_000} {
		b := encoded(f, sampled(0, n, 9))
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var s, other Sample
		fuzzDecoder(t, b, kindSample, &s)
		// Whatever decodes must keep working.
		s.Add(1, 2)
		s.Overlap(sampled(0, 10, 0))
		other.Merge(&s)
		s.Merge(sampled(0, 5_000, 0))
		if s.Len() > sampleLimit {
			t.Fatalf("%d keys held", s.Len())
		}
	})
}
