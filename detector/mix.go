package detector

import (
	"cmp"
	"math"
	"math/bits"
	"slices"

	"github.com/memberwatch/memberwatch/detector/codec"
)

// Class shift: an app that begins to read data classes together that it did not
// read together before, at the volume it always had. Calls are told apart by the
// set of data classes they name, whatever their endpoint; sets that make up a
// twentieth of the app's calls are familiar, and so is whatever asks for less.
//
//	e_s   mean share of class set s in the app's calls over some 28 days
//	E_s   e_s max(N, the mean number of its calls a day), N the day's calls
//	G     2 sum of n_s ln(n_s/E_s) - (n_s - E_s) over unfamiliar s with n_s > E_s
//	v     100 G/(N + 100)
//
// While the day is open the divisor has at least the mean number of calls a day, so that v
// is what it will be if the rest of them are familiar; it is looked at when an hour closes.
// G is the deviance of Poisson counts. For few calls v is G, whose sampling noise
// does not depend on N; for many it is a divergence in per cent, which does not
// grow with a surge. v is a feature like the others: it has a series of its own,
// so an app whose mix varies is compared with its own variation, and calibrated
// ranks. To stop reading something, as honest apps do before a restriction, is no
// shift, nor is doing more of what is familiar, such as rosters for an agency's
// new groups. For two weeks after a certification the mix may change and is
// learnt fast: that is what certification is for. Assumption: the mix of a day is
// a sample from a mix that changes slowly. It lies for a harvest under a familiar
// set, which other features must see, and for an app that does many rare things
// on different days, until its series knows.
// Source: deviance after McCullagh and Nelder, "Generalized linear models", 1989,
// section 6.2; the cases are I4 and I22. The total variation distance was tried
// in its place and finds a new set of classes at a third of the strength.
type mix struct {
	sets  []setShare // by hash
	calls float32    // mean number a day
	days  uint32     // learnt
}

type setShare struct {
	classSet
	part float32
	metOn
}

// setCount counts the calls of a day with one set of classes.
type setCount struct {
	classSet
	calls uint32
}

// classSet is a set of data classes: the sum of their hashes, which does not
// depend on their order, and a filter of them.
type classSet struct {
	hash uint32
	bits classFilter
}

// classFilter has a bit in each word for each class. Another class seems to be among n
// with probability (1 - (63/64)^n)^4: 0.05 % of 10, 1 % of 24.
type classFilter [4]uint64

func (c *classSet) add(hash uint32) {
	c.hash += hash
	c.bits[0] |= 1 << (hash & 63)
	c.bits[1] |= 1 << (hash >> 6 & 63)
	c.bits[2] |= 1 << (hash >> 12 & 63)
	c.bits[3] |= 1 << (hash >> 18 & 63)
}

// within tells whether all classes seem to be among those of another set.
func (c *classSet) within(o *classSet) bool {
	a, b := &c.bits, &o.bits
	return a[0]&^b[0]|a[1]&^b[1]|a[2]&^b[2]|a[3]&^b[3] == 0
}

// unite takes in the classes of another filter.
func (f *classFilter) unite(o *classFilter) {
	for i := range f {
		f[i] |= o[i]
	}
}

// Limits of class shift.
const (
	fewestMixed   = 5 // calls in a day, below which shares say nothing
	mixDays       = 7 // days before the mean is one
	mixRate       = 1.0 / 28
	mixRelearn    = 1.0 / 3 // rate after a certification
	certifiedDays = 14
	mostSets      = 24
	familiarPart  = 0.05
	unseenPart    = 0.002 // added to every share: an unseen set is not impossible
	leastPart     = 0.0005
)

// restHash marks what stands for the sets that a window has no room for: all their
// classes and calls. It comes last, has a share of its own, and nothing is familiar by it.
const restHash = math.MaxUint32

// count counts calls of a window by their set of classes. Of more than mostSets those
// with the least hashes are told apart: which they are, and what they and the rest count,
// does not depend on the order of the calls.
func (w *window) count(set classSet, calls uint32) {
	i := 0
	for i < len(w.sets) && w.sets[i].hash < set.hash { // few: faster than a search
		i++
	}
	switch {
	case i < len(w.sets) && w.sets[i].hash == set.hash:
		w.sets[i].calls += calls
		if set.hash == restHash {
			w.sets[i].bits.unite(&set.bits)
		}
	case len(w.sets) < mostSets:
		w.sets = slices.Insert(w.sets, i, setCount{set, calls})
	default:
		w.squeeze(i, setCount{set, calls})
	}
}

