package store

import (
	"maps"
	"slices"

	"github.com/memberwatch/memberwatch"
)

func encodeApp(a *memberwatch.App) []byte {
	e := newEncoder(128)
	e.app(a)
	return e.seal()
}

func (e *encoder) app(a *memberwatch.App) {
	e.string(string(a.ID))
	e.string(string(a.Developer))
	e.string(a.DisplayName)
	e.string(a.Category)
	e.int(a.Installs)
	e.int(a.Admins)
	e.uint(uint64(len(a.Purposes)))
	for _, p := range a.Purposes {
		e.string(string(p.Class))
		e.string(p.Purpose)
	}
	e.time(a.Certified)
	e.time(a.Expires)
	e.time(a.Created)
	e.time(a.Updated)
	e.expiries(a.Purposes)
}

// expiries writes which purposes end on their own, and when. They are the end of
// the record, and not there if there are none: older records have none.
func (e *encoder) expiries(purposes []memberwatch.Purpose) {
	for i := range purposes {
		if !purposes[i].Expires.IsZero() {
			e.uint(uint64(i))
			e.time(purposes[i].Expires)
		}
	}
}

func (d *decoder) expiries(purposes []memberwatch.Purpose) {
	for next := uint64(0); len(d.b) > 0 && d.err == nil; {
		i := d.uint()
		until := d.time()
		if i < next || i >= uint64(len(purposes)) || until.IsZero() {
			d.fail("bad end of a purpose")
			return
		}
		purposes[i].Expires, next = until, i+1
	}
}

func decodeApp(record []byte) (memberwatch.App, error) {
	d := newDecoder(record)
	a := d.app()
	return a, d.finish()
}

func (d *decoder) app() memberwatch.App {
	a := memberwatch.App{
		ID: memberwatch.AppID(d.string()), Developer: memberwatch.DeveloperID(d.string()),
		DisplayName: d.string(), Category: d.string(), Installs: d.int(), Admins: d.int(),
	}
	for n := d.count(); n > 0 && d.err == nil; n-- {
		a.Purposes = append(a.Purposes, memberwatch.Purpose{Class: memberwatch.DataClass(d.string()), Purpose: d.string()})
	}
	a.Certified, a.Expires, a.Created, a.Updated = d.time(), d.time(), d.time(), d.time()
	d.expiries(a.Purposes)
	return a
}

func encodeRestriction(r *memberwatch.Restriction) []byte {
	e := newEncoder(128)
	e.restriction(r)
	return e.seal()
}

func (e *encoder) restriction(r *memberwatch.Restriction) {
	e.string(string(r.ID))
	e.string(string(r.Class))
	e.string(r.Endpoint)
	e.apps(r.Apps)
	e.apps(r.Exempt)
	e.time(r.Effective)
	e.int(int64(r.Grace))
	e.time(r.Lifted)
	e.string(r.Reason)
	e.int(r.Revision)
}

func (e *encoder) apps(ids []memberwatch.AppID) {
	e.uint(uint64(len(ids)))
	for _, id := range ids {
		e.string(string(id))
	}
}

func decodeRestriction(record []byte) (memberwatch.Restriction, error) {
	d := newDecoder(record)
	r := d.restriction()
	return r, d.finish()
}

func (d *decoder) restriction() memberwatch.Restriction {
	return memberwatch.Restriction{
		ID: memberwatch.RestrictionID(d.string()), Class: memberwatch.DataClass(d.string()), Endpoint: d.string(),
		Apps: d.apps(), Exempt: d.apps(), Effective: d.time(), Grace: d.duration(), Lifted: d.time(),
		Reason: d.string(), Revision: d.int(),
	}
}

func (d *decoder) apps() []memberwatch.AppID {
	var ids []memberwatch.AppID
	for n := d.count(); n > 0 && d.err == nil; n-- {
		ids = append(ids, memberwatch.AppID(d.string()))
	}
	return ids
}

func (e *encoder) canaries(c *memberwatch.Canaries) {
	e.bool(c.Withdrawn)
	e.uint(uint64(len(c.Members)))
	for _, member := range c.Members {
		e.uint(uint64(member))
	}
}

