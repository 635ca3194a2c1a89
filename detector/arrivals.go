package detector

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/codec"
	"github.com/memberwatch/memberwatch/detector/sketch"
	"github.com/memberwatch/memberwatch/detector/tails"
)

// arrivals are the apps that have lately come to one network and read more on one
// day than the middle of what was expected: those in their first week, and those
// that have moved there in the last seven days and bring their expectations along.
// An app is where most of its records go. Others are not arrivals, so that idle
// apps hide nobody.
type arrivals struct {
	members sketch.Distinct
	apps    []arrival // by app
}

// arrival is one app beside what was expected of it: of an app that has moved its
// own past, of a new one other new apps of its age.
type arrival struct {
	app       memberwatch.AppID
	developer memberwatch.DeveloperID
	reach     stand // distinct members a day
	perActor  stand // the same for each acting user; none known: zero
}

// stand is a value beside its expectation in ln units, as lognormal.
type stand struct{ value, mid, spread, score float64 }

// standAmong places a value of so many days among new apps, by the day.
func standAmong(peers moments, value, days float64) stand {
	x := math.Log1p(value)
	return stand{value / days, peers.mean() - math.Log(days), peers.spread(), peers.score(x)}
}

// score says how far an app lies above the middle of what was expected, in standard
// deviations, at most mostScore, so that one does not speak for all.
func (a *arrival) score() float64 {
	z := a.reach.score
	if a.perActor.spread > 0 {
		z = (z + a.perActor.score) / correlated
	}
	return clipped(z)
}

const mostScore = 4

func clipped(z float64) float64 { return min(max(z, 0), mostScore) }

// excess is how many members a day an app read beyond the middle of what was
// expected.
func (a *arrival) excess() float64 { return max(a.reach.value-math.Exp(a.reach.mid), 0) }

// owner is the developer, or the app itself where none is known.
func (a *arrival) owner() string { return cmp.Or(string(a.developer), string(a.app)) }

// arrive counts an app's day among the arrivals of its network.
func (e *Engine) arrive(s *State, w *window, x *values) {
	if s.joint() {
		return
	}
	name := w.mainNetwork()
	if name == "" {
		return
	}
	a := arrival{app: s.App, developer: e.developerOf(s)}
	day := dayOf(w.Start)
	if age, young := e.inFirstWeek(s, day); young {
		e.amongNewcomers(s, &a, day, age)
	} else if s.days() >= e.cfg.ReadyDays && s.cameTo(name, day) {
		e.besideItself(s, &a, w, x)
	}
	if a.score() <= 0 {
		return
	}
	here := e.tally(w.Window).arrivalsAt(name)
	here.apps = append(here.apps, a)
	here.members.Merge(&w.members)
}

// mainNetwork is the network to which most of a closed day's records went, empty
// if there is none.
func (w *window) mainNetwork() string {
	for i := range w.pieces {
		if x := &w.pieces[i]; x.dimension() == network && 2*x.records > w.records {
			return x.name
		}
	}
	return ""
}

// cameTo tells whether an app has first called from a network in the week that
// ends with a day.
func (s *State) cameTo(name string, day int32) bool {
	i, known := s.names[network].place(hash32(name))
	return known && int32(s.names[network][i].day) > day-youth
}

// amongNewcomers compares what a new app has read since birth with what new apps
// had read at the age of 1, 3 or 7 days, the greatest that it has reached.
func (e *Engine) amongNewcomers(s *State, a *arrival, day, age int32) {
	born := &e.calibration(day).births
	peers, group, days, ok := born.volumePeers(age)
	if !ok {
		return
	}
	a.reach = standAmong(peers, s.infant.reach*float64(days)/float64(age), float64(days))
	if ratios, known := born.infants(e.category(s.App), group, true); known && s.infant.actors >= 1 {
		a.perActor = standAmong(ratios, s.infant.reach/s.infant.actors, 1)
	}
}

// besideItself compares an app that has moved with its own past.
func (e *Engine) besideItself(s *State, a *arrival, w *window, x *values) {
	a.reach = e.standOf(s, Reach, w.Window, x)
	if a.reach.spread > 0 && x.actors >= 1 {
		a.perActor = e.standOf(s, ReachPerActor, w.Window, x)
	}
}

func (e *Engine) standOf(s *State, f Feature, at memberwatch.Window, x *values) stand {
	cal := e.calibration(dayOf(at.Start))
	c, p, ok := s.foresee(dayBurst, f, at, x, nil)
	if !ok {
		return stand{}
	}
	c.weighBeside(cal, &p, x.v[f])
	c.tell(cal, &p)
	spread := (math.Log1p(c.high) - math.Log1p(c.mid)) / usualAt
	return stand{x.v[f], math.Log1p(c.mid), max(spread, leastSpread), -tails.NormalQuantile(c.p)}
}

const (
	usualAt     = 1.96 // standard deviations that one value in forty exceeds
	leastSpread = 0.05 // ours: no count of many members is expected more narrowly than within a tenth
)

// arrivalsAt returns the tally's newcomers to a network.
func (t *Tally) arrivalsAt(name string) *arrivals { return entry(&t.arrived, name) }

func (x *arrivals) merge(o *arrivals) {
	x.members.Merge(&o.members)
	x.apps = slices.Concat(x.apps, o.apps)
	slices.SortFunc(x.apps, func(a, b arrival) int { return compareStrings(a.app, b.app) })
}

func (x *arrivals) encode(e *codec.Encoder) {
	e.Nested(&x.members)
	e.Uint(uint64(len(x.apps)))
	for i := range x.apps {
		a := &x.apps[i]
		e.Text(string(a.app))
		e.Text(string(a.developer))
		a.reach.encode(e)
		a.perActor.encode(e)
	}
}

func (x *arrivals) decode(d *codec.Decoder) {
	d.Nested(&x.members)
	for range d.Count(2 + 2*32) {
		a := arrival{app: memberwatch.AppID(d.Text()), developer: memberwatch.DeveloperID(d.Text())}
		a.reach.decode(d)
		a.perActor.decode(d)
		x.apps = append(x.apps, a)
	}
}

func (s *stand) encode(e *codec.Encoder) {
	for _, v := range [...]float64{s.value, s.mid, s.spread, s.score} {
		e.F64(v)
	}
}

func (s *stand) decode(d *codec.Decoder) { *s = stand{d.F64(), d.F64(), d.F64(), d.F64()} }

func encodeArrived(e *codec.Encoder, all map[string]*arrivals) {
	e.Uint(uint64(len(all)))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		e.Text(name)
		all[name].encode(e)
	}
}

func decodeArrived(d *codec.Decoder, t *Tally) {
	for range d.Count(3) {
		t.arrivalsAt(d.Text()).decode(d)
	}
}
