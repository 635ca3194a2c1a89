package detector

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/memberwatch/memberwatch"
)

// TestRegularity tells chance from a clock and from clumps.
func TestRegularity(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		name      string
		calls     func(part int) uint32
		low, high float64
	}{
		{"independent calls", func(int) uint32 { return uint32(poisson(rng, 8)) }, 7.5, 13},
		{"a clock", func(int) uint32 { return 8 }, 199, 201},
		{"a clock under as much chance", func(int) uint32 { return 4 + uint32(poisson(rng, 4)) }, 13, 28},
		{"clumps", func(part int) uint32 { return uint32(16 * (part % 2)) }, 0.5, 3},
	} {
		var u unevenness
		for range 24 {
			var parts [hourParts]uint32
			for i := range parts {
				parts[i] = c.calls(i)
			}
			u.add(&parts)
		}
		if v, hours := u.regularity(); v < c.low || v > c.high || hours != 24 {
			t.Errorf("%s: %.1f of %v hours, want %v to %v", c.name, v, hours, c.low, c.high)
		}
	}
	var quiet unevenness
	for range 24 {
		quiet.add(&[hourParts]uint32{1, 0, 2})
	}
	if _, hours := quiet.regularity(); hours != 0 {
		t.Error("hours of three calls say something")
	}
}

// TestAClockAtTheSameVolume: an app that has always called by chance and goes over
// to a timer is found though it reads no more than before; one with a timer is not.
func TestAClockAtTheSameVolume(t *testing.T) {
	const days, turn, perHour = 30, 25, 24
	r := newReplay(t, DefaultConfig())
	start := int64(1_767_571_200e9)
	hour := memberwatch.Hour.Length()
	call := func(app string, at int64, n uint64) {
		ev := memberwatch.Event{App: memberwatch.AppID(app), Time: at, Actor: 1 + n%5, Outcome: memberwatch.OutcomeOK, Disclosed: []uint64{hashName(app) + n%100}}
		r.observe(&ev)
	}
	for h := range int64(days * 24) {
		for n := range int64(perHour) { // in order of time: each app calls once in a slice of the hour
			slice := start + h*hour + n*hour/perHour
			call("timer", slice, uint64(n))
			for _, app := range []string{"chance", "turned"} {
				rng := rand.New(rand.NewPCG(hashName(app), uint64(h*perHour+n)))
				calls := poisson(rng, 1)
				if app == "turned" && h >= turn*24 {
					calls = 1
				}
				for i := range calls {
					call(app, slice+int64(i)+1, uint64(n*7)+uint64(i))
				}
			}
		}
	}
	r.advance(start + days*24*hour)
	var found strings.Builder
	for _, s := range r.opened() {
		if s.Kind == memberwatch.KindMetronome {
			fmt.Fprintf(&found, "%s on day %d; ", s.App, (s.Opened-start)/(24*hour))
		}
	}
	if found.String() != fmt.Sprintf("turned on day %d; ", turn) {
		t.Errorf("metronomes: %q, want turned on day %d", found.String(), turn)
	}
}
