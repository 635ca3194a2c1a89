package detector

import (
	"maps"
	"slices"

	"github.com/memberwatch/memberwatch"
)

// Tally is what one partition tells the fleet about one closed window: how many
// ready apps had it, how many of them were surprised, and the ranks of their
// surprises. Tallies of the partitions add up.
type Tally struct {
	Window memberwatch.Window
	// ready is the number of ready apps with the window, by feature.
	ready [Features]uint64
	// hot counts those whose p-value was at most commonP[i].
	hot [Features][2]uint64
	// ranks holds the surprises: rank = cell*bins + bin, count.
	ranks  map[uint32]uint64
	births births
}

// commonP are the levels at which the fleet factor counts exceedances.
var commonP = [2]float64{0.05, 0.01}

func newTally(w memberwatch.Window) *Tally {
	return &Tally{Window: w, ranks: make(map[uint32]uint64)}
}

// add counts one ready app's p-value and, for the ranks, its surprise. stream is
// daySlow for ranks of the slow predictive, which do not count towards the
// fleet factor twice.
func (t *Tally) add(stream streamID, f Feature, id int, surprise, p float64) {
	t.ranks[uint32(id*bins+binOf(surprise))]++
	if stream == daySlow {
		return
	}
	t.ready[f]++
	for i, level := range commonP {
		if p <= level {
			t.hot[f][i]++
		}
	}
}

// Merge adds another partition's tally of the same window.
func (t *Tally) Merge(o *Tally) {
	if t.ranks == nil {
		t.Window, t.ranks = o.Window, make(map[uint32]uint64)
	}
	for f := range Features {
		t.ready[f] += o.ready[f]
		for i := range commonP {
			t.hot[f][i] += o.hot[f][i]
		}
	}
	for rank, n := range o.ranks {
		t.ranks[rank] += n
	}
	t.births.merge(&o.births, 1)
}

// empty tells whether nothing was counted.
func (t *Tally) empty() bool { return len(t.ranks) == 0 && len(t.births.byCategory) == 0 }

const tallyVersion = 1

// AppendBinary appends the tally's canonical encoding.
func (t *Tally) AppendBinary(b []byte) ([]byte, error) {
	e := newEncoder(b, tallyVersion)
	e.window(t.Window)
	for f := range Features {
		e.uint(t.ready[f])
		e.uint(t.hot[f][0])
		e.uint(t.hot[f][1])
	}
	e.uint(uint64(len(t.ranks)))
	for _, rank := range slices.Sorted(maps.Keys(t.ranks)) {
		e.uint(uint64(rank))
		e.uint(t.ranks[rank])
	}
	t.births.encode(e)
	return e.finish()
}

// UnmarshalBinary reads what AppendBinary wrote. The error wraps ErrCorrupt.
func (t *Tally) UnmarshalBinary(b []byte) error {
	d := newDecoder(b, tallyVersion, "tally")
	*t = Tally{Window: d.window(), ranks: make(map[uint32]uint64)}
	for f := range Features {
		t.ready[f] = d.uint()
		t.hot[f] = [2]uint64{d.uint(), d.uint()}
	}
	for range d.count(2) {
		rank, n := d.uint(), d.uint()
		if rank >= uint64(cellCount*bins) {
			d.fail("rank out of range")
			break
		}
		t.ranks[uint32(rank)] = n
	}
	t.births.decode(d)
	return d.finish()
}

func (e *encoder) window(w memberwatch.Window) {
	e.uint(uint64(w.Scale))
	e.int(w.Start)
}

func (d *decoder) window() memberwatch.Window {
	scale, start := d.uint(), d.int()
	if scale >= uint64(memberwatch.Scales) {
		d.fail("unknown scale")
		return memberwatch.Window{}
	}
	return memberwatch.Window{Scale: memberwatch.Scale(scale), Start: start}
}
