package detector

import (
	"maps"
	"math"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/codec"
)

// Fleet turns the tallies of all partitions into judgements and calibrations.
// There is one for the whole service. It is pure: the same tallies in the same
// order give the same bytes.
type Fleet struct {
	cfg     Config
	tunings settings
	through int32                // newest day folded in; 0: none
	hist    [cellCount][]float64 // windows by bin, and last those without anything to compare
	births  births
	peers   peers
	spells  allSpells
	calm    [Features]calm
	day     dayTally
	control int64 // newest control change that the tally in hand rests on

	population   population
	coordination coordination
	cohorts      cohorts
	networks     networks
	episodes     []episode // open signals of the fleet
	updates      []memberwatch.Update
}

// dayTally gathers the tallies of days that are not folded in yet, by day.
type dayTally struct {
	days  []int32
	parts []*Tally
}

// Judgement is the fleet's word on one window: how to discount each feature
// because everybody moved. The factor alone is bounded by the fleet's size and
// too weak when all apps surge at once; the shift asks whether an app did more
// than the others.
type Judgement struct {
	Window memberwatch.Window
	// Factor is F of recipe R1 section 4, at least 1, by feature.
	Factor [Features]float64
	// Shift is how far the fleet as a whole lay above what was expected, in ln
	// units: the median over ready apps, 0 where Factor is 1.
	Shift [Features]float64
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
func NewFleet(cfg Config) *Fleet {
	return &Fleet{cfg: cfg, tunings: settings{newSetting(0, cfg, 0)}}
}

// Tune takes a tuning, before any window is judged that starts at or after its time.
// Of what it says the fleet's own signals heed which kinds are in shadow.
func (f *Fleet) Tune(t *memberwatch.Tuning) { f.tunings = f.tunings.tuned(t) }

// Judge computes the fleet factor of a window from the merged tally of all
// partitions, raises what only the fleet can see, and remembers the tally for
// EndDay. Windows come in order of their ends.
//
//	F = max(1, max over a in {0.05, 0.01} of k_a / (a n + 3 sqrt(a n) + 1))
//	shift = median over ready apps of ln((v+1)/(expected+1)), where F > 1
//
// k_a of the n ready apps have p <= a. The bound is a n and three deviations of a
// Poisson count, so that F is 1 on ordinary days. Assumption: what moves many apps
// at once moves them about alike. It lies for a fleet of which a large part is one
// attacker's, whose apps explain each other; the roll-ups by developer stand
// against that.
// Source: recipe R1 section 4: on CRAN 27 % of the exceedances fall on 19 of 1,012
// days; the shift is in docs/decisions/0005-shift-beside-the-factor.md.
func (f *Fleet) Judge(t *Tally) Judgement {
	j := Judgement{Window: t.Window, first: t.first}
	for g := range Features {
		j.Factor[g] = 1
		n := float64(t.ready[g])
		j.Ready = max(j.Ready, t.ready[g])
		if n <= minFleet {
			continue
		}
		for i, a := range commonP {
			bound := float64(a*n) + float64(3*math.Sqrt(a*n)) + 1
			j.Factor[g] = max(j.Factor[g], float64(t.hot[g][i])/bound)
		}
		if j.Factor[g] > 1 {
			j.Shift[g] = max(t.medianMove(g), 0)
		}
	}
	f.watchCalm(t, &j)
	f.control = t.control
	f.tunings = f.tunings.since(t.Window.Start)
	f.endQuiet(t.Window.Start)
	f.watchPopulation(t)
	f.watchCoordination(t)
	f.watchCohorts(t)
	f.watchNetworks(t, j.Factor[Reach])
	f.remember(t)
	return j
}

// remember adds to its day what of a tally is not done with.
func (f *Fleet) remember(t *Tally) {
	rest := *t
	rest.touched, rest.litters, rest.arrived, rest.births = nil, nil, nil, t.births.thinned(t.litters, f.cohorts.marked)
	day := dayOf(t.Window.Start)
	for i, d := range f.day.days {
		if d == day {
			f.day.parts[i].Merge(&rest)
			return
		}
	}
	merged := new(Tally)
	merged.Merge(&rest)
	f.day.days = append(f.day.days, day)
	f.day.parts = append(f.day.parts, merged)
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
			keep.days, keep.parts = append(keep.days, d), append(keep.parts, f.day.parts[i])
			continue
		}
		f.fold(f.day.parts[i])
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
	by = math.Pow(spellMemory, days)
	f.spells.merge(&older, by)
	for i := range f.calm {
		f.calm[i].fade(by)
	}
}

