package sketch

import (
	"bytes"
	"encoding"
	"errors"
	"hash/crc32"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"pgregory.net/rapid"
)

// counted returns a counter of the keys from, from+1, ..., from+n-1.
func counted(from, n uint64) *Distinct {
	var d Distinct
	for h := from; h < from+n; h++ {
		d.Insert(h)
	}
	return &d
}

// encoded returns the bytes of a sketch, whose encoding cannot fail.
func encoded(t rapid.TB, s encoding.BinaryAppender) []byte {
	t.Helper()
	b, err := s.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// naive is HyperLogLog as the textbook has it, one register a byte.
type naive [registerCount]uint64

func (n *naive) insert(h uint64) {
	key := mix(h)
	rank := min(uint64(bits.LeadingZeros64(key<<12))+1, maxRank)
	n[key>>52] = max(n[key>>52], rank)
}

// estimate is Ertl's formula evaluated in floating point.
func (n *naive) estimate() float64 {
	var zeros, rest float64
	for _, r := range n {
		if r == 0 {
			zeros++
		} else {
			rest += math.Ldexp(1, -int(r))
		}
	}
	x := zeros / registerCount
	sigma := x
	for k := range 60 {
		sigma += math.Pow(x, math.Ldexp(1, k+1)) * math.Ldexp(1, k)
	}
	return registerCount * registerCount / (2 * math.Ln2) / (registerCount*sigma + rest)
}

func TestDistinctCounts(t *testing.T) {
	tests := map[string]struct {
		keys      uint64
		exact     bool
		tolerance float64 // relative: five standard errors
	}{
		"nothing":              {0, true, 0},
		"one key":              {1, true, 0},
		"last exact":           {128, true, 0},
		"first dense":          {129, false, 5 * 0.016},
		"sparse registers":     {1_000, false, 5 * 0.016},
		"registers filling up": {20_000, false, 5 * 0.016},
		"no register at zero":  {1_000_000, false, 5 * 0.016},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := counted(0, tt.keys)
			got, want := d.Estimate(), float64(tt.keys)
			if math.Abs(got-want) > tt.tolerance*want {
				t.Errorf("estimate %g of %g keys", got, want)
			}
			if d.Exact() != tt.exact || d.Empty() != (tt.keys == 0) {
				t.Errorf("exact %t, empty %t", d.Exact(), d.Empty())
			}
			low, high := d.Interval()
			if low > got || high < got || tt.exact != (low == high) {
				t.Errorf("interval %g to %g around %g", low, high, got)
			}
		})
	}
}

func TestDistinctInsertReportsChange(t *testing.T) {
	var d Distinct
	for h := range uint64(129) {
		if !d.Insert(h) {
			t.Fatalf("key %d is new but nothing changed", h)
		}
		if d.Insert(h) {
			t.Fatalf("key %d is known but something changed", h)
		}
	}
	for h := range uint64(5_000) {
		before := encoded(t, &d)
		if changed := d.Insert(h); changed == bytes.Equal(before, encoded(t, &d)) {
			t.Fatalf("key %d: Insert says %t, the bytes say otherwise", h, changed)
		}
	}
}

// TestDistinctMatchesTextbook compares every register and the estimate with a
// plain HyperLogLog after inserts and after merges.
func TestDistinctMatchesTextbook(t *testing.T) {
	var want naive
	d := counted(0, 0)
	for part := range uint64(12) {
		// Every part doubles the set and overlaps the one before.
		from, n := uint64(100)<<part>>1, uint64(100)<<part
		d.Merge(counted(from, n))
		for h := from; h < from+n; h++ {
			want.insert(h)
		}
		if d.Exact() {
			continue
		}
		r := (*registers)(d.words)
		for i, w := range want {
			if got := r.group(uint64(i) / lanes).at(uint64(i) % lanes); got != w {
				t.Fatalf("part %d: register %d is %d, want %d", part, i, got, w)
			}
		}
		if got, w := d.Estimate(), want.estimate(); math.Abs(got/w-1) > 1e-12 {
			t.Errorf("part %d: estimate %g, textbook %g", part, got, w)
		}
		if r.count() != d.tally {
			t.Errorf("part %d: running tally %+v, counted %+v", part, d.tally, r.count())
		}
	}
}

