package sketch

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
)

// dense is the parameter of encoded registers, that of exact keys is 0. Registers are
// written as a byte for each group, which tells the planes that are not all zero, and
// then the words of these: few registers of a counter of some hundred keys are large.
const dense = 1

// AppendBinary appends the encoded counter to b; the error is always nil. Equal
// sets give equal bytes: 8 for a header, then 8 a key while exact, and beyond
// that 72 and 8 for each word of the registers that is not zero, mostly 1.2 to 2.1 KB.
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
	var used [groupCount]byte
	words := 0
	for i := range used {
		used[i] = (*registers)(d.words).group(uint64(i)).used()
		words += bits.OnesCount8(used[i])
	}
	b = slices.Grow(b, headerSize+groupCount+8*words)
	b = append(beginFrame(b, kindDistinct, dense, groupCount/8+words), used[:]...)
	for _, w := range d.words {
		if w != 0 {
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
	form, body, err := openFrame(b, kindDistinct)
	switch {
	case err != nil:
	case form == 0:
		err = d.decodeExact(body)
	default:
		err = d.decodeDense(form, body)
	}
	if err != nil {
		d.Reset()
		return fmt.Errorf("distinct counter: %w", err)
	}
	return nil
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

// decodeDense reads registers. If they are not sound nothing changes.
func (d *Distinct) decodeDense(form byte, body []byte) error {
	p, err := openPlanes(form, body)
	if err != nil {
		return err
	}
	r := d.registers()
	for i := range uint64(groupCount) {
		*r.group(i) = p.next()
	}
	d.tally = uncounted
	return nil
}

// planesReader reads encoded registers, group after group.
type planesReader struct{ used, words []byte }

// openPlanes verifies that a body is what AppendBinary writes of registers.
func openPlanes(form byte, body []byte) (planesReader, error) {
	if form != dense || len(body) < groupCount {
		return planesReader{}, fmt.Errorf("%w: form %d in %d bytes", ErrCorrupt, form, len(body))
	}
	p := planesReader{body[:groupCount], body[groupCount:]}
	words := len(p.words) / 8
	if want := p.wordsOf(groupCount); want != words || words == 0 {
		return planesReader{}, fmt.Errorf("%w: %d words of registers, want %d", ErrCorrupt, words, want)
	}
	for i := range words {
		if wordAt(p.words, i) == 0 {
			return planesReader{}, fmt.Errorf("%w: word %d of the registers is zero", ErrCorrupt, i)
		}
	}
	for i, used := range p.used {
		if used>>planes != 0 || used>>(planes-2) == 3 && !p.at(uint64(i)).valid() {
			return planesReader{}, fmt.Errorf("%w: a register of group %d is above %d", ErrCorrupt, i, maxRank)
		}
	}
	return p, nil
}

// wordsOf is how many words the first groups have.
func (p *planesReader) wordsOf(groups uint64) int {
	n := 0
	for _, used := range p.used[:groups] {
		n += bits.OnesCount8(used)
	}
	return n
}

// at reads a certain group.
func (p planesReader) at(i uint64) *group {
	p.words = p.words[8*p.wordsOf(i):]
	p.used = p.used[i:]
	g := p.next()
	return &g
}

// next reads a group.
func (p *planesReader) next() (g group) {
	used := p.used[0]
	p.used = p.used[1:]
	for ; used != 0; used &= used - 1 {
		g[bits.TrailingZeros8(used)] = wordAt(p.words, 0)
		p.words = p.words[8:]
	}
	return g
}
