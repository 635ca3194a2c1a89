package sketch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"pgregory.net/rapid"
)

// sampled returns a sample of the keys from, ..., from+n-1 at one stamp.
func sampled(from, n uint64, stamp uint16) *Sample {
	var s Sample
	for h := from; h < from+n; h++ {
		s.Add(h, stamp)
	}
	return &s
}

// wantSample returns the bytes of a sample of the keys as its definition has
// them: the least k that leaves at most 4,096 keys.
func wantSample(first map[uint64]uint16) []byte {
	keys := make(map[uint64]uint16, len(first))
	for h, stamp := range first {
		keys[sampleKey(h)] = stamp
	}
	k := byte(0)
	for ; len(keys) > sampleLimit; k++ {
		maps.DeleteFunc(keys, func(key uint64, _ uint16) bool { return key>>(47-k) != 0 })
	}
	b := beginFrame(nil, kindSample, k, len(keys))
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		b = binary.LittleEndian.AppendUint64(b, key<<16|uint64(keys[key]))
	}
	endFrame(b, 0)
	return b
}

// TestSampleSetSemantics states that a sample is a function of the set of keys
// and of the earliest stamp of each, however they came together.
func TestSampleSetSemantics(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.OneOf(rapid.IntRange(0, 100), rapid.IntRange(0, 20_000)).Draw(t, "keys")
		base := rapid.SampledFrom([]uint16{0, 1_000, 65_530}).Draw(t, "first stamp")
		parts := make([]Sample, rapid.IntRange(1, 4).Draw(t, "parts"))
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 2))
		first := make(map[uint64]uint16, n)
		for _, k := range r.Perm(n) {
			for range 1 + r.IntN(2) {
				h, stamp := uint64(k), base+uint16(r.IntN(50))
				if old, ok := first[h]; !ok || earlier(stamp, old) {
					first[h] = stamp
				}
				parts[r.IntN(len(parts))].Add(h, stamp)
			}
		}
		var union Sample
		for _, i := range r.Perm(len(parts)) {
			union.Merge(&parts[i])
		}
		union.Merge(&union)
		got := encoded(t, &union)
		if !bytes.Equal(got, wantSample(first)) {
			t.Fatalf("union of %d parts is not the sample of all %d keys", len(parts), n)
		}
		checkTable(t, &union.table)

		var decoded Sample
		if err := decoded.UnmarshalBinary(got); err != nil {
			t.Fatal(err)
		}
		checkTable(t, &decoded.table)
		if !bytes.Equal(encoded(t, &decoded), got) {
			t.Fatal("the decoded sample differs")
		}
	})
}

// checkTable verifies the invariants of ordered linear probing.
func checkTable(t *rapid.T, table *table) {
	last, used := uint64(0), 0
	for i, e := range table.slots {
		if e == free {
			continue
		}
		used++
		key := e >> stampBits
		if used > 1 && key <= last {
			t.Fatalf("slot %d: key %#x after %#x", i, key, last)
		}
		last = key
		if slot, found := table.find(key); !found || slot != i {
			t.Fatalf("key %#x is in slot %d, found %t in %d", key, i, found, slot)
		}
	}
	if used != table.used || used > table.room {
		t.Fatalf("%d entries, used %d, room %d", used, table.used, table.room)
	}
}

func TestSampleAdd(t *testing.T) {
	s := sampled(0, 100, 10)
	if s.Add(5, 12) || s.Add(5, 7) {
		t.Error("a known key is said to be new")
	}
	if !s.Add(100, 7) {
		t.Error("an unknown key is not said to be new")
	}
	for stamp, want := range map[uint16]int{10: 99, 7: 2, 12: 0} {
		if got := s.FirstSeen(stamp); got != want {
			t.Errorf("first seen at %d: %d, want %d", stamp, got, want)
		}
	}
	if present, in := s.Contains(100); !present || !in {
		t.Errorf("key 100: present %t, sampled %t", present, in)
	}
	if present, in := s.Contains(101); present || !in {
		t.Errorf("key 101: present %t, sampled %t", present, in)
	}
}

func TestSampleHalves(t *testing.T) {
	for name, tt := range map[string]struct {
		keys uint64
		rate float64
	}{
		"nothing":    {0, 1},
		"full":       {4_096, 1},
		"one beyond": {4_097, 0.5},
		"history":    {1_000_000, 1. / 256},
	} {
		t.Run(name, func(t *testing.T) {
			s := sampled(0, tt.keys, 0)
			if s.Rate() != tt.rate || s.Len() > sampleLimit {
				t.Errorf("%d keys at rate %g, want rate %g", s.Len(), s.Rate(), tt.rate)
			}
			low, high := s.Interval()
			if n := s.Estimate(); low > n || high < n || (tt.rate == 1) != (low == high) {
				t.Errorf("interval %g to %g around %g", low, high, n)
			}
			if s.Size() > 41_100 {
				t.Errorf("%d bytes held", s.Size())
			}
			in := 0
			for h := range tt.keys {
				present, covered := s.Contains(h)
				if present != covered {
					t.Fatalf("key %d: present %t, sampled %t", h, present, covered)
				}
				if present {
					in++
				}
			}
			if in != s.Len() {
				t.Errorf("%d keys found, %d held", in, s.Len())
			}
		})
	}
}