func (d *decoder) canaries() memberwatch.Canaries {
	c := memberwatch.Canaries{Withdrawn: d.bool()}
	for n := d.count(); n > 0 && d.err == nil; n-- {
		c.Members = append(c.Members, memberwatch.MemberID(d.uint()))
	}
	return c
}

func (e *encoder) attestation(a *memberwatch.Attestation) {
	e.string(string(a.App))
	e.time(a.Time)
	e.string(a.Note)
	e.int(a.Revision)
}

func (d *decoder) attestation() memberwatch.Attestation {
	return memberwatch.Attestation{App: memberwatch.AppID(d.string()), Time: d.time(), Note: d.string(), Revision: d.int()}
}

func (e *encoder) exclusion(x *memberwatch.Exclusion) {
	e.string(x.ID)
	e.string(string(x.App))
	e.string(string(x.Developer))
	e.int(x.Since)
	e.int(x.Until)
	e.bool(x.Withdrawn)
	e.int(x.Revision)
}

func (d *decoder) exclusion() memberwatch.Exclusion {
	return memberwatch.Exclusion{
		ID: d.string(), App: memberwatch.AppID(d.string()), Developer: memberwatch.DeveloperID(d.string()),
		Since: d.int(), Until: d.int(), Withdrawn: d.bool(), Revision: d.int(),
	}
}

// Which pointer of a change is set.
const (
	changeApp         = 1
	changeRestriction = 2
	changeCanaries    = 3
	changeAttestation = 4
	changeExclusion   = 5
	changeTuning      = 6
)

func (e *encoder) tuning(t *memberwatch.Tuning) {
	e.bool(t.Configured)
	e.float(t.Budget)
	e.uint(uint64(len(t.Weights)))
	for _, feature := range slices.Sorted(maps.Keys(t.Weights)) {
		e.string(feature)
		e.float(t.Weights[feature])
	}
	e.uint(uint64(len(t.Shadow)))
	for _, kind := range t.Shadow {
		e.string(string(kind))
	}
	e.time(t.From)
	e.string(t.Comment)
	e.int(t.Revision)
}

func (d *decoder) tuning() memberwatch.Tuning {
	t := memberwatch.Tuning{Configured: d.bool(), Budget: d.float()}
	for n := d.count(); n > 0 && d.err == nil; n-- {
		if t.Weights == nil {
			t.Weights = make(map[string]float64)
		}
		t.Weights[d.string()] = d.float()
	}
	for n := d.count(); n > 0 && d.err == nil; n-- {
		t.Shadow = append(t.Shadow, memberwatch.Kind(d.string()))
	}
	t.From, t.Comment, t.Revision = d.time(), d.string(), d.int()
	return t
}

func encodeChange(c *memberwatch.Change) []byte {
	e := newEncoder(160)
	e.int(c.Revision)
	e.time(c.Time)
	switch {
	case c.App != nil:
		e.uint(changeApp)
		e.app(c.App)
	case c.Restriction != nil:
		e.uint(changeRestriction)
		e.restriction(c.Restriction)
	case c.Canaries != nil:
		e.uint(changeCanaries)
		e.canaries(c.Canaries)
	case c.Attestation != nil:
		e.uint(changeAttestation)
		e.attestation(c.Attestation)
	case c.Tuning != nil:
		e.uint(changeTuning)
		e.tuning(c.Tuning)
	default:
		e.uint(changeExclusion)
		e.exclusion(c.Exclusion)
	}
	return e.seal()
}

func decodeChange(record []byte) (memberwatch.Change, error) {
	d := newDecoder(record)
	c := memberwatch.Change{Revision: d.int(), Time: d.time()}
	switch d.uint() {
	case changeApp:
		app := d.app()
		c.App = &app
	case changeRestriction:
		restriction := d.restriction()
		c.Restriction = &restriction
	case changeCanaries:
		canaries := d.canaries()
		c.Canaries = &canaries
	case changeAttestation:
		attestation := d.attestation()
		c.Attestation = &attestation
	case changeExclusion:
		exclusion := d.exclusion()
		c.Exclusion = &exclusion
	case changeTuning:
		tuning := d.tuning()
		c.Tuning = &tuning
	default:
		d.fail("unknown kind of change")
	}
	return c, d.finish()
}
