package detector

import (
	"cmp"
	"math"
	"slices"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/codec"
)

// What an app is in the habit of reading, by way of reading: it is what a restriction
// takes from, and what shows where that has gone.

// use is a way of reading: an endpoint and a set of data classes.
type use struct {
	endpoint uint32
	classSet
}

func (u use) compare(o use) int {
	return cmp.Or(cmp.Compare(u.endpoint, o.endpoint), cmp.Compare(u.hash, o.hash))
}

// covered tells whether a restriction is about a way of reading.
func (u use) covered(r *memberwatch.Restriction) bool {
	if r.Endpoint != "" && hash32(r.Endpoint) != u.endpoint {
		return false
	}
	if r.Class == "" {
		return true
	}
	var one classSet
	one.add(hash32(string(r.Class)))
	return one.within(&u.classSet)
}

// named tells a way of reading to people by the names among a day's pieces, as in: of
// profile_name and profile_picture together through /users.
func (u use) named(names pieces) string {
	var n newSet
	n.name(u.classSet, names)
	text := "of " + n.together()
	for i := range names {
		if x := &names[i]; x.dimension() == endpoint && uint32(x.key) == u.endpoint {
			return text + " through " + x.name
		}
	}
	return text
}

// useCount counts the records of a day read one way.
type useCount struct {
	use
	records uint64
}

// Limits of habits.
const (
	mostUses      = 24
	habitDays     = 14 // days with calls before a habit is one
	habitRate     = 1.0 / 28
	leastScale    = 0.15 // of ln records of a day
	mostSpread    = 1.0
	mostUseSpread = 4.0 // a way may be used on some days only
)

// read counts the records of an event. Of more than mostUses ways of a day those that come
// first in order are told apart, whatever the order of the calls; the others count as no
// restriction's.
func (w *window) read(u use, records uint64) {
	i, known := w.placeOf(u)
	switch {
	case known:
		w.uses[i].records += records
	case i < mostUses && records > 0:
		w.uses = slices.Insert(w.uses[:min(len(w.uses), mostUses-1)], i, useCount{u, records})
	}
}

// by is how many records of a day were read one way.
func (w *window) by(u use) uint64 {
	if i, known := w.placeOf(u); known {
		return w.uses[i].records
	}
	return 0
}

// placeOf is the place of a way of reading among those of a day, and whether it is there.
func (w *window) placeOf(u use) (int, bool) {
	return slices.BinarySearchFunc(w.uses, u, func(c useCount, u use) int { return c.compare(u) })
}

// placeOf is the place of a way of reading among others, and whether it is there.
func placeOf(ways []useMean, u use) (int, bool) {
	return slices.BinarySearchFunc(ways, u, func(m useMean, u use) int { return m.compare(u) })
}

// habit is what an app reads on a day with calls.
type habit struct {
	uses          []useMean
	total, actors float32
	spread        float32 // mean square of ln days from the mean and the weekday's offset
	days          uint32
}

type useMean struct {
	use
	records float32
	spread  float32 // as that of all, of days with this way
	metOn
}

// learn moves the means towards a closed day, whose weekday has an offset.
func (h *habit) learn(w *window, season float64) {
	h.days++
	h.learnUses(w, season)
	h.square(&h.spread, float64(w.records), h.total, season, mostSpread)
	h.move(&h.total, float64(w.records))
	h.move(&h.actors, w.actors.Estimate())
}

// learnUses moves the means of all ways of reading, and drops what is next to nothing.
func (h *habit) learnUses(w *window, season float64) {
	day := uint16(dayOf(w.Start))
	for _, c := range w.uses {
		i, known := placeOf(h.uses, c.use)
		if !known {
			h.uses = slices.Insert(h.uses, i, useMean{use: c.use, metOn: metOn{day: day}})
		}
		if m := &h.uses[i]; m.anew(day) {
			h.total = max(h.total-m.records, 0)
			m.records, m.spread = 0, 0
		}
	}
	for i := range h.uses {
		m := &h.uses[i]
		read := float64(w.by(m.use))
		h.square(&m.spread, read, m.records, season, mostUseSpread)
		h.move(&m.records, read)
	}
	h.uses = slices.DeleteFunc(h.uses, func(m useMean) bool { return m.records < 0.01 })
	if len(h.uses) > mostUses {
		slices.SortFunc(h.uses, func(a, b useMean) int { return cmp.Or(-cmp.Compare(a.records, b.records), a.compare(b.use)) })
		h.uses = h.uses[:mostUses]
		slices.SortFunc(h.uses, func(a, b useMean) int { return a.compare(b.use) })
	}
}

