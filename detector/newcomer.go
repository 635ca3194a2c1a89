package detector

import (
	"fmt"
	"math"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/codec"
	"github.com/memberwatch/memberwatch/detector/tails"
)

// Newcomers have no past of their own, so they meet their peers: an app that is
// new to a watched platform meets other new apps at the same age, and where too
// few are known, as in the first days of an installation when everybody is new,
// it meets the others without a past on the same day.
//
//	z = (ln(v+1) - mean)/spread of the peers,  p = upper normal tail
//
// at ages 1, 3 and 7 days for the total since birth, and for each of the first
// days where there are no such peers; births.go has the law, its assumption and its
// source. Apps of one developer are then compared together, too: a harvest that is
// split is small in each. Where only some others are new on the day, their spread
// rests on what is known of other logs (firstSpread). It lies for a new app of a
// sort that its category has not seen, on a first day when most apps are harvesters,
// and for a developer of many apps on the first day of an installation.

// infancy compares a new app with its peers at ages 1, 3 and 7 days, and counts
// an established one among the peers.
func (e *Engine) infancy(s *State, w *window, x values) {
	if s.united != nil {
		e.newborns(s, w)
		return
	}
	if s.days() >= e.cfg.ReadyDays {
		e.teachPeers(s, w, settledVolume, x.v[Reach], false)
		if x.actors >= 1 {
			e.teachPeers(s, w, settled, x.v[ReachPerActor], true)
		}
	}
	age, young := e.inFirstWeek(s, dayOf(w.Start))
	if !young {
		return
	}
	s.infant.reach += x.v[Reach]
	s.infant.actors += x.actors
	s.infant.hours = [2]float64{}
	for i, due := range ages {
		bit := uint8(1) << i
		if age < due || s.infant.done&bit != 0 {
			continue
		}
		s.infant.done |= bit
		total := s.infant.reach
		if s.infant.actors >= 1 {
			total /= s.infant.actors
		}
		e.coldStart(s, w, i, total, s.infant.actors >= 1)
		e.teachPeers(s, w, i, total, s.infant.actors >= 1)
		e.teachPeers(s, w, volumeAt+i, s.infant.reach, false)
	}
}

// teachPeers counts an app in a group of peers, with what it read.
func (e *Engine) teachPeers(s *State, w *window, group int, read float64, perActor bool) {
	known, category := &e.calibration(dayOf(w.Start)).births, e.category(s.App)
	if group >= volumeAt {
		category = allCategories // volumes say little of it
	}
	x := math.Log1p(read)
	if peers, ok := known.infants(category, group, perActor); ok {
		x = peers.clipped(x)
	}
	e.tally(w.Window).births.add(category, group, x)
	if l := e.tally(w.Window).litters[s.shape]; l != nil && group != settled && group != settledVolume {
		l.see(group, x)
	}
}

// newcomerDays is how long the partition must have been watched before an app it
// has not seen counts as new rather than as old and quiet.
const newcomerDays = 7

// infancyHour compares a new app at the end of an hour, with the totals its peers
// had at the next age: it has had less time, and who comes in two hours counts as
// two, so the test is on the safe side. It waits for some acting users, whose first
// calls say little, and raises once for each age.
func (e *Engine) infancyHour(s *State, w *window) {
	age, young := e.inFirstWeek(s, dayOf(w.Start))
	if !young {
		return
	}
	s.infant.hours[0] += w.members.Estimate()
	s.infant.hours[1] += w.actors.Estimate()
	s.dirty |= PartBaseline
	reach, actors := s.infant.reach+s.infant.hours[0], s.infant.actors+s.infant.hours[1]
	if actors < fewestInfant {
		return
	}
	for i, due := range ages {
		done, said := uint8(1)<<i, uint8(1)<<(i+birthAges)
		if age > due || s.infant.done&(done|said) != 0 {
			continue
		}
		if e.coldStart(s, w, i, reach/actors, true) {
			s.infant.done |= said
		}
		return
	}
}

// fewestInfant is how many acting users a new app needs for a word before the day
// is over.
const fewestInfant = 5

// coldStart compares a new app's total since birth with its peers' and tells
// whether it stands out.
func (e *Engine) coldStart(s *State, w *window, age int, total float64, actors bool) bool {
	cal, category := e.calibration(dayOf(w.Start)), e.category(s.App)
	peers, ok := cal.births.infants(category, age, actors)
	if !ok || tails.Normal(peers.score(math.Log1p(total))) > coldWeight/e.on(w.Start).cfg.Budget {
		return false
	}
	e.raise(s, "", e.ground(s, &outgrown{w.Window, w.exposed(), peers, uint64(age), total, actors}))
	return true
}

// coldWeight is the part of a day's budget that new apps have at each of their three
// ages: three of the seven days that Weights leaves next to unused, as an app
// without a past is compared with little else.
const coldWeight = 1

