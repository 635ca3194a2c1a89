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
// of all keys.
func (s *Sample) MoveBefore(stamp uint16, into *Sample) {
	if into.table.shift < s.table.shift { // what s no longer covers was never looked at
		into.table.rebuild(into.table.used, s.table.shift)
	}
	old := s.table.slots
	for _, e := range old {
		if e != free && earlier(uint16(e), stamp) && into.covers(e>>stampBits) {
			into.add(e)
		}
	}
	shift := max(s.table.shift, into.table.shift)
	s.table.slots = nil
	s.table.reset(0, shift)
	for _, e := range old {
		if e != free && !earlier(uint16(e), stamp) && s.covers(e>>stampBits) {
			s.add(e)
		}
	}
}
