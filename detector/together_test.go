package detector

import (
	"testing"

	"github.com/memberwatch/memberwatch/detector/series"
)

// TestTogether: what counts of the day's slow tests, and what does not.
func TestTogether(t *testing.T) {
	day := func(f Feature, p float64) comparison {
		return comparison{stream: daySlow, feature: f, p: p, stratum: int(f) % strata}
	}
	burst := comparison{stream: dayBurst, feature: ReachPerActor, p: 1e-6}
	const twoSigma = 0.02275
	for _, test := range []struct {
		name    string
		tests   []comparison
		want    float64
		stratum int
		ok      bool
	}{
		{"nothing", nil, 0, 0, false},
		{"bursts say nothing", []comparison{burst}, 0, 0, false},
		{"all three", []comparison{day(ReachPerActor, twoSigma), day(NoveltyPerActor, twoSigma), day(DistinctShare, twoSigma)}, 2, int(ReachPerActor), true},
		{"counts beside their ratios are not added", []comparison{day(Reach, twoSigma), day(ReachPerActor, twoSigma), day(Novelty, twoSigma)}, 4.0 / 3, int(ReachPerActor), true},
		{"without acting users", []comparison{day(Reach, twoSigma), day(Novelty, twoSigma), day(DistinctShare, twoSigma)}, 2, int(Reach), true},
		{"what is ordinary does not speak against the others", []comparison{day(ReachPerActor, twoSigma), day(NoveltyPerActor, 0.9)}, 2.0 / 3, int(ReachPerActor), true},
		{"one is bounded", []comparison{day(DistinctShare, 1e-30)}, series.MostZ / 3, int(DistinctShare), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, ok := together(new(Calibration), test.tests, daySlow)
			if ok != test.ok || ok && c.stratum != test.stratum%strata {
				t.Fatalf("says something: %t, of stratum %d, want %t, %d", ok, c.stratum, test.ok, test.stratum%strata)
			}
			near(t, "sum", c.reach[bySurprise], test.want, 1e-3)
			if ok && !(c.p > 0 && c.p <= 1) {
				t.Errorf("p = %g", c.p)
			}
		})
	}
}
