package detector

import (
	"bytes"
	"math"
	"testing"

	"github.com/memberwatch/memberwatch"
)

// peerDay is a day of an app with a reach and a number of acting users.
func peerDay(reach, actors float64) *values {
	x := &values{actors: actors}
	x.v[Reach] = reach
	x.derive()
	return x
}

func TestPercentile(t *testing.T) {
	halves := [2]*Tally{newTally(someDay), newTally(someDay)}
	for i := range 1000 { // ln-uniform from 1 to e^10
		halves[i%2].peers.add("crm", peerDay(math.Exp(float64(i)/100), 8))
	}
	for range minPeers {
		halves[0].peers.add("games", peerDay(5, 1))
	}
	fleet := NewFleet(DefaultConfig())
	for _, half := range halves {
		fleet.Judge(half)
	}
	c := fleet.EndDay(dayOf(someDay.Start))
	tests := map[string]struct {
		category           string
		actors, value      float64
		wantPart, wantDays float64
		wantOK             bool
	}{
		"middle":                      {"crm", 8, math.Exp(5), 0.5, 1000, true},
		"near the top":                {"crm", 15, math.Exp(9.5), 0.95, 1000, true},
		"above all":                   {"crm", 8, 1e9, 1, 1000, true},
		"unknown category asks all":   {"photo", 8, math.Exp(5), 0.5, 1000, true},
		"too few of the size":         {"crm", 100, 5, 0, 0, false},
		"other category of that size": {"crm", 1, 5, 0.5, minPeers, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			part, days, ok := c.Percentile(tt.category, tt.actors, Reach, tt.value)
			if math.Abs(part-tt.wantPart) > 0.025 || days != tt.wantDays || ok != tt.wantOK {
				t.Errorf("got %v of %v days, %v; want %v of %v, %v", part, days, ok, tt.wantPart, tt.wantDays, tt.wantOK)
			}
		})
	}
	// A year later nobody is there to compare with.
	if _, _, ok := fleet.EndDay(fleet.Through()+5*365).Percentile("crm", 8, Reach, 5); ok {
		t.Error("peers do not fade")
	}
}

func TestPeersRoundTrip(t *testing.T) {
	fleet := NewFleet(DefaultConfig())
	tally := newTally(someDay)
	tally.peers.add("crm", peerDay(40, 8))
	tally.peers.add("games", peerDay(4, 0))
	fleet.Judge(tally)
	fleet.EndDay(dayOf(someDay.Start))
	want, err := fleet.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	restored := NewFleet(DefaultConfig())
	if err := restored.UnmarshalBinary(want); err != nil {
		t.Fatal(err)
	}
	if got, _ := restored.AppendBinary(nil); !bytes.Equal(got, want) {
		t.Error("restored fleet encodes otherwise")
	}
}

var someDay = memberwatch.WindowAt(memberwatch.Day, 1_767_571_200e9)
