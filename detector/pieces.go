package detector

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/codec"
)

// Influences are found by removal: a window's counts are broken down by the names
// its calls carry, and a name without which the window would have been ordinary is
// what the reviewer should look at first.
//
//	v'   = v (1 - r/R)       what the feature would count without a name: r of the
//	                         window's R records, misses or refusals are the name's
//	it is an influence if p(v') > 5 % and v' is no less than expected
//
// The last condition keeps out a name through which an app does all it ever does.
// Assumption: members are spread over names as records are, for of members there
// is no breakdown. It lies for names that share members, such as two data classes
// of one call, each of which then seems to be the whole; and of more than mostPieces
// names in a window some are not told apart.
// Source: leave-one-out influence, Cook, "Detection of influential observation in
// linear regression", 1977; influencers as in Elastic's anomaly detection.

// piece is what a window holds of the calls that carry one name.
type piece struct {
	key             uint64 // the dimension above the hash of the name
	records         uint64
	misses, denials uint32
	name            string
}

func (x *piece) dimension() dimension { return dimension(x.key >> 32) }

// pieces are a window's pieces by key.
type pieces []piece

// mostPieces of a dimension are told apart in a window.
const mostPieces = 8

// mostInfluences are shown of a window.
const mostInfluences = 4

// dimensionNames are the dimensions as influences name them.
var dimensionNames = [dimensions]string{"network", "credential", "endpoint", "data_class"}

// dimensionWords name them for people.
var dimensionWords = [dimensions]string{"network", "credential", "endpoint", "data class"}

// count adds a call to the pieces of the names it carries.
func (p *pieces) count(ev *memberwatch.Event) {
	var x sums
	x.include(ev)
	one := pieceOf(&x)
	p.name(network, ev.Network, &one)
	p.name(credential, ev.Credential, &one)
	p.name(endpoint, ev.Endpoint, &one)
	for _, c := range ev.DataClasses {
		p.name(class, c, &one)
	}
}

// name adds to the part of a name, which may be borrowed.
func (p *pieces) name(d dimension, name string, x *piece) {
	if name != "" {
		x.key, x.name = uint64(d)<<32|uint64(hash32(name)), name
		p.add(x)
	}
}

// add adds to the part of a key. A key among the least of all is among the least
// of those so far, so which are kept, and what they hold, does not depend on
// the order of the calls.
func (p *pieces) add(x *piece) {
	list, i := *p, 0
	for i < len(list) && list[i].key < x.key {
		i++
	}
	if i == len(list) || list[i].key != x.key {
		if !p.room(i, x.dimension()) {
			return
		}
		*p = slices.Insert(*p, i, piece{key: x.key, name: strings.Clone(x.name)})
	}
	(*p)[i].grow(x)
}

// more adds to the part of a name that has been counted before: if it is not there,
// it has made room for others.
func (p pieces) more(d dimension, name []byte, sums *sums) {
	key, x := uint64(d)<<32|uint64(hash32(name)), pieceOf(sums)
	for i := range p {
		if p[i].key == key {
			p[i].grow(&x)
			return
		}
	}
}

func pieceOf(x *sums) piece {
	return piece{records: x.records, misses: uint32(min(x.misses, math.MaxUint32)), denials: uint32(min(x.denials, math.MaxUint32))}
}

func (x *piece) grow(o *piece) {
	x.records += o.records
	x.misses += min(o.misses, math.MaxUint32-x.misses)
	x.denials += min(o.denials, math.MaxUint32-x.denials)
}

// room makes room for a new part of a dimension at a place, if it is among the
// first of them.
func (p *pieces) room(at int, d dimension) bool {
	list := *p
	from, to := at, at
	for from > 0 && list[from-1].dimension() == d {
		from--
	}
	for to < len(list) && list[to].dimension() == d {
		to++
	}
	if to-from < mostPieces {
		return true
	}
	if at == to {
		return false
	}
	*p = slices.Delete(list, to-1, to)
	return true
}

func (p *pieces) merge(o pieces) {
	for i := range o {
		p.add(&o[i])
	}
}

