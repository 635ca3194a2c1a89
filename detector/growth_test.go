package detector

import (
	"testing"

	"github.com/memberwatch/memberwatch"
)

// TestAdminGrowth: what the registry says of an app's admins raises what is
// expected at once, up to a bound, and is forgotten as the baselines learn.
func TestAdminGrowth(t *testing.T) {
	for name, c := range map[string]struct {
		before, now int64
		days        int // since the platform learnt of it
		low, high   float64
	}{
		"none known":          {0, 0, 0, 1, 1},
		"as ever":             {100, 100, 0, 1, 1},
		"twice as many":       {100, 200, 0, 4, 4},
		"fewer":               {100, 20, 0, 1, 1},
		"beyond the bound":    {10, 1000, 0, mostAdmins, mostAdmins},
		"after three weeks":   {100, 300, 21, 2.1, 2.6},
		"after half a year":   {100, 300, 180, 1, 1.01},
		"first known at once": {0, 300, 1, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := NewState("a", "d")
			s.declared = &memberwatch.App{Admins: c.before}
			for range 60 {
				s.learnAdmins()
			}
			s.declared = &memberwatch.App{Admins: c.now}
			for range c.days {
				s.learnAdmins()
			}
			if g := s.adminGrowth(); g < c.low || g > c.high {
				t.Errorf("growth %v, want %v to %v", g, c.low, c.high)
			}
		})
	}
}

// TestOneMatter: a harvest that shows in members, for each user and in new ones
// is one signal; what is of another nature is another.
func TestOneMatter(t *testing.T) {
	for _, c := range []struct {
		a, b memberwatch.Kind
		want bool
	}{
		{memberwatch.KindVolumeBurst, memberwatch.KindVolumeBurst, true},
		{memberwatch.KindVolumeBurst, memberwatch.KindNovelty, true},
		{memberwatch.KindColdStart, memberwatch.KindPerActorSlow, true},
		{memberwatch.KindVolumeBurst, memberwatch.KindEnumeration, false},
		{memberwatch.KindRestricted, memberwatch.KindVolumeBurst, false},
		{memberwatch.KindDenials, memberwatch.KindDenials, true},
	} {
		if got := c.a.Joins(c.b); got != c.want {
			t.Errorf("%s and %s: joins is %v", c.a, c.b, got)
		}
	}
}
