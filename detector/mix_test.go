package detector

import (
	"cmp"
	"slices"
	"testing"
)

// set32 is the set of one class.
func set32(class uint32) classSet {
	var c classSet
	c.add(class * 0x9e3779b9)
	return c
}

// TestMixShift: what moves the data-class mix, and what does not.
func TestMixShift(t *testing.T) {
	var learnt mix
	for day := range 40 {
		sorted := []setCount{{set32(1), uint32(60 + day%5)}, {set32(2), 30}, {set32(3), 2}}
		slices.SortFunc(sorted, func(a, b setCount) int { return cmp.Compare(a.hash, b.hash) })
		learnt.learn(sorted, mixRate)
	}
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
		slices.SortFunc(c.today, func(a, b setCount) int { return cmp.Compare(a.hash, b.hash) })
		v, calls := learnt.shift(c.today)
		if v < c.low || v > c.high || calls == 0 {
			t.Errorf("%s: moved by %.1f, want %g to %g", c.name, v, c.low, c.high)
		}
	}
	if _, calls := learnt.shift([]setCount{{set32(9), fewestMixed - 1}}); calls != 0 {
		t.Error("a handful of calls is tested")
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
		m.learn(today, mixRate)
	}
	if len(m.sets) != mostSets {
		t.Errorf("%d sets, want %d", len(m.sets), mostSets)
	}
	w := &window{}
	for set := range uint32(100) {
		w.count(set32(100-set), 1)
	}
	if len(w.sets) != mostSets || w.sets[mostSets-1].calls != 100-mostSets+1 {
		t.Errorf("a day counts %d sets, the last %d times", len(w.sets), w.sets[len(w.sets)-1].calls)
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
