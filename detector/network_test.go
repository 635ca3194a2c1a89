package detector

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	"pgregory.net/rapid"
)

// came is an app that has come to a network: its score, and whose it is.
type came struct {
	developer string
	score     float64
}

// comer is an arrival of which 100 members were expected and that lies so many
// deviations above.
func comer(i int, c came) arrival {
	read := stand{100 * math.Exp(c.score), math.Log(100), 1, c.score}
	return arrival{app: memberwatch.AppID(fmt.Sprintf("app-%03d", i)), developer: memberwatch.DeveloperID(c.developer), reach: read}
}

// each returns arrivals of several developers, two of the first.
func each(n int, score float64) []came {
	list := []came{{"d0", score}}
	for i := range n - 1 {
		list = append(list, came{fmt.Sprint("d", i), score})
	}
	return list
}

func TestNetwork(t *testing.T) {
	lively := each(8, 1.5) // more than by chance, as some networks' customers read
	tests := map[string]struct {
		before []came // on each of 60 days
		on     []came
		factor float64
		found  bool
	}{
		"none stands out, all lie high":    {on: each(6, 2.2), factor: 1, found: true},
		"as expected":                      {on: each(6, 0.8), factor: 1},
		"two":                              {on: each(2, 4), factor: 1},
		"developers unknown":               {on: make([]came, 6), factor: 1},
		"unknown developers that lie high": {on: []came{{"", 2.2}, {"", 2.2}, {"", 2.2}, {"", 2.2}, {"", 2.2}, {"", 2.2}}, factor: 1, found: true},
		"one developer's":                  {on: []came{{"d", 2.5}, {"d", 2.5}, {"d", 2.5}, {"d", 2.5}, {"e", 0}}, factor: 1},
		"one app's":                        {on: []came{{"d", 9}, {"e", 2}, {"f", 2}, {"g", 2}, {"h", 2}, {"i", 2}}, factor: 1},
		"as much, of a network unknown":    {on: each(8, 1.9), factor: 1, found: true},
		"everybody moved":                  {on: each(6, 2.2), factor: 1000},
		"as the network's past":            {before: lively, on: each(8, 1.9), factor: 1},
		"more than the network's past":     {before: lively, on: each(8, 3), factor: 1, found: true},
		"many a little":                    {on: each(40, 1.2), factor: 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			fleet := NewFleet(DefaultConfig())
			start := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC).UnixNano()
			for day := range 61 {
				tally, apps := newTally(memberwatch.WindowAt(memberwatch.Day, start+int64(day)*dayLength)), tt.before
				if day == 60 {
					apps = tt.on
				}
				for i, c := range apps {
					here := tally.arrivalsAt("as64500")
					here.apps = append(here.apps, comer(i, c))
				}
				factor := 1.0
				if day == 60 {
					factor = tt.factor
				}
				fleet.watchNetworks(tally, factor)
				fleet = reloaded(t, fleet)
			}
			updates := fleet.TakeUpdates()
			if found := len(updates) > 0; found != tt.found {
				t.Fatalf("found %v, want %v", found, tt.found)
			}
			for _, u := range updates {
				s := u.Signal
				if s.Network != "as64500" || s.App != "" || s.Developer != "" || len(s.Apps) < 6 {
					t.Errorf("about network %q, app %q, developer %q, naming %v", s.Network, s.App, s.Developer, s.Apps)
				}
				if again, err := Recompute(u.Finding); err != nil || !reflect.DeepEqual(again, *u.Finding) {
					t.Errorf("made again: %+v, %v", again, err)
				}
			}
		})
	}
}

