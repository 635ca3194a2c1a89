package detector

import (
	"maps"
	"slices"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/codec"
)

// Tally is what one partition tells the fleet about one closed window: how many
// ready apps had it, how many of them were surprised, and the ranks of their
// surprises. Tallies of the partitions add up.
type Tally struct {
	Window memberwatch.Window
	// compared tells whether any window was compared; it is not encoded.
	compared bool
	// control is the newest control change that a partition had applied.
	control int64
	// ready is the number of ready apps with the window, by feature.
	ready [Features]uint64
	// hot counts those whose p-value was at most commonP[i], rare those at most calmP.
	hot  [Features][2]uint64
	rare [Features]uint64
	// ranks holds the surprises: rank = cell*bins + bin, count; behind them, from
	// cellCount*bins on, windows that had nothing to compare, by cell.
	ranks map[uint32]uint64
	// moves holds how far the windows lay from the middle of what was expected,
	// in ln units: feature*moveBins + bin, count.
	moves  map[uint32]uint64
	births births
	spells allSpells
	// first holds the spread of apps that have no days of their own yet, by
	// feature, in a partition that has none to compare them with.
	first [Features]moments
	peers peers
	// touched holds what each app touched on a day.
	touched map[memberwatch.AppID]touches
	litters map[uint64]*litter   // young apps by shape
	arrived map[string]*arrivals // by network
}

// Bins of moves: ln ratios from -4 to 4.
const (
	moveWidth = 0.1
	moveBins  = 80
)

// commonP are the levels at which the fleet factor counts exceedances.
var commonP = [2]float64{0.05, 0.01}

func newTally(w memberwatch.Window) *Tally {
	return &Tally{Window: w, ranks: make(map[uint32]uint64), moves: make(map[uint32]uint64)}
}

// add counts one ready app's comparison. Ranks of the slow predictive count for
// the calibration but not towards the fleet factor: its window is there already.
func (t *Tally) add(c *comparison) {
	t.rank(c)
	if c.stream == daySlow {
		return
	}
	f := c.feature
	t.ready[f]++
	bin := int((c.reach[byJump] + moveBins*moveWidth/2) / moveWidth)
	t.moves[uint32(int(f)*moveBins+min(max(bin, 0), moveBins-1))]++
	for i, level := range commonP {
		if c.p <= level {
			t.hot[f][i]++
		}
	}
	if c.p <= calmP {
		t.rare[f]++
	}
}

// rank counts a comparison for the calibration alone.
func (t *Tally) rank(c *comparison) {
	for m, reach := range c.reach {
		t.ranks[uint32(c.cell(measure(m))*bins+binOf(reach))]++
	}
}

// addSilent counts one ready app's window without anything of a feature.
func (t *Tally) addSilent(stream streamID, f Feature, stratum int) {
	for m := range measures {
		t.ranks[uint32(cellCount*bins+cellID(m, stream, f, stratum))]++
	}
}

// touch takes what an app touched; the list is copied.
func (t *Tally) touch(app memberwatch.AppID, ts touches) {
	if len(ts) == 0 {
		return
	}
	if t.touched == nil {
		t.touched = make(map[memberwatch.AppID]touches)
	}
	t.touched[app] = slices.Clone(ts)
}

// medianMove is the median distance of a feature's windows from what was
// expected, in ln units.
func (t *Tally) medianMove(f Feature) float64 {
	sum := uint64(0)
	for bin := range moveBins {
		sum += t.moves[uint32(int(f)*moveBins+bin)]
		if 2*sum >= t.ready[f] {
			return float64(bin)*moveWidth + moveWidth/2 - moveBins*moveWidth/2
		}
	}
	return 0
}

