package sketch

import (
	"math/bits"
	"slices"
)

// Lists of mixed keys, each sorted and without repetitions: the exact form of a counter.
// Which of two keys is the smaller cannot be predicted, so little is decided by a jump.

// fewKeys are as many as are united faster in place than without jumps.
const fewKeys = 32

// sortMixed sorts at most exactLimit mixed keys. As they are uniform, their first bits
// nearly tell their places.
func sortMixed(keys []uint64) {
	if len(keys) < 2 {
		return
	}
	const first = 6 // bits
	var places [1 << first]uint8
	var own [exactLimit]uint64
	copy(own[:], keys)
	for _, key := range keys {
		places[key>>(64-first)]++
	}
	end := uint8(0)
	for i, n := range places {
		end += n
		places[i] = end
	}
	for _, key := range own[:len(keys)] {
		place := &places[key>>(64-first)]
		*place--
		keys[*place] = key
	}
	for i, key := range keys {
		for ; i > 0 && keys[i-1] > key; i-- {
			keys[i] = keys[i-1]
		}
		keys[i] = key
	}
}

// lowerBound returns the index of the first of the sorted keys not below key.
// It takes the borrow of a subtraction for the comparison: the branches of
// slices.BinarySearch cannot be predicted and cost four times as much.
func lowerBound(keys []uint64, key uint64) int {
	base, n := 0, len(keys)
	for n > 1 {
		half := n / 2
		_, below := bits.Sub64(keys[base+half-1], key, 0)
		base += half & -int(below)
		n -= half
	}
	if n == 1 && keys[base] < key {
		base++
	}
	return base
}

// weave adds sorted keys to sorted keys in their place, from the last on.
func weave(keys, more []uint64) []uint64 {
	i, j, to := len(keys)-1, len(more)-1, len(keys)+len(more)-1
	keys = slices.Grow(keys, len(more))[:to+1]
	for j >= 0 {
		key := more[j]
		if i >= 0 && keys[i] >= key {
			key = keys[i]
			i--
		}
		if key == more[j] {
			j--
		}
		keys[to] = key
		to--
	}
	return slices.Delete(keys, i+1, to+1) // a key that both had left a gap
}

// mergeSorted writes the union of the sorted keys of a and b and returns its
// size. Which of two keys is the smaller cannot be predicted, so nothing is
// decided by a jump.
func mergeSorted(union *[2 * exactLimit]uint64, a, b []uint64) int {
	n, i, j := 0, 0, 0
	for i < len(a) && j < len(b) {
		x, y := a[i], b[j]
		union[n] = min(x, y)
		n++
		i += 1 - below(y, x)
		j += 1 - below(x, y)
	}
	n += copy(union[n:], a[i:])
	return n + copy(union[n:], b[j:])
}
