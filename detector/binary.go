package detector

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

// ErrCorrupt means that stored bytes are not what this package wrote.
var ErrCorrupt = errors.New("corrupt detector state")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encoder writes the canonical on-disk form: varints, float32 and float64 bits,
// length-prefixed bytes. A finished value is version byte, body, CRC32C: bbolt
// does not checksum values, and a flipped bit in a count must not become a
// signal.
type encoder struct {
	b     []byte
	start int
	err   error
}

func newEncoder(b []byte, version byte) *encoder {
	return &encoder{b: append(b, version), start: len(b)}
}

func (e *encoder) uint(v uint64) { e.b = binary.AppendUvarint(e.b, v) }
func (e *encoder) int(v int64)   { e.b = binary.AppendVarint(e.b, v) }
func (e *encoder) f32(v float32) { e.b = binary.LittleEndian.AppendUint32(e.b, math.Float32bits(v)) }

func (e *encoder) i16(v int16)     { e.b = binary.LittleEndian.AppendUint16(e.b, uint16(v)) }
func (e *encoder) f64(v float64)   { e.b = binary.LittleEndian.AppendUint64(e.b, math.Float64bits(v)) }
func (e *encoder) u64(v uint64)    { e.b = binary.LittleEndian.AppendUint64(e.b, v) }
func (e *encoder) string(s string) { e.uint(uint64(len(s))); e.b = append(e.b, s...) }

func (e *encoder) bool(v bool) {
	if v {
		e.b = append(e.b, 1)
		return
	}
	e.b = append(e.b, 0)
}

func (e *encoder) floats(v []float32) {
	for _, x := range v {
		e.f32(x)
	}
}

// appender is anything with a canonical encoding of its own.
type appender interface {
	AppendBinary(b []byte) ([]byte, error)
}

// nested writes another type's encoding with its length before it.
func (e *encoder) nested(a appender) {
	const room = 3 // for the length: of less than 2 MB
	at := len(e.b)
	b, err := a.AppendBinary(append(e.b, make([]byte, room)...))
	if err != nil && e.err == nil {
		e.err = err
	}
	e.b = binary.AppendUvarint(b[:at], uint64(len(b)-at-room))
	e.b = append(e.b, b[at+room:]...) // moves it down, in place
}

// finish appends the checksum.
func (e *encoder) finish() ([]byte, error) {
	sum := crc32.Checksum(e.b[e.start:], castagnoli)
	return binary.LittleEndian.AppendUint32(e.b, sum), e.err
}

// decoder reads what encoder wrote. After the first mistake every read returns
// zero and err says what is wrong.
type decoder struct {
	b   []byte
	err error
}

// newDecoder checks version and checksum.
func newDecoder(b []byte, version byte, what string) *decoder {
	switch {
	case len(b) < 5:
		return &decoder{err: fmt.Errorf("%w: %s: %d bytes", ErrCorrupt, what, len(b))}
	case b[0] != version:
		return &decoder{err: fmt.Errorf("%w: %s: version %d, want %d", ErrCorrupt, what, b[0], version)}
	case crc32.Checksum(b[:len(b)-4], castagnoli) != binary.LittleEndian.Uint32(b[len(b)-4:]):
		return &decoder{err: fmt.Errorf("%w: %s: checksum does not match", ErrCorrupt, what)}
	}
	return &decoder{b: b[1 : len(b)-4]}
}

func (d *decoder) fail(what string) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", ErrCorrupt, what)
	}
	d.b = nil
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail("short number")
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail("short number")
		return 0
	}
	d.b = d.b[n:]
	return v
}

// finite reads a float that must be a number: NaN and Inf never enter a state.
func (d *decoder) f64() float64 {
	if len(d.b) < 8 {
		d.fail("short float")
		return 0
	}
	v := math.Float64frombits(binary.LittleEndian.Uint64(d.b))
	d.b = d.b[8:]
	if math.IsNaN(v) || math.IsInf(v, 0) {
		d.fail("float is not finite")
		return 0
	}
	return v
}

func (d *decoder) u64() uint64 {
	b := d.take(8)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint64(b)
}

func (d *decoder) i16() int16 {
	b := d.take(2)
	if b == nil {
		return 0
	}
	return int16(binary.LittleEndian.Uint16(b))
}

func (d *decoder) f32() float32 {
	if len(d.b) < 4 {
		d.fail("short float")
		return 0
	}
	v := math.Float32frombits(binary.LittleEndian.Uint32(d.b))
	d.b = d.b[4:]
	if v != v || math.IsInf(float64(v), 0) {
		d.fail("float is not finite")
		return 0
	}
	return v
}

func (d *decoder) floats(v []float32) {
	for i := range v {
		v[i] = d.f32()
	}
}

func (d *decoder) bool() bool {
	if len(d.b) < 1 || d.b[0] > 1 {
		d.fail("bad flag")
		return false
	}
	v := d.b[0] == 1
	d.b = d.b[1:]
	return v
}

func (d *decoder) bytes() []byte { return d.take(int(min(d.uint(), math.MaxInt32))) }

// take returns the next n bytes.
func (d *decoder) take(n int) []byte {
	if n > len(d.b) {
		d.fail("short bytes")
		return nil
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) string() string { return string(d.bytes()) }

// count reads a number of items of at least size bytes each.
func (d *decoder) count(size int) int {
	n := d.uint()
	if n > uint64(len(d.b)/size) {
		d.fail("count too large")
		return 0
	}
	return int(n)
}

// nested hands a length-prefixed part to its own decoder.
func (d *decoder) nested(u interface{ UnmarshalBinary(b []byte) error }) {
	b := d.bytes()
	if d.err != nil {
		return
	}
	if err := u.UnmarshalBinary(b); err != nil {
		d.err = fmt.Errorf("%w: %w", ErrCorrupt, err)
		d.b = nil
	}
}

// finish reports the first mistake, or trailing bytes.
func (d *decoder) finish() error {
	if d.err == nil && len(d.b) > 0 {
		d.fail(fmt.Sprintf("%d bytes too many", len(d.b)))
	}
	return d.err
}
