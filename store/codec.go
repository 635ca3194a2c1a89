package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"time"
)

// ErrCorrupt means that a stored value does not read back as it was written.
var ErrCorrupt = errors.New("corrupt record")

// recordVersion is the first byte of every stored value but newer ledger rows.
const recordVersion = 1

// frameBytes are the bytes of a frame around its payload: version and checksum.
const frameBytes = 1 + 4

// castagnoli is the table of CRC-32C; it is never written to.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encoder appends the fields of one record: version, payload, CRC-32C of both.
// Numbers are varints, texts have their length before them, so equal values
// have equal bytes.
type encoder struct {
	b []byte
}

func newEncoder(hint int) *encoder {
	b := make([]byte, 1, hint+frameBytes)
	b[0] = recordVersion
	return &encoder{b: b}
}

// seal appends the checksum and returns the record.
func (e *encoder) seal() []byte {
	e.check(0)
	return e.b
}

// check appends the checksum of what was written from a place on.
func (e *encoder) check(from int) {
	e.b = binary.LittleEndian.AppendUint32(e.b, crc32.Checksum(e.b[from:], castagnoli))
}

func (e *encoder) uint(v uint64)   { e.b = binary.AppendUvarint(e.b, v) }
func (e *encoder) int(v int64)     { e.b = binary.AppendVarint(e.b, v) }
func (e *encoder) float(v float64) { e.b = binary.LittleEndian.AppendUint64(e.b, math.Float64bits(v)) }

func (e *encoder) bool(v bool) {
	if v {
		e.b = append(e.b, 1)
	} else {
		e.b = append(e.b, 0)
	}
}

func (e *encoder) bytes(v []byte) {
	e.uint(uint64(len(v)))
	e.b = append(e.b, v...)
}

func (e *encoder) string(v string) {
	e.uint(uint64(len(v)))
	e.b = append(e.b, v...)
}

// time writes a time to the nanosecond; the zero time is one byte.
func (e *encoder) time(t time.Time) {
	e.bool(!t.IsZero())
	if !t.IsZero() {
		e.int(t.Unix())
		e.uint(uint64(t.Nanosecond()))
	}
}

// sealBytes frames bytes whose inside is somebody else's business.
func sealBytes(v []byte) []byte {
	e := newEncoder(len(v))
	e.b = append(e.b, v...)
	return e.seal()
}

// decoder reads what encoder wrote. After the first mistake every read returns
// zero and err says what is wrong. What it returns is copied: nothing points
// into a transaction's pages.
type decoder struct {
	b   []byte
	err error
}

func newDecoder(record []byte) *decoder {
	payload, err := openFrame(record)
	return &decoder{b: payload, err: err}
}

// openFrame verifies a record and returns its payload, which points into it.
func openFrame(record []byte) ([]byte, error) {
	_, payload, err := openVersion(record, recordVersion)
	return payload, err
}

// openVersion verifies a record of any version up to the newest of its kind and
// returns version and payload, which points into it.
func openVersion(record []byte, newest byte) (version byte, payload []byte, err error) {
	if len(record) < frameBytes {
		return 0, nil, fmt.Errorf("%w: %d bytes", ErrCorrupt, len(record))
	}
	if record[0] < recordVersion || record[0] > newest {
		return 0, nil, fmt.Errorf("%w: version %d, this program reads up to %d", ErrCorrupt, record[0], newest)
	}
	body, err := checked(record)
	if err != nil {
		return 0, nil, err
	}
	return record[0], body[1:], nil
}

// checked verifies the checksum at the end of some bytes and returns what is
// before it.
func checked(b []byte) ([]byte, error) {
	if len(b) < 4 {
		return nil, fmt.Errorf("%w: cut short", ErrCorrupt)
	}
	body := b[:len(b)-4]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(b[len(body):]) {
		return nil, fmt.Errorf("%w: checksum does not match", ErrCorrupt)
	}
	return body, nil
}

func (d *decoder) fail(what string) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", ErrCorrupt, what)
	}
	d.b = nil
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || n > 1 && d.b[n-1] == 0 { // a longer spelling would not be canonical
		d.fail("bad number")
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) int() int64 {
	v := d.uint()
	return int64(v>>1) ^ -int64(v&1)
}

func (d *decoder) int32() int32 {
	v := d.int()
	if v != int64(int32(v)) {
		d.fail("number out of range")
		return 0
	}
	return int32(v)
}

func (d *decoder) duration() time.Duration { return time.Duration(d.int()) }

func (d *decoder) byte() byte {
	v := d.uint()
	if v > math.MaxUint8 {
		d.fail("number out of range")
		return 0
	}
	return byte(v)
}

func (d *decoder) float() float64 {
	b := d.take(8)
	if d.err != nil {
		return 0
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(b))
}

func (d *decoder) bool() bool {
	b := d.take(1)
	if d.err != nil {
		return false
	}
	if b[0] > 1 {
		d.fail("bad flag")
	}
	return b[0] == 1
}

// take returns the next n bytes without copying them.
func (d *decoder) take(n uint64) []byte {
	if d.err == nil && n > uint64(len(d.b)) {
		d.fail("cut short")
	}
	if d.err != nil {
		return nil
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) string() string { return string(d.take(d.uint())) }

// count reads the length of a list whose items have at least one byte each.
func (d *decoder) count() int {
	n := d.uint()
	if n > uint64(len(d.b)) {
		d.fail("list longer than its record")
		return 0
	}
	return int(n)
}

func (d *decoder) time() time.Time {
	if !d.bool() {
		return time.Time{}
	}
	seconds, nanos := d.int(), d.uint()
	if nanos >= uint64(time.Second) {
		d.fail("bad time")
		return time.Time{}
	}
	t := time.Unix(seconds, int64(nanos)).UTC()
	if t.IsZero() && d.err == nil {
		d.fail("bad time")
	}
	return t
}

// finish returns the first mistake, or says that bytes are left over.
func (d *decoder) finish() error {
	if d.err == nil && len(d.b) > 0 {
		d.fail(fmt.Sprintf("%d bytes too many", len(d.b)))
	}
	return d.err
}
