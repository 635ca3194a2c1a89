package sketch

// The sketches need keys whose bits are uniform and independent. Callers give
// member hashes, but tests and small imports give 1, 2, 3, so every key first
// goes through one step of SplitMix64:
//
//	x = h + 0x9e3779b97f4a7c15
//	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
//	x = (x ^ x>>27) * 0x94d049bb133111eb
//	x = x ^ x>>31
//
// Source: Steele, Lea and Flood 2014, "Fast splittable pseudorandom number
// generators", with Stafford's variant 13 of the finalizer. The step is a
// bijection, so different keys never collide in it.
//
// When it lies: it is public and invertible. Whoever can choose the 64-bit keys
// can choose what a sketch holds; member hashes must therefore be keyed.

// Mix does with a key what counters and samples do with those that they are given,
// once for one that is to enter several.
func Mix(h uint64) uint64 { return mix(h) }

// MixTo mixes keys into words, of which there must be as many.
func MixTo(words, keys []uint64) {
	words = words[:len(keys)]
	for i, h := range keys {
		words[i] = mix(h)
	}
}

// mix spreads the key h over all 64 bits, one to one.
func mix(h uint64) uint64 {
	h += 0x9e3779b97f4a7c15 // keeps h = 0 from being its own image
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
