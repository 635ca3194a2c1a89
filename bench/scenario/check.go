package scenario

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// selections names whom added calls read.
var selections = map[string]selection{
	"everyone":        selectEveryone,
	"sequence":        selectSequence,
	"lookups":         selectLookups,
	"own_groups":      selectOwnGroups,
	"own_again":       selectOwnAgain,
	"sweep":           selectSweep,
	"known":           selectKnown,
	"one_group_posts": selectOneGroupPosts,
	"posts":           selectPosts,
	"other_groups":    selectOtherGroups,
	"one_group":       selectOneGroup,
	"friends":         selectFriends,
	"expired":         selectExpired,
	"former":          selectFormer,
	"test_members":    selectTest,
	"none":            selectNone,
}

var (
	sources    = []string{"existing", "new", "dormant", "identities", "everyone"}
	shapes     = []string{"", "season", "flat", "night", "weekly", "metronome"}
	actorKinds = []string{"", "app", "service", "each", "admin", "none"}
	outcomes   = []string{"", "ok", "error", "throttled"}
	developers = []string{"", "own", "shared"}
	declarable = []string{"restriction", "purposes", "attestation", "canaries", "expectation"}
	idPattern  = regexp.MustCompile(`^[A-Z][0-9]{1,3}$`)
)

// problem reports what is wrong with the value of a key.
type problem func(key, format string, args ...any)

// check finds what a well-formed scenario file says wrongly.
func check(s *Scenario, report problem) {
	if !idPattern.MatchString(s.ID) {
		report("id", "%q must be a capital letter and a number, such as S04", s.ID)
	}
	for _, field := range [][2]string{{"kind", s.Kind}, {"title", s.Title}, {"shows", s.Shows}} {
		if strings.TrimSpace(field[1]) == "" {
			report(field[0], "is missing")
		}
	}
	if !s.Length.given() || s.Length.Low < time.Minute {
		report("length", "must be given and at least a minute")
	}
	for i, declared := range s.Declares {
		oneOf(report, fmt.Sprintf("declares[%d]", i), declared, declarable)
	}
	plants := slices.ContainsFunc(s.Steps, func(step Step) bool { return step.Add != nil && step.Add.Canaries.given() })
	if plants != slices.Contains(s.Declares, "canaries") {
		report("declares", "must list canaries where a step has canaries_per_10k, and only there")
	}
	if len(s.Steps) == 0 {
		report("steps", "must list at least one step")
	}
	checkTargets(&s.Targets, report)
	checkTarget(s, report)
	for i := range s.Steps {
		checkStep(s, &s.Steps[i], fmt.Sprintf("steps[%d]", i), report)
	}
}

func checkTargets(t *Targets, report problem) {
	oneOf(report, "targets.from", t.From, sources)
	oneOf(report, "targets.developer", t.Developer, developers)
	if t.Apps.given() == t.Share.given() && t.From != "everyone" {
		report("targets", "needs exactly one of apps and share")
	}
	if t.Apps.given() && t.Apps.Low < 1 {
		report("targets.apps", "must be at least 1")
	}
	if t.Share.High > 1 {
		report("targets.share", "must be at most 1")
	}
	atMostOne(report, "targets.size", t.Size)
	if t.Size.given() && t.From != "existing" && t.From != "dormant" {
		report("targets.size", "is for existing apps only")
	}
	if t.CallsPerDay.given() && t.From != "new" {
		report("targets.calls_per_day", "is for new apps only")
	}
	if t.From == "dormant" && !t.Idle.given() {
		report("targets.idle", "is missing: dormant apps were silent for a time")
	}
	if t.Idle.given() && t.From != "dormant" {
		report("targets.idle", "is for dormant apps only")
	}
	for i, name := range t.Categories {
		if !slices.ContainsFunc(categories(), func(c category) bool { return c.name == name }) && name != vettedResearch {
			report(fmt.Sprintf("targets.categories[%d]", i), "no category is named %q", name)
		}
	}
}

