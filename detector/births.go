package detector

import (
	"maps"
	"math"
	"slices"

	"github.com/memberwatch/memberwatch/detector/codec"
)

// Births is what the fleet knows about new apps: for each category and age, the
// spread of the logarithm of what they had read since birth, for each acting
// user where users are known.
//
//	z = (ln total - mean)/max(sd, 0.5),  p = upper normal tail
//
// One test at each age of 1, 3 and 7 days, never multiplied: the error of the
// peer group is common to all three. Assumption: new apps of one category read
// alike within a lognormal spread. While fewer than minBirths apps of the age
// are known, established apps of the category stand in, but only for members per
// acting user: totals depend on size, the ratio hardly does. It lies for a
// category whose newcomers are of another sort, and says nothing without peers.
// Source: the project's measurements on CRAN births, evidence section 7: no
// genuine birth exceeds 7 x its peers' median on day 1; a normal tail finds x30
// in 97-100 % on day 1 where a Student tail finds none.
type births struct {
	byCategory map[string]*[birthGroups]moments
}

const (
	birthAges     = 3
	settled       = birthAges   // the place of established apps, by day
	volumeAt      = settled + 1 // the same in plain members, of all categories
	settledVolume = volumeAt + birthAges
	birthGroups   = settledVolume + 1
	minBirths     = 20  // ours: a spread of so few is known within a sixth
	birthSpread   = 0.5 // the least one, of the measurements
)

// ages are the days after birth at which an app is compared with its peers.
var ages = [birthAges]int32{1, 3, 7}

// moments are the sums behind a mean and a spread.
type moments struct{ n, sum, squares float64 }

func (m *moments) add(o moments, weight float64) {
	m.n += float64(weight * o.n)
	m.sum += float64(weight * o.sum)
	m.squares += float64(weight * o.squares)
}

// see counts one value.
func (m *moments) see(x float64) { m.add(moments{1, x, float64(x * x)}, 1) }

func (m *moments) encode(e *codec.Encoder) {
	e.F64(m.n)
	e.F64(m.sum)
	e.F64(m.squares)
}

func (m *moments) decode(d *codec.Decoder) { *m = moments{d.F64(), d.F64(), d.F64()} }

func (m moments) mean() float64 { return m.sum / m.n }

func (m moments) spread() float64 {
	return max(math.Sqrt(max(m.squares/m.n-float64(m.mean()*m.mean()), 0)), birthSpread)
}

// score returns how many spreads x lies above the mean.
func (m moments) score(x float64) float64 { return (x - m.mean()) / m.spread() }

// allCategories pools every app; it serves categories with too few births.
const allCategories = ""

// clipPeers is at how many spreads above the mean what teaches a group is clipped: what
// stands out must not become the measure of what comes next. A part c of a group that
// is always above the bound drives its spread ever further only if c > 1/(1 + k^2):
// one in five at two spreads, one in ten at three. Ours.
const clipPeers = 2

// clipped is x, in ln units, as far as it may teach.
func (m moments) clipped(x float64) float64 { return min(x, m.mean()+float64(clipPeers*m.spread())) }

// add notes how much, in ln units, an app of a category had read by an age, or, settled,
// in a day for each acting user.
func (b *births) add(category string, age int, x float64) {
	b.at(allCategories)[age].see(x)
	if category != allCategories {
		b.at(category)[age].see(x)
	}
}

func (b *births) at(category string) *[birthGroups]moments {
	if b.byCategory == nil {
		b.byCategory = make(map[string]*[birthGroups]moments)
	}
	m, ok := b.byCategory[category]
	if !ok {
		m = new([birthGroups]moments)
		b.byCategory[category] = m
	}
	return m
}

// peers returns the group to compare with, if one is large enough: the category
// before all apps. group is an age, or settled.
func (b *births) peers(category string, group int) (moments, bool) {
	for _, name := range []string{category, allCategories} {
		if m, ok := b.byCategory[name]; ok && m[group].n >= minBirths {
			return m[group], true
		}
	}
	return moments{}, false
}

// infants are the peers at an age, or else, of a ratio for each acting user, established
// apps.
func (b *births) infants(category string, age int, actors bool) (moments, bool) {
	if m, ok := b.peers(category, age); ok || !actors {
		return m, ok
	}
	return b.peers(category, settled)
}

// volumePeers are what new apps of all categories had read in plain members at the
// greatest of ages that an app has reached, that age's place and how many days it
// spans; without enough of them a day of all apps stands in.
func (b *births) volumePeers(age int32) (peers moments, group int, days int32, ok bool) {
	group = birthAges - 1
	for ages[group] > age {
		group--
	}
	if peers, ok = b.peers(allCategories, volumeAt+group); ok {
		return peers, group, ages[group], true
	}
	peers, ok = b.peers(allCategories, settledVolume)
	return peers, group, 1, ok
}

func (b *births) merge(o *births, weight float64) {
	for _, name := range slices.Sorted(maps.Keys(o.byCategory)) {
		mine := b.at(name)
		for age := range birthGroups {
			mine[age].add(o.byCategory[name][age], weight)
		}
	}
}

// mostAlike is how many apps of one shape count on a day at each age: births are
// taken for independent, and what one hand makes in numbers must not become the
// measure of what comes next. Ours: an honest platform on which more come alike has
// its peers within days all the same.
const mostAlike = 2

// thinned returns a day's births with mostAlike apps of each shape at most, and none of
// the marked ones.
func (b *births) thinned(litters map[uint64]*litter, marked map[uint64]int32) births {
	rest := b.clone()
	for _, shape := range slices.Sorted(maps.Keys(litters)) {
		o, most := litters[shape], float64(mostAlike)
		if _, ok := marked[shape]; ok {
			most = 0
		}
		for age := range birthAges {
			rest.at(allCategories)[volumeAt+age].thin(&o.volumes[age], most)
			rest.at(allCategories)[age].thin(&o.totals[age], most)
			if o.category != allCategories {
				rest.at(o.category)[age].thin(&o.totals[age], most)
			}
		}
	}
	return rest
}

// thin takes off what some of them count for above the most.
func (m *moments) thin(some *moments, most float64) {
	if some.n > most {
		m.add(*some, most/some.n-1)
	}
}

func (b *births) clone() births {
	var c births
	c.merge(b, 1)
	return c
}

func (b *births) encode(e *codec.Encoder) {
	e.Uint(uint64(len(b.byCategory)))
	for _, name := range slices.Sorted(maps.Keys(b.byCategory)) {
		e.Text(name)
		for _, m := range b.byCategory[name] {
			m.encode(e)
		}
	}
}

func (b *births) decode(d *codec.Decoder) {
	*b = births{}
	for range d.Count(1 + birthGroups*24) {
		m := b.at(d.Text())
		for age := range birthGroups {
			m[age].decode(d)
		}
	}
}
