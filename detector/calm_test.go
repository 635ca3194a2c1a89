package detector

import (
	"testing"

	"github.com/memberwatch/memberwatch"
)

// TestCalm: what a p-value of one in a thousand is worth where the fleet did not move.
func TestCalm(t *testing.T) {
	for _, c := range []struct {
		name       string
		days, rare float64
		want       float64
	}{
		{"nothing is known", 0, 0, 1},
		{"as often as they say", 200_000, 200, 1},
		{"more often", 200_000, 900, 1},
		{"half as often", 200_000, 100, 110.0 / 210},
		{"never, as far as two weeks can tell", 10_000, 0, 0.5},
		{"never", 1e7, 0, leastCalm},
	} {
		t.Run(c.name, func(t *testing.T) {
			near(t, "calm", (&calm{days: c.days, rare: c.rare}).word(), c.want, 1e-9)
		})
	}
}

// TestCalmDays: only days count on which the fleet did not move, and only of days whose
// fleet stays calm does the word make bursts rarer.
func TestCalmDays(t *testing.T) {
	tally := func(day int64, p float64, scale memberwatch.Scale) *Tally {
		tally := newTally(memberwatch.WindowAt(scale, day*dayLength))
		for range 100 {
			tally.add(&comparison{stream: burstOf(scale), feature: Reach, reach: [measures]float64{0.3}, p: p})
		}
		return tally
	}
	f := NewFleet(DefaultConfig())
	for day := int64(1); day <= 300; day++ {
		p := 0.5
		if day%3 == 0 {
			p = 1e-4 // everybody
		}
		f.Judge(tally(day, 1e-4, memberwatch.Hour))
		f.Judge(tally(day, p, memberwatch.Day))
		f.EndDay(int32(day))
	}
	cal := f.Calibration()
	if n := f.calm[Reach]; n.rare != 0 || n.days < 12_000 || n.days > 20_000 {
		t.Fatalf("%g of %g windows were rare, want none of the 200 calm days', of which older ones count less", n.rare, n.days)
	}
	calmly, moved := f.Judge(tally(301, 0.5, memberwatch.Day)), f.Judge(tally(302, 0.01, memberwatch.Day))
	near(t, "word of a calm day", calmly.word(cal, Reach, dayBurst), f.calm[Reach].word(), 0.01)
	near(t, "word on an open day", cal.word(Reach, dayBurst), f.calm[Reach].word(), 0.01)
	near(t, "word of a day that moved", moved.word(cal, Reach, dayBurst), moved.Factor[Reach], 0)
	near(t, "word for slow evidence", calmly.word(cal, Reach, daySlow), 1, 0)
	near(t, "word of another feature", calmly.word(cal, Misses, dayBurst), 1, 0)
	near(t, "word of a fleet without a past", calmly.word(new(Calibration), Reach, dayBurst), 1, 0)
}
