package sketch

import "math/bits"

// table is a set of 48-bit keys with 16-bit stamps, kept in rising order of key
// by ordered linear probing: a key's home is its own value scaled to the number
// of slots, it sits at or right of its home with no gap between, and keys never
// overtake each other. As mixed keys are uniform, homes are too, lookups touch a
// few neighbouring words, and reading the slots from left to right yields the
// keys sorted without sorting.
//
// Source: Amble and Knuth 1974, "Ordered hash tables", with the hash function
// order-preserving. At the largest load, 4,096 keys in 4,958 home slots, a
// lookup reads (1 + 1/(1-0.83))/2 = 3.4 slots on average.
//
// When it lies: never, but crafted keys that share a home make it a list of up
// to 4,096 entries that is searched from the front.
type table struct {
	// slots holds entries, key<<16 | stamp, or 0 where free. Keys pushed past
	// the last home go to the spare slots at the end, which grow if need be.
	slots []uint64
	// homes is the number of slots that are somebody's home.
	homes int
	// used is the number of entries.
	used int
	// shift is the number of leading zeros that all 48-bit keys share.
	shift uint8
}

const (
	keyBits   = 48
	stampBits = 64 - keyBits

	minCapacity = 20
)

// capacityFor returns the number of slots for n entries, at least: 20, 40, 80
// and so on, filled to 4/5 at most.
func capacityFor(n int) int {
	c := minCapacity
	for 5*n > 4*c {
		c *= 2
	}
	return c
}

// reset empties the table and makes room for n keys with the shift. It keeps
// the memory when that is enough.
func (t *table) reset(n int, shift uint8) {
	if want := capacityFor(n); cap(t.slots) < want {
		t.slots = make([]uint64, want)
	} else {
		t.slots = t.slots[:cap(t.slots)]
		clear(t.slots)
	}
	c := len(t.slots)
	t.homes = c - c/32 - 2 // the rest is spare
	t.used, t.shift = 0, shift
}

// full reports whether one more key would fill more than 4/5 of the slots.
func (t *table) full() bool { return 5*(t.used+1) > 4*cap(t.slots) }

// home returns the slot that the key is meant for.
func (t *table) home(key uint64) int {
	hi, _ := bits.Mul64(key<<(stampBits+t.shift), uint64(t.homes))
	return int(hi)
}

// find returns the slot of the key, or the slot where it belongs.
func (t *table) find(key uint64) (slot int, found bool) {
	if t.homes == 0 {
		return 0, false
	}
	i := t.home(key)
	for ; i < len(t.slots) && t.slots[i] != 0; i++ {
		if at := t.slots[i] >> stampBits; at >= key {
			return i, at == key
		}
	}
	return i, false
}

// insert puts the entry in the slot that find gave for its key, and moves the
// entries from there to the next free slot one to the right.
func (t *table) insert(slot int, entry uint64) {
	t.used++
	for ; slot < len(t.slots) && t.slots[slot] != 0; slot++ {
		t.slots[slot], entry = entry, t.slots[slot]
	}
	if slot == len(t.slots) {
		t.slots = append(t.slots, entry)
		return
	}
	t.slots[slot] = entry
}

// rebuild moves the entries whose keys are below 2^(48-shift) to slots fit for
// that shift and for n entries.
func (t *table) rebuild(n int, shift uint8) {
	old := t.slots
	t.slots = nil
	t.reset(n, shift)
	for _, e := range old {
		if e != 0 && e>>(64-shift) == 0 {
			slot, _ := t.find(e >> stampBits)
			t.insert(slot, e)
		}
	}
}
