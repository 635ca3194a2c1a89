package sketch

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// A coordinated hash sample. A mixed key is in the sample when its top k bits
// are zero; k starts at 0 and rises by one, which drops about half the keys,
// whenever more than 4,096 are held. So k is the least one for which the set of
// all keys ever added leaves at most 4,096: a function of the set alone. Every
// sample keeps the same keys of a range, hence samples of two apps can be
// intersected. With n keys held and rate r = 2^-k:
//
//	distinct keys = n / r
//	95 % interval: the N that solve (n - rN)^2 = z^2 r (1-r) N
//
// Sources: Wegman's adaptive sampling, analysed in Flajolet 1990, "On adaptive
// sampling" (relative error 1.20/sqrt(4096) = 1.9 %); Wilson 1927 for the
// intervals.
//
// When it lies: a stamp or a novelty is seen at the rate r only. For an app
// with a million members r is about 1/400: 10,000 new ones leave 25 or so
// entries, 200 leave none or one.

// sampleLimit is the most keys held, each one 64-bit word.
const sampleLimit = 4096

// maxShift is the largest k: 48 - 36 bits are left for 4,096 different keys.
const maxShift = 36

// Sample keeps up to 4,096 of the 64-bit keys it is given, each with the stamp
// of when it was first seen. The zero value is an empty sample. Stamps are
// numbers that wrap, such as a count of days modulo 2^16; those given to one
// sample must not lie 2^15 or more apart. Memory grows with the keys to 40 KB,
// of which the entries fill 4/5.
type Sample struct {
	table table
}

// sampleKey returns the upper 48 bits of the mixed key. The largest key becomes
// the one before, since the table needs a mark for free slots.
func sampleKey(h uint64) uint64 {
	return min(mix(h)>>stampBits, maxKey)
}

// covers reports whether the key is in the sampled range.
func (s *Sample) covers(key uint64) bool {
	return key>>(keyBits-s.table.shift) == 0
}

// Add records that the key h was seen at the stamp, and reports whether that
// put it into the sample. A key that is there already keeps the earlier of the
// two stamps.
func (s *Sample) Add(h uint64, stamp uint16) (isNew bool) {
	key := sampleKey(h)
	return s.covers(key) && s.add(key<<stampBits|uint64(stamp))
}

// add puts in an entry whose key is in the sampled range, halving that range
// as often as needed.
func (s *Sample) add(entry uint64) (isNew bool) {
	t := &s.table
	slot, found := t.find(entry >> stampBits)
	if found {
		if earlier(uint16(entry), uint16(t.slots[slot])) {
			t.slots[slot] = entry
		}
		return false
	}
	for t.used == sampleLimit {
		t.rebuild(sampleLimit, t.shift+1)
		if !s.covers(entry >> stampBits) {
			return false
		}
		slot, _ = t.find(entry >> stampBits)
	}
	if t.used == t.room {
		t.rebuild(t.used+1, t.shift)
		slot, _ = t.find(entry >> stampBits)
	}
	t.insert(slot, entry)
	return true
}

// Unsettled returns the mixed keys without those that the sample holds with just
// this stamp, in the memory of the keys. To add the others again would change
// nothing: neither in the sample, nor in the registers of a Distinct that has met
// whatever the sample was given at that stamp. A Distinct that is still exact keeps
// more of a key than a sample does.
func (s *Sample) Unsettled(keys []uint64, stamp uint16) []uint64 {
	n := 0
	for _, key := range s.table.unsettled(keys, stamp) {
		if !s.settled(min(key>>stampBits, maxKey), stamp) {
			keys[n] = key
			n++
		}
	}
	return keys[:n]
}

// settled tells whether the sample holds a key with just this stamp. Of a key whose
// tail is all zeros a Distinct knows more than the sample.
func (s *Sample) settled(key uint64, stamp uint16) bool {
	if !s.covers(key) || key&tailOfKey == 0 {
		return false
	}
	slot, held := s.table.find(key)
	return held && uint16(s.table.slots[slot]) == stamp
}

// tailOfKey are the bits of a sampled key of which a register of a Distinct keeps
// the zeros that lead.
const tailOfKey = 1<<(keyBits-precision) - 1

