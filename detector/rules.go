package detector

import (
	"fmt"
	"slices"

	"github.com/memberwatch/memberwatch"
)

// Rules need no statistics: a thing happened that must not happen. They fire on
// the event itself, late ones included.

// broken returns the first restriction, by id, that an event breaks. Only access
// that disclosed something counts: a refused call shows that the platform
// enforces the restriction, and honest apps try until they are updated.
func (e *Engine) broken(s *State, ev *memberwatch.Event) *memberwatch.Restriction {
	if s.ruleRev != e.ruleRev {
		s.rules = s.rules[:0]
		for _, r := range e.rules {
			if r.Covers(s.App) {
				s.rules = append(s.rules, r)
			}
		}
		s.ruleRev = e.ruleRev
	}
	if len(s.rules) == 0 || ev.Outcome > memberwatch.OutcomeOK {
		return nil
	}
	for _, r := range s.rules {
		if r.InForce(ev.Time) && (r.Endpoint == "" || r.Endpoint == ev.Endpoint) &&
			(r.Class == "" || slices.Contains(ev.DataClasses, string(r.Class))) {
			return r
		}
	}
	return nil
}

// breakRule raises access after a restriction: at once for the first event and
// then once for each further hour, when it closes. hour is nil for a late event.
func (e *Engine) breakRule(s *State, r *memberwatch.Restriction, ev *memberwatch.Event, hour *window) {
	if hour != nil {
		b := hour.breachOf(r.ID)
		b.calls++
		for _, m := range ev.Disclosed {
			b.members.Insert(m)
		}
	}
	if ep := s.episode(memberwatch.KindRestricted, string(r.ID)); ep != nil && ev.Time < ep.quietAfter(&e.cfg) {
		return
	}
	at := memberwatch.WindowAt(memberwatch.Hour, ev.Time)
	members := memberwatch.Estimate{Value: float64(len(ev.Disclosed)), Low: float64(len(ev.Disclosed)), High: float64(len(ev.Disclosed))}
	e.raise(s, string(r.ID), e.breachFinding(at, ev.Time, r.ID, 1, members))
}

// breachesClosed reports what each restriction lost in a closed hour, beyond the
// event that raised the signal.
func (e *Engine) breachesClosed(s *State, w *window) {
	slices.SortFunc(w.broken, func(a, b breach) int { return compareStrings(a.restriction, b.restriction) })
	for i := range w.broken {
		b := &w.broken[i]
		if b.calls < 2 {
			if ep := s.episode(memberwatch.KindRestricted, string(b.restriction)); ep != nil && ep.Signal.Opened >= w.Start {
				continue // the opening finding already said all there is
			}
		}
		f := e.breachFinding(w.Window, w.End()-1, b.restriction, b.calls, distinct(&b.members))
		e.raise(s, string(b.restriction), f)
	}
}

func (e *Engine) breachFinding(at memberwatch.Window, now int64, id memberwatch.RestrictionID, calls uint64, members memberwatch.Estimate) memberwatch.Finding {
	text := fmt.Sprintf("%s after restriction %s took effect", plural(float64(calls), "call", "calls"), id)
	return memberwatch.Finding{
		Kind: memberwatch.KindRestricted, Window: at, Time: now, Stream: memberwatch.StreamRule, FleetFactor: 1,
		Members: members, Restriction: id,
		Sentence: fmt.Sprintf("made %s, disclosing %s in an hour", text, plural(members.Value, "distinct member", "distinct members")),
		Factors: []memberwatch.Factor{{
			Feature: "calls_after_restriction", Observed: float64(calls), Share: 1, Text: text,
		}},
	}
}

// wakeUp notes that an app returns after a long silence.
func (e *Engine) wakeUp(s *State, ev *memberwatch.Event) {
	silent := dayOf(ev.Time) - dayOf(s.last)
	if s.last != 0 && silent >= e.cfg.DormantDays {
		s.wake, s.silence = ev.Time, silent
	}
}

// wakeAlarm raises a dormant app that, back for less than a week, reads more
// members in an hour than an app that was merely forgotten would.
func (e *Engine) wakeAlarm(s *State, w *window, now int64) {
	if s.wake == 0 {
		return
	}
	if now-s.wake > 7*memberwatch.Day.Length() {
		s.wake = 0
		return
	}
	reach := w.members.Estimate()
	if reach < e.cfg.DormantReach {
		return
	}
	s.wake = 0
	e.raise(s, "", memberwatch.Finding{
		Kind: memberwatch.KindDormant, Window: w.Window, Time: now, Stream: memberwatch.StreamRule, FleetFactor: 1,
		Members: distinct(&w.members), Provisional: false,
		Sentence: fmt.Sprintf("read %s in an hour after %d days of silence", plural(reach, "distinct member", "distinct members"), s.silence),
		Factors: []memberwatch.Factor{{
			Feature: "silent_days", Observed: float64(s.silence), Expected: 0, High: float64(e.cfg.DormantDays), Share: 1,
			Text: fmt.Sprintf("silent for %d days before", s.silence),
		}},
	})
}
