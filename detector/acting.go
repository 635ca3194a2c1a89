package detector

import (
	"fmt"
	"math"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/codec"
)

// acting are the grounds of a signal about apps that act together.
type acting struct {
	at       memberwatch.Window
	apps     uint64
	links    uint64
	compared uint64 // pairs that have met at all
	best     pair   // the pair with the most members in common
	members  uint64 // of that pair, at least
	usual    float64
}

func (c *coordination) grounds(at memberwatch.Window, group []pair) *acting {
	g := &acting{at: at, apps: uint64(len(appsOf(group))), links: uint64(len(group)), compared: uint64(len(c.pairs))}
	for _, p := range group {
		if m := c.pairs[p]; uint64(m.members()) > g.members {
			g.best, g.members, g.usual = p, uint64(m.members()), m.usual[0]+m.usual[1]
		}
	}
	return g
}

// p bounds the probability that chance links a group of as many apps.
func (g *acting) p() float64 {
	ways, _ := math.Lgamma(float64(g.apps))
	log := float64(float64(g.apps-1)*math.Log(float64(g.compared))) - ways + float64(float64(g.links)*math.Log(linkedP))
	return min(max(math.Exp(log), 1e-300), 1)
}

// finding words the grounds.
func (g *acting) finding(float64) memberwatch.Finding {
	among := g.apps * (g.apps - 1) / 2
	expected := float64(among) * linkedP
	text := fmt.Sprintf("%d of their %d pairs have met on %d or more members, by chance %s", g.links, among, linkedMembers, small(expected))
	most := fmt.Sprintf("%s and %s on at least %d, by chance %s", g.best.a, g.best.b, g.members, small(g.usual))
	return memberwatch.Finding{
		Kind: memberwatch.KindCoordination, Window: g.at, Time: g.at.End() - 1, Stream: memberwatch.StreamBurst, FleetFactor: 1,
		ReturnPeriod: periodOf(g.p(), dayBurst),
		Sentence:     fmt.Sprintf("%d apps read the same members within minutes of each other, again and again: %s; most of all %s", g.apps, text, most),
		Factors: []memberwatch.Factor{{
			Feature: "linked_pairs", Observed: float64(g.links), Expected: expected, High: math.Ceil(expected + float64(3*math.Sqrt(expected))),
			P: g.p(), ReturnPeriod: periodOf(g.p(), dayBurst), Share: 1, Text: text,
		}},
		Caveats: []string{"apps that serve the same community at fixed times would look alike"},
	}
}

// small writes a small expected number for people.
func small(v float64) string {
	if v < 0.1 {
		return "less than 0.1"
	}
	return number(v)
}

func (g *acting) encode(e *codec.Encoder) {
	encodeWindow(e, g.at)
	for _, n := range [...]uint64{g.apps, g.links, g.compared, g.members} {
		e.Uint(n)
	}
	e.Text(string(g.best.a))
	e.Text(string(g.best.b))
	e.F64(g.usual)
}

func (g *acting) decode(d *codec.Decoder) {
	*g = acting{at: decodeWindow(d), apps: d.Uint(), links: d.Uint(), compared: d.Uint(), members: d.Uint()}
	g.best = pair{memberwatch.AppID(d.Text()), memberwatch.AppID(d.Text())}
	g.usual = d.F64()
	if g.usual < 0 || g.apps < 2 || g.apps > math.MaxInt32 || g.links > math.MaxInt32 || g.compared == 0 {
		d.Fail("meetings out of range")
	}
}
