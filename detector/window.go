package detector

import (
	"math"
	"strings"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/codec"
	"github.com/memberwatch/memberwatch/detector/sketch"
)

// window is one open window of one app. Every aggregate is a sum, a maximum or
// a union, so the order of events inside it cannot matter.
type window struct {
	memberwatch.Window
	sums
	// reach and breadth are the estimates of members and groups, without what is
	// recent.
	reach, breadth float64
	// critical holds the value at which each count would alert; +Inf: never. It
	// is known once armed.
	critical [counts]float64
	armed    bool
	// fired marks the counts that have reached it, hushed those that did so in a
	// crowd, for which it has been raised; of days also a shift (see shifted).
	fired, hushed uint8
	// Of hours only: the ledger's deltas that each call with members or a group is
	// in, anyDelta before the first such call and noDelta when calls differ.
	deltas deltaSet
	// Of hours only: reach and breadth when the day last took them in.
	given [2]float64
	// Of days only: how much reach and breadth can be above what is taken in.
	owed [2]float64
	// Calls by the data classes they name, of days those of closed hours. Most apps have
	// room in some.
	sets []setCount
	some [2]setCount
	// What follows is for runs of events, not for each.
	members, groups, actors sketch.Distinct
	// broken counts the calls that broke each rule.
	broken []breach
	questions
	strange strange
	pieces  pieces // of days without the hours that are open
	// Of days only: calls by hour, and whom they touched.
	hours   [hoursPerDay]uint32
	touched touches
	uses    []useCount // records by way of reading
	// Calls by part of the hour, of hours; what the closed hours say of theirs, of
	// days.
	parts [hourParts]uint32
	unevenness
}

// sums are what calls add to a window, whatever their order.
type sums struct {
	calls, records, misses, denials uint64
	listed, unattended              uint64 // records that name their members; that no acting user asked for
	disclosed                       uint64 // members, each time they are
}

// include adds one call.
func (x *sums) include(ev *memberwatch.Event) {
	records := ev.RecordCount()
	x.calls++
	x.records += records
	x.misses += ev.MissCount()
	x.disclosed += uint64(len(ev.Disclosed))
	if ev.Refused() {
		x.denials++
	}
	if len(ev.Disclosed) > 0 {
		x.listed += records
	}
	if ev.Actor == 0 {
		x.unattended += records
	}
}

func (x *sums) plus(o *sums) {
	x.calls += o.calls
	x.records += o.records
	x.misses += o.misses
	x.denials += o.denials
	x.listed += o.listed
	x.unattended += o.unattended
	x.disclosed += o.disclosed
}

// breach is what the breaking of one rule cost in a window. dim tells the rules
// of a kind apart: the restriction, the data class, or nothing.
type breach struct {
	kind    memberwatch.Kind
	dim     string
	calls   uint64
	members sketch.Distinct
	unnamed uint64 // records of calls that named nobody
}

// reset makes a used window ready for another time, keeping its memory.
func (w *window) reset(at memberwatch.Window) {
	w.Window = at
	w.sums = sums{}
	w.members.Reset()
	w.groups.Reset()
	w.actors.Reset()
	w.reach, w.breadth = 0, 0
	w.deltas, w.given, w.owed = anyDelta, [2]float64{}, [2]float64{}
	w.fired, w.hushed, w.armed = 0, 0, false
	w.broken = w.broken[:0]
	w.questions.reset()
	w.strange.reset()
	w.pieces = w.pieces[:0]
	w.hours = [hoursPerDay]uint32{}
	if w.sets = w.sets[:0]; w.sets == nil {
		w.sets = w.some[:0]
	}
	w.touched = w.touched[:0]
	w.uses = w.uses[:0]
	w.parts, w.unevenness = [hourParts]uint32{}, unevenness{}
	for f := range w.critical {
		w.critical[f] = math.Inf(1)
	}
}

// weigh reads the estimates off the sketches.
func (w *window) weigh() { w.reach, w.breadth = w.members.Estimate(), w.groups.Estimate() }

// atMost returns what value can be once recent events are absorbed, at least as
// long as the sketches are exact: beyond, an estimate may rise by more than one
// for a key, and is looked at when the recent events are absorbed.
func (w *window) atMost(f Feature, r *recent) float64 {
	switch f {
	case Reach:
		return w.reach + w.owed[0] + float64(r.members)
	case Breadth:
		return w.breadth + w.owed[1] + float64(r.groups)
	default:
		return w.value(f)
	}
}

// quiet tells whether no count can have reached its critical value.
func (w *window) quiet(r *recent) bool {
	return w.reach+w.owed[0]+float64(r.members) < w.critical[Reach] && float64(w.records) < w.critical[Records] &&
		w.breadth+w.owed[1]+float64(r.groups) < w.critical[Breadth] && float64(w.misses) < w.critical[Misses] &&
		float64(w.denials) < w.critical[Denials] && float64(w.unattended) < w.critical[Unattended]
}

