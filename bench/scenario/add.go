package scenario

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/memberwatch/memberwatch"
)

// add plants calls on top of what the incident's apps do anyhow. The apps split
// the amount and the members evenly.
func (p *planter) add(at *site, a *Add, from, until int64) {
	amount := p.drawAmount(at, a)
	drawn := p.addition(at, a, from, until)
	for part, to := range at.apps {
		x := drawn
		x.app, x.part = to, uint64(part)
		if x.selection == selectKnown {
			to.remembers = from
		}
		x.call = ownCall(to, a)
		if at.scenario.Targets.From == "new" || at.scenario.Targets.From == "identities" {
			to.certify(x.call.classes) // who registers an app says what it is going to read
		}
		if x.network == "" {
			x.network = to.network
		}
		if x.credential == "" {
			x.credential = to.credential
		}
		if a.MembersPerIdentity.given() {
			p.identities(at, &x)
		}
		x.calls = callsPerHour(a, amount, &x) / float64(len(at.apps))
		if x.growth > 0 {
			at.truth.ramp = ramp{from: from, times: amount, growth: x.growth}
		}
		if most := min(drawn.mostMembers, float64(p.s.people.members)); most > 0 {
			x.most = uint64(math.Ceil(most / x.call.meanPage() / float64(len(at.apps))))
		}
		if x.canaries > 0 {
			at.truth.Canaries = p.s.canaries(&x)
		}
		// Parts of one incident differ in when they call, not in the walk they split.
		x.key = key(x.key, uint64(part))
		p.s.additions = append(p.s.additions, &x)
	}
}

// addition draws what all of an incident's apps have in common.
func (p *planter) addition(at *site, a *Add, from, until int64) addition {
	x := addition{
		incident: at.index, from: from, to: until, key: key(key(p.s.seed, uint64(at.index)+77), textKey(a.Members)),
		selection: selections[a.Members], actor: a.Actor, parts: uint64(len(at.apps)),
		leaks: at.scenario.Abuse && !a.Decoy, retains: a.Retains, attested: at.from,
		shape: shapeNamed(a.Shape), outcome: outcomeNamed(a.Outcome),
	}
	members := p.s.people.members
	x.first, x.stride = x.key%members, coprime(members*2/3+x.key%max(1, members/7), members)
	x.duty = p.draw(at, "duty", a.Duty, 1)
	x.hit = p.draw(at, "hit_ratio", a.HitRatio, 1)
	x.growth = p.draw(at, "growth_per_day", a.GrowthPerDay, 0) * at.rate
	x.canaries = p.draw(at, "canaries_per_10k", a.Canaries, 0) / 10_000
	x.perActor = int(p.draw(at, "members_per_actor", a.MembersPerActor, 0))
	x.mostMembers = p.draw(at, "at_most_members", a.AtMost, 0)
	if x.selection == selectOneGroup {
		x.mostMembers = min(x.mostMembers, float64(members)*largestGroup)
	}
	x.group = scaled(key(p.s.seed, uint64(at.index)+77), min(largeGroups, uint64(p.s.config.Groups)))
	if a.Network == "new" {
		x.network = p.newNetwork()
	}
	if a.Credential == "new" {
		x.credential = p.newCredential()
	}
	return x
}

// largeGroups is how many groups count as huge: the first ones.
const largeGroups = 10

// largestGroup is the share of all members that a huge community has: a million
// of the catalogue's five million.
const largestGroup = 0.2

// certify adds classes to those the app is certified for.
func (a *app) certify(classes []string) {
	for _, class := range classes {
		if !a.uses(class) && !slices.Contains(a.certified, class) {
			a.certified = append(a.certified, class)
		}
	}
}

// drawAmount draws the one amount that is given and applies the multiplier. A
// ramp has no amount to scale: it grows faster instead.
func (p *planter) drawAmount(at *site, a *Add) float64 {
	given := a.amounts()[0] // the check of the file has seen to it
	amount := p.draw(at, given.name, given.Range, 0)
	if a.GrowthPerDay.given() {
		return amount
	}
	return amount * at.rate
}

