package detector

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/codec"
	"github.com/memberwatch/memberwatch/detector/sketch"
)

// First-seen: a token in foreign hands calls from a place the app has never
// called from, for things it has never asked for, on the same calls.
//
//	new        first seen today or yesterday, or again after 180 days
//	place      network or credential;  thing: endpoint or data class
//	p_place    (k + 1/2)/(D + 1), k new places in the app's last D <= 180 days
//	p          p_place p_thing min(1, 24 p_hour), p_hour that of the hour's reach
//	alarm      p <= FirstSeen/Budget, and 100 members disclosed on such calls
//
// Either alone is a hosting migration, a new key, or a release. Assumption: moves
// and releases come at a steady rate and independently of each other. It lies for
// a release that moves the app to new hosts and reads far more on the same day,
// and for an app younger than 28 days it says nothing; names that change all the
// time (ids in paths) make p_thing 1.
// Source: the Salesloft tokens of 2025 (I20); the estimate is Jeffreys' for a rate.

// dimension is something an app's calls have a name for.
type dimension uint8

const (
	network dimension = iota
	credential
	endpoint
	class
	dimensions
)

// Limits of first-seen names.
const (
	lookBack     = 180 // days after which a name is new again
	acquaintance = 28  // days before an app has a way of calling
	settlingIn   = 7   // days at the start whose new names say nothing of its rate
	newFor       = 1   // days after its first that a name is still new
	mostNames    = 64  // of a dimension within a day; further ones stay new
	keptNames    = 48  // beyond a day
	strangeReach = 100 // members on strange calls before anything is said
)

// name is a name an app has used, by its hash.
type name struct {
	hash uint32
	metOn
	last uint16 // day since the epoch
}

// names are the names of one dimension, by hash.
type names []name

// meet notes that a name was used on a day and tells whether it is new. One that is not
// known is noted only on a call that discloses something: anybody can make up names to be
// refused.
func (n *names) meet(hash uint32, day uint16, discloses bool) bool {
	i, known := n.place(hash)
	if !known {
		if discloses {
			n.note(i, name{hash, metOn{day: day}, day})
		}
		return true
	}
	o := &(*n)[i]
	if !o.anew(day) && day > o.last+lookBack {
		o.day = day
	}
	o.day, o.last = min(o.day, day), max(o.last, day)
	return day <= o.day+newFor
}

// note enters a name at its place. Where there is no room, that of the greatest hash
// among those met first on the day is left out, so that it does not depend on the order of
// the calls who that is. A day begins with room.
func (n *names) note(i int, o name) {
	if len(*n) < mostNames {
		*n = slices.Insert(*n, i, o)
		return
	}
	last := mostNames - 1
	for last >= 0 && (*n)[last].day < o.day {
		last--
	}
	if last < i {
		return
	}
	copy((*n)[i+1:last+1], (*n)[i:last])
	(*n)[i] = o
}

// met is the name of a dimension that an app used last: mostly the next call has
// the same, and needs no look into the names.
type met struct {
	hash  uint32
	day   uint16
	novel bool
}

// meets notes that an app used a name on a day and tells whether it is new.
func (s *State) meets(d dimension, name string, day uint16, discloses bool) bool {
	hash, m := hash32(name), &s.met[d]
	if m.hash != hash || m.day != day || m.novel && discloses {
		*m = met{hash, day, s.names[d].meet(hash, day, discloses)}
	}
	return m.novel
}

// place returns where a name is or belongs. Most apps have few names, and reading
// on is then faster than a search that cannot be predicted.
func (n names) place(hash uint32) (i int, known bool) {
	if len(n) > 16 {
		return slices.BinarySearchFunc(n, hash, func(o name, hash uint32) int { return cmp.Compare(o.hash, hash) })
	}
	for i < len(n) && n[i].hash < hash {
		i++
	}
	return i, i < len(n) && n[i].hash == hash
}

// worth orders names for being kept: the day of its last use, of one that was used on a
// day only none.
func (o name) worth() uint16 {
	if o.last == o.day {
		return 0
	}
	return o.last
}

// since counts the names that were new between two days.
func (n names) since(from, to uint16) int {
	count := 0
	for _, o := range n {
		if !o.hidden && o.day >= from && o.day < to {
			count++
		}
	}
	return count
}

// forget drops names that have not been used for the look-back, and of too many first
// those that were met on one day only, the greatest hashes first, and then those unused
// for longest. So names made up for a day take the place of none that was used for long,
// and those of an app whose names change all the time are a sample of its past.
func (n *names) forget(day uint16) {
	*n = slices.DeleteFunc(*n, func(o name) bool { return o.last+lookBack < day })
	if len(*n) <= keptNames {
		return
	}
	slices.SortFunc(*n, func(a, b name) int { return cmp.Or(-cmp.Compare(a.worth(), b.worth()), cmp.Compare(a.hash, b.hash)) })
	*n = (*n)[:keptNames]
	slices.SortFunc(*n, func(a, b name) int { return cmp.Compare(a.hash, b.hash) })
}

