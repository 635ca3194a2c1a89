package scenario

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/memberwatch/memberwatch"
)

// step plants one step of an incident.
func (p *planter) step(at *site, step *Step) error {
	from := at.from + int64(step.Wait.draw(p.dice))
	to := at.to
	if step.Lasts.given() {
		to = min(to, from+int64(step.Lasts.draw(p.dice)))
	}
	switch {
	case step.Restrict != nil:
		p.restrict(at, step.Restrict, from)
	case step.Change != nil:
		p.change(at, step.Change, from, to)
	case step.Add != nil:
		if at.truth.Everyone {
			return fmt.Errorf("calls cannot be added to everyone")
		}
		p.add(at, step.Add, from, to)
	}
	return nil
}

// draw draws a value and enters it in the truth.
func (p *planter) draw(at *site, name string, r Range, otherwise float64) float64 {
	if !r.given() {
		return otherwise
	}
	v := r.draw(p.dice)
	at.truth.Parameters = append(at.truth.Parameters, Parameter{name, v})
	return v
}

// restrict forbids a class. Honest apps stop some time between announcement
// and effect. A class that an earlier incident restricted stays as it is, but for
// this incident's apps, which are not exempt.
func (p *planter) restrict(at *site, r *Restrict, effective int64) {
	known, restricted := p.restrictions[r.Class]
	if !restricted {
		known = p.announce(at, r, effective)
		p.restrictions[r.Class] = known
	}
	at.truth.Restriction = known.ID
	effective = known.Effective.UnixNano()
	at.from = max(at.from, known.Effective.Add(known.Grace).UnixNano())
	at.truth.Start = time.Unix(0, at.from).UTC()
	at.to = min(max(at.to, at.from+7*day), p.last())
	at.truth.End = time.Unix(0, at.to).UTC()
	if restricted {
		p.unexempt(at, known)
		return
	}
	notice := effective - p.noticeOf(r, effective)
	denied, tryHours := r.Denied.draw(p.dice), r.TryHours.or(24).draw(p.dice)
	for _, a := range p.s.apps {
		if !a.uses(r.Class) || slices.Contains(known.Exempt, a.id) {
			continue
		}
		last := notice + int64(p.dice.float()*float64(effective-notice))
		if a.taken {
			last = effective // it does not bother to migrate
		}
		a.stop(r.Class, last)
		if p.dice.float() < denied && !a.taken {
			p.refuse(a, r.Class, effective, tryHours)
		}
	}
}

// noticeOf returns the length of the notice in nanoseconds.
func (p *planter) noticeOf(r *Restrict, effective int64) int64 {
	return min(int64(r.Notice.draw(p.dice)), effective-p.s.start)
}

// unexempt takes an incident's apps off the exempt of a restriction that was there
// before them: what they do of their own accord ends with it.
func (p *planter) unexempt(at *site, r *memberwatch.Restriction) {
	for _, a := range at.apps {
		if i := slices.Index(r.Exempt, a.id); i >= 0 {
			r.Exempt = slices.Delete(r.Exempt, i, i+1)
			a.stop(string(r.Class), r.Effective.UnixNano())
		}
	}
}

// announce enters a restriction in the registry.
func (p *planter) announce(at *site, r *Restrict, effective int64) *memberwatch.Restriction {
	at.truth.Parameters = append(at.truth.Parameters, Parameter{"notice_days", float64(r.Notice.Low) / float64(24*time.Hour)})
	restriction := &memberwatch.Restriction{
		ID:        memberwatch.RestrictionID("restrict-" + r.Class),
		Class:     memberwatch.DataClass(r.Class),
		Effective: time.Unix(0, effective).UTC(),
		Grace:     r.Grace.draw(p.dice),
		Reason:    "data class closed to third-party apps",
	}
	exempt := r.Exempt.draw(p.dice)
	for _, a := range p.s.apps {
		if !a.taken && a.uses(r.Class) && p.dice.float() < exempt {
			restriction.Exempt = append(restriction.Exempt, a.id)
		}
	}
	p.announced = append(p.announced, memberwatch.Change{
		Time: time.Unix(0, effective-p.noticeOf(r, effective)).UTC(), Restriction: restriction,
	})
	return restriction
}

// refuse lets an honest but slow app try a restricted class in vain.
func (p *planter) refuse(a *app, class string, effective int64, hours float64) {
	attempt := callRoster
	attempt.classes = []string{class}
	p.s.additions = append(p.s.additions, &addition{
		app: a, incident: -1, from: effective, to: effective + int64(hours*float64(hour)), key: key(a.key, 6), duty: 1, parts: 1,
		calls: max(0.5, a.calls/24/10), selection: selectNone, call: attempt, outcome: memberwatch.OutcomeDenied,
		network: a.network, credential: a.credential, retains: true,
	})
}

