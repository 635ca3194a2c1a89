package detector

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/series"
	"pgregory.net/rapid"
)

// TestPiecesDoNotDependOnOrder counts calls with many names in two orders, in one
// window and in two that are merged.
func TestPiecesDoNotDependOnOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var events []memberwatch.Event
		for range rapid.IntRange(1, 60).Draw(t, "calls") {
			name := rapid.IntRange(0, 12)
			events = append(events, memberwatch.Event{
				Endpoint: fmt.Sprint("/", name.Draw(t, "endpoint")), Network: fmt.Sprint("AS", name.Draw(t, "network")),
				Records: rapid.Uint64Range(0, 9).Draw(t, "records"), Missed: 1, Outcome: memberwatch.OutcomeOK,
			})
		}
		other := slices.Clone(events)
		rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 1)).Shuffle(len(other), func(i, j int) { other[i], other[j] = other[j], other[i] })
		var a, b, second pieces
		for i := range events {
			a.count(&events[i])
			if i%2 == 0 {
				b.count(&other[i])
			} else {
				second.count(&other[i])
			}
		}
		b.merge(second)
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%v\n%v", a, b)
		}
		of := 0
		for i := range a {
			if a[i].dimension() == endpoint {
				of++
			}
		}
		if of > mostPieces {
			t.Errorf("%d endpoints", of)
		}
	})
}

// TestInfluences: an export through a new endpoint is named, the same through the
// only endpoint is not, and nobody is blamed for a rise of all.
func TestInfluences(t *testing.T) {
	for _, c := range []struct {
		name      string
		endpoints []string // of the ordinary calls
		harvest   string   // endpoint of the others; empty: as the ordinary ones
		want      string
	}{
		{"a new endpoint", []string{"/members", "/groups"}, "/export", "without endpoint /export, 9"},
		{"one of several", []string{"/members", "/groups"}, "/groups", "without endpoint /groups, 9"},
		{"the only one", []string{"/members"}, "/members", ""},
		{"all alike", []string{"/members", "/groups"}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newReplay(t, DefaultConfig())
			random := rand.New(rand.NewPCG(5, 5))
			start := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
			for call := range 40 * 24 * 6 {
				at := start.Add(time.Duration(call) * 10 * time.Minute)
				ev := memberwatch.Event{App: "crm", Time: at.UnixNano(), Records: 20 + random.Uint64N(9), Endpoint: c.endpoints[random.IntN(len(c.endpoints))]}
				r.observe(&ev)
				if call >= 39*24*6 && call < 39*24*6+6 {
					ev.Records *= 100
					if c.harvest != "" {
						ev.Endpoint = c.harvest
					}
					r.observe(&ev)
				}
			}
			r.advance(start.AddDate(0, 0, 41).UnixNano())
			var said strings.Builder
			for _, s := range r.opened() {
				if s.Kind != memberwatch.KindVolumeBurst {
					continue
				}
				for _, x := range s.Strongest.Influences {
					said.WriteString(x.Text + "\n")
				}
			}
			if len(r.opened()) == 0 || c.want == "" && said.String() != "" || !strings.Contains(said.String(), c.want) {
				t.Errorf("%d signals, influences %q, want %q", len(r.opened()), said.String(), c.want)
			}
		})
	}
}

// TestInfluencesOfSums: what has no parts of its own is broken down by the strongest that has.
func TestInfluencesOfSums(t *testing.T) {
	var calls pieces
	for name, records := range map[string]uint64{"/export": 970, "/members": 30} {
		calls.name(endpoint, name, &piece{records: records})
	}
	g := &judged{kind: memberwatch.KindNovelty, cal: new(Calibration), pending: pending{
		Window: memberwatch.WindowAt(memberwatch.Day, 1_767_571_200e9), pieces: calls, total: totals{records: 1000},
	}}
	g.values.v[Together], g.values.v[NoveltyPerActor], g.values.v[DistinctShare] = 5, 100, 98
	for _, f := range []Feature{Together, NoveltyPerActor, DistinctShare} {
		x := trial{comparison: comparison{stream: dayBurst, feature: f, p: 1e-3, reach: [measures]float64{3, 3}}, factor: 1, weight: 0.1}
		if f != Together {
			x.expected = series.Unanimous(math.Log1p(g.values.v[f]/20), 0.3)
		} else {
			x.reach = [measures]float64{9, 9}
		}
		g.trials = append(g.trials, x)
	}
	found := g.finding(1400)
	if found.Factors[0].Feature != Together.String() {
		t.Fatalf("the strongest is %s, want the sum", found.Factors[0].Feature)
	}
	if len(found.Influences) != 1 || !strings.Contains(found.Influences[0].Text, "/export, 97 % of it all, it would be ordinary: 3 members never read before") {
		t.Errorf("influences %v, want /export", found.Influences)
	}
}
