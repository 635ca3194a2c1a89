package detector

import (
	"bytes"
	"math"
	"testing"

	"github.com/memberwatch/memberwatch"
)

// dayOfMoves is a tally of one day to which groups are added.
func dayOfMoves() *Tally {
	return newTally(memberwatch.Window{Scale: memberwatch.Day, Start: dayLength})
}

// group adds n apps of a size, the first of which moved so that p is 0.04.
func (t *Tally) group(size, n, moved int, jump float64) {
	for i := range n {
		p := 0.5
		if i < moved {
			p = 0.04
		}
		for _, stream := range dayStreams {
			t.add(&comparison{stream: stream, feature: Reach, stratum: size, reach: [measures]float64{1, jump}, p: p})
		}
	}
}

func TestFleetsWord(t *testing.T) {
	bound := func(n float64) float64 { return 0.05*n + 3*math.Sqrt(0.05*n) + 1 }
	tests := []struct {
		name               string
		tally              func(*Tally)
		small, large, slow word
	}{
		{
			"an ordinary day",
			func(t *Tally) { t.group(1, 100, 5, 0.02); t.group(4, 100, 5, 0.02) },
			word{factor: 1},
			word{factor: 1},
			word{factor: 1},
		},
		{
			"all move: the formula",
			func(t *Tally) { t.group(1, 100, 40, 0.72); t.group(4, 100, 40, 0.72) },
			word{40 / bound(100), 0.75},
			word{40 / bound(100), 0.75},
			word{factor: 80 / bound(200)},
		},
		{
			"small apps move: large ones have no excuse",
			func(t *Tally) { t.group(1, 50, 50, 0.72); t.group(4, 150, 7, 0.02) },
			word{50 / bound(50), 0.75},
			word{factor: 1},
			word{factor: 57 / bound(200)},
		},
		{
			"few large ones: they are judged beside all",
			func(t *Tally) { t.group(1, 80, 40, 0.72); t.group(4, minFleet, 0, 0.72) },
			word{40 / bound(80), 0.75},
			word{40 / bound(100), 0.75},
			word{factor: 40 / bound(100)},
		},
		{
			"a fleet too small for a word",
			func(t *Tally) { t.group(1, minFleet, minFleet, 0.72) },
			word{factor: 1},
			word{factor: 1},
			word{factor: 1},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tally := dayOfMoves()
			test.tally(tally)
			j := NewFleet(DefaultConfig()).Judge(tally)
			for _, want := range []struct {
				stream streamID
				size   int
				word   word
			}{
				{dayBurst, 1, test.small}, {dayBurst, 4, test.large}, {daySlow, 1, test.slow}, {daySlow, 4, test.slow},
			} {
				got := j.on(&comparison{stream: want.stream, feature: Reach, stratum: sizes + want.size})
				near(t, "factor", got.factor, want.word.factor, 1e-12)
				near(t, "shift", got.shift, want.word.shift, 1e-9)
			}
			if other := j.on(&comparison{feature: Misses}); other != (word{factor: 1}) {
				t.Errorf("word on another feature: %+v", other)
			}
			var back Judgement
			if b, err := j.AppendBinary(nil); err != nil {
				t.Fatal(err)
			} else if err := back.UnmarshalBinary(b); err != nil || back != j {
				t.Errorf("read back %+v, %v", back, err)
			}
		})
	}
}

// What is discounted by F is learnt as 1/F, so that ranks do not answer a second time
// for a day on which many moved. Slow ranks learn every day alike.
func TestCommonDaysTeachTheRanksLess(t *testing.T) {
	const n = 100
	f := NewFleet(DefaultConfig())
	tally := dayOfMoves()
	tally.group(1, n, 40, 0.72)
	tally.group(4, n, 2, 0.02)
	j := f.Judge(tally)
	stored, err := f.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	again := NewFleet(DefaultConfig())
	if err := again.UnmarshalBinary(stored); err != nil {
		t.Fatal(err)
	}
	if b, err := again.AppendBinary(nil); err != nil || !bytes.Equal(b, stored) {
		t.Errorf("a fleet amid a day differs once it is read back, %v", err)
	}
	for name, c := range map[string]*Calibration{"kept": f.EndDay(1), "read back": again.EndDay(1)} {
		for _, want := range []struct {
			stream  streamID
			size    int
			windows float64
		}{
			{dayBurst, 1, n / j.words[Reach][1].factor}, {dayBurst, 4, n}, {daySlow, 1, n}, {daySlow, 4, n},
		} {
			near(t, name, c.cells[cellID(bySurprise, want.stream, Reach, want.size)].n, want.windows, 1e-9)
		}
	}
}
