package memberwatch

import (
	"fmt"
	"slices"
	"time"
)

// NewCase returns the case that an OPEN decision begins.
func NewCase(id CaseID, d *Decision) (Case, error) {
	c := Case{ID: id}
	if d.Action != ActionOpen {
		return c, fmt.Errorf("case %q begins with %v: %w", id, d.Action, ErrInvalid)
	}
	return c, c.Apply(d)
}

// Apply takes a decision, or fails and leaves the case as it was: with
// ErrInvalid when the decision lacks something, with ErrState when the case's
// present state forbids it.
func (c *Case) Apply(d *Decision) error {
	if err := d.validate(); err != nil {
		return err
	}
	if err := c.permit(d); err != nil {
		return err
	}
	next := c.clone()
	next.take(d)
	next.Revision++
	next.Updated = d.Time
	*c = next
	return nil
}

// from lists the states in which an action is allowed.
func (a Action) from() []CaseState {
	switch a {
	case ActionOpen:
		return []CaseState{CaseUnspecified}
	case ActionHold:
		return []CaseState{CaseNew, CaseInReview}
	case ActionResume:
		return []CaseState{CaseOnHold}
	case ActionDecide:
		return []CaseState{CaseNew, CaseInReview}
	case ActionMerge: // what a verdict did must fall by reopening first
		return []CaseState{CaseNew, CaseInReview, CaseOnHold}
	case ActionRemediate:
		return []CaseState{CaseDecided, CaseRemediating}
	case ActionClose:
		return []CaseState{CaseDecided, CaseRemediating}
	case ActionReopen:
		return []CaseState{CaseDecided, CaseRemediating, CaseClosed}
	case ActionNote, ActionTag, ActionAware:
		return []CaseState{CaseNew, CaseInReview, CaseOnHold, CaseDecided, CaseRemediating, CaseClosed}
	default: // link, detach, claim, release, assign
		return []CaseState{CaseNew, CaseInReview, CaseOnHold, CaseDecided, CaseRemediating}
	}
}

// permit tells whether the case's state allows a decision.
func (c *Case) permit(d *Decision) error {
	if !slices.Contains(d.Action.from(), c.State) {
		return c.forbid("CASE_STATE_FORBIDS", "%v is not possible while it is %v", d.Action, c.State)
	}
	switch d.Action {
	case ActionClaim, ActionRelease, ActionHold, ActionResume, ActionDecide, ActionClose, ActionReopen, ActionMerge:
		if d.By != System && c.Claimed(d.By, d.Time) {
			return c.forbid("CASE_CLAIMED", "%s works on it until %s: ask for a hand-over, or assign it", c.ClaimedBy, c.ClaimedUntil.UTC().Format(time.RFC3339))
		}
	default: // whoever works on it is not disturbed
	}
	switch d.Action {
	case ActionReopen:
		if c.MergedInto != "" {
			return c.forbid("CASE_MERGED", "it went into case %q: detach signals from that one", c.MergedInto)
		}
	case ActionMerge:
		if d.Into == c.ID {
			return c.forbid("CASE_MERGED", "it cannot go into itself")
		}
	case ActionDecide:
		if d.Into == c.ID {
			return c.forbid("CASE_OF_ITSELF", "it cannot be a duplicate of itself")
		}
	case ActionRemediate:
		if c.Verdict != VerdictAbuse {
			return c.forbid("VERDICT_FORBIDS", "its verdict is %v, and only ABUSE is remedied", c.Verdict)
		}
	case ActionClose:
		return c.permitClose(d)
	case ActionLink:
		if c.with(d.Signals) > MaxCaseSignals {
			return c.forbid("TOO_MANY_SIGNALS", "it would have more than %d signals", MaxCaseSignals)
		}
	case ActionTag:
		if len(c.Tags)+len(d.Add) > MaxTags {
			return c.forbid("TOO_MANY_TAGS", "it would have more than %d tags", MaxTags)
		}
	default: // the state alone decides
	}
	return nil
}

// with counts the signals that the case would have with more.
func (c *Case) with(more []SignalID) int {
	n := len(c.Signals)
	for _, id := range more {
		if !slices.Contains(c.Signals, id) {
			n++
		}
	}
	return n
}

// permitClose holds ABUSE open until the data is accounted for.
func (c *Case) permitClose(d *Decision) error {
	switch {
	case c.Verdict != VerdictAbuse:
		return nil
	case d.Unfinished > 0:
		return c.forbid("REMEDIATION_UNFINISHED", "%d remediations are neither verified nor waived", d.Unfinished)
	case d.Remediated == 0:
		return c.forbid("NOTHING_REMEDIATED", "ABUSE needs at least one remediation verified or waived with a reason")
	}
	return nil
}

func (c *Case) forbid(reason, format string, args ...any) error {
	return &ReasonError{
		Kind: ErrState, Reason: reason, Message: fmt.Sprintf("case %q: ", c.ID) + fmt.Sprintf(format, args...),
		Metadata: map[string]string{"state": c.State.String(), "etag": c.Etag()},
	}
}

