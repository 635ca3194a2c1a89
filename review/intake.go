package review

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/store"
)

// intakeMark is the place in the feed of signals up to which triage has looked.
const intakeMark = "intake"

// intake waits for changed signals and puts each where it belongs, in the
// transaction that moves the mark: after a crash none is missed or taken twice.
func (s *Service) intake(ctx context.Context) error {
	var after int64
	err := s.files.ReadReview(func(r *store.Review) (err error) {
		after, err = r.Mark(intakeMark)
		return err
	})
	if err != nil {
		return err
	}
	changed, through, err := s.monitor.NextSignals(ctx, after)
	if err != nil {
		return err
	}
	return s.write(memberwatch.System, func(t *turn) error {
		rules, err := t.silencesNow()
		if err != nil {
			return err
		}
		for i := range changed {
			// Read again: a person may have moved it meanwhile.
			signal, err := t.Signal(changed[i].ID)
			if err != nil {
				return err
			}
			if err := t.take(&signal, rules); err != nil {
				return fmt.Errorf("signal %q: %w", signal.ID, err)
			}
		}
		return t.SetMark(intakeMark, through)
	})
}

// take puts a new or changed signal where it belongs and tells of it.
func (t *turn) take(s *memberwatch.Signal, rules []*memberwatch.Silence) error {
	was := s.Triage
	if was.Seen >= s.Revision {
		return nil // what changed is its triage
	}
	s.Triage.Seen, s.Triage.SeenOpen = s.Revision, s.Open()
	if err := t.PutTriage(s.ID, &s.Triage); err != nil {
		return err
	}
	if err := t.place(s, was.Seen == 0, rules); err != nil {
		return err
	}
	kind := memberwatch.EventSignalUpdated
	switch {
	case was.Seen == 0:
		kind = memberwatch.EventSignalCreated
	case was.SeenOpen && !s.Open():
		kind = memberwatch.EventSignalClosed
	}
	if err := t.emitSignal(kind, s); err != nil || was.Seen != 0 || s.Open() {
		return err
	}
	return t.emitSignal(memberwatch.EventSignalClosed, s) // it came and went between two looks
}

func (t *turn) emitSignal(kind memberwatch.ReviewEventType, s *memberwatch.Signal) error {
	e := memberwatch.ReviewEvent{Type: kind, Subject: signalSubject(s.ID), App: s.App, Severity: s.Severity, Time: t.now}
	return t.Emit(e, finite(*s))
}

// finite returns a signal whose numbers JSON can hold: one event that cannot be
// written must not stop the queue.
func finite(s memberwatch.Signal) memberwatch.Signal {
	f := &s.Strongest
	f.Factors = slices.Clone(f.Factors)
	numbers := []*float64{&f.ReturnPeriod, &f.FleetFactor, &f.Members.Value, &f.Members.Low, &f.Members.High}
	for i := range f.Factors {
		x := &f.Factors[i]
		numbers = append(numbers, &x.Observed, &x.Expected, &x.Low, &x.High, &x.P, &x.ReturnPeriod, &x.Share)
	}
	for _, n := range numbers {
		if math.IsNaN(*n) {
			*n = 0
		}
		*n = min(max(*n, -math.MaxFloat64), math.MaxFloat64)
	}
	return s
}

// place decides about a signal by the rules: silenced, regressed, or in a case.
func (t *turn) place(s *memberwatch.Signal, first bool, rules []*memberwatch.Silence) error {
	hides, above := match(rules, s)
	switch s.Triage.State {
	case memberwatch.TriageOpen:
		if !first { // a person left it there
			return nil
		}
	case memberwatch.TriageSilenced:
		if hides != nil || above == nil && !s.Open() { // its end is no news
			return nil
		}
	case memberwatch.TriageDismissed:
		return nil
	default:
		return t.placeLinked(s, hides, above)
	}
	switch {
	case hides != nil:
		hides.Hidden++
		if err := t.PutSilence(hides); err != nil {
			return err
		}
		return t.triage(s, memberwatch.Triage{State: memberwatch.TriageSilenced, Silence: hides.ID})
	case above != nil:
		return t.intoCase(s, memberwatch.TriageRegressed, above.ID)
	default:
		return t.intoCase(s, memberwatch.TriageLinked, "")
	}
}

