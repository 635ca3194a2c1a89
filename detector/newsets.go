package detector

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/memberwatch/memberwatch/detector/codec"
)

// newSet is a set of data classes that a day's calls name far more often than they
// used to: what a class shift is about.
type newSet struct {
	classes      []string // in order; those that the day's pieces tell
	others       bool     // there are more
	today, usual float64  // part of the app's calls
	deviance     float64  // its part of the feature; not kept
}

// mostNewSets are told of a day.
const mostNewSets = 2

// newSets returns the sets that make up a day's shift, the largest part first.
func (m *mix) newSets(today []setCount, names pieces) []newSet {
	calls := callsOf(today)
	var list []newSet
	for _, c := range today {
		if d := m.deviance(c, calls); d > 0 {
			n := newSet{today: float64(c.calls) / calls, usual: m.part(c.hash), deviance: d}
			n.name(c.classSet, names)
			list = append(list, n)
		}
	}
	slices.SortStableFunc(list, func(a, b newSet) int { return cmp.Compare(b.deviance, a.deviance) })
	return list[:min(len(list), mostNewSets)]
}

// name finds the names of a set's classes among the pieces of a day.
func (n *newSet) name(set classSet, names pieces) {
	if set.hash == restHash { // many sets: no names are those of all
		n.others = true
		return
	}
	var known classSet
	for i := range names {
		var one classSet
		one.add(uint32(names[i].key))
		if names[i].dimension() == class && one.within(&set) {
			known.add(uint32(names[i].key))
			n.classes = append(n.classes, names[i].name)
		}
	}
	n.others = known.hash != set.hash || len(n.classes) == 0
	slices.Sort(n.classes)
}

// together tells the classes of a set.
func (n *newSet) together() string {
	classes := slices.Clone(n.classes)
	if n.others {
		classes = append(classes, "other data classes")
	}
	if last := len(classes) - 1; last > 0 {
		return strings.Join(classes[:last], ", ") + " and " + classes[last] + " together"
	}
	return classes[0]
}

// String tells a set to people, as in: profile_name and profile_picture together in 38 %
// of its calls, 2 % before.
func (n *newSet) String() string {
	before := "none"
	if n.usual > 0 {
		before = number(100*n.usual) + " %"
	}
	return fmt.Sprintf("%s in %s %% of its calls, %s before", n.together(), number(100*n.today), before)
}

// ofClasses tells the sets that a class shift is about.
func (p *pending) ofClasses() string {
	var b strings.Builder
	for i := range p.sets {
		b.WriteString("; " + p.sets[i].String())
	}
	return b.String()
}

func (n *newSet) encode(e *codec.Encoder) {
	e.Uint(uint64(len(n.classes)))
	for _, c := range n.classes {
		e.Text(c)
	}
	e.Bool(n.others)
	e.F64(n.today)
	e.F64(n.usual)
}

func (n *newSet) decode(d *codec.Decoder) {
	for range d.Count(1) {
		n.classes = append(n.classes, d.Text())
	}
	n.others = d.Bool() || len(n.classes) == 0
	n.today, n.usual = d.F64(), d.F64()
}
