package sketch

import "math"

// SeenBetween returns how many keys of the sample were first seen at a stamp
// from the first on and before the last. It reads the whole sample.
func (s *Sample) SeenBetween(first, last uint16) int {
	n, width, unused := 0, uint64(last-first), uint64(math.MaxUint16-first) // what a free slot looks like
	for _, e := range s.table.slots {
		n += below(uint64(uint16(e)-first), width) // no branch, which could not be predicted
	}
	if unused < width {
		n -= len(s.table.slots) - s.table.used
	}
	return n
}

// MoveBefore moves the keys first seen before the stamp into another sample and
// narrows both to the range that each covers, so that they speak of the same part
// of all keys. It keeps memory for as many keys as there were.
func (s *Sample) MoveBefore(stamp uint16, into *Sample) {
	t := &s.table
	if into.table.shift < t.shift { // what s no longer covers was never looked at
		into.table.rebuild(into.table.used, t.shift)
	}
	var stay []uint64
	for _, e := range t.slots {
		switch {
		case e == free:
		case !earlier(uint16(e), stamp):
			stay = append(stay, e)
		case into.covers(e >> stampBits):
			into.add(e)
		}
	}
	if t.used < t.room/4 {
		t.slots = nil
	}
	t.reset(t.used, max(t.shift, into.table.shift))
	next := 0
	for _, e := range stay {
		if s.covers(e >> stampBits) {
			next = t.push(next, e)
		}
	}
}
