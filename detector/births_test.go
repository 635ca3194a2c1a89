package detector

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
)

// TestNewcomersTeachLittle: neither a harvester nor a crowd that one hand made become
// the measure of the next newcomers, though no signal is about them.
func TestNewcomersTeachLittle(t *testing.T) {
	const known, usual, comes = 40, 3.0, 10 // apps that came before read e^3 members on their first day
	tests := map[string]struct {
		apps, members int // newcomers of one shape on a day, and what each reads
		n             float64
		highest       float64 // mean of the peers afterwards
	}{
		"an ordinary one counts as it is": {apps: 1, members: 19, n: 1, highest: 3.001},
		"a harvester counts as clipped":   {apps: 1, members: 5000, n: 1, highest: (known*usual + usual + clipPeers*birthSpread) / (known + 1)},
		"of a crowd two count":            {apps: 30, members: 19, n: mostAlike, highest: 3.001},
		"two of a crowd of harvesters":    {apps: 30, members: 5000, n: mostAlike, highest: (known*usual + mostAlike*(usual+clipPeers*birthSpread)) / (known + mostAlike)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := newReplay(t, DefaultConfig())
			start := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC).UnixNano()
			for range known {
				r.fleet.births.add(allCategories, 0, usual)
			}
			for hour := range (comes + 2) * 24 {
				at := start + int64(hour)*int64(time.Hour)
				r.observe(&memberwatch.Event{App: "old", Time: at, Endpoint: "/members", Disclosed: []uint64{1}})
				for i := range tt.apps {
					if hour == comes*24+1 {
						app := memberwatch.AppID(fmt.Sprint("new-", i))
						ev := memberwatch.Event{App: app, Time: at + 1 + int64(i), Endpoint: "/users/{id}"}
						for m := range tt.members {
							ev.Disclosed = append(ev.Disclosed, hashName(fmt.Sprint(app, m)))
						}
						r.observe(&ev)
					}
				}
			}
			peers := r.fleet.births.at(allCategories)[0]
			rest := known * math.Pow(memory, float64(comes+2)) // of those before
			if got := peers.n - rest; math.Abs(got-tt.n) > 0.1 {
				t.Errorf("%.2f newcomers are among the peers, want %v", got, tt.n)
			}
			if peers.mean() > tt.highest+0.01 {
				t.Errorf("the peers' mean is %.3f, want %.3f at most", peers.mean(), tt.highest)
			}
		})
	}
}