// change alters the traffic of the incident's apps, or of everyone.
func (p *planter) change(at *site, c *Change, from, to int64) {
	by := p.alteration(at, c)
	apps := at.apps
	if at.truth.Everyone {
		apps, by.incident = p.s.apps, -1
	}
	for _, a := range apps {
		own := by
		if len(c.Classes) > 0 {
			own.classes = extended(a, c.Classes)
		}
		a.alter(from, to, func(s *state) { *s = own })
		if c.Certified || by.groups > 1 {
			p.declareAnew(a, c.Classes, from, &by)
		}
	}
	if peers := p.draw(at, "peers", c.Peers, 1); peers != 1 {
		p.alterPeers(at, peers, from, to)
	}
}

// alteration draws what a change does. The rate multiplier scales what exceeds
// the ordinary.
func (p *planter) alteration(at *site, c *Change) state {
	factor := func(name string, r Range) float64 {
		v := p.draw(at, name, r, 1)
		if v > 1 {
			v = 1 + (v-1)*at.rate
		}
		return v
	}
	by := unaltered
	by.incident = at.index
	by.leaks = at.scenario.Abuse && len(c.Classes) > 0
	by.actors = factor("users", c.Users)
	by.volume = factor("volume", c.Volume) * by.actors
	by.page = factor("page", c.Page)
	by.groups = factor("groups", c.Groups)
	by.errors = p.draw(at, "errors", c.Errors, 0)
	by.duplicates = p.draw(at, "duplicates", c.Duplicates, 0)
	by.shift, by.late, by.skew = c.Shift.draw(p.dice), c.Late.draw(p.dice), c.Skew.draw(p.dice)
	if c.Network == "new" {
		by.network = p.newNetwork()
	}
	if c.Credential == "new" {
		by.credential = p.newCredential()
	}
	return by
}

func (p *planter) newNetwork() string { return fmt.Sprintf("as%d", 65_000+p.dice.below(400)) }

func (p *planter) newCredential() string {
	return fmt.Sprintf("key-%08x", p.dice.pcg.Uint64()>>32)
}

// extended returns the app's classes by endpoint, each with the added ones.
func extended(a *app, added []string) map[string][]string {
	classes := make(map[string][]string)
	for _, c := range a.category.calls {
		all := slices.Clone(c.classes)
		for _, class := range added {
			if !slices.Contains(all, class) {
				all = append(all, class)
			}
		}
		classes[c.endpoint] = all
	}
	return classes
}

// declareAnew declares the app anew, with purposes for the added classes and
// with the people who come with added groups.
func (p *planter) declareAnew(a *app, added []string, from int64, by *state) {
	declared := a.declaration(p.s.config.Start)
	declared.Admins = int64(a.groupCount(by))
	declared.Installs = int64(a.users * max(by.actors, 1))
	for _, class := range added {
		declared.Purposes = append(declared.Purposes, memberwatch.Purpose{Class: memberwatch.DataClass(class), Purpose: "new in this release"})
	}
	if len(added) > 0 {
		declared.Certified = time.Unix(0, from).UTC()
	}
	p.announced = append(p.announced, memberwatch.Change{Time: time.Unix(0, from-hour).UTC(), App: declared})
}

// alterPeers lets about half of the apps of the same categories move along.
func (p *planter) alterPeers(at *site, factor float64, from, to int64) {
	for _, a := range p.s.apps {
		same := slices.ContainsFunc(at.apps, func(b *app) bool { return b.category.name == a.category.name })
		if !same || slices.Contains(at.apps, a) || p.dice.float() < 0.5 {
			continue
		}
		own := 1 + (factor-1)*2*p.dice.float()
		a.alter(from, to, func(s *state) { s.volume, s.actors = own, own })
	}
}

// strip takes restricted classes out of added calls from their effect on,
// except from those that go on regardless.
func (p *planter) strip() {
	for _, x := range p.s.additions {
		if x.retains {
			continue
		}
		for _, change := range p.announced {
			r := change.Restriction
			if r == nil || slices.Contains(r.Exempt, x.app.id) || !slices.Contains(x.call.classes, string(r.Class)) {
				continue
			}
			rest := slices.DeleteFunc(slices.Clone(x.classes(math.MaxInt64)), func(c string) bool { return c == string(r.Class) })
			if len(rest) == 0 {
				rest = []string{className}
			}
			x.without = append(x.without, classesFrom{r.Effective.UnixNano(), rest})
		}
	}
}
