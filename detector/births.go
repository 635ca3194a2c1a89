package detector

import (
	"maps"
	"math"
	"slices"
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

func (m *moments) encode(e *encoder) {
	e.f64(m.n)
	e.f64(m.sum)
	e.f64(m.squares)
}

func (m *moments) decode(d *decoder) { *m = moments{d.f64(), d.f64(), d.f64()} }

func (m moments) mean() float64 { return m.sum / m.n }

func (m moments) spread() float64 {
	return max(math.Sqrt(max(m.squares/m.n-float64(m.mean()*m.mean()), 0)), birthSpread)
}

// score returns how many spreads x lies above the mean.
func (m moments) score(x float64) float64 { return (x - m.mean()) / m.spread() }

// allCategories pools every app; it serves categories with too few births.
const allCategories = ""

// add notes that an app of a category had read total by an age, or, settled, in a
// day for each acting user.
func (b *births) add(category string, age int, total float64) {
	x := math.Log1p(total)
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

// ratioPeers are the peers of a ratio for each acting user at an age, or else of
// established apps.
func (b *births) ratioPeers(category string, age int) (moments, bool) {
	if m, ok := b.peers(category, age); ok {
		return m, true
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

// without returns births but for those of some shapes.
func (b *births) without(litters map[uint64]*litter, marked map[uint64]int32) births {
	rest := b.clone()
	for _, shape := range slices.Sorted(maps.Keys(litters)) {
		if _, ok := marked[shape]; !ok {
			continue
		}
		o := litters[shape]
		for age := range birthAges {
			rest.at(allCategories)[volumeAt+age].add(o.volumes[age], -1)
			rest.at(allCategories)[age].add(o.totals[age], -1)
			if o.category != allCategories {
				rest.at(o.category)[age].add(o.totals[age], -1)
			}
		}
	}
	return rest
}

func (b *births) clone() births {
	var c births
	c.merge(b, 1)
	return c
}

func (b *births) encode(e *encoder) {
	e.uint(uint64(len(b.byCategory)))
	for _, name := range slices.Sorted(maps.Keys(b.byCategory)) {
		e.string(name)
		for _, m := range b.byCategory[name] {
			m.encode(e)
		}
	}
}

func (b *births) decode(d *decoder) {
	*b = births{}
	for range d.count(1 + birthGroups*24) {
		m := b.at(d.string())
		for age := range birthGroups {
			m[age].decode(d)
		}
	}
}
