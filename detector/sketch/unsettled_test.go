package sketch

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestUnsettledChangesNothing states that keys which a sample knows from the same
// stamp may be left out: the sample, and the counter of that stamp, come out as if
// each key had been added to both. Keys of the pool differ in little from one another.
func TestUnsettledChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pool := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) uint64 {
			return rapid.Uint64Range(0, 3).Draw(t, "head")<<60 | rapid.Uint64Range(0, 1000).Draw(t, "tail")<<rapid.SampledFrom([]uint{0, 10, 16}).Draw(t, "shift")
		}), 1, 600).Draw(t, "keys")
		var known Sample
		for _, key := range pool[:len(pool)/4] {
			known.AddUnknown([]uint64{key}, 0, new(Sample))
		}
		var fast, slow Sample
		for i := range rapid.IntRange(0, 2000).Draw(t, "before") { // so that some runs find a part of the keys sampled
			fast.Add(uint64(i)*3, 1)
			slow.Add(uint64(i)*3, 1)
		}
		var fastHours, slowHours [3]Distinct
		for i := range rapid.SampledFrom([]int{0, 120, 200}).Draw(t, "others") { // exact, hardly, and not from the start
			for hour := range fastHours {
				fastHours[hour].Insert(uint64(i))
				slowHours[hour].Insert(uint64(i))
			}
		}
		for range rapid.IntRange(1, 12).Draw(t, "runs") {
			hour := rapid.IntRange(0, 2).Draw(t, "hour")
			stamp := uint16(5 + hour)
			run := rapid.SliceOfN(rapid.SampledFrom(pool), 0, 200).Draw(t, "run")
			for _, key := range run {
				slowHours[hour].insert(key)
				slow.AddUnknown([]uint64{key}, stamp, &known)
			}
			run = slices.Clone(run)
			if !fastHours[hour].Exact() {
				run = fast.Unsettled(run, stamp)
			}
			fast.AddUnknown(fastHours[hour].InsertMixed(run), stamp, &known)
		}
		for hour := range fastHours {
			if !bytes.Equal(encoded(t, &fastHours[hour]), encoded(t, &slowHours[hour])) {
				t.Fatalf("counters of hour %d differ", hour)
			}
		}
		if !bytes.Equal(encoded(t, &fast), encoded(t, &slow)) {
			t.Fatal("samples differ")
		}
	})
}
