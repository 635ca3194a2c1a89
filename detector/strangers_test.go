package detector

import "testing"

// TestDistinctShareSpeaksOfStrangers: who comes back to each of its own people less
// often harvests nobody.
func TestDistinctShareSpeaksOfStrangers(t *testing.T) {
	e, s := New(DefaultConfig()), NewState("app", "")
	for name, tt := range map[string]struct {
		shown, reach, novelty float64
		want                  bool
	}{
		"strangers, each once":         {400, 400, 390, true},
		"half of them strangers":       {400, 300, 150, true},
		"its own people, less often":   {400, 300, 100, false},
		"its own people, each once":    {400, 400, 0, false},
		"too few to speak of anything": {49, 49, 49, false},
	} {
		t.Run(name, func(t *testing.T) {
			x := values{disclosed: tt.shown, sampled: 1}
			x.v[Reach], x.v[Records], x.v[Novelty] = tt.reach, tt.shown, tt.novelty
			x.derive()
			if got := e.tells(s, daySlow, DistinctShare, &x); got != tt.want {
				t.Errorf("speaks: %t, want %t, of %.0f in 100", got, tt.want, x.v[DistinctShare])
			}
		})
	}
}
