package detector

import (
	"maps"
	"slices"
)

// keepFirst deletes all but the first so many keys of a map, by an order in which no
// two keys are equal.
func keepFirst[K comparable, V any](m map[K]V, most int, compare func(a, b K) int) {
	if len(m) <= most {
		return
	}
	for _, key := range slices.SortedFunc(maps.Keys(m), compare)[most:] {
		delete(m, key)
	}
}

// entry returns what a map holds at a key, and puts an empty one there if need be.
func entry[K comparable, V any](m *map[K]*V, key K) *V {
	v, ok := (*m)[key]
	if !ok {
		if *m == nil {
			*m = make(map[K]*V)
		}
		v = new(V)
		(*m)[key] = v
	}
	return v
}