// TestDistinctSetSemantics states that only the set of keys matters.
func TestDistinctSetSemantics(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.OneOf(rapid.IntRange(0, 300), rapid.IntRange(0, 9_000)).Draw(t, "keys")
		parts := make([]Distinct, rapid.IntRange(1, 4).Draw(t, "parts"))
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		keys := r.Perm(n)
		estimate := 0.0
		for _, k := range keys {
			for range 1 + r.IntN(2) {
				parts[r.IntN(len(parts))].Insert(uint64(k))
			}
			if now := parts[0].Estimate(); now < estimate {
				t.Fatalf("estimate fell from %g to %g", estimate, now)
			} else {
				estimate = now
			}
		}
		var union Distinct
		for _, i := range r.Perm(len(parts)) {
			before := union.Estimate()
			union.Merge(&parts[i])
			if union.Estimate() < before {
				t.Fatalf("a merge took the estimate from %g to %g", before, union.Estimate())
			}
		}
		union.Merge(&union)
		want := counted(0, uint64(n))
		if !bytes.Equal(encoded(t, &union), encoded(t, want)) || union.tally != want.tally {
			t.Fatalf("union of %d parts differs from the counter of all keys", len(parts))
		}
	})
}

func TestDistinctRoundTrip(t *testing.T) {
	used := counted(7, 3_000) // decoding must replace what was there
	for _, n := range []uint64{0, 1, 127, 128, 129, 5_000, 300_000, 2, 0} {
		d := counted(0, n)
		b := encoded(t, d)
		if err := used.UnmarshalBinary(b); err != nil {
			t.Fatalf("%d keys: %v", n, err)
		}
		if !bytes.Equal(encoded(t, used), b) || used.Estimate() != d.Estimate() {
			t.Errorf("%d keys: decoded counter differs", n)
		}
		var c Distinct
		c.CopyFrom(d)
		c.Insert(1 << 40)
		if !bytes.Equal(encoded(t, d), b) {
			t.Errorf("%d keys: a copy shares memory with its source", n)
		}
	}
}

// TestDistinctFormat freezes version 2 of the bytes: data directories hold them.
func TestDistinctFormat(t *testing.T) {
	for name, tt := range map[string]struct {
		keys uint64
		size int
		sum  uint32 // CRC-32 (IEEE) of the bytes, as first released
	}{
		"empty": {0, 8, 0x9e4453dd},
		"exact": {100, 808, 0xce058430},
		"few":   {200, 992, 0x72ecdce6},
		"dense": {10_000, 8 + 64 + 8*239, 0xb4940e05},
	} {
		b := encoded(t, counted(1, tt.keys))
		if sum := crc32.ChecksumIEEE(b); len(b) != tt.size || sum != tt.sum {
			t.Errorf("%s: %d bytes with checksum %#x, want %d with %#x", name, len(b), sum, tt.size, tt.sum)
		}
	}
}

func TestDistinctResetKeepsMemory(t *testing.T) {
	d := counted(0, 1_000)
	size := d.Size()
	if want := int(unsafe.Sizeof(*d)) + 8*wordCount; size != want {
		t.Errorf("size %d, want %d", size, want)
	}
	d.Reset()
	if !d.Empty() || d.Estimate() != 0 || d.Size() != size {
		t.Errorf("after Reset: empty %t, estimate %g, size %d", d.Empty(), d.Estimate(), d.Size())
	}
	if !bytes.Equal(encoded(t, d), encoded(t, &Distinct{})) {
		t.Error("a reset counter encodes otherwise than a new one")
	}
}

