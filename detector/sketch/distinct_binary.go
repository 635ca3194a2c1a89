package sketch

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// AppendBinary appends the encoded counter to b; the error is always nil. Equal
// sets give equal bytes: 8 for a header, then 8 a key while exact, and beyond
// that 512 for each bit the largest register needs, mostly 2.0 to 2.5 KB.
func (d *Distinct) AppendBinary(b []byte) ([]byte, error) {
	start := len(b)
	if d.Exact() {
		b = slices.Grow(b, headerSize+8*len(d.words))
		b = beginFrame(b, kindDistinct, 0, len(d.words))
		for _, key := range d.words {
			b = binary.LittleEndian.AppendUint64(b, key)
		}
		endFrame(b, start)
		return b, nil
	}
	r := (*registers)(d.words)
	used := r.usedPlanes()
	b = slices.Grow(b, headerSize+8*used*groupCount)
	b = beginFrame(b, kindDistinct, byte(used), used*groupCount)
	for i := range uint64(groupCount) {
		for _, w := range r.group(i)[:used] {
			b = binary.LittleEndian.AppendUint64(b, w)
		}
	}
	endFrame(b, start)
	return b, nil
}

// UnmarshalBinary replaces the counter by the encoded one. Bytes that are not
// exactly one encoded counter give an error that wraps ErrCorrupt, and leave
// an empty counter.
func (d *Distinct) UnmarshalBinary(b []byte) error {
	d.Reset()
	used, body, err := openFrame(b, kindDistinct)
	if err == nil {
		err = d.decode(body, int(used))
	}
	if err != nil {
		d.Reset()
		return fmt.Errorf("distinct counter: %w", err)
	}
	return nil
}

// decode reads the exact keys if no planes are used, else the registers.
func (d *Distinct) decode(body []byte, used int) error {
	if used == 0 {
		return d.decodeExact(body)
	}
	return d.decodeDense(body, used)
}

// decodeExact reads the sorted keys.
func (d *Distinct) decodeExact(body []byte) error {
	n := len(body) / 8
	if n > exactLimit {
		return fmt.Errorf("%w: %d exact keys, at most %d", ErrCorrupt, n, exactLimit)
	}
	d.words = slices.Grow(d.words, n)
	for i := range n {
		key := wordAt(body, i)
		if i > 0 && key <= d.words[i-1] {
			return fmt.Errorf("%w: key %d is out of order", ErrCorrupt, i)
		}
		d.words = append(d.words, key)
	}
	return nil
}

// decodeDense reads registers of the given number of planes.
func (d *Distinct) decodeDense(body []byte, used int) error {
	if used > planes || len(body) != 8*used*groupCount {
		return fmt.Errorf("%w: %d planes in %d bytes", ErrCorrupt, used, len(body))
	}
	r := d.registers()
	var all, g group // planes that are left out stay empty
	for i := range uint64(groupCount) {
		g.read(body, used)
		body = body[8*used:]
		if !g.valid() {
			return fmt.Errorf("%w: a register is above %d", ErrCorrupt, maxRank)
		}
		*r.group(i) = g
		all.or(&g)
	}
	if got := all.used(); got != used {
		return fmt.Errorf("%w: %d planes stored, %d needed", ErrCorrupt, used, got)
	}
	d.tally = uncounted
	return nil
}
