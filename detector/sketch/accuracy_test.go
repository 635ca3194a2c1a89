package sketch

import (
	"math"
	"testing"

	"github.com/apache/datasketches-go/hll"
)

// squared returns x times x.
func squared(x float64) float64 { return x * x }

// TestAccuracy compares the error of both estimates with theory, over trials
// with disjoint keys, and counts how often the 95 % intervals hold the truth.
func TestAccuracy(t *testing.T) {
	type counter interface {
		Reset()
		Estimate() float64
		Interval() (low, high float64)
	}
	const (
		hllError    = 1.04 / 64 // Flajolet et al. 2007, m = 4,096
		sampleError = 1.20 / 64 // Flajolet 1990, 4,096 keys
	)
	for _, tt := range []struct {
		keys   uint64
		trials int
	}{{1_000, 400}, {10_000, 300}, {100_000, 200}, {1_000_000, 40}} {
		var d Distinct
		var s Sample
		insertD := func(h uint64) { d.Insert(h) }
		insertS := func(h uint64) { s.Add(h, 0) }
		for _, c := range []struct {
			name   string
			sketch counter
			insert func(uint64)
			error  float64
		}{{"distinct", &d, insertD, hllError}, {"sample", &s, insertS, sampleError}} {
			square, inside := 0.0, 0
			for trial := range uint64(tt.trials) {
				c.sketch.Reset()
				for h := range tt.keys {
					c.insert(trial<<32 | h)
				}
				n := float64(tt.keys)
				square += squared(c.sketch.Estimate()/n - 1)
				if low, high := c.sketch.Interval(); low <= n && n <= high {
					inside++
				}
			}
			rms := math.Sqrt(square / float64(tt.trials))
			held := float64(inside) / float64(tt.trials)
			t.Logf("%8s %8d keys: RMS error %.4f (theory %.4f), intervals hold %.3f", c.name, tt.keys, rms, c.error, held)
			// With 40 trials the RMS of a right estimator itself errs by 11 %; the
			// seeds are fixed, so this is a regression test, not a lottery.
			if rms > 1.1*c.error {
				t.Errorf("%s of %d keys: RMS error %.4f, theory %.4f", c.name, tt.keys, rms, c.error)
			}
			if held < 0.90 {
				t.Errorf("%s of %d keys: intervals hold the truth in %.3f of trials", c.name, tt.keys, held)
			}
		}
	}
}

// TestDistinctAgainstDataSketches merges 30 overlapping days with ours and with
// Apache DataSketches' HLL of the same precision. Both have their own hash, so
// errors are independent: they may differ by four times root two standard
// errors, and over all sizes ours must not be clearly worse.
func TestDistinctAgainstDataSketches(t *testing.T) {
	const standardError = 1.04 / 64
	ours, theirs, steps := 0.0, 0.0, 0.0
	for _, daily := range []uint64{5, 50, 500, 5_000, 50_000} {
		oracle, err := hll.NewUnion(12)
		if err != nil {
			t.Fatal(err)
		}
		var union Distinct
		for day := range uint64(30) {
			from := daily<<32 + day*daily/2 // each day shares half with the one before
			sketch, err := hll.NewHllSketch(12, hll.TgtHllTypeHll8)
			if err != nil {
				t.Fatal(err)
			}
			for h := from; h < from+daily; h++ {
				if err := sketch.UpdateUInt64(h); err != nil {
					t.Fatal(err)
				}
			}
			if err := oracle.UpdateSketch(sketch); err != nil {
				t.Fatal(err)
			}
			union.Merge(counted(from, daily))
		}
		// The union's own estimate is stale in v0.2.0; the result's is not.
		result, err := oracle.GetResult(hll.TgtHllTypeHll8)
		if err != nil {
			t.Fatal(err)
		}
		want, err := result.GetEstimate()
		if err != nil {
			t.Fatal(err)
		}
		got, truth := union.Estimate(), float64(29*daily/2+daily)
		t.Logf("%7.0f keys: ours %.1f, DataSketches %.1f", truth, got, want)
		if math.Abs(got-want) > 4*math.Sqrt2*standardError*truth {
			t.Errorf("%g keys: ours %g, DataSketches %g", truth, got, want)
		}
		ours += squared(got/truth - 1)
		theirs += squared(want/truth - 1)
		steps++
	}
	ours, theirs = math.Sqrt(ours/steps), math.Sqrt(theirs/steps)
	t.Logf("RMS error: ours %.4f, DataSketches %.4f", ours, theirs)
	if ours > theirs+standardError {
		t.Errorf("RMS error %.4f, DataSketches %.4f", ours, theirs)
	}
}
