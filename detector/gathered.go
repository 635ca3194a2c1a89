package detector

import (
	"fmt"
	"math"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/codec"
	"github.com/memberwatch/memberwatch/detector/tails"
)

// gathered are the grounds of a signal about what came to one network.
type gathered struct {
	at         memberwatch.Window
	network    string
	developers uint64
	score      float64 // S
	reach      scores
	perActor   scores // of the apps that have acting users
	total      volume // of reach
	past       kin
	tests      uint64  // networks that were tested
	factor     float64 // the fleet's word
	members    memberwatch.Estimate
	lead       string
}

// scores are sums over apps of one measure.
type scores struct {
	n                         uint64
	score, value, mid, spread float64 // value is of ln(v + 1)
}

func (x *scores) add(s stand) {
	x.n++
	x.score += clipped(s.score)
	x.value += math.Log1p(s.value)
	x.mid += s.mid
	x.spread += s.spread
}

// volume is a sum of lognormal values: what it is, and mean and variance of what
// was expected.
type volume struct{ value, mean, variance float64 }

func (x *volume) add(s stand) {
	square := float64(s.spread * s.spread)
	mean := math.Exp(s.mid + square/2)
	x.value += s.value
	x.mean += mean
	x.variance += float64(mean * mean * math.Expm1(square))
}

// expected is the middle and the central 95 % of the sum, taken as lognormal again
// with the same mean and variance (Fenton, 1960).
func (x *volume) expected() (mid, low, high float64) {
	square := math.Log1p(x.variance / (x.mean * x.mean))
	mid = x.mean * math.Exp(-square/2)
	reach := math.Exp(usualAt * math.Sqrt(square))
	return mid, mid / reach, mid * reach
}

// tail is the probability that so many scores have such a sum by chance.
func (g *gathered) tail(n uint64, sum float64) float64 {
	mean, variance := g.past.kind()
	apps := float64(n)
	z := (sum - apps*(positiveMean+mean)) / math.Sqrt(float64(positiveSpread*apps)+float64(variance*apps*apps))
	return min(max(tails.Normal(z)*g.factor*float64(g.tests), 1e-300), 1)
}

func (g *gathered) p() float64 { return g.tail(g.reach.n, g.score) }

// finding words the grounds.
func (g *gathered) finding(float64) memberwatch.Finding {
	mid, low, high := g.total.expected()
	text := fmt.Sprintf("%s distinct members in a day, expected %s", number(g.total.value), span(low, high))
	p := g.tail(g.reach.n, g.reach.score)
	list := []memberwatch.Factor{{
		Feature: "reach_of_arrivals", Observed: g.total.value, Expected: mid, Low: low, High: high, P: p, ReturnPeriod: periodOf(p, dayBurst), Text: text,
	}}
	if g.perActor.n > 0 {
		list = append(list, g.ratio())
	}
	share(list)
	return memberwatch.Finding{
		Kind: memberwatch.KindNetwork, Window: g.at, Time: g.at.End() - 1, Stream: memberwatch.StreamBurst, FleetFactor: g.factor,
		ReturnPeriod: periodOf(g.p(), dayBurst), Members: g.members, Factors: list,
		Sentence: fmt.Sprintf("%s of %s that lately came to network %s read %s; %s",
			plural(float64(g.reach.n), "app", "apps"), plural(float64(g.developers), "developer", "developers"), g.network, text, g.lead),
		Caveats: []string{
			fmt.Sprintf("they share %.0f %% of the members they read on this day", 100*g.shared()),
			"each is compared with its own past, or with other new apps of its age; customers of one hosting company may be of one kind",
		},
	}
}

// ratio is the factor of members for each acting user, in the middle of the apps.
func (g *gathered) ratio() memberwatch.Factor {
	x := &g.perActor
	n := float64(x.n)
	_, variance := g.past.kind()
	reach := usualAt * x.spread / n * math.Sqrt(1/n+variance)
	count := func(ln float64) float64 { return max(math.Expm1(ln), 0) }
	f := memberwatch.Factor{
		Feature: "reach_of_arrivals_per_actor", Observed: count(x.value / n), Expected: count(x.mid / n),
		Low: count(x.mid/n - reach), High: count(x.mid/n + reach), P: g.tail(x.n, x.score),
	}
	f.ReturnPeriod = periodOf(f.P, dayBurst)
	f.Text = fmt.Sprintf("%s distinct members per acting user in the middle of the apps, expected %s", number(f.Observed), span(f.Low, f.High))
	return f
}

// shared is the part of what the apps read that several of them read.
func (g *gathered) shared() float64 {
	return max(1-g.members.Value/max(g.total.value, 1), 0)
}

func (g *gathered) encode(e *codec.Encoder) {
	encodeWindow(e, g.at)
	e.Text(g.network)
	e.Uint(g.developers)
	e.F64(g.score)
	g.reach.encode(e)
	g.perActor.encode(e)
	e.F64(g.total.value)
	e.F64(g.total.mean)
	e.F64(g.total.variance)
	e.F64(g.past.n)
	e.F64(g.past.sum)
	e.Uint(g.tests)
	e.F64(g.factor)
	encodeEstimate(e, g.members)
	e.Text(g.lead)
}

func (g *gathered) decode(d *codec.Decoder) {
	*g = gathered{at: decodeWindow(d), network: d.Text(), developers: d.Uint(), score: d.F64()}
	g.reach.decode(d)
	g.perActor.decode(d)
	g.total = volume{d.F64(), d.F64(), d.F64()}
	g.past = kin{d.F64(), d.F64()}
	g.tests, g.factor, g.members, g.lead = d.Uint(), d.F64(), decodeEstimate(d), d.Text()
	if sums := g.score + g.reach.score + g.perActor.score + g.past.sum; math.IsNaN(sums) || math.IsInf(sums, 0) {
		d.Fail("scores out of range")
	}
	if g.reach.n == 0 || g.tests == 0 || !(g.past.n >= 0) || !(g.factor >= 1) || !(g.total.mean > 0) || !(g.total.variance >= 0) {
		d.Fail("arrivals out of range")
	}
}

func (x *scores) encode(e *codec.Encoder) {
	e.Uint(x.n)
	for _, v := range [...]float64{x.score, x.value, x.mid, x.spread} {
		e.F64(v)
	}
}

func (x *scores) decode(d *codec.Decoder) { *x = scores{d.Uint(), d.F64(), d.F64(), d.F64(), d.F64()} }