// take changes the case. The decision was permitted.
func (c *Case) take(d *Decision) {
	switch d.Action {
	case ActionOpen:
		c.Title, c.App, c.Developer, c.State, c.Created = d.Title, d.App, d.Developer, CaseNew, d.Time
		c.link(d)
	case ActionLink:
		c.link(d)
	case ActionDetach:
		c.Signals = slices.DeleteFunc(c.Signals, func(id SignalID) bool { return slices.Contains(d.Signals, id) })
		c.Severity = d.Severity
	case ActionClaim:
		c.acknowledge(d)
		c.ClaimedBy, c.ClaimedUntil = d.By, d.Time.Add(ClaimFor)
	case ActionRelease:
		c.release()
	case ActionAssign:
		c.assign(d)
	case ActionNote:
		c.Notes++
	case ActionTag:
		c.tag(d)
	case ActionHold:
		c.acknowledge(d)
		c.release()
		c.State, c.WakeTime, c.HeldSince = CaseOnHold, d.Until, d.Time
	case ActionResume:
		c.Due = c.Due.later(d.Time.Sub(c.HeldSince))
		c.State, c.WakeTime, c.HeldSince = CaseInReview, time.Time{}, time.Time{}
	case ActionAware:
		c.Aware = d.Until
		c.takeCause(d)
	case ActionRemediate:
		c.State = CaseRemediating
	default:
		c.takeEnding(d)
	}
}

// takeEnding is take for the moves to and from a verdict.
func (c *Case) takeEnding(d *Decision) {
	switch d.Action {
	case ActionDecide:
		c.acknowledge(d)
		c.release()
		c.State, c.Verdict, c.Reason, c.Comment, c.Decided = CaseDecided, d.Verdict, d.Reason, d.Comment, d.Time
		c.DuplicateOf = d.Into
		c.Effects = append(c.Effects, d.Effects...)
		c.takeCause(d)
	case ActionClose:
		c.release()
		c.State, c.Closed = CaseClosed, d.Time
	case ActionReopen:
		c.release()
		c.State, c.Verdict, c.Reason, c.Comment, c.DuplicateOf = CaseInReview, VerdictUnspecified, "", "", ""
		c.Decided, c.Closed, c.Appeal = time.Time{}, time.Time{}, d.Appeal
		c.Due = d.Clocks
		for i := range c.Effects {
			if c.Effects[i].Undone.IsZero() {
				c.Effects[i].Undone = d.Time
			}
		}
	case ActionMerge:
		c.release()
		c.State, c.Closed, c.MergedInto, c.Signals = CaseClosed, d.Time, d.Into, nil
		c.WakeTime, c.HeldSince = time.Time{}, time.Time{}
		c.Verdict, c.Reason, c.Comment, c.Decided = VerdictDuplicate, "other-case", d.Comment, d.Time
	default: // take has the others
	}
}

func (c *Case) takeCause(d *Decision) {
	if d.Cause != "" {
		c.Cause = d.Cause
	}
}

// acknowledge takes a case into review: whoever acts on it first owns it.
func (c *Case) acknowledge(d *Decision) {
	if c.Acknowledged.IsZero() {
		c.Acknowledged = d.Time
	}
	if c.State == CaseNew {
		c.State = CaseInReview
	}
	if c.Assignee == "" && d.By != System {
		c.Assignee = d.By
	}
}

func (c *Case) release() { c.ClaimedBy, c.ClaimedUntil = "", time.Time{} }

// assign hands the case over. It ends another's claim: a hand-over is decided by
// people, not by who holds a page open.
func (c *Case) assign(d *Decision) {
	c.Assignee = d.Assignee
	if c.ClaimedBy != d.Assignee {
		c.release()
	}
	if d.Assignee != "" && d.Assignee == d.By {
		c.acknowledge(d)
	}
}

// link adds signals. A more severe one shortens the clocks, nothing lengthens
// them.
func (c *Case) link(d *Decision) {
	for _, id := range d.Signals {
		if !slices.Contains(c.Signals, id) {
			c.Signals = append(c.Signals, id)
		}
	}
	c.Severity = max(c.Severity, d.Severity)
	c.Due = c.Due.earlier(d.Clocks)
	for i := range d.Effects {
		c.widen(&d.Effects[i])
	}
}

// widen takes an effect in the place of the standing one of its subject.
func (c *Case) widen(e *Effect) {
	at := slices.IndexFunc(c.Effects, func(o Effect) bool { return o.Subject == e.Subject && o.Undone.IsZero() })
	if at < 0 {
		c.Effects = append(c.Effects, *e)
		return
	}
	c.Effects[at] = *e
}

func (c *Case) tag(d *Decision) {
	c.Tags = slices.DeleteFunc(c.Tags, func(tag string) bool { return slices.Contains(d.Remove, tag) })
	c.Tags = append(c.Tags, d.Add...)
	slices.Sort(c.Tags)
	c.Tags = slices.Compact(c.Tags)
}