// known returns the ways of reading that are not hidden, and the mean of all records
// but those of ways that are. The list is the habit's own where none is hidden.
func (h *habit) known() (ways []useMean, total float32) {
	hidden := func(m useMean) bool { return m.hidden }
	if !slices.ContainsFunc(h.uses, hidden) {
		return h.uses, h.total
	}
	total = h.total
	for _, m := range h.uses {
		if m.hidden {
			total -= m.records
		}
	}
	return slices.DeleteFunc(slices.Clone(h.uses), hidden), max(total, 0)
}

// move moves a mean towards a day's value.
func (h *habit) move(mean *float32, to float64) {
	*mean += float32(max(1/float64(h.days), habitRate) * (to - float64(*mean)))
}

// square moves a mean square towards that of a day's distance from the mean before it,
// which the first day has not.
func (h *habit) square(spread *float32, value float64, mean float32, season, most float64) {
	if h.days < 2 {
		return
	}
	r := math.Log1p(value) - math.Log1p(float64(mean)) - season
	*spread += float32(max(1/float64(h.days-1), habitRate) * (min(float64(r*r), most) - float64(*spread)))
}

// daily is the spread of an app's days, in ln units, and the offsets of weekdays.
func (s *State) daily() (scale float32, season [7]float32) {
	for i := range season {
		season[i] = float32(s.day[Records].Offset(&shapes[dayBurst], i))
	}
	return float32(max(math.Sqrt(float64(s.habit.spread)), leastScale)), season
}

// learnHabit takes a closed day into the habit.
func (s *State) learnHabit(w *window) {
	_, season := s.daily()
	s.habit.learn(w, float64(season[slot(dayBurst, w.Window)]))
}

func (u use) encode(e *codec.Encoder) {
	e.Uint(uint64(u.endpoint))
	u.classSet.encode(e)
}

func decodeUse(d *codec.Decoder) use { return use{uint32(d.Uint()), decodeSet(d)} }

func (h *habit) encode(e *codec.Encoder) {
	e.Uint(uint64(h.days))
	e.F32(h.total)
	e.F32(h.actors)
	e.F32(h.spread)
	encodeWays(e, h.uses)
}

func encodeWays(e *codec.Encoder, ways []useMean) {
	e.Uint(uint64(len(ways)))
	for _, m := range ways {
		m.use.encode(e)
		e.Floats([]float32{m.records, m.spread})
		m.metOn.encode(e)
	}
}

func (h *habit) decode(d *codec.Decoder) {
	*h = habit{days: uint32(d.Uint()), total: d.F32(), actors: d.F32(), spread: d.F32(), uses: decodeWays(d)}
}

func decodeWays(d *codec.Decoder) (ways []useMean) {
	for range d.Count(12) {
		m := useMean{decodeUse(d), d.F32(), d.F32(), decodeMetOn(d)}
		if last := len(ways) - 1; last >= 0 && ways[last].compare(m.use) >= 0 || last+1 >= mostUses {
			d.Fail("ways of reading out of order")
			return nil
		}
		ways = append(ways, m)
	}
	return ways
}

func (w *window) encodeUses(e *codec.Encoder) {
	e.Uint(uint64(len(w.uses)))
	for _, c := range w.uses {
		c.encode(e)
		e.Uint(c.records)
	}
}

func (w *window) decodeUses(d *codec.Decoder) {
	w.uses = w.uses[:0]
	for range d.Count(4) {
		c := useCount{decodeUse(d), d.Uint()}
		if last := len(w.uses) - 1; last >= 0 && w.uses[last].compare(c.use) >= 0 || last+1 >= mostUses {
			d.Fail("ways of reading out of order")
			return
		}
		w.uses = append(w.uses, c)
	}
}
