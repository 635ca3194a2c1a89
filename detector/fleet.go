package detector

import (
	"maps"
	"math"
	"slices"

	"github.com/memberwatch/memberwatch"
)

// Fleet turns the tallies of all partitions into judgements and calibrations.
// There is one for the whole service. It is pure: the same tallies in the same
// order give the same bytes.
type Fleet struct {
	cfg     Config
	through int32                // newest day folded in; 0: none
	hist    [cellCount][]float64 // windows by bin, and last those without anything to compare
	births  births
	peers   peers
	spells  allSpells
	day     dayTally
	control int64 // newest control change that the tally in hand rests on

	population   population
	coordination coordination
	cohorts      cohorts
	networks     networks
	episodes     []episode // open signals of the fleet
	updates      []memberwatch.Update
}

// dayTally gathers what the tallies of days that are not folded in yet leave behind, by
// day.
type dayTally struct {
	days  []int32
	parts []*Tally             // without ranks
	ranks []map[uint32]float64 // as in a tally, each window as 1/F
}

// Judgement is the fleet's word on one window: how to discount each feature
// because many moved. The factor alone is bounded by the fleet's size and
// too weak when all apps surge at once; the shift asks whether an app did more
// than the others.
type Judgement struct {
	Window memberwatch.Window
	// words are the fleet's by feature and size, and on slow evidence.
	words [Features][sizes + 1]word
	// first is the spread of the apps that have no days of their own yet.
	first [Features]moments
	// Ready is the number of ready apps that had the window.
	Ready uint64
}

// memory is the discount of the ranks for each day: 1 - 1/120 gives the same
// mean age as a sliding window of 240 days and the same variance as one of
// about 240 days, in constant space.
const memory = 1 - 1.0/120

// minFleet is how many ready apps the fleet factor needs (recipe R1 section 8).
const minFleet = 20

// NewFleet returns a fleet without history.
func NewFleet(cfg Config) *Fleet { return &Fleet{cfg: cfg} }

// Judge finds the fleet's word on a window from the merged tally of all
// partitions, raises what only the fleet can see, and remembers the tally for
// EndDay. Windows come in order of their ends.
func (f *Fleet) Judge(t *Tally) Judgement {
	j := Judgement{Window: t.Window, first: t.first}
	reach := 1.0
	for g := range Features {
		all := t.movers(g, allSizes[:]...)
		whole := all.word()
		j.words[g] = t.words(g, whole)
		j.Ready = max(j.Ready, all.ready)
		if g == Reach {
			reach = whole.factor
		}
	}
	f.control = t.control
	f.endQuiet(t.Window.Start)
	f.watchPopulation(t)
	f.watchCoordination(t)
	f.watchCohorts(t)
	f.watchNetworks(t, reach)
	f.remember(t, &j)
	return j
}

// remember adds to its day what of a tally is not done with.
func (f *Fleet) remember(t *Tally, j *Judgement) {
	rest := *t
	rest.touched, rest.litters, rest.arrived, rest.births = nil, nil, nil, t.births.thinned(t.litters, f.cohorts.marked)
	rest.ranks = nil
	i := slices.Index(f.day.days, dayOf(t.Window.Start))
	if i < 0 {
		i = len(f.day.days)
		f.day.days = append(f.day.days, dayOf(t.Window.Start))
		f.day.parts = append(f.day.parts, newTally(t.Window))
		f.day.ranks = append(f.day.ranks, make(map[uint32]float64))
	}
	f.day.parts[i].Merge(&rest)
	for rank, n := range t.ranks { // each place on its own: the order does not matter
		f.day.ranks[i][rank] += float64(n) / j.moved(rankCell(rank))
	}
}

// moved is the factor that the ranks of a cell learn less by.
func (j *Judgement) moved(cell int) float64 {
	stratum, f, stream := cell%strata, Feature(cell/strata%int(Features)), streamID(cell/strata/int(Features)%int(streams))
	if stream == daySlow {
		return 1
	}
	return j.words[f.moves()][stratum%sizes].factor
}

