package detector

import (
	"math/bits"

	"github.com/memberwatch/memberwatch"
)

// canaries holds the planted members. A filter with one bit set among some 64
// for each canary stands before the exact set, so that one look at a word in
// cache settles 98 of 100 members and the rest cost a look into the set. There
// are no errors either way.
type canaries struct {
	members map[uint64]struct{}
	filter  []uint64
	shift   int // of a spread hash, down to a place in the filter
}

// apply takes a declaration.
func (c *canaries) apply(declared *memberwatch.Canaries) {
	if c.members == nil {
		c.members = make(map[uint64]struct{})
	}
	for _, m := range declared.Members {
		if declared.Withdrawn {
			delete(c.members, uint64(m))
		} else {
			c.members[uint64(m)] = struct{}{}
		}
	}
	places := bits.Len(uint(len(c.members))) + 6 // log2 of 64 to 128 bits for each
	c.filter = make([]uint64, 1<<max(places-6, 0))
	c.shift = 64 - places
	for m := range c.members { // a union: the order does not matter
		place := spread(m) >> c.shift
		c.filter[place/64] |= 1 << (place % 64)
	}
}

// spread mixes a hash by Fibonacci hashing: producers' hashes are even enough,
// test data need not be.
func spread(m uint64) uint64 { return m * 0x9e3779b97f4a7c15 }

func (c *canaries) has(m uint64) bool {
	place := spread(m) >> c.shift
	if c.filter[place/64]&(1<<(place%64)) == 0 {
		return false
	}
	_, ok := c.members[m]
	return ok
}

// checkCanaries raises a call that discloses planted members or asks for them by
// id, whatever came of it: nobody comes by their ids honestly.
func (e *Engine) checkCanaries(s *State, ev *memberwatch.Event, hour *window) {
	if len(e.canaries.members) == 0 {
		return
	}
	found := e.found[:0]
	for _, m := range ev.Disclosed {
		if e.canaries.has(m) {
			found = append(found, m)
		}
	}
	e.found = found
	touched := len(found) > 0
	for i := 0; i < len(ev.Requested) && !touched; i++ {
		touched = e.canaries.has(ev.Requested[i])
	}
	if touched {
		e.breakRule(s, memberwatch.KindCanary, "", ev, found, hour)
	}
}
