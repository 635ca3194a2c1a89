package detector

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/codec"
)

// Rules need no statistics: a thing happened that must not happen. They fire on
// the event itself, late ones included: at once for the first event, and then
// once for each further hour, when it closes.

// meetRules holds an event against the rules; restricted tells that it breaks a
// restriction. hour is nil for a late event. One look tells that most calls cannot
// meet any.
func (e *Engine) meetRules(s *State, restricted bool, ev *memberwatch.Event, hour *window) {
	if s.bound || len(e.canaries.members) > 0 || s.attested != nil || len(ev.Requested) > 0 {
		e.checkRules(s, restricted, ev, hour)
	}
}

// checkRules is meetRules for a call that might.
func (e *Engine) checkRules(s *State, restricted bool, ev *memberwatch.Event, hour *window) {
	if restricted {
		for _, r := range s.restrictionsAt(ev.Time) {
			if restricts(r, ev) {
				e.breakRule(s, memberwatch.KindRestricted, string(r.ID), ev, ev.Disclosed, hour)
			}
		}
	}
	e.checkPurposes(s, ev, hour)
	e.checkCanaries(s, ev, hour)
	e.checkKnowledge(s, ev, hour)
}

// discloses tells whether a call showed anything. Only such access breaks a
// restriction or a purpose: a refused call, and an empty answer, show that the
// platform enforces them, and honest apps try until they are updated.
func discloses(ev *memberwatch.Event) bool {
	return ev.Outcome <= memberwatch.OutcomeOK && ev.RecordCount() > 0
}

// restricted tells whether an event breaks a restriction. Of most apps bound tells that
// there is none: unlike the rules, it lies where every event looks.
func (s *State) restricted(ev *memberwatch.Event) bool { return s.bound && s.breaks(ev) }

// breaks is restricted for an app that something binds.
func (s *State) breaks(ev *memberwatch.Event) bool {
	if len(s.rules) == 0 || !discloses(ev) {
		return false
	}
	for _, r := range s.restrictionsAt(ev.Time) {
		if restricts(r, ev) {
			return true
		}
	}
	return false
}

// restricts tells whether a restriction in force is about what an event read.
func restricts(r *memberwatch.Restriction, ev *memberwatch.Event) bool {
	return (r.Endpoint == "" || r.Endpoint == ev.Endpoint) && (r.Class == "" || slices.Contains(ev.DataClasses, string(r.Class)))
}

// ruled are the restrictions in force throughout a span of event time, so that
// those to come and those lifted cost an event nothing.
type ruled struct {
	from, until int64
	rules       []*memberwatch.Restriction // by id
}

// restrictionsAt returns the restrictions of the app that are in force at an event
// time.
func (s *State) restrictionsAt(t int64) []*memberwatch.Restriction {
	if x := &s.ruled; t < x.from || t >= x.until {
		x.from, x.until, x.rules = math.MinInt64, math.MaxInt64, x.rules[:0]
		for _, r := range s.rules {
			if r.InForce(t) {
				x.rules = append(x.rules, r)
			}
			x.narrow(t, r.Effective.Add(r.Grace).UnixNano())
			if !r.Lifted.IsZero() {
				x.narrow(t, r.Lifted.UnixNano())
			}
		}
	}
	return s.ruled.rules
}

// narrow keeps a turning point out of the span around t.
func (x *ruled) narrow(t, turn int64) {
	if turn <= t {
		x.from = max(x.from, turn)
	} else {
		x.until = min(x.until, turn)
	}
}

// checkPurposes raises access to data classes outside the purposes for which the
// app is certified, and any access once the certification has expired. An app
// that declares no purpose is not certified for anything in particular and meets
// neither.
func (e *Engine) checkPurposes(s *State, ev *memberwatch.Event, hour *window) {
	if !s.bound || s.declared == nil || len(s.declared.Purposes) == 0 || len(ev.DataClasses) == 0 || !discloses(ev) {
		return
	}
	further := false
	for _, class := range ev.DataClasses {
		switch {
		case s.declared.MayRead(memberwatch.DataClass(class)):
		case s.singles(class):
			e.breakRule(s, memberwatch.KindUncertified, class, ev, ev.Disclosed, hour)
		default:
			further = true
		}
	}
	if further {
		e.breakRule(s, memberwatch.KindUncertified, furtherClasses, ev, ev.Disclosed, hour)
	}
	if s.expired(ev) {
		e.breakRule(s, memberwatch.KindExpired, "", ev, ev.Disclosed, hour)
	}
}

const (
	// mostSingled data classes outside its purposes have a signal each of an app at a
	// time, and all further ones share one: for memory, as names can be made up. Ours.
	mostSingled = 8
	// furtherClasses stands for them where a class is named. No class is called so.
	furtherClasses = "\x00further"
)

// singles tells whether a data class outside the app's purposes has a signal of its
// own, or may open one.
func (s *State) singles(class string) bool {
	n := 0
	for i := range s.episodes {
		if ep := &s.episodes[i]; ep.Signal.Kind == memberwatch.KindUncertified {
			if ep.Dim == class {
				return true
			}
			n++
		}
	}
	return n < mostSingled
}