func TestDistinctDamage(t *testing.T) {
	reseal := func(b []byte) []byte { endFrame(b, 0); return b }
	exact, dense := encoded(t, counted(0, 3)), encoded(t, counted(0, 1_000))
	change := func(b []byte, at int, to ...byte) []byte {
		b = bytes.Clone(b)
		copy(b[at:], to)
		return b
	}
	swapped := append(append(bytes.Clone(exact[:8]), exact[16:24]...), exact[8:16]...)
	tests := map[string][]byte{
		"nothing":            nil,
		"header only":        exact[:7],
		"cut":                exact[:len(exact)-1],
		"longer":             append(bytes.Clone(exact), 0),
		"flipped bit":        change(exact, 20, exact[20]^4),
		"other kind":         reseal(change(exact, 0, kindSample)),
		"unordered keys":     reseal(append(swapped, exact[24:]...)),
		"repeated key":       reseal(change(exact, 8, exact[16:24]...)),
		"too many keys":      reseal(append([]byte{kindDistinct, 0, 129, 0, 0, 0, 0, 0}, make([]byte, 8*129)...)),
		"too short":          reseal(append([]byte{kindDistinct, 1, 7, 0, 0, 0, 0, 0}, make([]byte, 8*7)...)),
		"no such form":       reseal(change(dense, 1, 3)),
		"no register set":    reseal(append([]byte{kindDistinct, 1, 8, 0, 0, 0, 0, 0}, make([]byte, 8*8)...)),
		"seventh plane":      reseal(change(dense, 8, dense[8]&^1|1<<6)),
		"a plane less":       reseal(change(dense, 8, dense[8]&^1)),
		"a word is zero":     reseal(change(dense, 8+groupCount, make([]byte, 8)...)),
		"register too large": reseal(append(append([]byte{kindDistinct, 1, 14, 0, 0, 0, 0, 0, 1<<planes - 1}, make([]byte, groupCount-1)...), bytes.Repeat([]byte{255}, 8*planes)...)),
	}
	for name, b := range tests {
		t.Run(name, func(t *testing.T) {
			d := counted(0, 500)
			if err := d.UnmarshalBinary(b); !errors.Is(err, ErrCorrupt) {
				t.Errorf("error %v, want ErrCorrupt", err)
			}
			if !d.Empty() {
				t.Error("the counter is not empty after an error")
			}
		})
	}
}

// TestDistinctMergeBinaryIsMerge merges encoded counters in every combination of
// forms, and wants what Merge makes of them.
func TestDistinctMergeBinaryIsMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.SampledFrom([]int{0, 1, 100, 128, 129, 200, 5000})
		var want, got Distinct
		from, to := uint64(0), uint64(size.Draw(t, "own"))
		for h := from; h < to; h++ {
			want.Insert(h)
			got.Insert(h)
		}
		for range rapid.IntRange(1, 4).Draw(t, "merges") {
			var o Distinct
			from = uint64(rapid.IntRange(0, 300).Draw(t, "from"))
			to = from + uint64(size.Draw(t, "other"))
			for h := from; h < to; h++ {
				o.Insert(h)
			}
			encoded, _ := o.AppendBinary(nil)
			want.Merge(&o)
			if err := got.MergeBinary(encoded); err != nil {
				t.Fatal(err)
			}
			broken := slices.Clone(encoded)
			broken[rapid.IntRange(0, len(broken)-1).Draw(t, "byte")] ^= 1
			if err := got.MergeBinary(broken); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("damaged bytes merged: %v", err)
			}
		}
		a, _ := want.AppendBinary(nil)
		b, _ := got.AppendBinary(nil)
		if !bytes.Equal(a, b) || want.Estimate() != got.Estimate() {
			t.Fatalf("estimates %v, want %v", got.Estimate(), want.Estimate())
		}
		if want.Insert(1<<40) != got.Insert(1<<40) || want.Estimate() != got.Estimate() {
			t.Fatal("they differ after a further key")
		}
	})
}

// TestFindBinaryNeverDeniesAKey looks for keys that are there and for foreign ones.
func TestFindBinaryNeverDeniesAKey(t *testing.T) {
	for _, n := range []uint64{0, 1, 2, 127, 128, 129, 500, 20_000} {
		b := encoded(t, counted(1, n))
		for h := uint64(1); h <= n; h++ {
			want := Present
			if n > exactLimit {
				want = Possible
			}
			if got, err := FindBinary(b, h); got != want || err != nil {
				t.Fatalf("key %d of %d: %d, %v, want %d", h, n, got, err, want)
			}
		}
		possible := 0
		for h := n + 1; h <= n+4096; h++ {
			switch got, err := FindBinary(b, h); {
			case err != nil || got == Present || got == Possible && n <= exactLimit:
				t.Fatalf("key %d beside %d: %d, %v", h, n, got, err)
			case got == Possible:
				possible++
			}
		}
		// A register holds the largest rank of n/4,096 keys on average, and a foreign
		// key's rank is no larger with probability below that.
		if n > exactLimit && float64(possible) > 1.5*float64(n) {
			t.Errorf("%d foreign keys of 4,096 are possible beside %d", possible, n)
		}
	}
	if got, err := FindBinary(nil, 1); got != Absent || err != nil {
		t.Errorf("no bytes: %d, %v", got, err)
	}
	damaged := encoded(t, counted(1, 500))
	damaged[20] ^= 1
	if _, err := FindBinary(damaged, 1); !errors.Is(err, ErrCorrupt) {
		t.Errorf("damaged: %v", err)
	}
}
