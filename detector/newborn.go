package detector

import (
	"fmt"
	"math"
	"strings"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/codec"
	"github.com/memberwatch/memberwatch/detector/tails"
)

// Newborn apps of one developer, together. Partners made up to share a harvest are
// young, each reads a part, and none may stand out among new apps; together they
// read more than anybody's new apps, and more for each acting user.
//
//	R, A     members read and acting users of all its apps in their first week,
//	         as sums of days, brought to the age of 1, 3 or 7 days below the oldest's
//	z_R      of R among new apps of that age, else among a day of all apps, by ln
//	z_A      of R/A likewise
//	z        (z_R + z_A)/sqrt(2 (1 + 1/2)), z_R alone where no user is known
//	p        upper normal tail; alarm at p <= newbornWeight/Budget
//
// The root is that of two scores correlated by a half. Assumption: totals and
// ratios of new apps are lognormal, as for births. Few developers launch several
// apps in a week, so those who do are compared with single apps: a developer of
// twenty ordinary new apps has z_R of about 2 and z_A of 0, which is no alarm. It
// lies for a successful launch of several apps of a new sort, and is silent for
// fake partners under several developers, whom only the fleet can see together, by
// their network.
// Source: I12 of the catalogue; combining scores after Stouffer, 1949.
type newborn struct {
	apps          int
	age           int32   // of the oldest
	reach, actors float64 // since birth
	most          float64 // reach of one app
}

// newbornWeight is the part of the budget that new apps of one developer have
// together on each day of their first week. Like that of new apps it stands beside
// Weights: hardly any developer ever has these chances.
const newbornWeight = 0.1

// correlated is the spread of the sum of two scores correlated by a half.
var correlated = math.Sqrt(3)

// inFirstWeek tells whether an app is as young as its peers are known, and how
// old on a day.
func (e *Engine) inFirstWeek(s *State, day int32) (age int32, young bool) {
	age = day - dayOf(s.first) + 1
	return age, age <= ages[birthAges-1] && dayOf(s.first)-dayOf(e.since) >= newcomerDays
}

// add counts a young app.
func (n *newborn) add(age int32, x infancy) {
	n.apps++
	n.age = max(n.age, age)
	n.reach += x.reach
	n.actors += x.actors
	n.most = max(n.most, x.reach)
}

// newborns compares a developer's young apps with the others'.
func (e *Engine) newborns(s *State, w *window) {
	n := &s.united.newborn
	if n.apps < 2 || n.most > leadPart*n.reach {
		return
	}
	born := &e.calibration(dayOf(w.Start)).births
	volume, group, days, ok := born.volumePeers(n.age)
	if !ok {
		return
	}
	g := &brood{
		at: w.Window, members: w.exposed(), apps: uint64(n.apps), age: uint64(n.age), days: uint64(days),
		total: n.reach * float64(days) / float64(n.age), peers: volume, shared: s.united.shared(),
	}
	if ratio, known := born.infants(allCategories, group, true); known && n.actors >= 1 {
		g.perActor, g.ratioPeers = n.reach/n.actors, ratio
	}
	if g.p() <= newbornWeight/e.on(w.Start).cfg.Budget {
		_, g.lead = s.united.through()
		e.raise(s, "", e.ground(s, g))
	}
}

// brood are the grounds of a finding about the newborn apps of a developer.
type brood struct {
	at         memberwatch.Window
	members    memberwatch.Estimate
	apps, age  uint64
	days       uint64  // that the peers' totals span
	total      float64 // R in as many days
	peers      moments
	perActor   float64 // R/A; 0: no user is known
	ratioPeers moments
	shared     float64 // part of the members read by several apps
	lead       string
}

func (g *brood) p() float64 {
	z := g.peers.score(math.Log1p(g.total))
	if g.perActor > 0 {
		z = (z + g.ratioPeers.score(math.Log1p(g.perActor))) / correlated
	}
	return tails.Normal(z)
}

func (g *brood) finding(float64) memberwatch.Finding {
	p := g.p()
	list := []memberwatch.Factor{newbornFactor(ofNewApps, "distinct members in "+plural(float64(g.days), "day", "days"), g.total, g.peers, p)}
	if g.perActor > 0 {
		list = append(list, newbornFactor(ofNewApps+"_per_actor", "distinct members per acting user", g.perActor, g.ratioPeers, p))
	}
	texts := make([]string, len(list))
	for i := range list {
		texts[i] = list[i].Text
	}
	share(list)
	return memberwatch.Finding{
		Kind: memberwatch.KindColdStart, Window: g.at, Time: g.at.End() - 1, Stream: memberwatch.StreamBurst,
		ReturnPeriod: periodOf(p, dayBurst), FleetFactor: 1, Members: g.members, Factors: list,
		Sentence: fmt.Sprintf("through %d apps at most %s old read %s", g.apps, plural(float64(g.age), "day", "days"), strings.Join(texts, ", and ")),
		Caveats: []string{
			fmt.Sprintf("its apps share %.0f %% of the members they read on this day; %s", 100*g.shared, g.lead),
			fmt.Sprintf("compared with %.0f windows of other apps, not with itself", g.peers.n),
		},
	}
}

func newbornFactor(feature, what string, observed float64, peers moments, p float64) memberwatch.Factor {
	mid, low, high := peers.central()
	return memberwatch.Factor{
		Feature: feature, Observed: observed, Expected: mid, Low: low, High: high,
		P: tails.Normal(peers.score(math.Log1p(observed))), ReturnPeriod: periodOf(p, dayBurst),
		Text: fmt.Sprintf("%s %s where one app has %s", number(observed), what, span(low, high)),
	}
}

func (g *brood) encode(e *codec.Encoder) {
	encodeWindow(e, g.at)
	encodeEstimate(e, g.members)
	e.Uint(g.apps)
	e.Uint(g.age)
	e.Uint(g.days)
	e.F64(g.total)
	g.peers.encode(e)
	e.F64(g.perActor)
	g.ratioPeers.encode(e)
	e.F64(g.shared)
	e.Text(g.lead)
}

func (g *brood) decode(d *codec.Decoder) {
	g.at, g.members, g.apps, g.age, g.days, g.total = decodeWindow(d), decodeEstimate(d), d.Uint(), d.Uint(), d.Uint(), d.F64()
	g.peers.decode(d)
	g.perActor = d.F64()
	g.ratioPeers.decode(d)
	g.shared, g.lead = d.F64(), d.Text()
}

// shared is the part of what a union's apps read that several of them read.
func (u *union) shared() float64 {
	sum := 0.0
	for _, p := range u.parts {
		sum += p.reach
	}
	return max(1-u.w.members.Estimate()/max(sum, 1), 0)
}