// Merge adds another partition's tally of the same window.
func (t *Tally) Merge(o *Tally) {
	if t.ranks == nil {
		*t = *newTally(o.Window)
	}
	t.control = max(t.control, o.control)
	for f := range Features {
		t.ready[f] += o.ready[f]
		t.rare[f] += o.rare[f]
		for i := range commonP {
			t.hot[f][i] += o.hot[f][i]
		}
	}
	for rank, n := range o.ranks {
		t.ranks[rank] += n
	}
	for move, n := range o.moves {
		t.moves[move] += n
	}
	t.births.merge(&o.births, 1)
	t.spells.merge(&o.spells, 1)
	for f := range Features {
		t.first[f].add(o.first[f], 1)
	}
	t.peers.merge(o.peers, 1)
	if len(o.touched) > 0 && t.touched == nil {
		t.touched = make(map[memberwatch.AppID]touches)
	}
	maps.Copy(t.touched, o.touched)   // an app is in one partition
	for shape, b := range o.litters { // each shape on its own: the order does not matter
		t.litter(shape).merge(b)
	}
	for name, x := range o.arrived { // likewise
		t.arrivalsAt(name).merge(x)
	}
}

// empty tells whether nothing was counted.
func (t *Tally) empty() bool {
	return len(t.ranks) == 0 && len(t.births.byCategory) == 0 && len(t.touched)+len(t.litters)+len(t.arrived) == 0
}

const tallyVersion = 6

// AppendBinary appends the tally's canonical encoding.
func (t *Tally) AppendBinary(b []byte) ([]byte, error) {
	e := codec.NewEncoder(b, tallyVersion)
	encodeWindow(e, t.Window)
	e.Int(t.control)
	for f := range Features {
		e.Uint(t.ready[f])
		e.Uint(t.hot[f][0])
		e.Uint(t.hot[f][1])
		e.Uint(t.rare[f])
	}
	encodeCounts(e, t.ranks)
	encodeCounts(e, t.moves)
	t.births.encode(e)
	t.spells.encode(e)
	for f := range Features {
		t.first[f].encode(e)
	}
	t.peers.encode(e)
	encodeTouched(e, t.touched)
	encodeLitters(e, t.litters)
	encodeArrived(e, t.arrived)
	return e.Finish()
}

// UnmarshalBinary reads what AppendBinary wrote. The error wraps codec.ErrCorrupt.
func (t *Tally) UnmarshalBinary(b []byte) error {
	d := codec.NewDecoder(b, tallyVersion, "tally")
	*t = *newTally(decodeWindow(d))
	t.control = d.Int()
	for f := range Features {
		t.ready[f] = d.Uint()
		t.hot[f], t.rare[f] = [2]uint64{d.Uint(), d.Uint()}, d.Uint()
	}
	decodeCounts(d, t.ranks, cellCount*(bins+1))
	decodeCounts(d, t.moves, int(Features)*moveBins)
	t.births.decode(d)
	t.spells.decode(d)
	for f := range Features {
		t.first[f].decode(d)
	}
	t.peers.decode(d)
	t.touched = decodeTouched(d)
	decodeLitters(d, t)
	decodeArrived(d, t)
	return d.Finish()
}

// counts writes a sparse histogram in order of its places.
func encodeCounts(e *codec.Encoder, m map[uint32]uint64) {
	e.Uint(uint64(len(m)))
	for _, place := range slices.Sorted(maps.Keys(m)) {
		e.Uint(uint64(place))
		e.Uint(m[place])
	}
}

func decodeCounts(d *codec.Decoder, m map[uint32]uint64, places int) {
	for range d.Count(2) {
		place, n := d.Uint(), d.Uint()
		if place >= uint64(places) {
			d.Fail("place out of range")
			return
		}
		m[uint32(place)] = n
	}
}

func encodeWindow(e *codec.Encoder, w memberwatch.Window) {
	e.Uint(uint64(w.Scale))
	e.Int(w.Start)
}

func decodeWindow(d *codec.Decoder) memberwatch.Window {
	scale, start := d.Uint(), d.Int()
	if scale >= uint64(memberwatch.Scales) {
		d.Fail("unknown scale")
		return memberwatch.Window{}
	}
	return memberwatch.Window{Scale: memberwatch.Scale(scale), Start: start}
}