// firstFeatures are compared in the first days: what an app discloses, for each
// acting user where users are known because that does not depend on size, and
// what it guesses and what it is refused.
func firstFeatures(actors bool) [3]Feature {
	if actors {
		return [3]Feature{ReachPerActor, Misses, Denials}
	}
	return [3]Feature{Reach, Misses, Denials}
}

// firstDays counts an app without a baseline among the others of its day, unless
// there are better peers: apps that were as new as it is. A developer is compared
// where no app of its has most of what they read, but is nobody's peer.
func (e *Engine) firstDays(s *State, p *pending) {
	if p.Scale != memberwatch.Day {
		return
	}
	if _, ok := e.calibration(dayOf(p.Start)).births.peers(e.category(s.App), 0); ok {
		return
	}
	if s.joint() {
		p.first = !s.united.oneApps(Reach)
		return
	}
	p.first = true
	tally := e.tally(p.Window)
	for _, f := range firstFeatures(p.values.actors >= 1) {
		if v := p.values.v[f]; v > 0 { // most apps miss nothing: those that do are the peers
			tally.first[f].see(math.Log1p(v))
		}
	}
}

// judgeFirst compares an app's day with everybody's. The test is a lognormal
// one, as for births.
func (e *Engine) judgeFirst(s *State, p *pending, j *Judgement) {
	for _, f := range firstFeatures(p.values.actors >= 1) {
		v := p.values.v[f]
		if v == 0 || f != ReachPerActor && f != Reach && (s.joint() || v < ordinaryPart*(p.values.v[Records]+v)) {
			continue
		}
		others, newcomers := j.first[f], max(j.first[Reach].n, j.first[ReachPerActor].n)
		if x := math.Log1p(v); !s.joint() { // an app is not its own peer
			others.add(moments{1, x, float64(x * x)}, -1)
		}
		peers, ok := others.firstPeers(f, newcomers)
		if !ok {
			continue
		}
		tail := tails.Normal(peers.score(math.Log1p(v)))
		if tail <= firstWeight/e.on(p.Start).cfg.Budget {
			e.raise(s, "", e.ground(s, &outstanding{p.Window, p.members, peers, f, v, p.prefix, p.lead, uint64(newcomers), uint64(others.n)}))
		}
	}
}

// firstPeers returns those with whom an app's first days are compared in a feature,
// from all others of the day and how many newcomers there are. Few apps miss or are
// refused anything, so a group of those that did is filled up with rareFirst as
// long as there are enough newcomers at all; what a few others disclose is a middle
// to go by, but no spread.
func (m moments) firstPeers(f Feature, newcomers float64) (moments, bool) {
	switch {
	case m.n >= minBirths:
	case f == Misses || f == Denials:
		if newcomers < minBirths {
			return moments{}, false
		}
		m.add(rareFirst, (minBirths-m.n)/minBirths)
	case m.n < fewestFirst:
		return moments{}, false
	default:
		own := max(m.squares/m.n-float64(m.mean()*m.mean()), 0)
		variance := (float64(m.n*own) + float64((minBirths-m.n)*firstSpread*firstSpread)) / minBirths
		m.squares = float64(m.n*m.mean()*m.mean()) + float64((m.n+1)*variance) // the mean is uncertain by 1/n of it
	}
	return m, true
}

const (
	// fewestFirst others are needed for a middle. Ours.
	fewestFirst = 3
	// firstSpread is how far the logarithms of what apps disclose in a day are spread
	// where too few of them are known: 1.0 for 991 addresses of a package mirror, 1.2
	// for sources of the DARPA 1998 log, 1.5 for 1,103 of EDGAR.
	firstSpread = 1.2
)

// rareFirst is what the misses and refusals of minBirths newcomers that have any
// are taken to be: 2 or 3 in the middle, one app in thirty over 25. Of 145
// addresses that met errors in a day of EDGAR requests, the mean logarithm was
// 1.2 and its spread 1.0.
var rareFirst = moments{
	n: minBirths, sum: minBirths * rareMean, squares: minBirths * (rareMean*rareMean + rareSpread*rareSpread),
}

const rareMean, rareSpread = 1.2, 1.1

// ordinaryPart of what an app asks for may be missing or refused without a word in
// its first days: address books hold a few ids that lead nowhere, and who calls
// much is refused more often than who calls little. Guessing is mostly missed.
const ordinaryPart = 0.1

// firstWeight is the part of the budget that each of the three comparisons has on
// each of an app's first days.
const firstWeight = 0.1

// outstanding are the grounds of a finding about an app without a past, beside
// the others without one on the same day.
type outstanding struct {
	at      memberwatch.Window
	members memberwatch.Estimate
	peers   moments
	feature Feature
	value   float64
	prefix  string // of a developer: through how many apps, and which most
	lead    string
	// newcomers are all apps without a past on the day, known those others of them
	// that have anything of the feature.
	newcomers, known uint64
}

// usual tells whether too few others are known to miss or be refused anything, and
// the peers are what is usual elsewhere.
func (g *outstanding) usual() bool {
	return (g.feature == Misses || g.feature == Denials) && g.known < minBirths
}