// TestNetworkKeepsItsWord draws scores of independent apps and counts how often they would be called one in a hundred.
func TestNetworkKeepsItsWord(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const draws = 20_000
	for _, apps := range []int{3, 8, 40} {
		rare := 0
		for range draws {
			x := arrivals{}
			for i := range apps {
				x.apps = append(x.apps, comer(i, came{"d", math.Abs(rng.NormFloat64())}))
			}
			g := x.gather("as64500")
			g.tests, g.factor = 1, 1
			if g.p() <= 0.01 {
				rare++
			}
		}
		if rare > draws/100*3/2 {
			t.Errorf("%d apps: p <= 0.01 in %d of %d draws", apps, rare, draws)
		}
	}
}

// TestNetworksAreBounded brings more networks than are kept.
func TestNetworksAreBounded(t *testing.T) {
	var x networks
	for i := range mostNetworks + 10 {
		x.learn(fmt.Sprint("as", i), []arrival{comer(i, came{"d", 0})})
	}
	x.learn("as5", []arrival{comer(1, came{"d", 0})})
	x.trim()
	if _, kept := x.past["as5"]; len(x.past) != mostNetworks || !kept {
		t.Errorf("%d networks, the busiest among them: %v", len(x.past), kept)
	}
	x.turn(1)
	x.turn(1000)
	if len(x.past) != 0 {
		t.Errorf("%d networks after three years without arrivals", len(x.past))
	}
}

// TestArrivalsKnowNoPartition splits a day's arrivals over partitions: tallies and
// what the fleet makes of them are the same bytes.
func TestArrivalsKnowNoPartition(t *testing.T) {
	at := memberwatch.WindowAt(memberwatch.Day, 1_767_571_200e9)
	rapid.Check(t, func(t *rapid.T) {
		scores := rapid.SliceOfN(rapid.Float64Range(-2, 6), 1, 30).Draw(t, "scores")
		whole, split := newTally(at), [3]*Tally{newTally(at), newTally(at), newTally(at)}
		for i, score := range scores {
			a := comer(i, came{fmt.Sprint(i % 5), score})
			a.perActor = stand{score, 0.1 * score, 0.7, score / 2}
			name := fmt.Sprint("as", i%2)
			for _, here := range []*arrivals{whole.arrivalsAt(name), split[rapid.IntRange(0, 2).Draw(t, "partition")].arrivalsAt(name)} {
				here.apps = append(here.apps, a)
				here.members.Insert(uint64(i))
			}
		}
		united := new(Tally)
		for _, part := range split {
			united.Merge(part)
		}
		if !bytes.Equal(encodedTally(t, whole), encodedTally(t, united)) {
			t.Fatal("tallies differ")
		}
		var results [2][]byte
		for i, tally := range []*Tally{whole, united} {
			fleet := NewFleet(DefaultConfig())
			fleet.Judge(tally)
			results[i], _ = fleet.AppendBinary(nil)
		}
		if !bytes.Equal(results[0], results[1]) {
			t.Error("what the fleet makes of them differs")
		}
	})
}

func encodedTally(t interface{ Fatal(...any) }, tally *Tally) []byte {
	b, err := tally.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// rent streams a small platform on which apps of three developers come to one
// network and share a harvest, and apps of others move their hosting.
func rent(seed uint64) (list []memberwatch.Event) {
	rng := rand.New(rand.NewPCG(seed, 1))
	start := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC).UnixNano()
	call := func(at int64, app, network string, members int) {
		ev := memberwatch.Event{
			App: memberwatch.AppID(app), Developer: memberwatch.DeveloperID("by-" + app[:3]), Time: at + rng.Int64N(int64(time.Hour)/64), Network: network,
			Endpoint: "/members", Actor: hashName(app) + uint64(rng.IntN(9)) + 1,
		}
		for range members {
			ev.Disclosed = append(ev.Disclosed, hashName(app)+uint64(rng.IntN(100_000)))
		}
		list = append(list, ev)
	}
	for hour := range 25 * 24 {
		at, day := start+int64(hour)*int64(time.Hour), hour/24
		for i := range 9 {
			home := "home"
			if day >= 20 && i < 4 {
				home = "as65020"
			}
			call(at+int64(i)*int64(time.Hour)/16, fmt.Sprintf("%03d", i), home, 2+i+rng.IntN(5))
		}
		if day >= 21 {
			for i := range 5 {
				call(at+int64(10+i)*int64(time.Hour)/16, fmt.Sprintf("n%d-%d", i/2, i), "as65010", 14+rng.IntN(9))
			}
		}
	}
	return list
}

