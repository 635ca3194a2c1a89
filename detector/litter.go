package detector

import (
	"cmp"
	"maps"
	"slices"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/codec"
	"github.com/memberwatch/memberwatch/detector/sketch"
)

// litter is what one partition tells of the young apps of one shape on one day. A
// shape is what apps made by one hand have in common however little each reads:
// the endpoints they call, the data classes they ask for, their category, and
// whether they call from one network and credential, from two, or from more.
type litter struct {
	births   uint64 // apps first seen on the day
	reach    uint64 // distinct members, summed over the apps
	members  sketch.Distinct
	first    []memberwatch.AppID // the first of those born, in order
	category string
	things   [2]uint8 // endpoints and data classes of the shape
	// What births have of these apps: totals by age, as births.add takes them, and
	// plain members.
	totals, volumes [birthAges]moments
}

// Limits of litters.
const (
	youth      = 7   // days of births that are held against the past
	namedBirth = 16  // of a day are named
	mostShapes = 256 // of a partition, and of the fleet
)

// shapeOf hashes the shape of an app, never to 0. The hashes of names are added
// up, so that their order does not matter.
func (e *Engine) shapeOf(s *State) uint64 {
	h := hashName(e.category(s.App))
	for d, all := range s.names {
		sum := uint64(min(len(all), 3))
		if dimension(d) == endpoint || dimension(d) == class {
			for _, n := range all {
				sum += uint64(n.hash) * 0x9e3779b97f4a7c15
			}
		}
		h = (h ^ sum) * 0xd6e8feb86659fd93
		h ^= h >> 32
	}
	return max(h, 1)
}

// bring counts a day of a young app among those of its shape. An app has the
// shape of its first day for good, by which the fleet knows it again.
func (e *Engine) bring(s *State, w *window) {
	age, young := e.inFirstWeek(s, dayOf(w.Start))
	if !young || s.joint() {
		return
	}
	if s.shape == 0 {
		s.shape = e.shapeOf(s)
		s.dirty |= PartBaseline
	}
	b := e.tally(w.Window).litter(s.shape)
	b.category, b.things = e.category(s.App), [2]uint8{uint8(len(s.names[endpoint])), uint8(len(s.names[class]))}
	if age == 1 {
		b.births++
		b.first = named(b.first, []memberwatch.AppID{s.App})
		b.first = b.first[:min(len(b.first), namedBirth)]
	}
	b.reach += uint64(w.members.Estimate() + 0.5)
	b.members.Merge(&w.members)
}

// litter returns the tally's young apps of a shape.
func (t *Tally) litter(shape uint64) *litter { return entry(&t.litters, shape) }

func (b *litter) merge(o *litter) {
	b.births += o.births
	b.reach += o.reach
	b.members.Merge(&o.members)
	b.first = named(b.first, o.first)
	b.first = b.first[:min(len(b.first), namedBirth)]
	b.category, b.things = max(b.category, o.category), [2]uint8{max(b.things[0], o.things[0]), max(b.things[1], o.things[1])}
	for age := range birthAges {
		b.totals[age].add(o.totals[age], 1)
		b.volumes[age].add(o.volumes[age], 1)
	}
}

// see counts what one of the apps teaches a group of peers.
func (b *litter) see(group int, x float64) {
	if group < birthAges {
		b.totals[group].see(x)
	} else {
		b.volumes[group-volumeAt].see(x)
	}
}

// trimLitters keeps the shapes with the most births.
func (t *Tally) trimLitters() {
	keepFirst(t.litters, mostShapes, func(a, b uint64) int {
		return cmp.Or(cmp.Compare(t.litters[b].births, t.litters[a].births), cmp.Compare(a, b))
	})
}

func (b *litter) encode(e *codec.Encoder) {
	e.Uint(b.births)
	e.Uint(b.reach)
	e.Nested(&b.members)
	e.Uint(uint64(len(b.first)))
	for _, app := range b.first {
		e.Text(string(app))
	}
	e.Text(b.category)
	e.Uint(uint64(b.things[0]))
	e.Uint(uint64(b.things[1]))
	for age := range birthAges {
		b.totals[age].encode(e)
		b.volumes[age].encode(e)
	}
}

func (b *litter) decode(d *codec.Decoder) {
	b.births, b.reach = d.Uint(), d.Uint()
	d.Nested(&b.members)
	for range d.Count(1) {
		b.first = append(b.first, memberwatch.AppID(d.Text()))
	}
	b.category = d.Text()
	b.things = [2]uint8{uint8(d.Uint()), uint8(d.Uint())}
	for age := range birthAges {
		b.totals[age].decode(d)
		b.volumes[age].decode(d)
	}
}

func encodeLitters(e *codec.Encoder, all map[uint64]*litter) {
	e.Uint(uint64(len(all)))
	for _, shape := range slices.Sorted(maps.Keys(all)) {
		e.U64(shape)
		all[shape].encode(e)
	}
}

func decodeLitters(d *codec.Decoder, t *Tally) {
	for range d.Count(12) {
		t.litter(d.U64()).decode(d)
	}
}