// strange is what an hour disclosed on calls from new places for new things.
type strange struct {
	calls        uint64
	members      sketch.Distinct
	place, thing string // one of each, the first in order
	said         bool
}

// acquaint notes the names of a call and what it discloses if it is strange, and
// tells whether it is or may leave names unknown, so that calls alike come here too.
func (e *Engine) acquaint(s *State, ev *memberwatch.Event, day uint16, hour, whole *window) bool {
	place, thing := "", ""
	discloses := ev.RecordCount() > 0
	if ev.Credential != "" && s.meets(credential, ev.Credential, day, discloses) {
		place = ev.Credential
	}
	if ev.Network != "" && s.meets(network, ev.Network, day, discloses) {
		place = ev.Network
	}
	var set classSet
	for _, c := range ev.DataClasses {
		set.add(hash32(c))
		if s.meets(class, c, day, discloses) {
			thing = c
		}
	}
	if len(ev.DataClasses) > 0 && ev.Outcome <= memberwatch.OutcomeOK {
		hour.count(set, 1)
	}
	if ev.Endpoint != "" && s.meets(endpoint, ev.Endpoint, day, discloses) {
		thing = ev.Endpoint
	}
	whole.read(use{hash32(ev.Endpoint), set}, ev.RecordCount())
	if place == "" || thing == "" || int32(day)-dayOf(s.first) < acquaintance {
		return !discloses && (place != "" || thing != "") // the next alike may have to note it
	}
	if len(ev.Disclosed) == 0 {
		return true
	}
	x := &hour.strange
	x.calls++
	s.dirty |= PartHot
	for _, m := range ev.Disclosed {
		x.members.Insert(m)
	}
	x.place, x.thing = leastName(x.place, place), leastName(x.thing, thing)
	if !x.said && hour.armed {
		e.weighStrange(s, hour, ev.Time)
	}
	return true
}

// leastName keeps the first of two names in order; the second may be borrowed.
func leastName(kept, other string) string {
	if kept != "" && kept <= other {
		return kept
	}
	return strings.Clone(other)
}

// hash64 hashes a name eight bytes at a time, which the hot path can afford. It is
// stored, so it must not change.
func hash64[name string | []byte](s name) uint64 {
	h := uint64(len(s)) * 0x9e3779b97f4a7c15
	for len(s) >= 8 {
		w := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
		h = (h ^ w) * 0x9e3779b97f4a7c15
		h ^= h >> 32
		s = s[8:]
	}
	w, n := uint64(0), len(s) // up to seven bytes; reading one twice is faster than asking for each
	switch {
	case n >= 4:
		low := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24
		high := uint64(s[n-4]) | uint64(s[n-3])<<8 | uint64(s[n-2])<<16 | uint64(s[n-1])<<24
		w = low | high<<(8*(n-4))
	case n > 0:
		w = uint64(s[0]) | uint64(s[n/2])<<(8*(n/2)) | uint64(s[n-1])<<(8*(n-1))
	}
	return (h ^ w) * 0x9e3779b97f4a7c15
}

// hash32 is the upper half of hash64.
func hash32[name string | []byte](s name) uint32 { return uint32(hash64(s) >> 32) }

// novelRate says how often a day brought a new name of two dimensions.
func (s *State) novelRate(day int32, a, b dimension) rate {
	from := max(dayOf(s.first)+settlingIn, day-lookBack)
	to := day - newFor
	k := s.names[a].since(uint16(from), uint16(to)) + s.names[b].since(uint16(from), uint16(to))
	return rate{uint64(k), int64(to - from)}
}

// rate counts what is new in so many days.
type rate struct {
	count uint64
	days  int64
}

// p is the chance that a day brings one more, as far as the past tells.
func (r rate) p() float64 { return min((float64(r.count)+0.5)/float64(r.days+1), 1) }

// weighStrange raises what the strange calls of an hour disclosed.
func (e *Engine) weighStrange(s *State, w *window, now int64) {
	x := &w.strange
	reach := x.members.Estimate()
	if reach < strangeReach {
		return
	}
	s.absorb()
	day := dayOf(w.Start)
	g := &estranged{
		at: w.Window, raised: now, members: distinct(&x.members), place: x.place, thing: x.thing,
		places: s.novelRate(day, network, credential), things: s.novelRate(day, endpoint, class), cal: e.calibration(day),
	}
	v := values{}
	v.v[Reach] = w.members.Estimate()
	g.hour, g.tested = s.test(g.cal, hourBurst, Reach, w.Window, &v, nil)
	if cfg := &e.on(w.Start).cfg; g.p() <= cfg.FirstSeen*cfg.budgetPart(false)/cfg.Budget {
		x.said = true
		e.raise(s, "", e.ground(s, g))
	}
}

