package detector

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
)

// TestPaddingHidesLittle: apps that read decoys for 28 days to widen their
// baselines are found about as often, when they harvest, as apps that did not.
func TestPaddingHidesLittle(t *testing.T) {
	t.Parallel()
	const apps, harvest = 8, 44
	var text strings.Builder
	fmt.Fprintf(&text, "%d days\nfleet of 60 apps: 60 members/h by 10 actors\n", harvest+apps)
	for i := range apps { // one after the other: a tenth of a fleet at once would pass for breaking news
		for hour, kind := range []string{"clean", "padded"} {
			fmt.Fprintf(&text, "app %s-%d: 30 members/h by 10 actors of 5000 people\n", kind, i)
			fmt.Fprintf(&text, "day %d %02d:00 %s-%d reads %.1f members/min for 10h by 2 actors of 900000 people\n", harvest+i, 12*hour, kind, i, 1+float64(i))
		}
		fmt.Fprintf(&text, "day %d 00:00 padded-%d reads 0.7 members/min for 28 days by 10 actors of 5000 people\n", harvest+i-28, i)
	}
	p := &script{t: t, start: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC), replay: newReplay(t, DefaultConfig())}
	for line := range strings.Lines(text.String()) {
		p.read(strings.TrimSpace(line))
	}
	p.run()
	found := make(map[string]int)
	for i := range apps {
		for _, kind := range []string{"clean", "padded"} {
			app := memberwatch.AppID(fmt.Sprintf("%s-%d", kind, i))
			if slices.ContainsFunc(p.replay.opened(), func(s memberwatch.Signal) bool {
				return s.App == app && s.Last >= p.start.AddDate(0, 0, harvest+i).UnixNano()
			}) {
				found[kind]++
			}
		}
	}
	if found["clean"] < apps-1 || found["padded"] < found["clean"] {
		t.Errorf("found %d of %d clean harvests and %d padded ones", found["clean"], apps, found["padded"])
	}
}
