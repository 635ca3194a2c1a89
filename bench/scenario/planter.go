package scenario

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/memberwatch/memberwatch"
)

// planter turns scenarios into apps, effects, additions and truth.
type planter struct {
	s            *Simulator
	dice         *dice
	restrictions map[string]*memberwatch.Restriction // by class
	announced    []memberwatch.Change
}

// site is where an incident is planted.
type site struct {
	scenario *Scenario
	rate     float64
	clean    bool
	apps     []*app
	from, to int64
	index    int // of the incident's truth
	truth    *Incident
}

// plant plants all incidents of one planting.
func (p *planter) plant(number int, planting Planting) error {
	scenario, ok := p.s.config.Catalogue.Scenario(planting.Scenario)
	if !ok {
		return fmt.Errorf("no such scenario; there are %s", strings.Join(p.known(), ", "))
	}
	rate := cmp.Or(planting.Rate, 1)
	if rate < 0 {
		return fmt.Errorf("rate %g must be positive", rate)
	}
	for n := range max(1, planting.Count) {
		p.dice.seed(key(p.s.seed, textKey(scenario.ID)), uint64(number)<<32|uint64(n))
		if err := p.incident(&site{scenario: scenario, rate: rate, clean: planting.Clean}); err != nil {
			return err
		}
	}
	return nil
}

// textKey turns a short text into a number.
func textKey(text string) uint64 {
	var k uint64
	for _, b := range []byte(text) {
		k = key(k, uint64(b))
	}
	return k
}

func (p *planter) known() []string {
	var ids []string
	for _, s := range p.s.config.Catalogue.scenarios {
		ids = append(ids, s.ID)
	}
	return ids
}

// incident chooses time and apps and runs the scenario's steps on them. Where
// every app is an incident of its own, each draws its own parameters.
func (p *planter) incident(at *site) error {
	if err := p.when(at); err != nil {
		return err
	}
	apps, err := p.targets(at)
	if err != nil {
		return err
	}
	if !at.scenario.Targets.Each {
		return p.run(at, apps)
	}
	for _, a := range apps {
		one := *at
		if err := p.run(&one, []*app{a}); err != nil {
			return err
		}
	}
	return nil
}

// run enters the truth of one incident and plants its steps.
func (p *planter) run(at *site, apps []*app) error {
	at.apps = apps
	at.index = len(p.s.incidents)
	at.truth = &Incident{
		Scenario: at.scenario.ID, Kind: at.scenario.Kind, Abuse: at.scenario.Abuse, Clean: at.clean, Rate: at.rate, Goal: at.scenario.Target.at(at.rate),
		Everyone: at.scenario.Targets.From == "everyone", Declares: at.scenario.Declares,
		Start: time.Unix(0, at.from).UTC(), End: time.Unix(0, at.to).UTC(),
	}
	p.s.incidents = append(p.s.incidents, at.truth)
	for _, a := range apps {
		at.truth.name(a.id, a.developer)
	}
	for i := range at.scenario.Steps {
		if at.clean && at.scenario.Steps[i].Trick {
			continue
		}
		if err := p.step(at, &at.scenario.Steps[i]); err != nil {
			return err
		}
	}
	for _, what := range at.scenario.Declares {
		switch what {
		case "expectation":
			p.expect(at)
		case "canaries":
			p.plantCanaries(at)
		case "attestation":
			p.attest(at)
		}
	}
	return nil
}

// plantCanaries tells the service, from the first day on, which members of those
// that the incident reads the platform has planted.
func (p *planter) plantCanaries(at *site) {
	p.announced = append(p.announced, memberwatch.Change{
		Time: time.Unix(0, p.s.start).UTC(), Canaries: &memberwatch.Canaries{Members: at.truth.Canaries},
	})
}

// attest tells the service that the apps say, at the incident's start, that they
// have deleted what they read.
func (p *planter) attest(at *site) {
	for _, a := range at.apps {
		p.announced = append(p.announced, memberwatch.Change{
			Time: at.truth.Start, Attestation: &memberwatch.Attestation{App: a.id, Time: at.truth.Start, Note: at.scenario.Title},
		})
	}
}

// expect declares what the platform itself has arranged, such as a load test,
// for each app: from its start to the end of the day after its end, when the
// last window that saw it is judged.
func (p *planter) expect(at *site) {
	end := at.truth.End.Truncate(24 * time.Hour).Add(48 * time.Hour)
	for _, a := range at.apps {
		p.s.expected = append(p.s.expected, memberwatch.Silence{
			Match: memberwatch.Matcher{App: a.id}, Start: at.truth.Start, End: end,
			Author: "platform", Comment: at.scenario.Title,
		})
	}
}