// rankCell is the cell of a place among a tally's ranks.
func rankCell(rank uint32) int {
	if rank >= uint32(cellCount*bins) {
		return int(rank) - cellCount*bins
	}
	return int(rank / bins)
}

// EndDay folds all windows up to and including a day into the ranks and returns
// the calibration they make. A day may be ended only once, in rising order.
func (f *Fleet) EndDay(day int32) *Calibration {
	if f.through != 0 && day > f.through {
		f.fade(float64(day - f.through))
	}
	keep := dayTally{}
	for i, d := range f.day.days {
		if d > day {
			keep.days, keep.parts, keep.ranks = append(keep.days, d), append(keep.parts, f.day.parts[i]), append(keep.ranks, f.day.ranks[i])
			continue
		}
		f.fold(f.day.parts[i], f.day.ranks[i])
	}
	f.day = keep
	f.through = day
	return f.Calibration()
}

// fade discounts what is known by a number of days.
func (f *Fleet) fade(days float64) {
	by := math.Pow(memory, days)
	for _, hist := range f.hist {
		for i := range hist {
			hist[i] = float64(hist[i] * by)
		}
	}
	faded := births{}
	faded.merge(&f.births, by)
	f.births = faded
	f.peers = f.peers.faded(by)
	older := f.spells
	f.spells = allSpells{}
	f.spells.merge(&older, math.Pow(spellMemory, days))
}

func (f *Fleet) fold(t *Tally, ranks map[uint32]float64) {
	for rank, n := range ranks { // each place on its own: the order does not matter
		id, bin := rankCell(rank), int(rank%bins)
		if rank >= uint32(cellCount*bins) {
			bin = bins
		}
		if f.hist[id] == nil {
			f.hist[id] = make([]float64, bins+1)
		}
		f.hist[id][bin] += n
	}
	f.births.merge(&t.births, 1)
	f.peers.merge(t.peers, 1)
	f.spells.merge(&t.spells, 1)
}

// Through returns the newest day folded in, 0 when there is none.
func (f *Fleet) Through() int32 { return f.through }

// Calibration returns the calibration of the days folded in so far. It shares
// nothing with the fleet.
func (f *Fleet) Calibration() *Calibration {
	c := &Calibration{Through: f.through, births: f.births.clone(), peers: f.peers.rank(), marked: maps.Clone(f.cohorts.marked)}
	for id := range f.hist {
		if f.hist[id] != nil {
			c.cells[id].fit(f.hist[id], tailShape[id/(cellCount/int(measures))][id/(int(Features)*strata)%int(streams)])
			c.cells[id].usual = c.reachAt(id, usualPart)
		}
	}
	for i := range f.spells {
		c.laws[i] = f.spells[i].fit()
	}
	return c
}

const (
	fleetVersion     = 6
	judgementVersion = 3
)

// AppendBinary appends the fleet's canonical encoding.
func (f *Fleet) AppendBinary(b []byte) ([]byte, error) {
	e := newEncoder(b, fleetVersion)
	e.int(int64(f.through))
	for id := range f.hist {
		e.bool(f.hist[id] != nil)
		if f.hist[id] != nil {
			e.sparse(f.hist[id])
		}
	}
	f.births.encode(e)
	f.peers.encode(e)
	f.spells.encode(e)
	e.uint(uint64(f.population.days))
	e.uint(uint64(f.population.moved))
	f.coordination.encode(e)
	f.cohorts.encode(e)
	f.networks.encode(e)
	f.encodeEpisodes(e)
	e.uint(uint64(len(f.day.days)))
	for i, day := range f.day.days {
		e.int(int64(day))
		e.nested(f.day.parts[i])
		e.weights(f.day.ranks[i])
	}
	return e.finish()
}

