package sketch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// A stored sketch is a frame of little-endian fields:
//
//	byte  0    kind and version of the format
//	byte  1    parameter, its meaning is the kind's
//	bytes 2-3  number of 8-byte words in the body
//	bytes 4-7  CRC-32C of bytes 0-3 followed by the body
//	bytes 8-   body
//
// The length must match to the byte and the checksum is verified before
// anything is read from the body, because the store below does not checksum
// its values. Source of the polynomial: Castagnoli, Bräuer and Herrmann 1993;
// it finds every burst up to 32 bits and every 3 flipped bits at these lengths.
//
// When it lies: CRC-32C is no defence against bytes forged on purpose. Decoders
// therefore also check every invariant, and never allocate more than a sketch
// can hold.

// ErrCorrupt means that stored bytes are not a sketch this version can read.
var ErrCorrupt = errors.New("corrupt sketch")

const (
	kindDistinct = 0x12 // kind 1, version 2: p = 12, 128 exact keys
	kindSample   = 0x21 // kind 2, version 1: 4,096 entries of 48 + 16 bits

	headerSize = 8
)

// castagnoli is the table of CRC-32C; it is never written to.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// beginFrame appends a header to b whose checksum endFrame fills in.
func beginFrame(b []byte, kind, param byte, words int) []byte {
	b = append(b, kind, param)
	b = binary.LittleEndian.AppendUint16(b, uint16(words))
	return append(b, 0, 0, 0, 0)
}

// endFrame writes the checksum of the frame that fills b from start on.
func endFrame(b []byte, start int) {
	frame := b[start:]
	binary.LittleEndian.PutUint32(frame[4:], checksum(frame))
}

// checksum returns the CRC-32C of a frame, leaving out the checksum itself.
func checksum(frame []byte) uint32 {
	sum := crc32.Update(0, castagnoli, frame[:4])
	return crc32.Update(sum, castagnoli, frame[headerSize:])
}

// openFrame verifies that b is exactly one whole frame of the kind and returns
// its parameter and body.
func openFrame(b []byte, kind byte) (param byte, body []byte, err error) {
	if len(b) < headerSize {
		return 0, nil, fmt.Errorf("%w: %d bytes are shorter than the header", ErrCorrupt, len(b))
	}
	if b[0] != kind {
		return 0, nil, fmt.Errorf("%w: kind and version 0x%02x, want 0x%02x", ErrCorrupt, b[0], kind)
	}
	body = b[headerSize:]
	if words := int(binary.LittleEndian.Uint16(b[2:])); len(body) != 8*words {
		return 0, nil, fmt.Errorf("%w: body of %d bytes, header says %d", ErrCorrupt, len(body), 8*words)
	}
	if got, want := checksum(b), binary.LittleEndian.Uint32(b[4:]); got != want {
		return 0, nil, fmt.Errorf("%w: checksum 0x%08x, header says 0x%08x", ErrCorrupt, got, want)
	}
	return b[1], body, nil
}

// wordAt returns the i-th word of a body.
func wordAt(body []byte, i int) uint64 {
	return binary.LittleEndian.Uint64(body[8*i:])
}
