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
	form, body, err := openFrame(b, kindDistinct)
	switch {
	case err != nil:
	case form == 0:
		err = d.mergeKeys(body)
	case d.Exact():
		var own [exactLimit]uint64
		n := copy(own[:], d.words)
		if err = d.decodeDense(form, body); err != nil {
			break
		}
		for _, key := range own[:n] {
			d.raise(key)
		}
	default:
		err = d.mergeDense(form, body)
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
	form, body, err := openFrame(b, kindDistinct)
	var p planesReader
	if err == nil && form != 0 {
		p, err = openPlanes(form, body)
	}
	if err != nil {
		return Absent, fmt.Errorf("distinct counter: %w", err)
	}
	key := mix(h)
	if form == 0 {
		n := len(body) / 8
		i := sort.Search(n, func(i int) bool { return wordAt(body, i) >= key })
		if i < n && wordAt(body, i) == key {
			return Present, nil
		}
		return Absent, nil
	}
	if lane, rank := placeOf(key); rank > p.at(key>>58).at(lane) {
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
func (d *Distinct) mergeDense(form byte, body []byte) error {
	p, err := openPlanes(form, body)
	if err != nil {
		return err
	}
	changed, r := uint64(0), (*registers)(d.words)
	for i := range uint64(groupCount) {
		g := p.next()
		changed |= r.group(i).merge(&g)
	}
	if changed != 0 {
		d.tally = uncounted
	}
	return nil
}
