package sketch

import "slices"

// Counting distinct members. Up to 128 different keys are kept and counted
// exactly, as a sorted list of mixed keys; beyond that only the 4,096
// HyperLogLog registers of registers.go remain, 3,072 bytes.
//
// The 95 % interval of the dense form is n/(1 + 1.96 s) to n/(1 - 1.96 s) with
// s = 1.04/sqrt(4096), the error Flajolet et al. 2007 give.
//
// When it lies: the dense form errs by 1.6 % on average, see registers.go; below
// about 5,000 keys the interval is wider than it need be. Between 129 and some
// 135 keys the estimate may stand still, as it never falls below 129.

const exactLimit = 128

// Distinct counts different 64-bit keys. The zero value is an empty counter.
// Equal sets of keys give equal counters, whatever the order of calls.
type Distinct struct {
	// words is the sorted exact keys while at most exactLimit long, else the
	// registers. One slice serves both, so that Reset can keep the memory.
	words []uint64
	// tally belongs to the registers and is zero in the exact form. It is
	// uncounted when registers were merged since it was right.
	tally tally
}

// uncounted is the tally of no registers; it is never written to.
var uncounted = tally{zeros: registerCount + 1}

// recount makes the tally right: merging many sketches counts once.
func (d *Distinct) recount() {
	if d.tally == uncounted {
		d.tally = (*registers)(d.words).count()
	}
}

// Insert adds the key h and reports whether the counter changed. In the exact
// form that means that h is new; in the dense form most new keys, and all old
// ones, change nothing.
func (d *Distinct) Insert(h uint64) bool { return d.insert(mix(h)) }

// insert adds a mixed key.
func (d *Distinct) insert(key uint64) bool {
	if len(d.words) == wordCount {
		d.recount()
		return (*registers)(d.words).observe(key, &d.tally)
	}
	i := lowerBound(d.words, key)
	if i < len(d.words) && d.words[i] == key {
		return false
	}
	d.put(i, key)
	return true
}

// put adds a mixed key to the exact keys at its place, or to registers in their
// stead if there are too many.
func (d *Distinct) put(i int, key uint64) {
	if len(d.words) < exactLimit {
		d.words = slices.Insert(d.words, i, key)
		return
	}
	d.densify(d.words)
	(*registers)(d.words).observe(key, &d.tally)
}

// InsertMixed adds mixed keys, and returns those that may be new: in the exact form
// those that are, some twice, in the dense form all. They are in the memory of
// the keys, in no certain order.
func (d *Distinct) InsertMixed(keys []uint64) []uint64 {
	if d.Exact() {
		keys = d.unmet(keys)
	}
	n, rest := 0, keys
	for len(rest) > 0 && d.Exact() {
		run := rest[:min(len(rest), exactLimit)]
		rest = rest[len(run):]
		sortMixed(run)
		run = slices.Compact(run)
		d.addSorted(run)
		n += copy(keys[n:], run)
	}
	for _, key := range rest {
		d.insert(key)
	}
	n += copy(keys[n:], rest)
	return keys[:n]
}

// unmet returns the mixed keys without those that the exact counter holds, in the memory
// of the keys. As the keys are uniform, mostly no two have their first bits in common,
// and these lead to the one that may be the same; to search takes seven steps that wait
// for each other.
func (d *Distinct) unmet(keys []uint64) []uint64 {
	if d.Empty() {
		return keys
	}
	const first = 10 // bits
	var at [1 << first]uint8
	words, n := d.words, 0
	for i, key := range words {
		at[key>>(64-first)] = uint8(i)
	}
	for _, key := range keys {
		if words[at[key>>(64-first)]] == key {
			continue
		}
		if i := lowerBound(words, key); i == len(words) || words[i] != key {
			keys[n] = key
			n++
		}
	}
	return keys[:n]
}

// densify replaces the exact form by the registers of the mixed keys, which
// may be the counter's own.
func (d *Distinct) densify(keys []uint64) {
	var own [2 * exactLimit]uint64
	n := copy(own[:], keys)
	r := d.registers()
	clear(r[:])
	d.tally = tally{zeros: registerCount}
	for _, key := range own[:n] {
		r.observe(key, &d.tally)
	}
}