// piecesOf returns the pieces of an open window; those of a day are in its hours
// until they close.
func (s *State) piecesOf(w *window) pieces {
	all := slices.Clone(w.pieces)
	if w.Scale == memberwatch.Day {
		for _, hour := range s.open {
			if hour.Scale == memberwatch.Hour && hour.Start >= w.Start && hour.End() <= w.End() {
				all.merge(hour.pieces)
			}
		}
	}
	return all
}

// influences takes the window's pieces away one by one. The strongest verdict about
// something that has parts decides whether what is left would have been ordinary.
func (g *judged) influences(verdicts []verdict) []memberwatch.Influence {
	for _, v := range verdicts {
		if !v.feature.parted() {
			continue
		}
		i := slices.IndexFunc(g.trials, func(t trial) bool { return t.stream == v.stream && t.feature == v.feature })
		return g.ordinaryWithout(g.trials[i], v)
	}
	return nil
}

// ordinaryWithout returns the pieces without which a trial's window would have been
// ordinary.
func (g *judged) ordinaryWithout(t trial, v verdict) []memberwatch.Influence {
	if !t.expected.OK {
		return nil
	}
	var list []memberwatch.Influence
	observed := g.values.v[t.feature]
	for i := range g.pieces {
		x := &g.pieces[i]
		share, ok := g.share(t.feature, x)
		if !ok {
			continue
		}
		without := t.comparison
		expected, left := t.expected, observed*(1-share)
		without.weigh(g.cal, &expected, left)
		without.discount(g.cal, left, t.factor, t.shift)
		if without.p <= explainedP || left < v.low || share == 1 {
			continue
		}
		list = append(list, memberwatch.Influence{
			Dimension: dimensionNames[x.dimension()], Name: x.name, Share: share, Without: left, P: without.p,
			Text: fmt.Sprintf("without %s %s, %.0f %% of it all, it would be ordinary: %s %s",
				dimensionWords[x.dimension()], x.name, math.Floor(100*share), number(left), featureWords[t.feature]),
		})
	}
	slices.SortStableFunc(list, func(a, b memberwatch.Influence) int { return cmp.Compare(a.Share, b.Share) })
	return list[:min(len(list), mostInfluences)]
}

// parted tells whether a feature is broken down by the names of calls.
func (f Feature) parted() bool {
	switch f {
	case Reach, Records, Novelty, ReachPerActor, RecordsPerActor, NoveltyPerActor, Misses, Denials:
		return true
	default:
		return false
	}
}

// share is a part's share of what a feature counts.
func (g *judged) share(f Feature, x *piece) (share float64, ok bool) {
	of := func(part, whole float64) (float64, bool) { return min(part/whole, 1), part > 0 && whole > 0 }
	switch f {
	case Misses:
		return of(float64(x.misses), g.total.misses)
	case Denials:
		return of(float64(x.denials), g.total.denials)
	default:
		return of(float64(x.records), g.total.records)
	}
}

// totals are a window's counts that pieces are pieces of.
type totals struct{ records, misses, denials float64 }

func (w *window) totals() totals {
	return totals{float64(w.records), float64(w.misses), float64(w.denials)}
}

func (p pieces) encode(e *codec.Encoder) {
	e.Uint(uint64(len(p)))
	for i := range p {
		x := &p[i]
		e.Uint(x.key)
		e.Text(x.name)
		e.Uint(x.records)
		e.Uint(uint64(x.misses))
		e.Uint(uint64(x.denials))
	}
}

func (p *pieces) decode(d *codec.Decoder) {
	*p = (*p)[:0]
	for range d.Count(5) {
		x := piece{key: d.Uint(), name: d.Text(), records: d.Uint(), misses: uint32(d.Uint()), denials: uint32(d.Uint())}
		if last := len(*p) - 1; x.key >= uint64(dimensions)<<32 || last >= 0 && (*p)[last].key >= x.key || last+1 >= mostPieces*int(dimensions) {
			d.Fail("pieces out of order")
			return
		}
		*p = append(*p, x)
	}
}

func (t *totals) encode(e *codec.Encoder) {
	e.F64(t.records)
	e.F64(t.misses)
	e.F64(t.denials)
}

func (t *totals) decode(d *codec.Decoder) { *t = totals{d.F64(), d.F64(), d.F64()} }
