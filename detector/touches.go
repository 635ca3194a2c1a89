package detector

import (
	"maps"
	"slices"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/codec"
)

// A touch is a member read on a call that discloses few, in one stretch of ten
// minutes: what two apps have in common when they act together. Stretches begin
// every five minutes, so each reading is in two of them, and two that are at most
// five minutes apart always share one. Of each app and day the smallest keepTouches
// are kept, by a hash of member and stretch that is the same for all apps, so that
// the samples of two apps meet where the apps did.
// Nobody can be found again by it: the members come hashed, and all that is kept
// apart from the stretch are 16 bits of a hash of the hash.
type touch uint64

const (
	touchStretch = 600 * int64(1e9) // the data's authors link accounts within 600 s
	touchFew     = 3                // members on a call: beyond, it is a list and not a deed
	keepTouches  = 64
)

// touchOf is the touch of a member in one of the stretches, by their number.
func touchOf(member, stretch uint64) touch {
	h := (member ^ stretch*0xd6e8feb86659fd93) * 0x9e3779b97f4a7c15 // odd constants spread both
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	return touch(h&^0xffff | spread(member)>>48)
}

// tag is 16 bits that tell one member from another.
func (t touch) tag() uint64 { return uint64(t) & 0xffff }

// touches are an app's smallest of a day, in order.
type touches []touch

// add takes what an event touches.
func (ts *touches) add(ev *memberwatch.Event) {
	if len(ev.Disclosed) > touchFew {
		return
	}
	last := uint64(ev.Time / (touchStretch / 2)) // the stretch that began last, beside the one before
	for _, m := range ev.Disclosed {
		ts.insert(touchOf(m, last-1))
		ts.insert(touchOf(m, last))
	}
}

func (ts *touches) insert(t touch) {
	n := len(*ts)
	if n == keepTouches && t >= (*ts)[n-1] {
		return
	}
	i, known := slices.BinarySearch(*ts, t)
	if known {
		return
	}
	if n == keepTouches {
		*ts = (*ts)[:n-1]
	}
	*ts = slices.Insert(*ts, i, t)
}

func (ts touches) encode(e *codec.Encoder) {
	e.Uint(uint64(len(ts)))
	for _, t := range ts {
		e.U64(uint64(t))
	}
}

func (ts *touches) decode(d *codec.Decoder) {
	*ts = (*ts)[:0]
	for range d.Count(8) {
		t := touch(d.U64())
		if n := len(*ts); n == keepTouches || n > 0 && (*ts)[n-1] >= t {
			d.Fail("touches out of order")
			return
		}
		*ts = append(*ts, t)
	}
}

// touched writes the touches of all apps.
func encodeTouched(e *codec.Encoder, all map[memberwatch.AppID]touches) {
	e.Uint(uint64(len(all)))
	for _, app := range slices.Sorted(maps.Keys(all)) {
		e.Text(string(app))
		all[app].encode(e)
	}
}

func decodeTouched(d *codec.Decoder) map[memberwatch.AppID]touches {
	var all map[memberwatch.AppID]touches
	for range d.Count(2) {
		if all == nil {
			all = make(map[memberwatch.AppID]touches)
		}
		app := memberwatch.AppID(d.Text())
		var ts touches
		ts.decode(d)
		all[app] = ts
	}
	return all
}
