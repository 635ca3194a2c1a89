package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

// ErrCorrupt means that stored bytes are not what the detector wrote.
var ErrCorrupt = errors.New("corrupt detector state")

// Decoder reads what Encoder wrote. After the first mistake every read returns zero,
// and Err says what is wrong.
type Decoder struct {
	b   []byte
	err error
}

// NewDecoder checks version and checksum of a value; what names it in errors.
func NewDecoder(b []byte, version byte, what string) *Decoder {
	switch {
	case len(b) < 5:
		return &Decoder{err: fmt.Errorf("%w: %s: %d bytes", ErrCorrupt, what, len(b))}
	case b[0] != version:
		return &Decoder{err: fmt.Errorf("%w: %s: version %d, want %d", ErrCorrupt, what, b[0], version)}
	case crc32.Checksum(b[:len(b)-4], castagnoli) != binary.LittleEndian.Uint32(b[len(b)-4:]):
		return &Decoder{err: fmt.Errorf("%w: %s: checksum does not match", ErrCorrupt, what)}
	}
	return &Decoder{b: b[1 : len(b)-4]}
}

// Err returns the first mistake, nil while there is none.
func (d *Decoder) Err() error { return d.err }

// Fail notes what is wrong, unless something was wrong before.
func (d *Decoder) Fail(what string) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", ErrCorrupt, what)
	}
	d.b = nil
}

// Uint reads what Encoder.Uint wrote.
func (d *Decoder) Uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.Fail("short number")
		return 0
	}
	d.b = d.b[n:]
	return v
}

// Int reads what Encoder.Int wrote.
func (d *Decoder) Int() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.Fail("short number")
		return 0
	}
	d.b = d.b[n:]
	return v
}

// F64 reads a float, as F32 does.
func (d *Decoder) F64() float64 {
	v := math.Float64frombits(d.U64())
	if math.IsNaN(v) || math.IsInf(v, 0) {
		d.Fail("float is not finite")
		return 0
	}
	return v
}

// U64 reads a number of 8 bytes.
func (d *Decoder) U64() uint64 {
	b := d.Take(8)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint64(b)
}

// I16 reads a signed number of 2 bytes.
func (d *Decoder) I16() int16 {
	b := d.Take(2)
	if b == nil {
		return 0
	}
	return int16(binary.LittleEndian.Uint16(b))
}

// F32 reads a float, which must be a number: NaN and Inf never enter a state.
func (d *Decoder) F32() float32 {
	if len(d.b) < 4 {
		d.Fail("short float")
		return 0
	}
	v := math.Float32frombits(binary.LittleEndian.Uint32(d.b))
	d.b = d.b[4:]
	if v != v || math.IsInf(float64(v), 0) {
		d.Fail("float is not finite")
		return 0
	}
	return v
}

// Floats fills v with floats.
func (d *Decoder) Floats(v []float32) {
	for i := range v {
		v[i] = d.F32()
	}
}

// Sparse reads what Encoder.Sparse wrote of a list of so many items, nil if it was not.
func (d *Decoder) Sparse(size int) []float64 {
	list := make([]float64, size)
	for range d.Count(9) {
		i, v := d.Uint(), d.F64()
		if i >= uint64(size) {
			d.Fail("place out of range")
			return nil
		}
		list[i] = v
	}
	return list
}

// Bool reads a flag.
func (d *Decoder) Bool() bool {
	if len(d.b) < 1 || d.b[0] > 1 {
		d.Fail("bad flag")
		return false
	}
	v := d.b[0] == 1
	d.b = d.b[1:]
	return v
}

// Bytes reads bytes with their length before them. They are a part of what is decoded.
func (d *Decoder) Bytes() []byte { return d.Take(int(min(d.Uint(), math.MaxInt32))) }

// Take returns the next n bytes, a part of what is decoded, or nil if there are fewer.
func (d *Decoder) Take(n int) []byte {
	if n > len(d.b) {
		d.Fail("short bytes")
		return nil
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

// Text reads a string.
func (d *Decoder) Text() string { return string(d.Bytes()) }

// Count reads a number of items that take at least size bytes each: no more than there
// are bytes for.
func (d *Decoder) Count(size int) int {
	n := d.Uint()
	if n > uint64(len(d.b)/size) {
		d.Fail("count too large")
		return 0
	}
	return int(n)
}

// Nested hands what Encoder.Nested wrote to its own decoder.
func (d *Decoder) Nested(u interface{ UnmarshalBinary(b []byte) error }) {
	b := d.Bytes()
	if d.err != nil {
		return
	}
	if err := u.UnmarshalBinary(b); err != nil {
		d.err = fmt.Errorf("%w: %w", ErrCorrupt, err)
		d.b = nil
	}
}

// Finish returns the first mistake, or that bytes are left over.
func (d *Decoder) Finish() error {
	if d.err == nil && len(d.b) > 0 {
		d.Fail(fmt.Sprintf("%d bytes too many", len(d.b)))
	}
	return d.err
}