// UnmarshalBinary reads what AppendBinary wrote. The error wraps ErrCorrupt.
func (f *Fleet) UnmarshalBinary(b []byte) error {
	d := newDecoder(b, fleetVersion, "fleet")
	*f = Fleet{cfg: f.cfg, through: int32(d.int())}
	for id := range f.hist {
		if d.bool() {
			f.hist[id] = d.sparse(bins + 1)
		}
	}
	f.births.decode(d)
	f.peers.decode(d)
	f.spells.decode(d)
	f.population = population{uint32(d.uint()), uint32(d.uint())}
	f.coordination.decode(d)
	f.cohorts.decode(d)
	f.networks.decode(d)
	f.decodeEpisodes(d)
	for range d.count(2) {
		day, t := int32(d.int()), new(Tally)
		d.nested(t)
		f.day.days, f.day.parts, f.day.ranks = append(f.day.days, day), append(f.day.parts, t), append(f.day.ranks, d.weights(cellCount*(bins+1)))
	}
	return d.finish()
}

// weights writes a sparse histogram of parts of windows in order of its places.
func (e *encoder) weights(m map[uint32]float64) {
	e.uint(uint64(len(m)))
	for _, place := range slices.Sorted(maps.Keys(m)) {
		e.uint(uint64(place))
		e.f64(m[place])
	}
}

func (d *decoder) weights(places int) map[uint32]float64 {
	m := make(map[uint32]float64)
	for range d.count(9) {
		place, n := d.uint(), d.f64()
		if place >= uint64(places) || !(n > 0) {
			d.fail("place out of range")
			return m
		}
		m[uint32(place)] = n
	}
	return m
}

// sparse writes the nonzero items of a list with their places.
func (e *encoder) sparse(list []float64) {
	n := 0
	for _, v := range list {
		if v != 0 {
			n++
		}
	}
	e.uint(uint64(n))
	for i, v := range list {
		if v != 0 {
			e.uint(uint64(i))
			e.f64(v)
		}
	}
}

func (d *decoder) sparse(size int) []float64 {
	list := make([]float64, size)
	for range d.count(9) {
		i, v := d.uint(), d.f64()
		if i >= uint64(size) {
			d.fail("place out of range")
			return nil
		}
		list[i] = v
	}
	return list
}

// mostWords is how many numbers the words of a judgement are.
const mostWords = 2 * int(Features) * (sizes + 1)

// AppendBinary appends the judgement's canonical encoding.
func (j *Judgement) AppendBinary(b []byte) ([]byte, error) {
	e := newEncoder(b, judgementVersion)
	e.window(j.Window)
	words := make([]float64, 0, mostWords)
	for f := range Features {
		j.first[f].encode(e)
		for _, w := range j.words[f] {
			if w == (word{factor: 1}) {
				w = word{} // most are, and take no room
			}
			words = append(words, w.factor, w.shift)
		}
	}
	e.sparse(words)
	e.uint(j.Ready)
	return e.finish()
}

// UnmarshalBinary reads what AppendBinary wrote. The error wraps ErrCorrupt.
func (j *Judgement) UnmarshalBinary(b []byte) error {
	d := newDecoder(b, judgementVersion, "judgement")
	*j = Judgement{Window: d.window()}
	for f := range Features {
		j.first[f].decode(d)
	}
	if words := d.sparse(mostWords); words != nil {
		for f := range Features {
			for i := range j.words[f] {
				at := words[2*(int(f)*(sizes+1)+i):]
				j.words[f][i] = word{max(at[0], 1), at[1]}
			}
		}
	}
	j.Ready = d.uint()
	return d.finish()
}

// dayOf is the UTC day of an event time, in days since the epoch.
func dayOf(t int64) int32 {
	day := t / memberwatch.Day.Length()
	if day*memberwatch.Day.Length() > t {
		day--
	}
	return int32(day)
}
