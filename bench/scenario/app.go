package scenario

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/memberwatch/memberwatch"
)

// vettedResearch is the category of researchers with lawful bulk access. No
// ordinary app has it.
const vettedResearch = "vetted_research"

// activeShare is the share of an app's users who act on an ordinary day.
const activeShare = 0.25

// app is one simulated third-party app. All of it is fixed before the first
// event; what happens in a window is computed from it.
type app struct {
	id        memberwatch.AppID
	developer memberwatch.DeveloperID
	name      string
	key       uint64
	category  *category

	calls   float64 // a day, at the start
	size    float64 // its place among the ordinary apps: 0 is the smallest, 1 the largest
	growth  float64 // of calls and users a day, logarithmic
	shape   float64 // of the gamma that spreads days; smaller is wilder
	users   float64 // people who act through it now and then, at the start
	groups  int     // it manages
	zone    int     // hours ahead of UTC
	born    int64   // first event not before, nanoseconds
	silent  bool    // makes no calls of its own accord
	created time.Time

	network    string
	credential string
	classes    []string // that it reads, for its certified purposes
	certified  []string // that it is certified for on top

	repertoires []repertoireFrom // in order of time
	effects     []*effect
	now         state // scratch of at
	issued      uint32
	taken       bool  // an incident befalls it
	remembers   int64 // calls before this instant are kept in past
	past        []entry

	today  int64   // the day that the next two describe
	factor float64 // of the day's calls
}

// keptCalls is how many calls an app remembers that reads them once more.
const keptCalls = 4096

// remember keeps the newest calls.
func (a *app) remember(e entry) {
	if len(a.past) < keptCalls {
		a.past = append(a.past, e)
		return
	}
	a.past[int(e.number)%keptCalls] = e
}

// repertoireFrom is what an app calls from an instant on.
type repertoireFrom struct {
	from int64
	*repertoire
}

// developerNames and the categories' nouns make display names.
var developerNames = []string{
	"Northwind", "Harbor", "Juniper", "Quartz", "Lumen", "Meadow", "Cobalt", "Willow", "Summit", "Orchid", "Pioneer", "Velvet",
	"Granite", "Saffron", "Compass", "Ember", "Tundra", "Mosaic", "Atlas", "Clover", "Beacon", "Indigo", "Falcon", "Cedar",
}

// newAppID returns an id that tells nothing about the app. An odd multiplier
// permutes the 20-bit numbers, so that ids are unique and in no order.
func newAppID(seed uint64, number int) memberwatch.AppID {
	return memberwatch.AppID(fmt.Sprintf("app-%05x", (uint64(number)*0x9e3b5+seed)&0xfffff))
}

// newApp draws an app of a category.
func (s *Simulator) newApp(number int, c *category, calls float64) *app {
	a := &app{key: key(key(s.seed, 2), uint64(number)), category: c, calls: calls, today: -1}
	d := newDice()
	d.seed(a.key, 0)
	a.id = newAppID(s.seed, number)
	a.growth = 0.0006 + 0.0015*d.r.NormFloat64()
	a.shape = 4 + 20*d.float()
	a.users = max(2, calls/c.perActor/activeShare)
	if c.groups > 0 {
		a.groups = max(1, int(c.groups*math.Sqrt(calls)*(0.5+d.float())))
	}
	a.zone = []int{-8, -5, -5, -3, 0, 1, 1, 2, 5, 8}[d.below(10)]
	a.network = fmt.Sprintf("as%d", 64_500+int(40*d.float()*d.float()))
	a.credential = fmt.Sprintf("key-%08x", d.pcg.Uint64()>>32)
	a.repertoires = []repertoireFrom{{from: math.MinInt64, repertoire: newRepertoire(c.calls, func(string) bool { return false })}}
	for _, call := range c.calls {
		for _, class := range call.classes {
			if !a.uses(class) {
				a.classes = append(a.classes, class)
			}
		}
	}
	a.name = fmt.Sprintf("%s %s %d", developerNames[d.below(int64(len(developerNames)))], c.noun, number)
	a.created = s.config.Start.AddDate(0, 0, -30-int(900*d.float()))
	return a
}

// uses tells whether the app ordinarily reads a class.
func (a *app) uses(class string) bool { return slices.Contains(a.classes, class) }

// repertoire returns what the app calls at an instant.
func (a *app) repertoire(t int64) *repertoire {
	current := a.repertoires[0].repertoire
	for _, r := range a.repertoires[1:] {
		if r.from <= t {
			current = r.repertoire
		}
	}
	return current
}

// stop takes calls that touch a class out of the app's repertoire from an
// instant on.
func (a *app) stop(class string, from int64) {
	last := a.repertoires[len(a.repertoires)-1]
	next := newRepertoire(last.calls, func(c string) bool { return c == class })
	next.share *= last.share
	a.repertoires = append(a.repertoires, repertoireFrom{from: from, repertoire: next})
}

// ownMembers returns about how many members the app reads on an ordinary day.
func (a *app) ownMembers() float64 { return max(1, a.calls*a.repertoires[0].meanMembers()) }

// declaration returns what the platform knows of the app.
func (a *app) declaration(start time.Time) *memberwatch.App {
	declared := &memberwatch.App{
		ID:          a.id,
		Developer:   a.developer,
		DisplayName: a.name,
		Category:    a.category.name,
		Installs:    int64(a.users),
		Admins:      int64(max(1, a.groups)),
		Created:     a.created,
		Certified:   start.AddDate(0, 0, -int(a.key%180)-1),
		Expires:     start.AddDate(20, 0, 0),
	}
	if a.created.After(start) {
		declared.Certified = a.created
	}
	for _, class := range append(slices.Clone(a.classes), a.certified...) {
		declared.Purposes = append(declared.Purposes, memberwatch.Purpose{
			Class: memberwatch.DataClass(class), Purpose: "to serve users of a " + a.category.name + " app",
		})
	}
	return declared
}
