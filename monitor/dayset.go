package monitor

import (
	"math/bits"
	"slices"
)

// daySet is a set of days since the epoch, 64 to a word, in order of days.
type daySet []dayWord

// dayWord holds day 64*index+i where bit i is set.
type dayWord struct {
	index int32
	days  uint64
}

// add puts in day first+i for each bit i.
func (s *daySet) add(first int32, days uint64) {
	index, shift := first>>6, uint(first&63)
	s.word(index, days<<shift)
	if rest := days >> (64 - shift); rest != 0 {
		s.word(index+1, rest)
	}
}

func (s *daySet) word(index int32, days uint64) {
	i := len(*s) // new days mostly come last
	for i > 0 && (*s)[i-1].index > index {
		i--
	}
	if i > 0 && (*s)[i-1].index == index {
		(*s)[i-1].days |= days
	} else {
		*s = slices.Insert(*s, i, dayWord{index, days})
	}
}

// join puts in all days of another set.
func (s *daySet) join(o daySet) {
	for _, w := range o {
		s.word(w.index, w.days)
	}
}

func (s daySet) count() (n int32) {
	for _, w := range s {
		n += int32(bits.OnesCount64(w.days))
	}
	return n
}
