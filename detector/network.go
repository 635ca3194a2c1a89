package detector

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/codec"
)

// Networks. Who shares a harvest out over apps of several developers runs them all
// from hosts that he rents, so the fleet adds up what lately came to each network:
//
//	z_a    how many deviations an app lies above its own past, if it has moved, or
//	       above new apps of its age; at most 4
//	S      sum of z_a of the n apps with z_a > 0; by chance 0.80 n, variance 0.36 n
//	Z      (S - n (0.80 + m)) / sqrt(0.36 n + v n^2)
//	p      upper normal tail of Z, times the fleet's factor, times the networks that
//	       such a test was made of on the day
//	m, v   by how much the arrivals of the network's past lay higher, and the
//	       variance of that: (T R, T 0.36) / (0.36 + T N), T = 1/32 and R the sum of
//	       z - 0.80 over N arrivals, with memory
//
// n >= 3 apps of 2 developers or more, of whom no app and no developer has more
// than 0.8 of the members that were read beyond what was expected. A network of
// many apps is no suspect for what its old ones do, and an app that moves brings
// what it has always read along. T says that the newcomers of one network may be of
// one kind: half a deviation above others, as far as nothing else is known.
// Assumption: honest newcomers of one network read independently of each other, but
// for that kind. It lies for a hosting company of one line of business whose
// customers all have a good week, and is silent for whoever rents at several places,
// comes one by one, a week apart, or reads as little as honest newcomers do.
// Source: 0.80 and 0.36 are the moments of a normal score that is known to be
// positive, sqrt(2/pi) and 1 - 2/pi; the sum is Stouffer's, 1949, m and v are Bayes'
// for a normal mean; the case is I12 under several developers.
type networks struct {
	day  int32 // that past is true of; 0: none
	past map[string]kin
}

// kin is what is known of the arrivals of a network's past: how many, and the sum
// of their scores beyond chance, with memory.
type kin struct{ n, sum float64 }

const (
	fewestArrivals = 3
	fewestOwners   = 2
	mostNetworks   = 4096
	leastKin       = 0.02
	kindSpread     = 1.0 / 32
	namedScore     = 1 // from which on an app is named
	positiveSpread = 1 - 2/math.Pi
)

// positiveMean is the mean of a normal score that is positive, positiveSpread its
// variance.
var positiveMean = math.Sqrt(2 / math.Pi)

// kind returns the mean and variance of how much higher a network's arrivals lie.
func (k kin) kind() (mean, variance float64) {
	below := positiveSpread + float64(kindSpread*k.n)
	return max(kindSpread*k.sum/below, 0), kindSpread * positiveSpread / below
}

// turn lets the past fade until a day.
func (x *networks) turn(day int32) {
	if x.day != 0 && day > x.day {
		by := math.Pow(memory, float64(day-x.day))
		for name, k := range x.past { // each network on its own: the order does not matter
			x.past[name] = kin{float64(k.n * by), float64(k.sum * by)}
		}
		maps.DeleteFunc(x.past, func(_ string, k kin) bool { return k.n < leastKin })
	}
	x.day = max(x.day, day)
}

// learn adds a day's arrivals to their network's past: they come again on each day
// of a week.
func (x *networks) learn(name string, apps []arrival) {
	if x.past == nil {
		x.past = make(map[string]kin)
	}
	k := x.past[name]
	for i := range apps {
		k.n += 1.0 / youth
		k.sum += (apps[i].score() - positiveMean) / youth
	}
	x.past[name] = k
}

// trim keeps the networks with the most arrivals.
func (x *networks) trim() {
	keepFirst(x.past, mostNetworks, func(a, b string) int {
		return cmp.Or(cmp.Compare(x.past[b].n, x.past[a].n), cmp.Compare(a, b))
	})
}

// together tells whether apps of several developers have come, of whom none has most
// of what was read beyond what was expected.
func (x *arrivals) together() bool {
	owners, excess, most := make(map[string]float64), 0.0, 0.0
	for i := range x.apps {
		a := &x.apps[i]
		excess += a.excess()
		owners[a.owner()] += a.excess()
		most = max(most, owners[a.owner()])
	}
	return len(x.apps) >= fewestArrivals && len(owners) >= fewestOwners && most <= leadPart*excess
}

// watchNetworks takes a day's arrivals and raises a signal for each network whose
// arrivals together read more than was expected of each.
func (f *Fleet) watchNetworks(t *Tally, factor float64) {
	if t.Window.Scale != memberwatch.Day {
		return
	}
	f.networks.turn(dayOf(t.Window.Start))
	var tested []*gathered
	for _, name := range slices.Sorted(maps.Keys(t.arrived)) {
		if here := t.arrived[name]; here.together() {
			tested = append(tested, here.gather(name))
		} else {
			f.networks.learn(name, here.apps)
		}
	}
	for _, g := range tested {
		here := t.arrived[g.network]
		g.at, g.past, g.tests, g.factor = t.Window, f.networks.past[g.network], uint64(len(tested)), factor
		if g.p() <= fleetWeight/f.cfg.Budget {
			f.raise(g.network, f.ground(g), here.largest())
		} else { // who harvests teaches nothing
			f.networks.learn(g.network, here.apps)
		}
	}
	f.networks.trim()
}

// largest lists the apps that lie highest, as many as a signal names.
func (x *arrivals) largest() (apps []memberwatch.AppID) {
	byScore := slices.SortedFunc(slices.Values(x.apps), func(a, b arrival) int {
		return cmp.Or(cmp.Compare(b.score(), a.score()), compareStrings(a.app, b.app))
	})
	for _, a := range byScore[:min(len(byScore), MostNamed)] {
		if a.score() >= namedScore {
			apps = append(apps, a.app)
		}
	}
	return apps
}

// gather adds the arrivals up.
func (x *arrivals) gather(name string) *gathered {
	g := &gathered{network: name, members: distinct(&x.members)}
	owners, parts := make(map[string]struct{}), make([]part, 0, len(x.apps))
	for i := range x.apps {
		a := &x.apps[i]
		parts = append(parts, part{a.app, a.reach.value})
		g.score += a.score()
		g.reach.add(a.reach)
		g.total.add(a.reach)
		if a.perActor.spread > 0 {
			g.perActor.add(a.perActor)
		}
		owners[a.owner()] = struct{}{}
	}
	g.developers = uint64(len(owners))
	g.lead = largestParts(parts)
	return g
}

func (x *networks) encode(e *codec.Encoder) {
	e.Int(int64(x.day))
	e.Uint(uint64(len(x.past)))
	for _, name := range slices.Sorted(maps.Keys(x.past)) {
		e.Text(name)
		e.F64(x.past[name].n)
		e.F64(x.past[name].sum)
	}
}

func (x *networks) decode(d *codec.Decoder) {
	*x = networks{day: int32(d.Int())}
	for range d.Count(17) {
		if x.past == nil {
			x.past = make(map[string]kin)
		}
		name := d.Text()
		x.past[name] = kin{d.F64(), d.F64()}
	}
}