// squeeze counts a set at a place where there is no more room: the last goes to the rest.
func (w *window) squeeze(i int, c setCount) {
	if len(w.sets) == mostSets {
		w.sets = append(w.sets, setCount{classSet: classSet{hash: restHash}})
	}
	for ; i < mostSets; i++ {
		w.sets[i], c = c, w.sets[i]
	}
	rest := &w.sets[mostSets]
	rest.bits.unite(&c.bits)
	rest.calls += c.calls
}

// shift returns v and the number of calls; 0 calls when there is nothing to say.
func (m *mix) shift(today []setCount) (v, calls float64) {
	return m.shiftOn(today, 0)
}

// shiftSoFar is the same of a day that is still open: what v will be if the rest of the
// usual calls are familiar ones.
func (m *mix) shiftSoFar(today []setCount) (v, calls float64) {
	return m.shiftOn(today, float64(m.calls))
}

// shiftOn returns v of a day that has at least so many calls in the end.
func (m *mix) shiftOn(today []setCount, least float64) (v, calls float64) {
	if calls = callsOf(today); calls < fewestMixed || m.days < mixDays {
		return 0, 0
	}
	deviance := 0.0
	for _, c := range today {
		deviance += m.deviance(c, calls)
	}
	return 200 * deviance / (max(calls, least) + 100), calls
}

// shifted marks, beside the counts that have fired, that a shift of an open day has been
// raised.
const shifted uint8 = 1 << counts

// watchMix raises a shift of a day that is still open, when one of its hours closes: who
// begins to read other classes in the morning is told of in the morning. v is that of
// closed hours, so that it does not depend on the order of arrival, and seldom falls later.
func (e *Engine) watchMix(s *State, day *window, now int64) {
	if day.fired&shifted != 0 || s.days() < e.cfg.FirstDays || s.certifiedAnew(dayOf(day.Start)) {
		return
	}
	v, calls := s.mix.shiftSoFar(day.sets)
	if v == 0 {
		return
	}
	e.arm(s, day)
	x := day.openValues()
	x.v[ClassShift], x.mixed = v, calls
	c, ok := s.test(e.calibration(dayOf(day.Start)), dayBurst, ClassShift, day.Window, &x, nil)
	if on := e.on(day.Start); !ok || !hits(c.p, dayBurst, on.weight(s, ClassShift, dayBurst), on.cfg.Budget) {
		return
	}
	s.dirty |= PartHot
	if e.crossing(day).silent() {
		day.hushed |= shifted
		return
	}
	day.fired |= shifted
	e.raiseOpen(s, day, ClassShift, x, now)
}

func callsOf(today []setCount) (calls float64) {
	for _, c := range today {
		calls += float64(c.calls)
	}
	return calls
}

// deviance is half of what a set adds to G on a day of so many calls.
func (m *mix) deviance(c setCount, calls float64) float64 {
	n, expected := float64(c.calls), max(calls, float64(m.calls))*(m.part(c.hash)+unseenPart)
	if n <= expected || m.familiar(c.classSet) {
		return 0
	}
	return float64(n*math.Log(n/expected)) - (n - expected)
}

// familiar tells whether a set is among what the app mostly reads, or less than
// that.
func (m *mix) familiar(set classSet) bool {
	return slices.ContainsFunc(m.sets, func(s setShare) bool {
		return !s.hidden && s.hash != restHash && s.part >= familiarPart && set.within(&s.classSet)
	})
}

func (m *mix) part(hash uint32) float64 {
	i, known := slices.BinarySearchFunc(m.sets, hash, func(s setShare, hash uint32) int { return cmp.Compare(s.hash, hash) })
	if !known || m.sets[i].hidden {
		return 0
	}
	return float64(m.sets[i].part)
}

