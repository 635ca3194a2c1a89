package detector

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/codec"
)

// set32 is the set of one class.
func set32(class uint32) classSet {
	var c classSet
	c.add(class * 0x9e3779b9)
	return c
}

// TestMixShift: what moves the data-class mix, and what does not.
func TestMixShift(t *testing.T) {
	learnt := usualMix()
	for _, c := range []struct {
		name      string
		today     []setCount
		low, high float64
	}{
		{"as ever", []setCount{{set32(1), 62}, {set32(2), 30}, {set32(3), 2}}, 0, 0.5},
		{"a surge", []setCount{{set32(1), 620}, {set32(2), 300}, {set32(3), 20}}, 0, 0.5},
		{"more of a familiar set", []setCount{{set32(1), 62}, {set32(2), 900}, {set32(3), 2}}, 0, 0.5},
		{"without its main set", []setCount{{set32(2), 30}, {set32(3), 2}}, 0, 0.5},
		{"some more of a rare set", []setCount{{set32(1), 62}, {set32(2), 30}, {set32(3), 5}}, 0, 4},
		{"a new set in place of one", []setCount{{set32(1), 62}, {set32(4), 30}}, 80, 200},
		{"a new set beside all", []setCount{{set32(1), 62}, {set32(2), 30}, {set32(3), 2}, {set32(4), 20}}, 40, 120},
		{"nothing familiar", []setCount{{set32(8), 60}, {set32(9), 40}}, 300, 1000},
	} {
		v, calls := learnt.shift(sorted(c.today...))
		if v < c.low || v > c.high || calls == 0 {
			t.Errorf("%s: moved by %.1f, want %g to %g", c.name, v, c.low, c.high)
		}
	}
	if _, calls := learnt.shift([]setCount{{set32(9), fewestMixed - 1}}); calls != 0 {
		t.Error("a handful of calls is tested")
	}
}

// usualMix has learnt some 94 calls a day, mostly of two sets.
func usualMix() mix {
	var m mix
	for range 40 {
		m.learn(sorted(setCount{set32(1), 62}, setCount{set32(2), 30}, setCount{set32(3), 2}), 0, mixRate)
	}
	return m
}

func sorted(sets ...setCount) []setCount {
	slices.SortFunc(sets, func(a, b setCount) int { return cmp.Compare(a.hash, b.hash) })
	return sets
}

// TestShiftSoFar: an open day says what it will say at its end if only familiar calls
// are to come, up to the usual number, and no less if they are fewer.
func TestShiftSoFar(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := usualMix()
		familiar, strange := rapid.Uint32Range(0, 40).Draw(t, "familiar"), rapid.Uint32Range(0, 50).Draw(t, "strange")
		morning := sorted(setCount{set32(1), familiar}, setCount{set32(4), strange})
		soFar, calls := m.shiftSoFar(morning)
		if calls == 0 {
			return
		}
		end := func(all float64) float64 {
			v, _ := m.shift(sorted(setCount{set32(1), uint32(math.Round(all)) - strange}, setCount{set32(4), strange}))
			return v
		}
		usual := float64(m.calls)
		if v := end(usual); math.Abs(soFar-v) > 1e-9*(1+v) {
			t.Errorf("%g so far, %g on a day of %g calls", soFar, v, usual)
		}
		if v := end(max(usual/2, float64(strange+familiar))); soFar > v+1e-9 {
			t.Errorf("%g so far, %g on a day of few calls", soFar, v)
		}
	})
}

// TestShiftOfAnOpenDay: a shift is told before the day is over, once, and not in a
// crowd of others, nor while what is new is little.
func TestShiftOfAnOpenDay(t *testing.T) {
	for name, c := range map[string]struct {
		strange uint32
		fired   int // of twenty apps
		want    int // signals
	}{
		"as ever":                     {0, 0, 0},
		"a call or two":               {2, 0, 0},
		"much":                        {40, 0, 1},
		"much, beside two":            {40, 2, 1},
		"much, in a crowd":            {40, 10, 0},
		"certified for it lately":     {40, -1, 0},
		"much, of a mix hardly known": {40, -2, 0},
	} {
		t.Run(name, func(t *testing.T) {
			e, s := New(DefaultConfig()), NewState("app", "dev")
			day := memberwatch.Day.Length()
			s.mix = usualMix()
			for n := range int64(40) {
				at := memberwatch.Window{Scale: memberwatch.Day, Start: n * day}
				e.learn(s, at, values{v: [Features]float64{Records: 90, ClassShift: float64(n % 3)}, mixed: 90}, nil)
				s.closed[memberwatch.Day] = at.Start
			}
			w := e.window(s, memberwatch.Day, 40*day)
			e.through = w.Start
			*e.crowds[w.Window] = crowd{apps: 20, fired: max(c.fired, 0)}
			switch c.fired {
			case -1:
				s.declared = &memberwatch.App{Certified: time.Unix(0, w.Start)}
			case -2:
				s.mix.days = mixDays - 1
			}
			w.count(set32(1), 20)
			if c.strange > 0 {
				w.count(set32(4), c.strange)
			}
			for hour := range int64(3) {
				e.watchMix(s, w, w.Start+(hour+1)*memberwatch.Hour.Length()-1)
			}
			if len(e.updates) != c.want || c.want > 0 && (e.updates[0].Signal.Kind != memberwatch.KindClassShift || !e.updates[0].Finding.Provisional) {
				t.Errorf("signals %+v, want %d", e.updates, c.want)
			}
		})
	}
}

