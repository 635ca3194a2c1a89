package sketch

import (
	"fmt"
	"sort"
)

// Encoded counters are united and searched without making counters of them.

// MergeBinary adds all keys of an encoded counter, as UnmarshalBinary and Merge
// would, without making a counter of it. Bytes that are not exactly one encoded
// counter give an error that wraps ErrCorrupt and change nothing.
func (d *Distinct) MergeBinary(b []byte) error {
	used, body, err := openFrame(b, kindDistinct)
	switch {
	case err != nil:
	case used == 0:
		err = d.mergeKeys(body)
	case d.Exact():
		var own [exactLimit]uint64
		n := copy(own[:], d.words)
		if err = d.decodeDense(body, int(used)); err != nil {
			d.Reset()
			d.words = append(d.words, own[:n]...)
			break
		}
		for _, key := range own[:n] {
			d.raise(key)
		}
	default:
		err = d.mergeDense(body, int(used))
	}
	if err != nil {
		return fmt.Errorf("distinct counter: %w", err)
	}
	return nil
}

// Presence tells whether a counter holds a key.
type Presence uint8

// Presences.
const (
	Absent   Presence = iota
	Possible          // registers cannot tell: some key of the counter looks like it
	Present
)

// FindBinary tells whether an encoded counter holds the key h. While exact it
// knows; beyond 128 keys Absent is sure and Possible is not: with n keys about one
// foreign key in 4,096/n is Possible at n well below 4,096, and nearly all are
// above. No bytes are an empty counter.
func FindBinary(b []byte, h uint64) (Presence, error) {
	if len(b) == 0 {
		return Absent, nil
	}
	used, body, err := openFrame(b, kindDistinct)
	if err == nil && used > 0 && (used > planes || len(body) != 8*int(used)*groupCount) {
		err = fmt.Errorf("%w: %d planes in %d bytes", ErrCorrupt, used, len(body))
	}
	if err != nil {
		return Absent, fmt.Errorf("distinct counter: %w", err)
	}
	key := mix(h)
	if used == 0 {
		n := len(body) / 8
		i := sort.Search(n, func(i int) bool { return wordAt(body, i) >= key })
		if i < n && wordAt(body, i) == key {
			return Present, nil
		}
		return Absent, nil
	}
	var g group
	for p := range int(used) {
		g[p] = wordAt(body, int(key>>58)*int(used)+p)
	}
	if lane, rank := placeOf(key); rank > g.at(lane) {
		return Absent, nil
	}
	return Possible, nil
}

// mergeKeys adds encoded keys, without making a counter of them.
func (d *Distinct) mergeKeys(body []byte) error {
	n := len(body) / 8
	if n > exactLimit {
		return fmt.Errorf("%w: %d exact keys, at most %d", ErrCorrupt, n, exactLimit)
	}
	var keys [exactLimit]uint64
	for i := range n {
		key := wordAt(body, i)
		if i > 0 && key <= keys[i-1] {
			return fmt.Errorf("%w: key %d is out of order", ErrCorrupt, i)
		}
		keys[i] = key
	}
	d.addSorted(keys[:n])
	return nil
}

// mergeDense takes the larger of each pair of registers, those of the counter and
// those of an encoded one.
func (d *Distinct) mergeDense(body []byte, used int) error {
	if used > planes || len(body) != 8*used*groupCount {
		return fmt.Errorf("%w: %d planes in %d bytes", ErrCorrupt, used, len(body))
	}
	highest := uint64(0)
	for i := 0; i < groupCount && highest == 0; i++ {
		highest = wordAt(body, i*used+used-1)
	}
	if highest == 0 {
		return fmt.Errorf("%w: fewer than the %d planes stored are needed", ErrCorrupt, used)
	}
	for i := 0; i < groupCount && used == planes; i++ {
		var g group
		if g.read(body[8*i*used:], used); !g.valid() {
			return fmt.Errorf("%w: a register is above %d", ErrCorrupt, maxRank)
		}
	}
	changed, r := uint64(0), (*registers)(d.words)
	var g group // planes that are left out stay empty
	for i := range uint64(groupCount) {
		g.read(body, used)
		changed |= r.group(i).merge(&g)
		body = body[8*used:]
	}
	if changed != 0 {
		d.tally = uncounted
	}
	return nil
}