// callsPerHour turns an amount into calls.
func callsPerHour(a *Add, amount float64, x *addition) float64 {
	page := max(1, x.call.meanPage())
	switch {
	case a.MembersPerMinute.given():
		return amount * 60 / page
	case a.MembersPerDay.given():
		return amount / 24 / page
	case a.CallsPerMinute.given():
		return amount * 60
	case a.CallsPerDay.given():
		return amount / 24
	case a.CallsPerWeek.given():
		return amount / hoursPerWeek
	case a.TimesOwn.given() && x.selection == selectKnown:
		return amount * x.app.calls / 24
	case a.TimesOwn.given():
		return amount * x.app.ownMembers() / 24 / page
	case a.ActorsPerDay.given():
		return amount * float64(x.callsPerActor()) / 24
	default: // members per identity
		return amount * float64(len(x.identities)) / page / (float64(x.to-x.from) / float64(hour))
	}
}

// ownCall returns the kind of call that is added: as the scenario says, and
// otherwise like the app's own call that discloses most.
func ownCall(a *app, add *Add) call {
	var c call
	for _, own := range a.category.calls {
		if own.meanPage() > c.meanPage() {
			c = own
		}
	}
	c.miss, c.denied, c.records = 0, 0, 0
	c.reads = readFriends // any kind that discloses; the selection says whom
	if selection := selections[add.Members]; selection == selectPosts || selection == selectOneGroupPosts {
		c = callPublish
	}
	if add.Endpoint != "" {
		c.endpoint = add.Endpoint
	}
	if len(add.Classes) > 0 {
		c.classes = slices.Clone(add.Classes)
	}
	if add.Page.given() {
		c.low, c.high = int(add.Page.Low), int(add.Page.High)
	}
	return c
}

func outcomeNamed(name string) memberwatch.Outcome {
	switch name {
	case "error":
		return memberwatch.OutcomeError
	case "throttled":
		return memberwatch.OutcomeThrottled
	default:
		return memberwatch.OutcomeOK
	}
}

func shapeNamed(name string) shape {
	switch name {
	case "flat":
		return shapeFlat
	case "night":
		return shapeNight
	case "weekly":
		return shapeWeekly
	case "metronome":
		return shapeMetronome
	default:
		return shapeSeason
	}
}

// identities makes the small apps of a fleet, each with a developer of its own
// and without traffic of its own.
func (p *planter) identities(at *site, x *addition) {
	count := int(at.scenario.Targets.Apps.draw(p.dice))
	at.truth.Parameters = append(at.truth.Parameters, Parameter{"identities", float64(count)})
	at.truth.Apps, at.truth.Developers = nil, nil
	x.identities = make([]identity, count)
	for i := range x.identities {
		number := p.s.config.Apps + p.s.created
		p.s.created++
		id := newAppID(p.s.seed, number)
		born := x.from + int64(float64(x.to-x.from)*float64(i)/float64(count))
		x.identities[i] = identity{id: id, developer: developerID(p.s.seed, number)}
		at.truth.Apps = append(at.truth.Apps, id)
		at.truth.Developers = append(at.truth.Developers, x.identities[i].developer)
		declared := x.app.declaration(p.s.config.Start)
		declared.ID, declared.Developer = id, x.identities[i].developer
		declared.DisplayName = fmt.Sprintf("%s %s %d", developerNames[number%len(developerNames)], x.app.category.noun, number)
		declared.Installs, declared.Admins = 1, 1
		declared.Created = time.Unix(0, born).UTC()
		declared.Certified = declared.Created
		p.announced = append(p.announced, memberwatch.Change{Time: declared.Created, App: declared})
	}
}

// declare puts what the registry learns in order of time.
func (p *planter) declare() []memberwatch.Change {
	changes := p.announced
	for _, a := range p.s.apps {
		changes = append(changes, memberwatch.Change{Time: time.Unix(0, max(p.s.start, a.born)).UTC(), App: a.declaration(p.s.config.Start)})
	}
	if p.s.config.WithoutPurposes {
		for i := range changes {
			if changes[i].App != nil {
				changes[i].App.Purposes = nil
			}
		}
	}
	slices.SortStableFunc(changes, func(a, b memberwatch.Change) int { return a.Time.Compare(b.Time) })
	for i := range changes {
		changes[i].Revision = int64(i) + 1
	}
	return changes
}