func TestSampleOverlap(t *testing.T) {
	const trials = 40
	for name, tt := range map[string]struct {
		a, b, both uint64
		want       float64 // the largest relative RMS error of the Jaccard index
	}{
		"small and exact":    {1_000, 3_000, 500, 0},
		"nothing in common":  {50_000, 50_000, 0, 0},
		"Jaccard 1 %":        {50_500, 50_500, 1_000, 0.20},
		"Jaccard 10 %":       {55_000, 55_000, 10_000, 0.06},
		"Jaccard 50 %":       {75_000, 75_000, 50_000, 0.025},
		"unequal sizes":      {2_000, 200_000, 1_000, 0.35},
		"one inside another": {10_000, 100_000, 10_000, 0.08},
	} {
		t.Run(name, func(t *testing.T) {
			union := float64(tt.a + tt.b - tt.both)
			truth := float64(tt.both) / union
			square, inside := 0.0, 0
			for trial := range uint64(trials) {
				base := trial << 32
				a, b := sampled(base, tt.a, 0), sampled(base+tt.a-tt.both, tt.b, 0)
				got := a.Overlap(b)
				if got != b.Overlap(a) {
					t.Fatal("overlap is not symmetric")
				}
				if tt.both > 0 {
					square += squared(got.Jaccard.Value/truth-1) / trials
				}
				if got.Jaccard.Low <= truth && truth <= got.Jaccard.High &&
					got.Intersection.Low <= float64(tt.both) && float64(tt.both) <= got.Intersection.High {
					inside++
				}
			}
			if rms := math.Sqrt(square); rms > tt.want {
				t.Errorf("RMS error %.3f of the Jaccard index, want at most %.3f", rms, tt.want)
			} else {
				t.Logf("RMS error %.3f, %d of %d intervals hold the truth", rms, inside, trials)
			}
			// Both intervals at once: 90 % nominal at the least, 30 of 40 is 3 sigma below.
			if inside < 30 {
				t.Errorf("%d of %d intervals hold the truth", inside, trials)
			}
		})
	}
	var none Sample
	if got := none.Overlap(&none); got != (Overlap{}) {
		t.Errorf("overlap of nothing with nothing is %+v", got)
	}
}

func TestSampleReuse(t *testing.T) {
	big, small := sampled(0, 100_000, 3), sampled(0, 10, 4)
	var s Sample
	s.CopyFrom(big)
	s.Reset()
	if s.Len() != 0 || s.Rate() != 1 || s.Size() != 56+8*cap(s.table.slots) {
		t.Errorf("after Reset: %d keys at rate %g in %d bytes", s.Len(), s.Rate(), s.Size())
	}
	if int(unsafe.Sizeof(s)) != 56 {
		t.Errorf("the struct has %d bytes", unsafe.Sizeof(s))
	}
	s.CopyFrom(small) // a small table in a large slice must still grow
	for h := range uint64(100_000) {
		s.Add(h, 3)
	}
	if want := encoded(t, big); !bytes.Equal(encoded(t, &s), want) {
		t.Error("a reused sample differs from a new one")
	}
}

// TestSampleFormat freezes version 1 of the bytes: data directories hold them.
func TestSampleFormat(t *testing.T) {
	for name, tt := range map[string]struct {
		keys uint64
		size int
		sum  uint32 // CRC-32 (IEEE) of the bytes, as first released
	}{
		"empty":  {0, 8, 0x3d663b11},
		"whole":  {100, 808, 0xc8e2f1b1},
		"halved": {100_000, 25_344, 0xc9d06e2},
	} {
		b := encoded(t, sampled(1, tt.keys, 513))
		if sum := crc32.ChecksumIEEE(b); len(b) != tt.size || sum != tt.sum {
			t.Errorf("%s: %d bytes with checksum %#x, want %d with %#x", name, len(b), sum, tt.size, tt.sum)
		}
	}
}

func TestSampleDamage(t *testing.T) {
	reseal := func(b []byte) []byte { endFrame(b, 0); return b }
	frame := func(shift byte, entries ...uint64) []byte {
		b := beginFrame(nil, kindSample, shift, len(entries))
		for _, e := range entries {
			b = binary.LittleEndian.AppendUint64(b, e)
		}
		return reseal(b)
	}
	whole := encoded(t, sampled(0, 10, 0))
	flipped := bytes.Clone(whole)
	flipped[9] ^= 1
	tests := map[string][]byte{
		"nothing":                    nil,
		"cut":                        whole[:len(whole)-8],
		"flipped bit":                flipped,
		"other kind":                 reseal(append([]byte{kindDistinct}, whole[1:]...)),
		"rate too small":             frame(maxShift+1, 1<<16),
		"key that marks a free slot": frame(0, free),
		"key out of range":           frame(1, 1<<63),
		"unordered":                  frame(0, 5<<16, 4<<16),
		"one key twice":              frame(0, 5<<16, 5<<16|1),
		"too many":                   frame(0, make([]uint64, sampleLimit+1)...),
	}
	for name, b := range tests {
		t.Run(name, func(t *testing.T) {
			s := sampled(0, 50, 0)
			if err := s.UnmarshalBinary(b); !errors.Is(err, ErrCorrupt) {
				t.Errorf("error %v, want ErrCorrupt", err)
			}
			if s.Len() != 0 {
				t.Error("the sample is not empty after an error")
			}
		})
	}
}
