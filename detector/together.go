package detector

import (
	"github.com/memberwatch/memberwatch/detector/series"
	"github.com/memberwatch/memberwatch/detector/tails"
)

// Together: a harvest shows in several features at once, each a little, and honest
// days hardly do. So the surprises of a day about whom an app reads are added up.
//
//	z_f   max(0, -Phi^-1(p_f)), at most 6, of the slow stream's tests of
//	      members and new members, each for each acting user where these are known, and of
//	      the distinct share; 0 for what says nothing
//	v     sum of z_f / 3
//
// v is ranked among the fleet's days like any other surprise, which accounts for how far
// the three depend on each other, and goes through both streams. It has no
// expectation of its own: the three have theirs. What one of them finds ordinary does
// not speak against the others. Young expectations err more, and together, so it speaks
// once an app's expectations are mature. Assumption: what makes one of them high on an honest day
// makes the others no higher than the fleet's ranks know. It lies for an app whose honest
// work is to read ever new people, each once, of which its expectations know after weeks.
// Source: Stouffer's sum of z, 1949, of one-sided parts, ranked instead of taken for normal;
// measured in docs/decisions/0069-a-little-of-everything.md.

// togetherParts are the features that are added up: with acting users, and without.
var togetherParts = [3][2]Feature{{ReachPerActor, Reach}, {NoveltyPerActor, Novelty}, {DistinctShare, DistinctShare}}

// together adds up what a day's slow tests say of whom an app reads; not ok if none of
// them says anything. The burst stream asks how rare such a day is, the slow one what
// such days come to.
func together(cal *Calibration, tests []comparison, stream streamID) (c comparison, ok bool) {
	sum := 0.0
	c = comparison{stream: stream, feature: Together}
	for _, part := range togetherParts {
		t := slowTest(tests, part[0])
		if t == nil {
			t = slowTest(tests, part[1])
		}
		if t == nil {
			continue
		}
		sum += min(max(-tails.NormalQuantile(t.p), 0), series.MostZ)
		if !ok { // it is ranked among days like this by its first part
			c.stratum, ok = t.stratum, true
		}
	}
	if !ok {
		return c, false
	}
	c.p = c.calibrate(cal, sum/float64(len(togetherParts)), 0)
	return c, ok
}

func slowTest(tests []comparison, f Feature) *comparison {
	for i := range tests {
		if t := &tests[i]; t.feature == f && t.stream == daySlow {
			return t
		}
	}
	return nil
}

// tellTogether fills in what people are told was expected of the sum: what one day in
// forty exceeds in the fleet.
func (c *comparison) tellTogether(cal *Calibration) { c.high = cal.usual(c.cell(bySurprise)) }