func (g *outstanding) finding(float64) memberwatch.Finding {
	f := g.feature
	mid, low, high := g.peers.central()
	tail := tails.Normal(g.peers.score(math.Log1p(g.value)))
	kind := memberwatch.KindColdStart
	if f == Misses || f == Denials {
		kind = f.kind(dayBurst)
	}
	text := fmt.Sprintf("%s %s in a day, others %s", number(g.value), featureWords[f], span(low, high))
	caveats := []string{fmt.Sprintf("no past yet: compared with %.0f other new apps of the day", g.peers.n)}
	if g.usual() {
		text = fmt.Sprintf("%s %s in a day, usual of new apps is %s", number(g.value), featureWords[f], span(low, high))
		caveats[0] = fmt.Sprintf("no past yet, and of %d new apps of the day %d others made any: compared with what is usual elsewhere", g.newcomers, g.known)
	}
	if g.lead != "" {
		caveats = append(caveats, g.lead)
	}
	return memberwatch.Finding{
		Kind: kind, Window: g.at, Time: g.at.End() - 1, Stream: memberwatch.StreamBurst,
		ReturnPeriod: periodOf(tail, dayBurst), FleetFactor: 1, Members: g.members, Sentence: g.prefix + verb(f) + " " + text,
		Caveats: caveats,
		Factors: []memberwatch.Factor{{
			Feature: firstDayPrefix + f.String(), Observed: g.value, Expected: mid, Low: low, High: high,
			P: tail, ReturnPeriod: periodOf(tail, dayBurst), Share: 1, Text: text,
		}},
	}
}

func (g *outstanding) encode(e *codec.Encoder) {
	encodeWindow(e, g.at)
	encodeEstimate(e, g.members)
	g.peers.encode(e)
	e.Uint(uint64(g.feature))
	e.F64(g.value)
	e.Text(g.prefix)
	e.Text(g.lead)
	e.Uint(g.newcomers)
	e.Uint(g.known)
}

func (g *outstanding) decode(d *codec.Decoder) {
	g.at, g.members = decodeWindow(d), decodeEstimate(d)
	g.peers.decode(d)
	g.feature, g.value = Feature(min(d.Uint(), uint64(Features))), d.F64()
	g.prefix, g.lead = d.Text(), d.Text()
	g.newcomers, g.known = d.Uint(), d.Uint()
	if g.feature >= Features {
		d.Fail("unknown feature")
		g.feature = 0
	}
}

// central is the middle and the central 95 % of a group, as counts.
func (m moments) central() (mid, low, high float64) {
	back := func(x float64) float64 { return max(math.Expm1(x), 0) }
	reach := float64(1.96 * m.spread())
	return back(m.mean()), back(m.mean() - reach), back(m.mean() + reach)
}

// outgrown are the grounds of a finding about a new app beside its peers at the
// same age.
type outgrown struct {
	at      memberwatch.Window
	members memberwatch.Estimate
	peers   moments
	age     uint64 // place in ages
	total   float64
	actors  bool // the total is for each acting user
}

func (g *outgrown) finding(float64) memberwatch.Finding {
	mid, low, high := g.peers.central()
	p := tails.Normal(g.peers.score(math.Log1p(g.total)))
	what := "distinct members"
	if g.actors {
		what = "distinct members per acting user"
	}
	since := fmt.Sprintf("in its first %d days", ages[g.age])
	if ages[g.age] == 1 {
		since = "on its first day"
	}
	text := fmt.Sprintf("%s %s %s, new apps like it %s", number(g.total), what, since, span(low, high))
	return memberwatch.Finding{
		Kind: memberwatch.KindColdStart, Window: g.at, Time: g.at.End() - 1, Stream: memberwatch.StreamBurst,
		ReturnPeriod: periodOf(p, dayBurst), FleetFactor: 1, Members: g.members, Sentence: "read " + text,
		Caveats: []string{fmt.Sprintf("compared with %.0f windows of its peers, not with itself", g.peers.n)},
		Factors: []memberwatch.Factor{{
			Feature: sinceBirth, Observed: g.total, Expected: mid, Low: low, High: high,
			P: p, ReturnPeriod: periodOf(p, dayBurst), Share: 1, Text: text,
		}},
	}
}

func (g *outgrown) encode(e *codec.Encoder) {
	encodeWindow(e, g.at)
	encodeEstimate(e, g.members)
	g.peers.encode(e)
	e.Uint(g.age)
	e.F64(g.total)
	e.Bool(g.actors)
}

func (g *outgrown) decode(d *codec.Decoder) {
	g.at, g.members = decodeWindow(d), decodeEstimate(d)
	g.peers.decode(d)
	g.age, g.total, g.actors = d.Uint(), d.F64(), d.Bool()
	if g.age >= birthAges {
		d.Fail("unknown age")
		g.age = 0
	}
}
