package scenario

import (
	"fmt"
	"math"
	"time"
)

// Unit is what a goal counts.
type Unit string

// Units of goals.
const (
	Hours     Unit = "hours"               // since the first abusive event
	Events    Unit = "events"              // abusive ones
	IDs       Unit = "ids"                 // that were asked for
	Members   Unit = "members"             // that leaked
	LeakShare Unit = "share"               // of all that leaks
	Traps     Unit = "canaries"            // that were disclosed
	Level     Unit = "times its own level" // of a ramp
	Loss      Unit = "loss"                // of recall, against the same without tricks
)

// Goal is the most that may be spent before an incident is found. The zero value
// is no goal.
type Goal struct {
	Unit Unit
	Most float64
}

// String words the goal for people.
func (g Goal) String() string {
	switch g.Unit {
	case "":
		return ""
	case Hours:
		return "within " + lasting(g.Most)
	case LeakShare:
		return fmt.Sprintf("at most %g %% of the leak", round(100*g.Most))
	case Level:
		return fmt.Sprintf("before %g %s", g.Most, g.Unit)
	case Loss:
		return fmt.Sprintf("at most %g points of recall lost", round(100*g.Most))
	case Traps:
		return fmt.Sprintf("by canary %g", g.Most)
	case Events:
		return fmt.Sprintf("by event %g", g.Most)
	default:
		return fmt.Sprintf("at most %g %s", g.Most, g.Unit)
	}
}

func round(v float64) float64 { return math.Round(v*100) / 100 }

// lasting words hours.
func lasting(hours float64) string {
	switch d := time.Duration(hours * float64(time.Hour)); {
	case d < time.Hour:
		return fmt.Sprintf("%g min", d.Minutes())
	case d <= 72*time.Hour:
		return fmt.Sprintf("%g h", d.Hours())
	default:
		return fmt.Sprintf("%g days", d.Hours()/24)
	}
}

// Target says how early an incident should be found, in the one unit that
// counts for its scenario.
type Target struct {
	Within  Period `yaml:"within"`  // of the first abusive event
	Events  Range  `yaml:"events"`  // abusive ones, at most
	IDs     Range  `yaml:"ids"`     // asked for, at most
	Members Range  `yaml:"members"` // leaked, at most
	Share   Range  `yaml:"share"`   // of the leak, at most
	Traps   Range  `yaml:"traps"`   // canaries disclosed, at most
	Level   Range  `yaml:"level"`   // of a ramp, times the app's own
	Loss    Range  `yaml:"loss"`    // of recall, against the same without its tricks
	Gentle  Gentle `yaml:"gentle"`  // another length of time at low rates
}

// Gentle is a longer time for harvests at a rate or below.
type Gentle struct {
	Rate   Range  `yaml:"rate"`
	Within Period `yaml:"within"`
}

// goals returns what is given.
func (t *Target) goals() []Goal {
	var list []Goal
	if t.Within.given() {
		list = append(list, Goal{Hours, t.Within.Low.Hours()})
	}
	for _, one := range []struct {
		unit Unit
		Range
	}{{Events, t.Events}, {IDs, t.IDs}, {Members, t.Members}, {LeakShare, t.Share}, {Traps, t.Traps}, {Level, t.Level}, {Loss, t.Loss}} {
		if one.given() {
			list = append(list, Goal{one.unit, one.Low})
		}
	}
	return list
}

// at returns the goal of incidents at a rate.
func (t *Target) at(rate float64) Goal {
	goals := t.goals()
	switch {
	case len(goals) == 0:
		return Goal{}
	case t.Gentle.Rate.given() && rate <= t.Gentle.Rate.Low:
		return Goal{Hours, t.Gentle.Within.Low.Hours()}
	default:
		return goals[0]
	}
}

// checkTarget finds what a target says wrongly.
func checkTarget(s *Scenario, report problem) {
	t := &s.Target
	if n := len(t.goals()); n > 1 {
		report("target", "needs one unit, such as within or ids, and has %d", n)
	}
	for key, r := range map[string]Range{"share": t.Share, "loss": t.Loss} {
		atMostOne(report, "target."+key, r)
	}
	if t.Gentle.Rate.given() != t.Gentle.Within.given() || t.Gentle.Rate.given() && !t.Within.given() {
		report("target.gentle", "needs a rate and within, beside a target within some time")
	}
	ramps, tricks := false, false
	for i := range s.Steps {
		step := &s.Steps[i]
		ramps = ramps || step.Add != nil && step.Add.GrowthPerDay.given()
		tricks = tricks || step.Trick
	}
	if t.Level.given() && !ramps {
		report("target.level", "needs a step that grows by growth_per_day")
	}
	if t.Loss.given() && !tricks {
		report("target.loss", "needs a step that is a trick, to be compared with the same without it")
	}
}

// ramp is a harvest that grows from nothing.
type ramp struct {
	from          int64
	times, growth float64
}

// level returns by what factor the app exceeds its own ordinary level.
func (r ramp) level(t int64) float64 {
	days := max(0, float64(t-r.from)/float64(day))
	return 1 + r.times*(math.Pow(1+r.growth, days)-1)
}