func checkStep(s *Scenario, step *Step, at string, report problem) {
	set := 0
	if step.Restrict != nil {
		set++
		checkRestrict(step.Restrict, at+".restrict", report)
	}
	if step.Change != nil {
		set++
		checkChange(step.Change, at+".change", report)
	}
	if step.Add != nil {
		set++
		checkAdd(s, step.Add, at+".add", report)
	}
	if set != 1 {
		report(at, "needs exactly one of restrict, change and add, and has %d", set)
	}
	if step.Wait.High > s.Length.Low {
		report(at+".wait", "may be longer than the incident, whose length is at least %s", s.Length.Low)
	}
}

func checkRestrict(r *Restrict, at string, report problem) {
	if r.Class == "" {
		report(at+".class", "is missing")
	}
	atMostOne(report, at+".exempt", r.Exempt)
	atMostOne(report, at+".denied", r.Denied)
}

func checkChange(c *Change, at string, report problem) {
	oneOf(report, at+".network", c.Network, []string{"", "new"})
	oneOf(report, at+".credential", c.Credential, []string{"", "new"})
	atMostOne(report, at+".errors", c.Errors)
	atMostOne(report, at+".duplicates", c.Duplicates)
}

func checkAdd(s *Scenario, a *Add, at string, report problem) {
	if _, ok := selections[a.Members]; !ok {
		report(at+".members", "%q is not known", a.Members)
	}
	oneOf(report, at+".shape", a.Shape, shapes)
	oneOf(report, at+".actor", a.Actor, actorKinds)
	oneOf(report, at+".outcome", a.Outcome, outcomes)
	oneOf(report, at+".network", a.Network, []string{"", "new"})
	oneOf(report, at+".credential", a.Credential, []string{"", "new"})
	atMostOne(report, at+".duty", a.Duty)
	atMostOne(report, at+".hit_ratio", a.HitRatio)
	if n := len(a.amounts()); n != 1 {
		report(at, "needs exactly one amount, such as calls_per_day, and has %d", n)
	}
	if a.ActorsPerDay.given() != a.MembersPerActor.given() {
		report(at, "actors_per_day and members_per_actor belong together")
	}
	if a.MembersPerIdentity.given() != (s.Targets.From == "identities") {
		report(at, "members_per_identity and targets from identities belong together")
	}
	if a.Members == "known" && !a.TimesOwn.given() {
		report(at+".members", "known members need times_own")
	}
	if a.GrowthPerDay.given() && !a.TimesOwn.given() {
		report(at+".growth_per_day", "needs times_own")
	}
	if lookups := a.Members == "lookups" || a.Members == "sequence"; a.HitRatio.given() != lookups {
		report(at+".hit_ratio", "must be given for look-ups and only for them")
	}
	if a.Page.High > maxPage || a.Page.given() && a.Page.Low < 1 {
		report(at+".page", "must lie in 1..%d", maxPage)
	}
}

// amount is one of the ways to say how much is added.
type amount struct {
	name string
	Range
}

// amounts returns the amounts that are given.
func (a *Add) amounts() []amount {
	all := []amount{
		{"members_per_minute", a.MembersPerMinute},
		{"members_per_day", a.MembersPerDay},
		{"calls_per_minute", a.CallsPerMinute},
		{"calls_per_day", a.CallsPerDay},
		{"calls_per_week", a.CallsPerWeek},
		{"times_own", a.TimesOwn},
		{"actors_per_day", a.ActorsPerDay},
		{"members_per_identity", a.MembersPerIdentity},
	}
	return slices.DeleteFunc(all, func(a amount) bool { return !a.given() })
}

func oneOf(report problem, key, value string, allowed []string) {
	if !slices.Contains(allowed, value) {
		named := slices.DeleteFunc(slices.Clone(allowed), func(a string) bool { return a == "" })
		report(key, "%q is not one of %s", value, strings.Join(named, ", "))
	}
}

func atMostOne(report problem, key string, r Range) {
	if r.High > 1 {
		report(key, "is a share and must be at most 1, not %g", r.High)
	}
}