// TestNetworkReplay finds the fleet, and the same bytes and updates however often
// the service restarts.
func TestNetworkReplay(t *testing.T) {
	events := rent(5)
	plain, broken := newReplay(t, DefaultConfig()), newReplay(t, DefaultConfig())
	rng := rand.New(rand.NewPCG(4, 4))
	for i := range events {
		plain.observe(&events[i])
		if rng.IntN(400) == 0 {
			broken.reload()
			broken.fleet = reloaded(t, broken.fleet)
		}
		broken.observe(&events[i])
	}
	if !bytes.Equal(plain.bytes(), broken.bytes()) || !reflect.DeepEqual(plain.updates, broken.updates) {
		t.Error("restarts change the outcome")
	}
	var about []string
	for _, s := range plain.opened() {
		if s.Kind == memberwatch.KindNetwork {
			about = append(about, s.Network)
		}
	}
	if len(about) != 1 || about[0] != "as65010" {
		t.Errorf("signals about %v, want one about as65010; in all %d", about, len(plain.order))
	}
}

// FuzzTally reads tallies and the fleet's state: what is damaged is refused, what
// is read is written again.
func FuzzTally(f *testing.F) {
	tally := newTally(memberwatch.WindowAt(memberwatch.Day, 1_767_571_200e9))
	for i, c := range each(6, 1) {
		here := tally.arrivalsAt("as64500")
		here.apps = append(here.apps, comer(i, c))
	}
	born(tally, 7, 3, true)
	f.Add(encodedTally(f, tally))
	judge := NewFleet(DefaultConfig())
	judge.Judge(tally)
	fleet, err := judge.AppendBinary(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(fleet)
	f.Fuzz(func(t *testing.T, b []byte) {
		b = reseal(b)
		tally, fleet := new(Tally), NewFleet(DefaultConfig())
		if tally.UnmarshalBinary(b) == nil {
			again := encodedTally(t, tally)
			if err := new(Tally).UnmarshalBinary(again); err != nil {
				t.Errorf("a tally that was read does not read back: %v", err)
			}
		}
		if fleet.UnmarshalBinary(b) == nil {
			again, err := fleet.AppendBinary(nil)
			if err == nil {
				err = NewFleet(fleet.cfg).UnmarshalBinary(again)
			}
			if err != nil {
				t.Errorf("a fleet that was read does not read back: %v", err)
			}
		}
	})
}

// TestSumOfLognormals: one summand is itself, and the mean and variance of many are
// those that the interval's law has.
func TestSumOfLognormals(t *testing.T) {
	var one, many volume
	one.add(stand{value: 1, mid: 3, spread: 0.7})
	mid, low, high := one.expected()
	near(t, "middle", mid, math.Exp(3), 1e-12)
	near(t, "low", low, math.Exp(3-1.96*0.7), 1e-12)
	near(t, "high", high, math.Exp(3+1.96*0.7), 1e-12)
	for range 50 {
		many.add(stand{value: 1, mid: 3, spread: 0.7})
	}
	mid, _, high = many.expected()
	square := math.Pow(math.Log(high/mid)/1.96, 2)
	mean := mid * math.Exp(square/2)
	near(t, "mean", mean, 50*math.Exp(3+0.7*0.7/2), 1e-12)
	near(t, "variance", mean*mean*math.Expm1(square), 50*math.Exp(6+0.7*0.7)*math.Expm1(0.7*0.7), 1e-9)
}
