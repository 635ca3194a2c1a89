package codec

import (
	"encoding/binary"
	"hash/crc32"
	"math"
)

// castagnoli is the table of CRC-32C; it is never written to.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Encoder writes one value: a version byte, the body, and the CRC-32C of both. The
// store below does not checksum its values, and a flipped bit in a count must not
// become a signal.
type Encoder struct {
	b     []byte
	start int
	err   error
}

// NewEncoder begins a value of a version behind b.
func NewEncoder(b []byte, version byte) *Encoder {
	return &Encoder{b: append(b, version), start: len(b)}
}

// Uint writes a number as a varint: small ones are short.
func (e *Encoder) Uint(v uint64) { e.b = binary.AppendUvarint(e.b, v) }

// Int writes a signed number as a varint: those near zero are short.
func (e *Encoder) Int(v int64) { e.b = binary.AppendVarint(e.b, v) }

// U64 writes a number of any size in 8 bytes.
func (e *Encoder) U64(v uint64) { e.b = binary.LittleEndian.AppendUint64(e.b, v) }

// I16 writes a signed number in 2 bytes.
func (e *Encoder) I16(v int16) { e.b = binary.LittleEndian.AppendUint16(e.b, uint16(v)) }

// F32 writes the bits of a finite float.
func (e *Encoder) F32(v float32) { e.b = binary.LittleEndian.AppendUint32(e.b, math.Float32bits(v)) }

// F64 writes the bits of a finite float.
func (e *Encoder) F64(v float64) { e.b = binary.LittleEndian.AppendUint64(e.b, math.Float64bits(v)) }

// Floats writes floats whose number the reader knows.
func (e *Encoder) Floats(v []float32) {
	for _, x := range v {
		e.F32(x)
	}
}

// Sparse writes the items of a list that are not zero, with their places.
func (e *Encoder) Sparse(list []float64) {
	n := 0
	for _, v := range list {
		if v != 0 {
			n++
		}
	}
	e.Uint(uint64(n))
	for i, v := range list {
		if v != 0 {
			e.Uint(uint64(i))
			e.F64(v)
		}
	}
}

// Bool writes a flag.
func (e *Encoder) Bool(v bool) {
	if v {
		e.b = append(e.b, 1)
		return
	}
	e.b = append(e.b, 0)
}

// Text writes a string with its length before it.
func (e *Encoder) Text(s string) {
	e.Uint(uint64(len(s)))
	e.b = append(e.b, s...)
}

// Raw writes bytes whose number the reader knows.
func (e *Encoder) Raw(b []byte) { e.b = append(e.b, b...) }

// appender is anything with a canonical encoding of its own.
type appender interface {
	AppendBinary(b []byte) ([]byte, error)
}

// Nested writes another type's encoding with its length before it.
func (e *Encoder) Nested(a appender) {
	const room = 3 // for the length: of less than 2 MB
	at := len(e.b)
	b, err := a.AppendBinary(append(e.b, make([]byte, room)...))
	e.Fail(err)
	e.b = binary.AppendUvarint(b[:at], uint64(len(b)-at-room))
	e.b = append(e.b, b[at+room:]...) // moves it down, in place
}

// Fail notes an error, which Finish will return if it is the first; nil is none.
func (e *Encoder) Fail(err error) {
	if e.err == nil {
		e.err = err
	}
}

// Finish appends the checksum, and returns the bytes with the first error.
func (e *Encoder) Finish() ([]byte, error) {
	sum := crc32.Checksum(e.b[e.start:], castagnoli)
	return binary.LittleEndian.AppendUint32(e.b, sum), e.err
}