// expired tells whether the certification for one of an event's data classes is
// over.
func (s *State) expired(ev *memberwatch.Event) bool {
	for _, class := range ev.DataClasses {
		if ends := s.declared.CertifiedUntil(memberwatch.DataClass(class)); !ends.IsZero() && ev.Time >= ends.UnixNano() {
			return true
		}
	}
	return false
}

// breakRule notes one call that broke a rule and the members it cost.
func (e *Engine) breakRule(s *State, kind memberwatch.Kind, dim string, ev *memberwatch.Event, members []uint64, hour *window) {
	unnamed := uint64(0)
	if len(ev.Disclosed) == 0 {
		unnamed = ev.RecordCount()
	}
	if hour != nil {
		s.dirty |= PartHot
		b := hour.breachOf(kind, dim)
		b.calls++
		b.unnamed += unnamed
		for _, m := range members {
			b.members.Insert(m)
		}
	}
	at := memberwatch.WindowAt(memberwatch.Hour, ev.Time)
	if ep := s.episode(kind, dim, e.shadowed(kind, at.Start)); ep != nil && ev.Time < ep.quietAfter(&e.cfg) {
		return
	}
	dim = strings.Clone(dim) // it may be the receive buffer's
	e.raise(s, dim, e.ground(s, &broken{at, ev.Time, kind, dim, 1, exactly(len(members)), unnamed}))
}

// exactly is an estimate without doubt.
func exactly(n int) memberwatch.Estimate {
	return memberwatch.Estimate{Value: float64(n), Low: float64(n), High: float64(n)}
}

// opened tells whether the breaking of a rule has opened a signal since a time, in
// shadow or not.
func (s *State) opened(b *breach, since int64) bool {
	return slices.ContainsFunc(s.episodes, func(ep episode) bool {
		return ep.Signal.Kind == b.kind && ep.Dim == b.dim && ep.Signal.Opened >= since
	})
}

// breachesClosed reports what each rule's breaking cost in a closed hour, beyond
// the event that raised the signal.
func (e *Engine) breachesClosed(s *State, w *window) {
	slices.SortFunc(w.broken, func(a, b breach) int {
		return cmp.Or(compareStrings(a.kind, b.kind), compareStrings(a.dim, b.dim))
	})
	for i := range w.broken {
		b := &w.broken[i]
		if b.calls < 2 {
			if s.opened(b, w.Start) {
				continue // the opening finding already said all there is
			}
		}
		e.raise(s, b.dim, e.ground(s, &broken{w.Window, w.End() - 1, b.kind, b.dim, b.calls, distinct(&b.members), b.unnamed}))
	}
}

// broken are the grounds of a finding about a rule that was broken.
type broken struct {
	at      memberwatch.Window
	raised  int64 // event time
	kind    memberwatch.Kind
	dim     string
	calls   uint64
	members memberwatch.Estimate // that were named
	unnamed uint64               // records of calls that named nobody
}

// finding words the breaking of a rule.
func (g *broken) finding(float64) memberwatch.Finding {
	members := atMost(g.members, g.unnamed)
	f := memberwatch.Finding{Kind: g.kind, Window: g.at, Time: g.raised, Stream: memberwatch.StreamRule, FleetFactor: 1, Members: members}
	feature, text, people := "", plural(float64(g.calls), "call", "calls"), "disclosing "+g.people()
	switch g.kind {
	case memberwatch.KindRestricted:
		f.Restriction = memberwatch.RestrictionID(g.dim)
		feature, text = "calls_after_restriction", text+" after restriction "+g.dim+" took effect"
	case memberwatch.KindUncertified:
		about := "data class " + g.dim
		if g.dim == furtherClasses {
			about = "further data classes"
		}
		feature, text = "calls_outside_purpose", text+" for "+about+", outside its certified purposes"
	case memberwatch.KindExpired:
		feature, text = "calls_after_expiry", text+" after its certification had expired"
	case memberwatch.KindCanary:
		feature, text = "canary_calls", text+" for planted members"
		people = "disclosing " + plural(members.Value, "of them", "of them")
	default:
		feature = string(g.kind)
	}
	f.Sentence = "made " + text + ", " + people + " in an hour"
	f.Factors = []memberwatch.Factor{{Feature: feature, Observed: float64(g.calls), Share: 1, Text: text}}
	return f
}

// people says whose data the calls disclosed, as far as they named them.
func (g *broken) people() string {
	named, unnamed := plural(g.members.Value, "distinct member", "distinct members"), plural(float64(g.unnamed), "record", "records")+" of members not named"
	switch {
	case g.unnamed == 0:
		return named
	case g.members.Value == 0:
		return unnamed
	default:
		return named + " and " + unnamed
	}
}

func (g *broken) encode(e *codec.Encoder) {
	encodeWindow(e, g.at)
	e.Int(g.raised)
	e.Text(string(g.kind))
	e.Text(g.dim)
	e.Uint(g.calls)
	encodeEstimate(e, g.members)
	e.Uint(g.unnamed)
}

func (g *broken) decode(d *codec.Decoder) {
	*g = broken{decodeWindow(d), d.Int(), memberwatch.Kind(d.Text()), d.Text(), d.Uint(), decodeEstimate(d), d.Uint()}
}