// strangeClosed settles a closed hour: one finding for each, however it began.
func (e *Engine) strangeClosed(s *State, w *window) {
	if w.strange.calls > 1 || w.strange.calls == 1 && !w.strange.said {
		e.weighStrange(s, w, w.End()-1)
	}
}

// estranged are the grounds of a finding about calls from a new place for a new
// thing.
type estranged struct {
	at             memberwatch.Window
	raised         int64 // event time
	members        memberwatch.Estimate
	place, thing   string
	places, things rate
	tested         bool       // the hour's reach was compared with what was expected
	hour           comparison // that comparison
	cal            *Calibration
}

// volume is the part of the hour's reach in the p-value.
func (g *estranged) volume() float64 {
	if !g.tested {
		return 1
	}
	c := g.hour
	return min(24*c.calibrate(g.cal, c.reach[bySurprise], c.reach[byJump]), 1)
}

func (g *estranged) p() float64 { return g.places.p() * g.things.p() * g.volume() }

func (g *estranged) finding(float64) memberwatch.Finding {
	p, reach := g.p(), plural(g.members.Value, "distinct member", "distinct members")
	factor := func(feature string, observed, p float64, text string) memberwatch.Factor {
		return memberwatch.Factor{Feature: feature, Observed: observed, P: p, ReturnPeriod: periodOf(max(p, 1e-300), dayBurst), Text: text}
	}
	list := []memberwatch.Factor{
		factor("new_place", 1, g.places.p(), "never called from "+g.place+" before"),
		factor("new_thing", 1, g.things.p(), "never asked for "+g.thing+" before"),
		factor("reach", g.members.Value, g.volume(), reach+" on such calls"),
	}
	share(list)
	return memberwatch.Finding{
		Kind: memberwatch.KindFirstSeen, Window: g.at, Time: g.raised, Stream: memberwatch.StreamBurst,
		ReturnPeriod: periodOf(p, dayBurst), FleetFactor: 1, Members: g.members, Factors: list,
		Sentence: fmt.Sprintf("read %s in an hour for the first time from %s with %s", reach, g.place, g.thing),
		Caveats:  []string{"a release on new hosts would look alike"},
	}
}

func (g *estranged) encode(e *codec.Encoder) {
	encodeWindow(e, g.at)
	e.Int(g.raised)
	encodeEstimate(e, g.members)
	e.Text(g.place)
	e.Text(g.thing)
	for _, r := range [...]rate{g.places, g.things} {
		e.Uint(r.count)
		e.Int(r.days)
	}
	e.Bool(g.tested)
	if !g.tested {
		return
	}
	g.hour.encode(e)
	for _, id := range g.hour.cells() {
		g.cal.cells[id].encode(e)
	}
}

func (g *estranged) decode(d *codec.Decoder) {
	*g = estranged{
		at: decodeWindow(d), raised: d.Int(), members: decodeEstimate(d), place: d.Text(), thing: d.Text(),
		places: rate{d.Uint(), d.Int()}, things: rate{d.Uint(), d.Int()}, tested: d.Bool(), cal: new(Calibration),
	}
	if !g.tested {
		return
	}
	g.hour.decode(d)
	for _, id := range g.hour.cells() {
		if d.Err() == nil {
			g.cal.cells[id].decode(d)
		}
	}
}

func (n names) encode(e *codec.Encoder) {
	e.Uint(uint64(len(n)))
	for _, o := range n {
		e.Uint(uint64(o.hash))
		o.encode(e)
		e.Uint(uint64(o.last - o.day))
	}
}

func (n *names) decode(d *codec.Decoder) {
	*n = nil
	for range d.Count(3) {
		o := name{hash: uint32(d.Uint()), metOn: decodeMetOn(d)}
		o.last = o.day + uint16(d.Uint())
		if last := len(*n) - 1; last >= 0 && (*n)[last].hash >= o.hash || last+1 >= mostNames {
			d.Fail("names out of order")
			return
		}
		*n = append(*n, o)
	}
}

func (x *strange) reset() {
	x.calls, x.place, x.thing, x.said = 0, "", "", false
	x.members.Reset()
}

func (x *strange) encode(e *codec.Encoder) {
	e.Uint(x.calls)
	if x.calls == 0 {
		return
	}
	e.Nested(&x.members)
	e.Text(x.place)
	e.Text(x.thing)
	e.Bool(x.said)
}

func (x *strange) decode(d *codec.Decoder) {
	if x.calls = d.Uint(); x.calls == 0 {
		return
	}
	d.Nested(&x.members)
	x.place, x.thing, x.said = d.Text(), d.Text(), d.Bool()
}
