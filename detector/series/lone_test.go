package series

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch/detector/codec"
)

// daily is a noisy day-shaped series at five-minute steps.
func daily(rng *rand.Rand, i int) (time.Time, float64) {
	at := time.Unix(1_700_000_000+int64(i)*300, 0)
	return at, 50 + 30*math.Sin(2*math.Pi*float64(i)/288) + 2*rng.NormFloat64()
}

// TestLoneFindsWhatIsOdd: a quiet series raises nothing, a spike, a step and
// a flat night each raise one alarm.
func TestLoneFindsWhatIsOdd(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(i int, v float64) float64
		want   int
	}{
		{"nothing", func(_ int, v float64) float64 { return v }, 0},
		{"spike", func(i int, v float64) float64 {
			if i == 3500 {
				return 4 * v
			}
			return v
		}, 1},
		{"lasting step", func(i int, v float64) float64 {
			if i >= 3500 {
				return v + 90
			}
			return v
		}, 1},
		{"flat day", func(i int, v float64) float64 {
			if i >= 3456 && i < 3744 {
				return 20
			}
			return v
		}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(7, 7))
			var s Lone
			alarm := Alarm{Threshold: 1.11}
			alarms := 0
			for i := range 4032 { // two weeks
				at, v := daily(rng, i)
				if alarm.Next(s.Score(at, c.change(i, v))) && i >= 600 {
					alarms++
				}
			}
			if alarms != c.want {
				t.Errorf("%d alarms, want %d", alarms, c.want)
			}
		})
	}
}

// TestLoneFlat: a series without change never scores, whatever its value.
func TestLoneFlat(t *testing.T) {
	for _, v := range []float64{0, 1, 45, -3.3, 1e12, 1e-12} {
		var s Lone
		for i := range 2000 {
			if score := s.Score(time.Unix(int64(i)*300, 0), v); score != 0 {
				t.Fatalf("value %v scores %v at row %d", v, score, i)
			}
		}
	}
}

// TestLoneRestored: a series restored from its bytes at any time goes on with
// bit-equal scores, and damaged bytes are refused.
func TestLoneRestored(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	var kept Lone
	for i := range 3000 {
		at, v := daily(rng, i)
		v = math.Round(v) * math.Pow(10, float64(i/700))
		b, err := kept.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		var restored Lone
		if err := restored.UnmarshalBinary(b); err != nil {
			t.Fatalf("row %d: %v", i, err)
		}
		if i%100 == 0 {
			b[len(b)/2] ^= 1
			if err := new(Lone).UnmarshalBinary(b); !errors.Is(err, codec.ErrCorrupt) {
				t.Fatalf("damaged bytes are read: %v", err)
			}
		}
		want, got := kept.Score(at, v), restored.Score(at, v)
		if math.Float64bits(want) != math.Float64bits(got) || math.IsNaN(want) {
			t.Fatalf("row %d: restored scores %v, kept %v", i, got, want)
		}
	}
}

// BenchmarkLone is the cost of one value.
func BenchmarkLone(b *testing.B) {
	rng := rand.New(rand.NewPCG(7, 7))
	var s Lone
	i := 0
	for b.Loop() {
		at, v := daily(rng, i)
		s.Score(at, v)
		i++
	}
}