// registers makes room for registers; what they hold is left over.
func (d *Distinct) registers() *registers {
	if cap(d.words) < wordCount {
		d.words = make([]uint64, wordCount)
	}
	d.words = d.words[:wordCount]
	return (*registers)(d.words)
}

// Merge adds all keys of o, which stays as it is.
func (d *Distinct) Merge(o *Distinct) {
	switch {
	case len(o.words) == 0:
	case len(d.words) == 0:
		d.CopyFrom(o)
	case o.Exact():
		d.addSorted(o.words)
	case d.Exact():
		var own [exactLimit]uint64
		n := copy(own[:], d.words)
		d.CopyFrom(o)
		for _, key := range own[:n] {
			d.raise(key)
		}
	default:
		if (*registers)(d.words).merge((*registers)(o.words)) {
			d.tally = uncounted
		}
	}
}

// raise adds a mixed key to the registers. A tally that is right stays right.
func (d *Distinct) raise(key uint64) {
	if r := (*registers)(d.words); d.tally == uncounted {
		r.lift(key)
	} else {
		r.observe(key, &d.tally)
	}
}

// addSorted adds mixed keys that are sorted.
func (d *Distinct) addSorted(keys []uint64) {
	if !d.Exact() {
		for _, key := range keys {
			d.raise(key)
		}
		return
	}
	if len(d.words)+len(keys) <= fewKeys {
		d.words = weave(d.words, keys)
		return
	}
	var union [2 * exactLimit]uint64
	n := mergeSorted(&union, d.words, keys)
	if n > exactLimit {
		d.densify(union[:n])
	} else {
		d.words = append(d.words[:0], union[:n]...)
	}
}

// Lend gives an empty counter memory to work in, of at most the capacity of the
// words, which nobody else may use. With WordsAtMost of them it never takes any of
// its own.
func (d *Distinct) Lend(words []uint64) { d.words = words[:0] }

// WordsAtMost is how many words a counter needs at most.
const WordsAtMost = wordCount

// Estimate returns the number of different keys inserted: exact up to 128, an
// estimate of at least 129 beyond. It never falls while keys are added.
func (d *Distinct) Estimate() float64 {
	if d.Exact() {
		return float64(len(d.words))
	}
	d.recount()
	return max(d.tally.estimate(), exactLimit+1)
}

// Interval returns the bounds between which the true number lies in 95 % of
// cases; both are the estimate when the counter is exact.
func (d *Distinct) Interval() (low, high float64) {
	n := d.Estimate()
	if d.Exact() {
		return n, n
	}
	const margin = z95 * 1.04 / 64 // 64 is the root of 4,096
	return max(n/(1+margin), exactLimit+1), n / (1 - margin)
}

// z95 is the 97.5 % point of the normal distribution.
const z95 = 1.959963984540054

// Exact reports whether the counter still holds every key.
func (d *Distinct) Exact() bool { return len(d.words) <= exactLimit }

// Empty reports whether no key was inserted.
func (d *Distinct) Empty() bool { return len(d.words) == 0 }

// Size returns the bytes of memory held, with spare capacity.
func (d *Distinct) Size() int { return 40 + 8*cap(d.words) }

// Reset empties the counter and keeps its memory for reuse.
func (d *Distinct) Reset() {
	d.words = d.words[:0]
	d.tally = tally{}
}

// CopyFrom makes the counter equal to o without sharing memory.
func (d *Distinct) CopyFrom(o *Distinct) {
	if cap(d.words) < len(o.words) {
		d.words = make([]uint64, len(o.words))
	}
	d.words = d.words[:len(o.words)]
	copy(d.words, o.words)
	d.tally = o.tally
}

// Touch reads where mixed keys will enter, so that the processor has it at hand, and
// returns a sum that means nothing.
func (d *Distinct) Touch(keys []uint64) uint64 {
	sum := uint64(0)
	if !d.Exact() {
		r := (*registers)(d.words)
		for _, key := range keys {
			g := r.group(key >> 58)
			sum += g[0] + g[planes-1]
		}
		return sum
	}
	for i := 0; i < len(d.words); i += 8 {
		sum += d.words[i]
	}
	return sum
}