// learn moves the shares towards the day's. A set whose days so far are hidden begins
// anew.
func (m *mix) learn(today []setCount, day uint16, rate float64) {
	total := 0.0
	for _, c := range today {
		total += float64(c.calls)
	}
	if total == 0 {
		return
	}
	m.days++
	rate = max(1/float64(m.days), rate)
	m.calls += float32(rate * (total - float64(m.calls)))
	for i := range m.sets {
		m.sets[i].part = float32(float64(m.sets[i].part) * (1 - rate))
	}
	for _, c := range today {
		i, known := slices.BinarySearchFunc(m.sets, c.hash, func(s setShare, hash uint32) int { return cmp.Compare(s.hash, hash) })
		if !known {
			m.sets = slices.Insert(m.sets, i, setShare{classSet: c.classSet, metOn: metOn{day: day}})
		}
		if m.sets[i].anew(day) {
			m.sets[i].part = 0
		}
		m.sets[i].part += float32(rate * float64(c.calls) / total)
	}
	m.trim()
}

// trim drops what is next to nothing, and the least of too many.
func (m *mix) trim() {
	m.sets = slices.DeleteFunc(m.sets, func(s setShare) bool { return s.part < leastPart })
	if len(m.sets) <= mostSets {
		return
	}
	slices.SortFunc(m.sets, func(a, b setShare) int { return cmp.Or(-cmp.Compare(a.part, b.part), cmp.Compare(a.hash, b.hash)) })
	m.sets = m.sets[:mostSets]
	slices.SortFunc(m.sets, func(a, b setShare) int { return cmp.Compare(a.hash, b.hash) })
}

// certifiedAnew tells whether an app's purposes were certified shortly before a
// day, or will be.
func (s *State) certifiedAnew(day int32) bool {
	if s.declared == nil || s.declared.Certified.IsZero() {
		return false
	}
	since := day - dayOf(s.declared.Certified.UnixNano())
	return since >= -1 && since < certifiedDays
}

// learnMix takes a closed day into the mix.
func (s *State) learnMix(w *window) {
	rate := mixRate
	if s.certifiedAnew(dayOf(w.Start)) {
		rate = mixRelearn
	}
	s.mix.learn(w.sets, uint16(dayOf(w.Start)), rate)
}

func (m *mix) encode(e *codec.Encoder) {
	e.Uint(uint64(m.days))
	e.F32(m.calls)
	e.Uint(uint64(len(m.sets)))
	for _, s := range m.sets {
		s.classSet.encode(e)
		e.F32(s.part)
		s.metOn.encode(e)
	}
}

func (m *mix) decode(d *codec.Decoder) {
	*m = mix{days: uint32(d.Uint()), calls: d.F32()}
	for range d.Count(7) {
		s := setShare{decodeSet(d), d.F32(), decodeMetOn(d)}
		if last := len(m.sets) - 1; last >= 0 && m.sets[last].hash >= s.hash || last+1 >= mostSets {
			d.Fail("class sets out of order")
			return
		}
		m.sets = append(m.sets, s)
	}
}

func (c *classSet) encode(e *codec.Encoder) {
	e.Uint(uint64(c.hash))
	c.bits.encode(e)
}

func decodeSet(d *codec.Decoder) classSet {
	c := classSet{hash: uint32(d.Uint())}
	c.bits.decode(d)
	return c
}

// fewClassBits are written one by one, by their distances; more take less as words.
const fewClassBits = 24

func (f *classFilter) encode(e *codec.Encoder) {
	n := 0
	for _, word := range f {
		n += bits.OnesCount64(word)
	}
	e.Uint(uint64(n))
	last := 0
	for i, word := range f {
		if n > fewClassBits {
			e.U64(word)
			continue
		}
		for ; word != 0; word &= word - 1 {
			at := 64*i + bits.TrailingZeros64(word)
			e.Uint(uint64(at - last))
			last = at
		}
	}
}

func (f *classFilter) decode(d *codec.Decoder) {
	n := d.Uint()
	if n > fewClassBits {
		for i := range f {
			f[i] = d.U64()
		}
		return
	}
	at := uint64(0)
	for range n {
		if at += min(d.Uint(), 256); at >= 256 {
			d.Fail("class of no place")
			return
		}
		f[at/64] |= 1 << (at % 64)
	}
}
