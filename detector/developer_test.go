package detector

import (
	"testing"

	"github.com/memberwatch/memberwatch"
)

// TestPollingIsNoDevelopersBurst: records that name their members are spoken for by
// reach, of a developer's apps together as of each.
func TestPollingIsNoDevelopersBurst(t *testing.T) {
	for name, c := range map[string]struct {
		disclosed []uint64
		tells     bool
	}{
		"named":     {[]uint64{1, 2, 3}, false},
		"only told": {nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			e := New(DefaultConfig())
			day := memberwatch.Window{Scale: memberwatch.Day, Start: 100 * memberwatch.Day.Length()}
			united := new(union)
			for _, app := range []memberwatch.AppID{"show", "shop"} {
				s := NewState(app, "media")
				ev := memberwatch.Event{App: app, Developer: "media", Time: day.Start, Records: 3, Disclosed: c.disclosed, Actor: 7}
				e.Observe(s, &ev, false)
				w := e.window(s, memberwatch.Day, ev.Time)
				s.settle(w)
				if united.parts = append(united.parts, part{app, 3}); united.w == nil {
					united.w = w
				} else {
					united.w.merge(w)
				}
			}
			s, x := NewState("show", "media"), jointValues(united.w)
			s.actors, s.united = true, united
			if x.v[RecordsPerActor] != 6 || e.tells(s, dayBurst, RecordsPerActor, &x) != c.tells {
				t.Errorf("%v records for the acting user, tells %v, want 6 and %v", x.v[RecordsPerActor], !c.tells, c.tells)
			}
		})
	}
}