// value returns a count feature as it stands, without what is recent. Novelty
// lives in the state.
func (w *window) value(f Feature) float64 {
	switch f {
	case Reach:
		return w.members.Estimate()
	case Records:
		return float64(w.records)
	case Breadth:
		return w.groups.Estimate()
	case Misses:
		return float64(w.misses)
	case Denials:
		return float64(w.denials)
	case Unattended:
		return float64(w.unattended)
	default:
		return 0
	}
}

// named tells whether most of a window's records name their members.
func (w *window) named() bool { return 2*w.listed > w.records }

// breachOf returns the tally of a rule in this window. dim may be borrowed.
func (w *window) breachOf(kind memberwatch.Kind, dim string) *breach {
	for i := range w.broken {
		if w.broken[i].kind == kind && w.broken[i].dim == dim {
			return &w.broken[i]
		}
	}
	if len(w.broken) < cap(w.broken) {
		w.broken = w.broken[:len(w.broken)+1]
	} else {
		w.broken = append(w.broken, breach{})
	}
	b := &w.broken[len(w.broken)-1]
	b.kind, b.calls, b.unnamed = kind, 0, 0
	if b.dim != dim { // a reused breach mostly is of the same rule: copy the name only if not
		b.dim = strings.Clone(dim)
	}
	b.members.Reset()
	return b
}

func (w *window) encode(e *codec.Encoder) {
	encodeWindow(e, w.Window)
	e.Nested(&w.members)
	e.Nested(&w.groups)
	e.Nested(&w.actors)
	if w.Scale == memberwatch.Hour {
		e.F64(w.given[0])
		e.F64(w.given[1])
	}
	for _, c := range w.critical {
		e.Bool(!math.IsInf(c, 1))
		if !math.IsInf(c, 1) {
			e.F64(c)
		}
	}
	e.Bool(w.armed)
	e.Uint(uint64(w.hushed)<<8 | uint64(w.fired))
	e.Uint(uint64(len(w.broken)))
	for i := range w.broken {
		e.Text(string(w.broken[i].kind))
		e.Text(w.broken[i].dim)
		e.Uint(w.broken[i].calls)
		e.Nested(&w.broken[i].members)
		e.Uint(w.broken[i].unnamed)
	}
	w.questions.encode(e)
	w.strange.encode(e)
	if w.Scale == memberwatch.Day {
		w.pieces.encode(e)
	}
}

func (w *window) decode(d *codec.Decoder) {
	w.Window = decodeWindow(d)
	d.Nested(&w.members)
	d.Nested(&w.groups)
	d.Nested(&w.actors)
	if w.Scale == memberwatch.Hour {
		w.given = [2]float64{d.F64(), d.F64()}
	}
	w.deltas = noDelta // the ledger's deltas were others
	w.weigh()
	for f := range w.critical {
		w.critical[f] = math.Inf(1)
		if d.Bool() {
			w.critical[f] = d.F64()
		}
	}
	w.armed = d.Bool()
	marks := d.Uint()
	w.fired, w.hushed = uint8(marks), uint8(marks>>8)
	for range d.Count(4) {
		b := breach{kind: memberwatch.Kind(d.Text()), dim: d.Text(), calls: d.Uint()}
		d.Nested(&b.members)
		b.unnamed = d.Uint()
		w.broken = append(w.broken, b)
	}
	w.questions.decode(d)
	w.strange.decode(d)
	if w.Scale == memberwatch.Day {
		w.pieces.decode(d)
	}
}

// encodeSets writes the calls by their data classes.
func (w *window) encodeSets(e *codec.Encoder) {
	e.Uint(uint64(len(w.sets)))
	for _, c := range w.sets {
		c.encode(e)
		e.Uint(uint64(c.calls))
	}
}

func (w *window) decodeSets(d *codec.Decoder) {
	w.sets = w.sets[:0]
	for range d.Count(3) {
		c := setCount{decodeSet(d), uint32(d.Uint())}
		if last := len(w.sets) - 1; last >= 0 && w.sets[last].hash >= c.hash || last+1 > mostSets {
			d.Fail("class sets out of order")
			return
		}
		w.sets = append(w.sets, c)
	}
}

// encodeDay writes what every event changes of a day.
func (w *window) encodeDay(e *codec.Encoder) {
	for _, n := range w.hours {
		e.Uint(uint64(n))
	}
	w.touched.encode(e)
	w.encodeUses(e)
	w.unevenness.encode(e)
}

func (w *window) decodeDay(d *codec.Decoder) {
	for i := range w.hours {
		w.hours[i] = uint32(d.Uint())
	}
	w.touched.decode(d)
	w.decodeUses(d)
	w.unevenness.decode(d)
}

// slot is the place of a window in the week of a stream: its weekday or its hour
// of the week, from Monday on. Days count from Thursday 1970-01-01.
func slot(stream streamID, w memberwatch.Window) int {
	weekday := (int(dayOf(w.Start))%7 + 7 + 3) % 7 // Monday is 0
	if stream != hourBurst {
		return weekday
	}
	hour := int(w.Start%memberwatch.Day.Length()/memberwatch.Hour.Length()+24) % 24
	return 24*weekday + hour
}