// name adds an app and its developer to the truth.
func (i *Incident) name(id memberwatch.AppID, developer memberwatch.DeveloperID) {
	i.Apps = append(i.Apps, id)
	if !slices.Contains(i.Developers, developer) {
		i.Developers = append(i.Developers, developer)
	}
}

// when draws the incident's start and end. It starts after the warm-up, and so
// that it fits into the run if it can.
func (p *planter) when(at *site) error {
	s := p.s
	length := int64(at.scenario.Length.draw(p.dice))
	earliest := s.start + int64(s.config.Warmup)*day
	if idle := int64(at.scenario.Targets.Idle.Low); idle > 0 {
		earliest = max(earliest, s.start+7*day+idle)
		if earliest > p.last()-day {
			return fmt.Errorf("a dormant app needs a run of at least %d days, not %d", (idle+8*day)/day+int64(s.config.Rest), s.config.Days)
		}
	}
	latest := max(p.last()-length, earliest+(p.last()-earliest)/4)
	at.from = earliest
	if latest > earliest {
		at.from += p.dice.below(latest - earliest)
	}
	if at.scenario.Always {
		at.from, length = s.start, p.last()-s.start
	}
	at.from -= at.from % int64(time.Minute)
	at.to = min(at.from+length, p.last())
	return nil
}

// last returns the first instant at which no incident goes on.
func (p *planter) last() int64 { return p.s.end - int64(p.s.config.Rest)*day }

// targets chooses or creates the apps that the incident befalls.
func (p *planter) targets(at *site) ([]*app, error) {
	t := &at.scenario.Targets
	switch t.From {
	case "everyone":
		return nil, nil
	case "new":
		return p.newApps(at, int(t.Apps.draw(p.dice)+0.5)), nil
	case "identities":
		return p.newApps(at, 1), nil
	}
	var fit []*app
	for _, a := range p.s.apps {
		if !a.taken && !a.silent && a.born == 0 && t.fits(a) {
			fit = append(fit, a)
		}
	}
	count := int(t.Apps.draw(p.dice) + 0.5)
	if t.Share.given() {
		count = max(1, int(t.Share.draw(p.dice)*float64(len(fit))+0.5))
	}
	if len(fit) < count {
		return nil, fmt.Errorf("needs %d untouched apps that fit its targets, and there are %d of %d: simulate more apps or plant less", count, len(fit), len(p.s.apps))
	}
	p.dice.r.Shuffle(len(fit), func(i, j int) { fit[i], fit[j] = fit[j], fit[i] })
	for _, a := range fit[:count] {
		a.taken = true
		if t.From == "dormant" {
			idle := int64(t.Idle.draw(p.dice))
			a.alter(max(at.from-idle, p.s.start+3*day), p.s.end, func(s *state) { s.volume = 0 })
		}
	}
	return fit[:count], nil
}

// fits tells whether an app qualifies.
func (t *Targets) fits(a *app) bool {
	switch {
	case len(t.Categories) > 0 && !slices.Contains(t.Categories, a.category.name):
		return false
	case t.Size.given() && (a.size < t.Size.Low || a.size > t.Size.High):
		return false
	case t.Reads != "" && !a.uses(t.Reads):
		return false
	}
	return true
}

// alter adds an effect on the app between two instants.
func (a *app) alter(from, to int64, set func(*state)) {
	e := &effect{from: from, to: to, state: unaltered}
	set(&e.state)
	a.effects = append(a.effects, e)
}

// newApps creates apps that are born with the incident. They make calls of
// their own only if the scenario says how many.
func (p *planter) newApps(at *site, count int) []*app {
	t := &at.scenario.Targets
	kinds := categories()
	created := make([]*app, 0, count)
	for range count {
		c := pickCategory(kinds, p.dice.float())
		if len(t.Categories) > 0 {
			name := t.Categories[p.dice.below(int64(len(t.Categories)))]
			c = categoryNamed(kinds, name)
		}
		number := p.s.config.Apps + p.s.created
		p.s.created++
		a := p.s.newApp(number, c, t.CallsPerDay.or(20).draw(p.dice))
		a.silent = !t.CallsPerDay.given()
		a.developer = developerID(p.s.seed, number)
		if t.Developer == "shared" && len(created) > 0 {
			a.developer = created[0].developer
		}
		a.born, a.taken = at.from-at.from%hour, true
		a.created = time.Unix(0, a.born).UTC()
		for _, r := range p.restrictions {
			a.stop(string(r.Class), r.Effective.UnixNano())
		}
		created = append(created, a)
	}
	if t.From != "identities" {
		p.s.apps = append(p.s.apps, created...)
	}
	return created
}

func categoryNamed(kinds []category, name string) *category {
	for i := range kinds {
		if kinds[i].name == name {
			return &kinds[i]
		}
	}
	// The one category that no ordinary app has.
	vetted := kinds[len(kinds)-1]
	vetted.name = vettedResearch
	return &vetted
}