func (f *Fleet) fold(t *Tally) {
	for rank, n := range t.ranks { // sums of whole numbers: the order does not matter
		id, bin := rank/bins, rank%bins
		if id >= uint32(cellCount) {
			id, bin = rank-uint32(cellCount*bins), bins
		}
		if f.hist[id] == nil {
			f.hist[id] = make([]float64, bins+1)
		}
		f.hist[id][bin] += float64(n)
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
		c.calm[i] = f.calm[i].word()
	}
	return c
}

const (
	fleetVersion     = 7
	judgementVersion = 2
)

// AppendBinary appends the fleet's canonical encoding.
func (f *Fleet) AppendBinary(b []byte) ([]byte, error) {
	e := codec.NewEncoder(b, fleetVersion)
	e.Int(int64(f.through))
	for id := range f.hist {
		e.Bool(f.hist[id] != nil)
		if f.hist[id] != nil {
			e.Sparse(f.hist[id])
		}
	}
	f.births.encode(e)
	f.peers.encode(e)
	f.spells.encode(e)
	for i := range f.calm {
		f.calm[i].encode(e)
	}
	e.Uint(uint64(f.population.days))
	e.Uint(uint64(f.population.moved))
	f.coordination.encode(e)
	f.cohorts.encode(e)
	f.networks.encode(e)
	encodeEpisodes(e, f.episodes)
	e.Uint(uint64(len(f.day.days)))
	for i, day := range f.day.days {
		e.Int(int64(day))
		e.Nested(f.day.parts[i])
	}
	return e.Finish()
}

// UnmarshalBinary reads what AppendBinary wrote. The error wraps codec.ErrCorrupt.
func (f *Fleet) UnmarshalBinary(b []byte) error {
	d := codec.NewDecoder(b, fleetVersion, "fleet")
	*f = Fleet{cfg: f.cfg, tunings: f.tunings, through: int32(d.Int())}
	for id := range f.hist {
		if d.Bool() {
			f.hist[id] = d.Sparse(bins + 1)
		}
	}
	f.births.decode(d)
	f.peers.decode(d)
	f.spells.decode(d)
	for i := range f.calm {
		f.calm[i].decode(d)
	}
	f.population = population{uint32(d.Uint()), uint32(d.Uint())}
	f.coordination.decode(d)
	f.cohorts.decode(d)
	f.networks.decode(d)
	f.episodes = decodeEpisodes(d)
	for range d.Count(2) {
		day, t := int32(d.Int()), new(Tally)
		d.Nested(t)
		f.day.days, f.day.parts = append(f.day.days, day), append(f.day.parts, t)
	}
	return d.Finish()
}

// AppendBinary appends the judgement's canonical encoding.
func (j *Judgement) AppendBinary(b []byte) ([]byte, error) {
	e := codec.NewEncoder(b, judgementVersion)
	encodeWindow(e, j.Window)
	for f := range Features {
		e.F64(j.Factor[f])
		e.F64(j.Shift[f])
		j.first[f].encode(e)
	}
	e.Uint(j.Ready)
	return e.Finish()
}

// UnmarshalBinary reads what AppendBinary wrote. The error wraps codec.ErrCorrupt.
func (j *Judgement) UnmarshalBinary(b []byte) error {
	d := codec.NewDecoder(b, judgementVersion, "judgement")
	*j = Judgement{Window: decodeWindow(d)}
	for f := range Features {
		j.Factor[f], j.Shift[f] = d.F64(), d.F64()
		j.first[f].decode(d)
	}
	j.Ready = d.Uint()
	return d.Finish()
}

// dayOf is the UTC day of an event time, in days since the epoch.
func dayOf(t int64) int32 {
	day := t / memberwatch.Day.Length()
	if day*memberwatch.Day.Length() > t {
		day--
	}
	return int32(day)
}
