package series

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/memberwatch/memberwatch/detector/codec"
)

// Shapes such as the detector has: of days, of days learnt two weeks later, of hours.
var (
	days    = Shape{Fast: 1.0 / 7, Slow: 1.0 / 28, Spread: 1.0 / 60, Slot: 1.0 / 4, Season: 1.0 / 8, Slots: 7, Steps: CountSteps, Echoes: 7, Prior: 4}
	lagging = Shape{Fast: 1.0 / 7, Slow: 1.0 / 28, Spread: 1.0 / 60, Slot: 1.0 / 4, Season: 1.0 / 8, Slots: 7, Steps: CountSteps, Echoes: 7, Prior: 4, Lag: 14}
	hours   = Shape{Fast: 1.0 / 24, Slow: 1.0 / 168, Spread: 1.0 / 60, Slot: 1.0 / 4, Season: 1.0 / 8, Slots: 48, Steps: CountSteps, Prior: 4, Week: 168}
)

// near fails unless a value is within so much of another, relative to it beyond 1.
func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance*math.Max(1, math.Abs(want)) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

// TestZeroSeriesGrows: a feature that was always zero costs no body, and learns
// like one that had it from the start.
func TestZeroSeriesGrows(t *testing.T) {
	for name, sh := range map[string]*Shape{"days": &days, "lagging": &lagging, "hours": &hours} {
		t.Run(name, func(t *testing.T) {
			var lazy, full Series
			full.grow(sh)
			for day := range 20 {
				lazy.Learn(sh, day%7, 0, 1, nil)
				full.Learn(sh, day%7, 0, 1, nil)
			}
			if lazy.Moved() {
				t.Fatal("a zero series has a body")
			}
			if lazy.Learnt() != full.Learnt() {
				t.Errorf("learnt %d and %d windows", lazy.Learnt(), full.Learnt())
			}
			lazy.Learn(sh, 6, 30, 1, nil)
			if !lazy.Moved() {
				t.Fatal("a moved series has no body")
			}
		})
	}
}

// TestPoissonFloor: the floor of a count's scale is the spread that Poisson counts
// have in ln(v+1), by the law's own probabilities.
func TestPoissonFloor(t *testing.T) {
	for _, mean := range []float64{3, 20, 200} {
		law, sum, squares := distuv.Poisson{Lambda: mean}, 0.0, 0.0
		for k := 0.0; k < mean+20*math.Sqrt(mean)+20; k++ {
			x, p := math.Log1p(k), law.Prob(k)
			sum += p * x
			squares += p * x * x
		}
		s := Series{n: 1 << 30} // whose prior scale is gone
		near(t, fmt.Sprintf("spread at %g", mean), s.scale(&days, 0, days.floor(math.Log1p(mean), 1)), math.Sqrt(squares-sum*sum), 0.13)
	}
}

// TestForeseenIsLearntAlike: to hand Learn what Foresee said changes nothing but the work.
func TestForeseenIsLearntAlike(t *testing.T) {
	var foreseen, asked Series
	random := rand.New(rand.NewPCG(4, 4))
	for hour := range 3 * hours.Week {
		slot, v := hour%hours.Week, float64(1+random.IntN(50))
		var known Outlook
		p := foreseen.Foresee(&hours, slot, 1, &known)
		if want := foreseen.Expect(&hours, slot, 1); p != want {
			t.Fatalf("hour %d: foresees %+v, expects %+v", hour, p, want)
		}
		expected := &known
		if !foreseen.Moved() {
			expected = nil
		}
		foreseen.Learn(&hours, slot, v, 1, expected)
		asked.Learn(&hours, slot, v, 1, nil)
	}
	if a, b := encoded(t, &foreseen, &hours), encoded(t, &asked, &hours); !bytes.Equal(a, b) {
		t.Error("the two have learnt different things")
	}
}

// TestRelearn: from a series with a lag and the windows that wait there, the one without
// is made anew as if it had learnt them, and what is excluded leaves its median alone.
func TestRelearn(t *testing.T) {
	for name, c := range map[string]struct {
		known    int // windows of the past, newest first
		excluded bool
		low      float64 // of the median after two weeks of a level of 1,000 instead of 100
		high     float64
	}{
		"as it was":         {lagging.Lag, false, 500, 1100},
		"excluded":          {lagging.Lag, true, 80, 120},
		"more known":        {lagging.Lag + 9, true, 80, 120},
		"too few are known": {lagging.Lag - 1, true, 500, 1100},
	} {
		t.Run(name, func(t *testing.T) {
			var s, late Series
			for day := range 70 + lagging.Lag {
				v := 100.0
				if day >= 70 {
					v = 1000
				}
				s.Learn(&days, day%7, v, 1, nil)
				late.Learn(&lagging, day%7, v, 1, nil)
			}
			before := encoded(t, &s, &days)
			var past []Past
			for back := range c.known {
				past = append(past, Past{Slot: (70 + lagging.Lag - 1 - back) % 7, Excluded: c.excluded})
			}
			s.Relearn(&days, &late, &lagging, past, 1)
			if got := s.Median(&days, 0, 1); got < c.low || got > c.high {
				t.Errorf("median %v, want %v to %v", got, c.low, c.high)
			}
			if after := encoded(t, &s, &days); !c.excluded && !bytes.Equal(before, after) {
				t.Error("nothing is excluded, and yet it is another")
			}
		})
	}
}

// TestDecode: a series reads back as the same bytes at any age, and what waits beyond
// the lag is refused.
func TestDecode(t *testing.T) {
	for name, sh := range map[string]*Shape{"days": &days, "lagging": &lagging, "hours": &hours} {
		t.Run(name, func(t *testing.T) {
			var s Series
			for n := range 40 {
				b := encoded(t, &s, sh)
				var got Series
				d := codec.NewDecoder(b, 1, name)
				got.Decode(d, sh)
				if err := d.Finish(); err != nil || !bytes.Equal(b, encoded(t, &got, sh)) {
					t.Fatalf("after %d windows it reads back as another: %v", n, err)
				}
				s.Learn(sh, n%7, float64(n%5*n), 1, nil)
			}
			e := codec.NewEncoder(nil, 1)
			e.Uint(40)
			e.Bool(false)
			e.Uint(uint64(sh.Lag) + 1)
			b, err := e.Finish()
			if err != nil {
				t.Fatal(err)
			}
			d := codec.NewDecoder(b, 1, name)
			if s.Decode(d, sh); !errors.Is(d.Finish(), codec.ErrCorrupt) {
				t.Errorf("more wait than may: %v", d.Err())
			}
		})
	}
}

func encoded(t *testing.T, s *Series, sh *Shape) []byte {
	t.Helper()
	e := codec.NewEncoder(nil, 1)
	s.Encode(e, sh)
	b, err := e.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return b
}
