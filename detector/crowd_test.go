package detector

import (
	"testing"

	"github.com/memberwatch/memberwatch"
)

// TestCrowd: when many apps cross their critical counts at once, one more is held
// until the fleet has judged, and one far beyond its own is not.
func TestCrowd(t *testing.T) {
	for name, c := range map[string]struct {
		fired  int // of twenty apps
		misses uint64
		want   int // signals
		hushed bool
	}{
		"alone, below":              {0, 9, 0, false},
		"alone, critical":           {0, 10, 1, false},
		"in a crowd, critical":      {10, 10, 0, true},
		"in a crowd, ninefold":      {10, 99, 0, true},
		"in a crowd, far beyond it": {10, 100, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			e, s := New(DefaultConfig()), NewState("app", "dev")
			day := memberwatch.Day.Length()
			for n := range int64(30) {
				e.learnAt(s, hourBurst, Misses, memberwatch.Window{Scale: memberwatch.Hour, Start: n * day}, float64(n%2), 1, nil)
			}
			w := e.window(s, memberwatch.Hour, 40*day)
			w.armed, w.critical[Misses] = true, 10
			*e.crowds[w.Window] = crowd{apps: 20, fired: c.fired}
			for w.misses < c.misses {
				w.misses++
				e.watch(s, w, w.Start+int64(w.misses))
			}
			signals := len(e.updates)
			if signals != c.want || (w.hushed != 0) != c.hushed {
				t.Errorf("%d signals, hushed %v; want %d, %v", signals, w.hushed != 0, c.want, c.hushed)
			}
		})
	}
}
