package review

import (
	"fmt"
	"slices"

	"github.com/memberwatch/memberwatch"
)

// fillLink sets severity and clocks of a decision that adds signals, beside the
// severity that the case has.
func (t *turn) fillLink(d *memberwatch.Decision, c *memberwatch.Case) error {
	d.Severity = memberwatch.SeverityLow
	if c != nil {
		d.Severity = c.Severity
	}
	for _, id := range d.Signals {
		signal, err := t.Signal(id)
		if err != nil {
			return err
		}
		d.Severity = max(d.Severity, signal.Severity)
	}
	d.Clocks = t.service.allowance(d.Severity).From(t.now)
	if c == nil {
		return nil
	}
	return t.follow(c, d)
}

func (t *turn) prepareLink(c *memberwatch.Case, d *memberwatch.Decision) error {
	if err := t.fillLink(d, c); err != nil {
		return err
	}
	for _, id := range d.Signals {
		if err := t.leave(c, id); err != nil {
			return err
		}
	}
	return t.link(c, d.Signals, memberwatch.TriageLinked)
}

// leave takes a signal out of the case that it is in, if that is another one and
// still open.
func (t *turn) leave(c *memberwatch.Case, id memberwatch.SignalID) error {
	signal, err := t.Signal(id)
	if err != nil || signal.Triage.Case == "" || signal.Triage.Case == c.ID {
		return err
	}
	other, err := t.Case(signal.Triage.Case)
	if err != nil || !other.Open() {
		return err
	}
	return t.decide(&other, memberwatch.Decision{Action: memberwatch.ActionDetach, Signals: []memberwatch.SignalID{id}, Comment: fmt.Sprintf("goes to case %q", c.ID)})
}

// link moves signals in triage to a case.
func (t *turn) link(c *memberwatch.Case, ids []memberwatch.SignalID, to memberwatch.TriageState) error {
	for _, id := range ids {
		signal, err := t.Signal(id)
		if err != nil {
			return err
		}
		if !c.Covers(&signal) {
			return &memberwatch.ReasonError{
				Kind: memberwatch.ErrInvalid, Reason: "SIGNAL_OF_ANOTHER_APP",
				Message: fmt.Sprintf("signal %q is about %s, case %q about %s", id, whom(signal.App, signal.Developer), c.ID, whom(c.App, c.Developer)),
				Hint:    "open a case for that one",
			}
		}
		next := memberwatch.Triage{State: to, Case: c.ID, Silence: signal.Triage.Silence}
		if signal.Triage.Case == c.ID {
			next.Verdict = signal.Triage.Verdict
		}
		if err := t.triage(&signal, next); err != nil {
			return err
		}
	}
	return nil
}

// triage moves a signal in triage.
func (t *turn) triage(signal *memberwatch.Signal, next memberwatch.Triage) error {
	next.By, next.Time = t.by, t.now
	if err := signal.Triage.Move(signal.ID, next); err != nil {
		return err
	}
	return t.PutTriage(signal.ID, &signal.Triage)
}

func (t *turn) prepareDetach(c *memberwatch.Case, d *memberwatch.Decision) error {
	d.Severity = memberwatch.SeverityLow
	for _, id := range c.Signals {
		signal, err := t.Signal(id)
		if err != nil {
			return err
		}
		if !slices.Contains(d.Signals, id) {
			d.Severity = max(d.Severity, signal.Severity)
			continue
		}
		if err := t.triage(&signal, memberwatch.Triage{State: memberwatch.TriageOpen}); err != nil {
			return err
		}
	}
	for _, id := range d.Signals {
		if !slices.Contains(c.Signals, id) {
			return &memberwatch.ReasonError{Kind: memberwatch.ErrInvalid, Reason: "SIGNAL_NOT_LINKED", Message: fmt.Sprintf("signal %q is not in case %q", id, c.ID)}
		}
	}
	return nil
}
