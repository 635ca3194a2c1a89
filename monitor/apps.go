package monitor

import (
	"errors"
	"slices"
	"strings"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector"
	"github.com/memberwatch/memberwatch/store"
)

// resident is an app in memory.
type resident struct {
	state *detector.State
	used  uint64 // tick of its newest event
	dirty bool   // changed since it was last encoded
	saved uint64 // the checkpoint it was last encoded for

	slot   uint32 // its place in partition.slots,
	placed bool   // if it has one
}

// storedParts gives each part of a state its place in the store, in the order
// in which they must be loaded. Part 0 is the one walked at a restart.
var storedParts = [...]struct {
	part detector.Part
	slot uint8
}{{detector.PartBaseline, storedBaseline}, {detector.PartHistory, 2}, {detector.PartHot, 0}, {detector.PartTotals, 3}}

// storedBaseline is the place of the part that every written state has.
const storedBaseline = 1

// admit returns the app of an event, from the disk or new.
func (p *partition) admit(ev *memberwatch.Event) *resident {
	if r := p.resident(ev.App); r != nil {
		return r
	}
	app := memberwatch.AppID(strings.Clone(string(ev.App))) // the event's memory is borrowed
	developer := memberwatch.DeveloperID(strings.Clone(string(ev.Developer)))
	if developer == "" {
		developer = p.m.developer(app)
	}
	p.changes.owners = append(p.changes.owners, store.AppOwner{App: app, Developer: developer})
	return p.keep(detector.NewState(app, developer))
}

// developer returns the state of all of a developer's apps together, from the disk
// or new.
func (p *partition) developer(d memberwatch.DeveloperID) *resident {
	entity := d.Entity()
	if r := p.resident(entity); r != nil {
		return r
	}
	p.changes.owners = append(p.changes.owners, store.AppOwner{App: entity, Developer: d})
	return p.keep(detector.NewState(entity, d))
}

// resident returns an app that has a state, loading it if need be, or nil.
func (p *partition) resident(app memberwatch.AppID) *resident {
	if r := p.apps[app]; r != nil {
		return r
	}
	stored, ok, err := p.file.State(app)
	if err != nil && !errors.Is(err, store.ErrCorrupt) {
		panic("bug: " + err.Error()) // a read transaction fails only on a closed file
	}
	if err == nil && !ok {
		return nil
	}
	state := detector.NewState(stored.App, stored.Developer)
	if err == nil {
		err = load(state, &stored)
	}
	if err != nil {
		state = p.setAside(app, err)
	} else if stored.Parts[storedBaseline] != nil { // else all of it is in the journal yet
		state.MarkClean()
	}
	return p.keep(state)
}

// load fills a state from its stored parts.
func load(state *detector.State, stored *store.State) error {
	for _, s := range storedParts {
		if value := stored.Parts[s.slot]; value != nil {
			if err := state.LoadPart(s.part, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// setAside begins an app anew whose stored state is damaged. Its bytes stay in
// the file for people, and the log says so: one damaged record must not stop
// the partition, and must not pass unseen.
func (p *partition) setAside(app memberwatch.AppID, err error) *detector.State {
	p.m.log.Error("stored state is damaged: set aside, the app begins anew", "partition", p.index, "app", app, "error", err)
	app = memberwatch.AppID(strings.Clone(string(app)))
	p.changes.setAside = append(p.changes.setAside, app)
	p.changes.any = true
	return detector.NewState(app, p.owner(app))
}

// owner is the declared developer of an app, and a developer's own.
func (p *partition) owner(app memberwatch.AppID) memberwatch.DeveloperID {
	if app.IsDeveloper() {
		return app.Developer()
	}
	return p.m.developer(app)
}

// keep makes an app resident and evicts others if there are too many.
func (p *partition) keep(state *detector.State) *resident {
	if len(p.apps) >= p.max {
		p.evict()
	}
	r := &resident{state: state, used: p.tick}
	p.apps[state.App] = r
	return r
}

// evict lets go of the least recently used apps that are on the disk as they
// are in memory, an eighth of the bound at a time. It gives up until the next
// checkpoint when there are none.
func (p *partition) evict() {
	if p.crowded == p.commits.done+1 {
		return
	}
	var clean []*resident
	for _, r := range p.apps {
		if !r.dirty && r.saved <= p.commits.done && r.used < p.tick {
			clean = append(clean, r)
		}
	}
	if len(clean) == 0 {
		p.crowded = p.commits.done + 1
		p.changes.whole = p.changes.whole || len(p.changes.dirty) > 0
		p.changes.any = p.changes.any || p.changes.whole
		return
	}
	slices.SortFunc(clean, func(a, b *resident) int {
		if a.used != b.used {
			return int(int64(a.used - b.used))
		}
		return strings.Compare(string(a.state.App), string(b.state.App))
	})
	excess := len(p.apps) - p.max + p.max/8 + 1
	for _, r := range clean[:min(excess, len(clean))] {
		delete(p.apps, r.state.App)
		if r.placed {
			p.slots[r.slot] = nil
		}
	}
}
