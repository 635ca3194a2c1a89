package detector

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// powerLaw counts what n app-days of spells with rate(M) = scale M^-a leave in the
// bands.
func powerLaw(n, scale, a float64) spells {
	rate := func(m float64) float64 { return n * scale * math.Pow(m, -a) }
	return spells{days: n, peaks: [2]float64{rate(20) - rate(200), rate(200) - rate(2000)}}
}

func TestSpellsFindTheLaw(t *testing.T) {
	tests := []struct {
		name     string
		spells   spells
		at, want float64 // the return period of evidence at
		within   float64 // relative
	}{
		{"nobody has lived through anything", spells{}, 5000, 5000, 1e-9},
		{"M is odds", powerLaw(1e6, 1, 1), 5000, 5000, 1e-9},
		{"large counts: a = 0.4", powerLaw(1e6, 0.015, 0.4), 1e5, math.Pow(1e5, 0.4) / 0.015, 0.05},
		{"quiet counts: a tenth as often", powerLaw(1e6, 0.1, 1), 5000, 50_000, 0.02},
		{"so quiet that the bound holds", powerLaw(1e6, 0.001, 1), 5000, 50_000, 1e-9},
		{"a week is no experience", powerLaw(100, 20, 1), 5000, 5000 / 2.73, 0.01},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := test.spells.fit().period(test.at)
			if math.Abs(got/test.want-1) > test.within {
				t.Errorf("period(%g) = %g, want %g", test.at, got, test.want)
			}
		})
	}
}

func TestPeriodsAndEvidenceAreInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := spells{
			days:  rapid.Float64Range(0, 1e6).Draw(t, "days"),
			peaks: [2]float64{rapid.Float64Range(0, 1e4).Draw(t, "first"), rapid.Float64Range(0, 1e4).Draw(t, "second")},
		}
		l := s.fit()
		r := rapid.Float64Range(100, 1e7).Draw(t, "period")
		m := l.at(r)
		if got := l.period(m); m > 1 && math.Abs(got/r-1) > 1e-9 {
			t.Fatalf("period(at(%g)) = %g, at %g", r, got, m)
		}
		if l.period(2*m) < l.period(m) {
			t.Fatalf("period falls from %g to %g", m, 2*m)
		}
	})
}

// A harvest must not raise the bar for the next one.
func TestPeaksBeyondTheBandsDoNotCount(t *testing.T) {
	for _, peak := range []float64{1, 19.9, 2000, 1e9} {
		if band, ok := spellBandOf(peak); ok {
			t.Errorf("a peak of %g counts in band %d", peak, band)
		}
	}
	for peak, want := range map[float64]int{20: 0, 199.9: 0, 200: 1, 1999: 1} {
		if band, ok := spellBandOf(peak); !ok || band != want {
			t.Errorf("a peak of %g counts in band %d, %t, want %d", peak, band, ok, want)
		}
	}
}

// TestSpellsAreCountedOnce, in the band of their largest evidence.
func TestSpellsAreCountedOnce(t *testing.T) {
	s, tally := new(State), new(Tally)
	x := &s.rise[Reach]
	c := comparison{stream: daySlow, feature: Reach, stratum: 3}
	for x.Update(0.01, 1e6) < spellLow {
	}
	for range 20 { // quiet windows end it
		x.Update(0.9, 1e6)
	}
	tally.countSpells(s, &c)
	tally.countSpells(s, &c)
	if got := tally.spells[Reach].peaks; got != [2]float64{1, 0} {
		t.Errorf("peaks %v, want the one", got)
	}
	if got := tally.spells[Reach].days; got != 2 {
		t.Errorf("%g app-days, want 2", got)
	}
}