// placeLinked looks at a signal that a case has: in an open one it may have
// become more severe; a closed one may have to be looked at again, because it
// became so, goes on after it was remedied, or is not expected any more.
func (t *turn) placeLinked(s *memberwatch.Signal, hides, above *memberwatch.Silence) error {
	c, err := t.Case(s.Triage.Case)
	if err != nil {
		return err
	}
	outran := false
	if c.Open() {
		if outran, err = t.outran(&c, s); err != nil {
			return err
		}
	}
	switch {
	case outran:
		return t.decide(&c, memberwatch.Decision{Action: memberwatch.ActionLink, Signals: []memberwatch.SignalID{s.ID}, Comment: "it goes on after the verdict"})
	case c.Open() && s.Severity > c.Severity:
		return t.decide(&c, memberwatch.Decision{Action: memberwatch.ActionLink, Signals: []memberwatch.SignalID{s.ID}, Comment: "it became more severe"})
	case c.Open() || !s.Open():
		return nil
	case c.Verdict == memberwatch.VerdictExpected && above != nil && hides == nil:
		return t.intoCase(s, memberwatch.TriageRegressed, above.ID)
	case c.Verdict == memberwatch.VerdictExpected && hides == nil, c.Verdict == memberwatch.VerdictAbuse, s.Severity > c.Severity:
		return t.intoCase(s, memberwatch.TriageRegressed, "")
	}
	return nil
}

// intoCase links a signal to the open case of its app, or of its developer if it
// names no app, or opens one. Signals about the whole fleet name nobody, and have
// no case.
func (t *turn) intoCase(s *memberwatch.Signal, to memberwatch.TriageState, above memberwatch.SilenceID) error {
	if s.Entity() == "" {
		return nil
	}
	c, found, err := t.OpenCase(s.Entity())
	if err != nil {
		return err
	}
	ids := []memberwatch.SignalID{s.ID}
	if found && len(c.Signals) < memberwatch.MaxCaseSignals {
		d := memberwatch.Decision{Action: memberwatch.ActionLink, Signals: ids, By: t.by, Time: t.now}
		if to == memberwatch.TriageRegressed {
			d.Comment = "it has regressed"
		}
		if err := t.fillLink(&d, &c); err != nil {
			return err
		}
		if err := c.Apply(&d); err != nil {
			return err
		}
		if err := t.keep(&c, &d); err != nil {
			return err
		}
	} else {
		title := s.Sentence
		if len(title) > memberwatch.MaxNameBytes {
			title = strings.ToValidUTF8(title[:memberwatch.MaxNameBytes], "")
		}
		if c, err = t.open(memberwatch.Decision{Action: memberwatch.ActionOpen, Title: title, App: s.App, Developer: s.Developer, Signals: ids}); err != nil {
			return err
		}
		// Opening has moved the signal already; what follows only names the state.
		if *s, err = t.Signal(s.ID); err != nil {
			return err
		}
	}
	return t.triage(s, memberwatch.Triage{State: to, Case: c.ID, Silence: above})
}

// silencesNow returns the silences that hide something now.
func (t *turn) silencesNow() ([]*memberwatch.Silence, error) {
	var active []*memberwatch.Silence
	err := t.EachSilence(func(s *memberwatch.Silence) error {
		if s.Active(t.now) {
			active = append(active, s)
		}
		return nil
	})
	return active, err
}

// match returns the first silence that hides a signal, else the first that it
// went above.
func match(rules []*memberwatch.Silence, s *memberwatch.Signal) (hides, above *memberwatch.Silence) {
	for _, rule := range rules {
		switch {
		case !rule.Match.Matches(s):
		case rule.Hides(s):
			return rule, nil
		case above == nil:
			above = rule
		}
	}
	return nil, above
}