// AddUnknown adds those of the mixed keys that known does not sample, like Add for
// each of them. It changes keys.
//
// Those that known holds are sorted out first, then those that s holds: as long as
// nothing is put in between, the processor looks for several at once, which matters when
// the samples are not in its caches.
func (s *Sample) AddUnknown(keys []uint64, stamp uint16, known *Sample) {
	n := 0
	for _, key := range keys {
		if key = min(key>>stampBits, maxKey); !s.covers(key) || !known.covers(key) {
			continue
		}
		if _, held := known.table.find(key); !held {
			keys[n] = key
			n++
		}
	}
	unknown := keys[:n]
	n = 0
	for _, key := range unknown {
		if slot, held := s.table.find(key); !held || earlier(stamp, uint16(s.table.slots[slot])) {
			keys[n] = key
			n++
		}
	}
	for _, key := range keys[:n] {
		if s.covers(key) {
			s.add(key<<stampBits | uint64(stamp))
		}
	}
}

// earlier compares stamps as serial numbers: a is before b when the way from b
// to a is shorter downwards.
func earlier(a, b uint16) bool { return int16(a-b) < 0 }

// Contains reports whether the sample holds the key h, and whether h is in the
// sampled range at all: if it is not, nothing is known about it.
func (s *Sample) Contains(h uint64) (present, sampled bool) {
	key := sampleKey(h)
	if !s.covers(key) {
		return false, false
	}
	_, present = s.table.find(key)
	return present, true
}

// FirstSeen returns how many keys of the sample were first seen at the stamp.
// Divide by Rate for an estimate of all keys. It reads the whole sample.
func (s *Sample) FirstSeen(stamp uint16) int {
	n := 0
	for _, e := range s.table.slots {
		if e != free && uint16(e) == stamp {
			n++
		}
	}
	return n
}

// Rate returns the part of all keys that is sampled, 2^-k.
func (s *Sample) Rate() float64 { return math.Ldexp(1, -int(s.table.shift)) }

// Len returns the number of keys held.
func (s *Sample) Len() int { return s.table.used }

// Estimate returns the number of different keys ever added. It is exact while
// all keys are held, that is at rate 1.
func (s *Sample) Estimate() float64 { return float64(s.table.used) / s.Rate() }

// Interval returns the bounds between which the true number lies in 95 % of
// cases; both are the estimate when it is exact.
func (s *Sample) Interval() (low, high float64) {
	r := scaleUp(s.table.used, s.Rate())
	return r.Low, r.High
}

// Size returns the bytes of memory held, with spare capacity.
func (s *Sample) Size() int { return 56 + 8*cap(s.table.slots) }

// Reset empties the sample and keeps its memory for reuse.
func (s *Sample) Reset() {
	if s.table.slots != nil {
		s.table.reset(0, 0)
	}
}

// CopyFrom makes the sample equal to o without sharing memory.
func (s *Sample) CopyFrom(o *Sample) {
	slots := s.table.slots
	s.table = o.table
	s.table.slots = append(slots[:0], o.table.slots...)
}

// Merge adds all entries of o, which stays as it is.
func (s *Sample) Merge(o *Sample) {
	if s.table.shift < o.table.shift {
		s.table.rebuild(s.table.used, o.table.shift)
	}
	for _, e := range o.table.slots {
		if e != free && s.covers(e>>stampBits) {
			s.add(e)
		}
	}
}

// AppendBinary appends the encoded sample to b; the error is always nil. Equal
// sets give equal bytes: 8 for a header and 8 an entry, in order of key.
func (s *Sample) AppendBinary(b []byte) ([]byte, error) {
	start := len(b)
	b = slices.Grow(b, headerSize+8*s.table.used)
	b = beginFrame(b, kindSample, s.table.shift, s.table.used)
	for _, e := range s.table.slots {
		if e != free {
			b = binary.LittleEndian.AppendUint64(b, e)
		}
	}
	endFrame(b, start)
	return b, nil
}

// UnmarshalBinary replaces the sample by the encoded one. Bytes that are not
// exactly one encoded sample give an error that wraps ErrCorrupt, and leave an
// empty sample.
func (s *Sample) UnmarshalBinary(b []byte) error {
	shift, body, err := openFrame(b, kindSample)
	if err == nil {
		err = s.decode(shift, body)
	}
	if err != nil {
		s.Reset()
		return fmt.Errorf("hash sample: %w", err)
	}
	return nil
}

// decode reads the sorted entries.
func (s *Sample) decode(shift uint8, body []byte) error {
	n := len(body) / 8
	if n > sampleLimit || shift > maxShift {
		return fmt.Errorf("%w: %d entries at rate 2^-%d", ErrCorrupt, n, shift)
	}
	s.table.reset(n, shift)
	next := 0
	for i := range n {
		e := wordAt(body, i)
		key := e >> stampBits
		if key > maxKey || !s.covers(key) || i > 0 && key <= wordAt(body, i-1)>>stampBits {
			return fmt.Errorf("%w: entry %d is out of order or range", ErrCorrupt, i)
		}
		next = s.table.push(next, e)
	}
	return nil
}
