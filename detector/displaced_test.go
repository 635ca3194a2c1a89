package detector

import (
	"fmt"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
)

// TestRestrictionsThatChange: what a restriction takes from an app comes back by another
// class from its effective day on, whatever else is restricted and however the restriction
// came to be what it is; one that has been lifted takes nothing.
func TestRestrictionsThatChange(t *testing.T) {
	const effective, end = 45, 75
	start := time.Unix(0, 1_767_571_200e9)
	on := func(day int) time.Time { return start.AddDate(0, 0, day) }
	r := memberwatch.Restriction{ID: "r", Class: "names", Apps: []memberwatch.AppID{"a"}, Effective: on(effective)}
	elsewhere := make(map[int][]memberwatch.Restriction)
	for i := range 8 {
		elsewhere[0] = append(elsewhere[0], memberwatch.Restriction{
			ID: memberwatch.RestrictionID(fmt.Sprint("m", i)), Apps: []memberwatch.AppID{memberwatch.AppID(fmt.Sprint("elsewhere-", i))}, Effective: on(effective),
		})
	}
	elsewhere[1] = []memberwatch.Restriction{r}
	moved := func(to int) memberwatch.Restriction { m := r; m.Effective = on(to); return m }
	lifted := func(at int) memberwatch.Restriction { l := r; l.Lifted = on(at); return l }
	for _, c := range []struct {
		name    string
		changes map[int][]memberwatch.Restriction // by day
		want    bool
	}{
		{"as it is", map[int][]memberwatch.Restriction{0: {r}}, true},
		{"beside eight others", elsewhere, true},
		{"brought forward", map[int][]memberwatch.Restriction{0: {moved(end)}, effective - 5: {r}}, true},
		{"postponed", map[int][]memberwatch.Restriction{0: {moved(effective - 10)}, effective - 12: {r}}, true},
		{"lifted the day after", map[int][]memberwatch.Restriction{0: {r}, effective + 1: {lifted(effective + 1)}}, false},
		{"lifted in time to come", map[int][]memberwatch.Restriction{0: {lifted(end)}}, true},
		{"never", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newReplay(t, DefaultConfig())
			for day := range end {
				for _, change := range c.changes[day] {
					x.apply(memberwatch.Change{Restriction: &change})
				}
				for call := range 60 {
					ev := memberwatch.Event{
						App: "a", Developer: "d", Time: on(day).UnixNano() + int64(call)*1200e9, Endpoint: "/members", DataClasses: []string{"names"}, Actor: uint64(call%5 + 1),
					}
					if call%2 == 1 {
						ev.App = "b"
					}
					if call%4 > 1 || day >= effective {
						ev.DataClasses[0] = "pictures"
					}
					for m := range uint64(10) {
						ev.Disclosed = append(ev.Disclosed, uint64(call)*20+m)
					}
					x.observe(&ev)
				}
			}
			first := 0
			for _, sig := range x.opened() {
				if sig.Kind == memberwatch.KindDisplaced && first == 0 {
					first = int((sig.Opened - start.UnixNano()) / dayLength)
				}
			}
			if found := first > 0; found != c.want || found && (first < effective || first > effective+14) {
				t.Errorf("displacement is told on day %d, want it soon after day %d: %t", first, effective, c.want)
			}
		})
	}
}