// TestMixIsBounded: an app with ever new sets keeps the newest of many.
func TestMixIsBounded(t *testing.T) {
	var m mix
	for day := range uint32(200) {
		var today []setCount
		for i := range uint32(mostSets) {
			today = append(today, setCount{set32(day*10 + i), 5})
		}
		slices.SortFunc(today, func(a, b setCount) int { return cmp.Compare(a.hash, b.hash) })
		m.learn(today, 0, mixRate)
	}
	if len(m.sets) != mostSets {
		t.Errorf("%d sets, want %d", len(m.sets), mostSets)
	}
}

// TestSetsBeyondTheBound: of many sets which are told apart does not depend on the order
// of the calls, nor on the hours that they come in, and no call is lost.
func TestSetsBeyondTheBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		calls := rapid.SliceOfN(rapid.Uint32Range(0, 60), 0, 200).Draw(t, "calls")
		other := rapid.Permutation(calls).Draw(t, "other order")
		cut := rapid.IntRange(0, len(calls)).Draw(t, "cut")
		var all, day window
		for _, c := range calls {
			all.count(set32(c), 1)
		}
		for _, part := range [][]uint32{other[:cut], other[cut:]} {
			var hour window
			for _, c := range part {
				hour.count(set32(c), 1)
			}
			for _, c := range hour.sets {
				day.count(c.classSet, c.calls)
			}
		}
		if !slices.Equal(all.sets, day.sets) || callsOf(all.sets) != float64(len(calls)) {
			t.Fatalf("counted %v, want %v", day.sets, all.sets)
		}
	})
}

// TestOneMoreClassIsNotFamiliar: even of wide sets a further class is seldom taken for
// one of theirs, and a set is the same once stored.
func TestOneMoreClassIsNotFamiliar(t *testing.T) {
	for classes, most := range map[int]int{1: 2, 3: 2, 6: 5, 10: 10, 16: 30, 24: 80} { // of 4,000
		seeming := 0
		for n := range 4000 {
			var known classSet
			for i := range classes {
				known.add(hash32(fmt.Sprint("class-", n, "-", i)))
			}
			more := known
			more.add(hash32(fmt.Sprint("new-", n)))
			if more.within(&known) {
				seeming++
			}
			if n < 50 {
				e := codec.NewEncoder(nil, 1)
				more.encode(e)
				b, err := e.Finish()
				d := codec.NewDecoder(b, 1, "set")
				if got := decodeSet(d); err != nil || d.Finish() != nil || got != more || !known.within(&more) {
					t.Fatalf("%d classes come back as %v, want %v", classes, got, more)
				}
			}
		}
		if seeming > most {
			t.Errorf("of %d classes a further one seems to be one in %d of 4,000, want %d at most", classes, seeming, most)
		}
	}
}

// TestManySetsHideNone: a call with each subset of what an app reads leaves no room, and
// hides no other set.
func TestManySetsHideNone(t *testing.T) {
	var all classSet
	for i := range uint32(5) {
		all.add(i * 0x9e3779b9)
	}
	var m mix
	for range 40 {
		m.learn([]setCount{{all, 1000}}, 0, mixRate)
	}
	var w window
	for subset := uint32(1); subset < 1<<5-1; subset++ {
		var c classSet
		for i := range uint32(5) {
			if subset>>i&1 != 0 {
				c.add(i * 0x9e3779b9)
			}
		}
		w.count(c, 1)
	}
	w.count(all, 500)
	if v, _ := m.shift(w.sets); v != 0 {
		t.Errorf("subsets of what is familiar shift the mix by %v", v)
	}
	w.count(set32(77), 500)
	if v, _ := m.shift(w.sets); v < 300 {
		t.Errorf("a new set in half of the calls shifts the mix by %v, want 300 at least", v)
	}
}

func TestEvenness(t *testing.T) {
	var clock, office, few [hoursPerDay]uint32
	for h := range clock {
		clock[h] = 40
		few[h] = 1
		if h >= 8 && h < 18 {
			office[h] = 100
		}
	}
	if v, _ := evenness(&clock); v != 100 {
		t.Errorf("a clock scores %v, want 100", v)
	}
	v, calls := evenness(&office)
	near(t, "office hours", v, 1/(0.8754687+0.01), 1e-6) // ln 2.4
	near(t, "calls", calls, 1000, 1e-12)
	if v, calls := evenness(&few); v != 0 || calls != 0 {
		t.Errorf("24 calls score %v", v)
	}
}
