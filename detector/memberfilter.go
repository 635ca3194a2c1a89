package detector

import (
	"math/bits"

	"github.com/memberwatch/memberwatch/detector/codec"
)

// memberFilter remembers members in constant space: a Bloom filter of 2^18 bits
// with 3 hashes. It forgets nobody; with n members in it, it takes a stranger for
// a known one with probability (1 - exp(-3n/2^18))^3: 0.1 % at 10,000 members,
// 8 % at 50,000, 32 % at 100,000. Adding is a union, so order cannot matter.
// Source: Bloom, "Space/time trade-offs in hash coding with allowable errors",
// 1970; two hashes make three after Kirsch and Mitzenmacher, 2006.
type memberFilter struct {
	words []uint64 // nil while empty
	used  bool     // some bit is set
}

const (
	filterPlaces = 18 // log2 of the bits
	filterWords  = 1 << filterPlaces / 64
	filterHashes = 3
)

// place returns where the i-th bit of a member lies.
func place(m uint64, i int) uint64 {
	h := spread(m ^ m>>32)
	return (h>>(64-filterPlaces) + uint64(i)*(h>>(64-2*filterPlaces)|1)) % (1 << filterPlaces)
}

func (f *memberFilter) add(m uint64) {
	if f.words == nil {
		f.words = make([]uint64, filterWords)
	}
	f.used = true
	for i := range filterHashes {
		at := place(m, i)
		f.words[at/64] |= 1 << (at % 64)
	}
}

func (f *memberFilter) has(m uint64) bool {
	if !f.used {
		return false
	}
	for i := range filterHashes {
		at := place(m, i)
		if f.words[at/64]&(1<<(at%64)) == 0 {
			return false
		}
	}
	return true
}

func (f *memberFilter) merge(o *memberFilter) {
	if !o.used {
		return
	}
	if f.words == nil {
		f.words = make([]uint64, filterWords)
	}
	f.used = true
	for i, w := range o.words {
		f.words[i] |= w
	}
}

// reset empties the filter and keeps its memory.
func (f *memberFilter) reset() {
	if f.used {
		clear(f.words)
		f.used = false
	}
}

// encode writes the words that are not empty, each with its distance from the
// one before: a filter that holds few members is short.
func (f *memberFilter) encode(e *codec.Encoder) {
	n := 0
	if f.used {
		for _, w := range f.words {
			n += bits.Len64(min(w, 1))
		}
	}
	e.Uint(uint64(n))
	last := -1
	for i := 0; n > 0 && i < len(f.words); i++ {
		if w := f.words[i]; w != 0 {
			e.Uint(uint64(i - last))
			e.U64(w)
			last = i
		}
	}
}

func (f *memberFilter) decode(d *codec.Decoder) {
	f.reset()
	i := -1
	for range d.Count(9) {
		if f.words == nil {
			f.words = make([]uint64, filterWords)
		}
		step, w := d.Uint(), d.U64()
		if i += int(min(step, filterWords)); step == 0 || i >= filterWords || w == 0 {
			d.Fail("filter out of order or range")
			return
		}
		f.words[i], f.used = w, true
	}
}
