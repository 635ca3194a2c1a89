package sketch

import (
	"math"
	"math/bits"
)

// table is a set of 48-bit keys with 16-bit stamps, kept in rising order of key
// by ordered linear probing: a key's home is its own value scaled to the number
// of homes, it sits at or right of its home with no gap between, and keys never
// overtake each other. As mixed keys are uniform, homes are too, lookups touch a
// few neighbouring words, and reading the slots from left to right yields the
// keys sorted without sorting.
//
// Source: Amble and Knuth 1974, "Ordered hash tables", with a hash function that
// keeps the order. When full, with 5 entries in 6 homes, a lookup reads
// (1 + 1/(1-5/6))/2 = 3.5 slots on average.
//
// When it lies: never, but crafted keys that share a home make it a list of up
// to 4,096 entries that is searched from the front.
type table struct {
	// slots holds entries, key<<16 | stamp, or free. Keys pushed past the last
	// home go to the spare slots at the end, which grow if need be.
	slots []uint64
	// room is the number of entries to hold before growing, 4/5 of the slots.
	room int
	// homes is the number of slots that are somebody's home, 6/5 of room.
	homes int
	// used is the number of entries.
	used int
	// shift is the number of leading zeros that all 48-bit keys share.
	shift uint8
}

const (
	keyBits   = 48
	stampBits = 64 - keyBits

	// free marks a slot without entry; it is above every entry.
	free = math.MaxUint64

	// maxKey is the largest key, one less than would look like free.
	maxKey = 1<<keyBits - 2

	// minRoom is the room of the smallest table; others are 2, 4, 8 times it.
	minRoom = 16
)

// reset empties the table and makes room for n keys with the shift. It keeps
// the memory when that is enough.
func (t *table) reset(n int, shift uint8) {
	room := minRoom
	for room < n {
		room *= 2
	}
	if want := room + room/4; cap(t.slots) < want {
		t.slots = make([]uint64, want)
	} else {
		t.slots = t.slots[:cap(t.slots)]
		room = len(t.slots) * 4 / 5
	}
	for i := range t.slots {
		t.slots[i] = free
	}
	t.room, t.homes = room, room*6/5
	t.used, t.shift = 0, shift
}

// home returns the slot that the key is meant for.
func (t *table) home(key uint64) int {
	hi, _ := bits.Mul64(key<<(stampBits+t.shift), uint64(t.homes))
	return int(hi)
}

// find returns the slot of the key, or the slot where it belongs: the first
// from its home on that is free or not below it.
func (t *table) find(key uint64) (slot int, found bool) {
	i, floor := t.home(key), key<<stampBits
	// Beyond the slot looked for nothing is below the key, so eight slots can
	// be counted without a branch per slot, which could not be predicted.
	for i+stride <= len(t.slots) {
		s := (*[stride]uint64)(t.slots[i:])
		n := below(s[0], floor) + below(s[1], floor) + below(s[2], floor) + below(s[3], floor) +
			below(s[4], floor) + below(s[5], floor) + below(s[6], floor) + below(s[7], floor)
		i += n
		if n < stride {
			return i, t.slots[i]>>stampBits == key
		}
	}
	for i < len(t.slots) && t.slots[i] < floor {
		i++
	}
	return i, i < len(t.slots) && t.slots[i]>>stampBits == key
}

// unsettled returns the mixed keys without those that are in one of the slots nearest
// to their home, with just this stamp. Nearly all that are held are there, and as
// nothing here waits for what was found before, the processor fetches many homes at
// once. Keys whose tail is all zeros are left to others.
func (t *table) unsettled(keys []uint64, stamp uint16) []uint64 {
	slots, scale, tag, n := t.slots, uint64(t.homes)<<(t.shift&63), uint64(stamp), 0
	if len(slots) < nearest || stamp == math.MaxUint16 { // a free slot looks like a key with that stamp
		return keys
	}
	last := len(slots) - nearest
	for _, key := range keys {
		keys[n] = key
		home := int(key >> 32 * scale >> 32) // or a slot before, or none to be found when it overflows
		if home > last || key<<precision>>(stampBits+precision) == 0 {
			n++
			continue
		}
		entry := key>>stampBits<<stampBits | tag
		n += int(1 ^ (equal(slots[home], entry) | equal(slots[home+1], entry) | equal(slots[home+2], entry) | equal(slots[home+3], entry)))
	}
	return keys[:n]
}

// equal returns 1 if a is b, else 0, without a jump.
func equal(a, b uint64) uint8 {
	if a == b {
		return 1
	}
	return 0
}

// nearest is how many slots hold nine keys of ten when 5 homes in 6 are taken.
const nearest = 4

// stride is the number of slots that find reads at once.
const stride = 8

// below returns 1 if a < b, else 0.
func below(a, b uint64) int {
	_, borrow := bits.Sub64(a, b, 0)
	return int(borrow)
}

// insert puts the entry in the slot that find gave for its key, and moves the
// entries from there to the next free slot one to the right.
func (t *table) insert(slot int, entry uint64) {
	t.used++
	for ; slot < len(t.slots) && t.slots[slot] != free; slot++ {
		t.slots[slot], entry = entry, t.slots[slot]
	}
	if slot == len(t.slots) {
		t.slots = append(t.slots, entry)
		return
	}
	t.slots[slot] = entry
}

// push puts in an entry whose key is above all others, where next is the slot
// after the last entry. It returns the next such slot.
func (t *table) push(next int, entry uint64) int {
	slot := max(next, t.home(entry>>stampBits))
	if slot == len(t.slots) {
		t.slots = append(t.slots, entry)
	} else {
		t.slots[slot] = entry
	}
	t.used++
	return slot + 1
}

// rebuild moves the entries with at least shift leading zeros to new slots, in
// which there is room for n.
func (t *table) rebuild(n int, shift uint8) {
	old := t.slots
	t.slots = nil
	t.reset(n, shift)
	next := 0
	for _, e := range old {
		if e != free && e>>(64-shift) == 0 {
			next = t.push(next, e)
		}
	}
}
