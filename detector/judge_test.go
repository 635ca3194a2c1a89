package detector

import (
	"math"
	"testing"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/series"
)

// TestARiseSpeaksOnDaysThatRise: strong evidence of the days before does not make a
// finding of a day that lies below the middle of what was expected, nor a new signal of
// one that is ordinary.
func TestARiseSpeaksOnDaysThatRise(t *testing.T) {
	e := New(DefaultConfig())
	var risen series.Evidence
	for range 30 {
		risen.Update(1e-9, 1e9)
	}
	for name, c := range map[string]struct {
		p          float64
		open, want bool
	}{
		"far out":                         {0.001, false, true},
		"just out of the ordinary":        {0.04, false, true},
		"ordinary":                        {0.06, false, false},
		"far out, a signal open":          {0.001, true, true},
		"ordinary, a signal open":         {0.4, true, true},
		"below the middle, a signal open": {0.6, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := NewState("app", "dev")
			if c.open {
				f := memberwatch.Finding{Kind: memberwatch.KindPerActorSlow, Time: 1, Stream: memberwatch.StreamSlow}
				s.episodes = append(s.episodes, e.newEpisode(s, "", &f, false))
			}
			day := trial{
				comparison: comparison{stream: daySlow, feature: ReachPerActor, p: c.p, reach: [measures]float64{-math.Log10(c.p), 0}},
				factor:     1, weight: 0.1, rise: risen,
			}
			v, _ := day.settle(e.calibration(0), 10, 1400)
			e.updates = nil
			e.raiseJudged(s, &pending{Window: memberwatch.Window{Scale: memberwatch.Day}}, []trial{day}, []verdict{v})
			if told := len(e.updates) > 0; told != c.want {
				t.Errorf("told %v, want %v", told, c.want)
			}
		})
	}
}
