package detector

import (
	"slices"
	"strings"
	"testing"

	"github.com/memberwatch/memberwatch"
)

// TestNewSets: a class shift names the sets of data classes that grew.
func TestNewSets(t *testing.T) {
	day := func(calls map[string]int) (list []setCount, names pieces) {
		var w window
		for set, n := range calls {
			ev := memberwatch.Event{DataClasses: strings.Fields(set), Records: 1}
			var x classSet
			for _, c := range ev.DataClasses {
				x.add(hash32(c))
			}
			w.count(x, uint32(n))
			names.count(&ev)
		}
		return w.sets, names
	}
	var learnt mix
	for range 40 {
		sets, _ := day(map[string]int{"activity": 97, "birthday": 3})
		learnt.learn(sets, 0, mixRate)
	}
	eight := "c1 c2 c3 c4 c5 c6 c7 c8 c9"
	for _, c := range []struct {
		name  string
		today map[string]int
		want  []string
	}{
		{"as ever", map[string]int{"activity": 95, "birthday": 3}, nil},
		{"a rare class", map[string]int{"activity": 62, "birthday": 38}, []string{"birthday in 38 % of its calls, 3 % before"}},
		{"a new set", map[string]int{"activity": 60, "name activity picture": 40}, []string{"activity, name and picture together in 40 % of its calls, none before"}},
		{"the largest part first", map[string]int{"activity": 50, "contact": 20, "name": 30}, []string{
			"name in 30 % of its calls, none before", "contact in 20 % of its calls, none before",
		}},
		{"no more than two", map[string]int{"activity": 40, "a": 10, "b": 20, "c": 30}, []string{"c in 30 % of its calls, none before", "b in 20 % of its calls, none before"}},
		{"more classes than are told apart", map[string]int{"activity": 50, eight: 50}, []string{"and other data classes together in 50 % of its calls, none before"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			sets, names := day(c.today)
			var got []string
			for _, n := range learnt.newSets(sets, names) {
				got = append(got, n.String())
			}
			if !slices.EqualFunc(got, c.want, strings.HasSuffix) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
