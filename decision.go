package memberwatch

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Action is what a decision does to a case.
type Action uint8

// Actions. Each is one move of the state machine in [Case.Apply].
const (
	ActionUnspecified Action = iota
	ActionOpen               // the case begins
	ActionLink               // signals join
	ActionDetach             // signals leave
	ActionClaim              // a person works on it for the next half hour; repeated, it is renewed
	ActionRelease            // the claim ends
	ActionAssign             // a person owns it; an empty assignee: nobody
	ActionNote               // a comment
	ActionTag                // tags come and go
	ActionHold               // wait until a time
	ActionResume             // go on
	ActionDecide             // the verdict
	ActionRemediate          // remediations are under way
	ActionClose              // nothing is left to do
	ActionReopen             // the verdict falls
	ActionMerge              // another case goes on for this one
	ActionAware              // the platform knew of a breach from a time on
	Actions                  // how many there are
)

// String returns the action in capitals, as in the contract.
func (a Action) String() string {
	names := [Actions]string{
		"UNSPECIFIED", "OPEN", "LINK", "DETACH", "CLAIM", "RELEASE", "ASSIGN", "NOTE", "TAG", "HOLD", "RESUME", "DECIDE",
		"REMEDIATE", "CLOSE", "REOPEN", "MERGE", "AWARE",
	}
	if a >= Actions {
		return names[0]
	}
	return names[a]
}

// ClaimFor is how long a claim lasts: long enough for a page to be read, short
// enough that a closed laptop keeps nobody waiting.
const ClaimFor = 30 * time.Minute

// Bounds of what people write.
const (
	MaxCommentBytes = 16 << 10
	MaxTagBytes     = 64
	MaxTags         = 32
	MaxCaseSignals  = 1000
)

// Decision is one step in the life of a case, by a person or by System. The
// decisions of a case are appended to the audit log and never change; applying
// them in order gives the case.
type Decision struct {
	Action  Action    `json:"action"`
	By      Person    `json:"by"`
	Time    time.Time `json:"time"`
	Comment string    `json:"comment,omitempty"`
	// Assignee of ASSIGN; empty: nobody.
	Assignee Person `json:"assignee,omitempty"`
	// Until is the wake time of HOLD and the time of AWARE.
	Until time.Time `json:"until,omitzero"`
	// Verdict and Reason of DECIDE.
	Verdict Verdict `json:"verdict,omitempty"`
	Reason  string  `json:"reason,omitempty"`
	// Expect bounds what EXPECTED lets pass.
	Expect *Expect `json:"expect,omitempty"`
	// Effects are what the verdict of a DECIDE did to detection; REOPEN undoes
	// all that still stand.
	Effects []Effect `json:"effects,omitempty"`
	// Signals of OPEN, LINK, DETACH; a MERGE brings those of the other case.
	Signals []SignalID `json:"signals,omitempty"`
	// Severity of the signals that a case has after OPEN, LINK, DETACH.
	Severity Severity `json:"severity,omitempty"`
	Clocks   Clocks   `json:"clocks,omitzero"`
	// Into is the case that goes on after MERGE.
	Into CaseID `json:"into,omitempty"`
	// Add and Remove are the tags of TAG.
	Add    []string `json:"add,omitempty"`
	Remove []string `json:"remove,omitempty"`
	// Appeal marks a REOPEN that the developer asked for.
	Appeal bool `json:"appeal,omitempty"`
	// Unfinished is how many remediations are left, and Remediated how many came
	// to a good end, at CLOSE.
	Unfinished int `json:"unfinished,omitempty"`
	Remediated int `json:"remediated,omitempty"`
	// Cause is a hypothesis, of DECIDE or AWARE.
	Cause string `json:"cause,omitempty"`
	// Title, App and Developer of OPEN.
	Title     string      `json:"title,omitempty"`
	App       AppID       `json:"app,omitempty"`
	Developer DeveloperID `json:"developer,omitempty"`
}

// Expect says how much is expected, and how long.
type Expect struct {
	// Members is the bound: a signal that exposes more is not expected.
	Members float64 `json:"members"`
	// Until is when the expectation ends.
	Until time.Time `json:"until"`
}

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

// validate checks a decision by itself.
func (d *Decision) validate() error {
	missing := func(what, hint string) error {
		return &ReasonError{Kind: ErrInvalid, Reason: "DECISION_INCOMPLETE", Message: fmt.Sprintf("%v needs %s", d.Action, what), Hint: hint}
	}
	switch {
	case d.Action == ActionUnspecified || d.Action >= Actions:
		return invalidf("ACTION_UNKNOWN", "a decision needs an action")
	case d.By == "":
		return missing("a person", "say who decides")
	case d.Time.IsZero():
		return missing("a time", "")
	case len(d.Comment) > MaxCommentBytes || len(d.Cause) > MaxNameBytes || len(d.Title) > MaxNameBytes || len(d.By) > MaxPersonBytes || len(d.Assignee) > MaxPersonBytes:
		return invalidf("TEXT_TOO_LONG", "%v has a text that is too long: comments have at most %d bytes, titles and causes %d, people %d", d.Action, MaxCommentBytes, MaxNameBytes, MaxPersonBytes)
	case len(d.Signals) > MaxCaseSignals:
		return invalidf("TOO_MANY_SIGNALS", "%v names %d signals, the limit is %d", d.Action, len(d.Signals), MaxCaseSignals)
	case (d.Action == ActionNote || d.Action == ActionReopen || d.Action == ActionHold || d.Action == ActionDecide) && strings.TrimSpace(d.Comment) == "":
		return missing("a comment", "say why, for whoever reads it in a year")
	}
	return d.validateParts(missing)
}

// validateParts checks what only some actions have.
func (d *Decision) validateParts(missing func(what, hint string) error) error {
	switch d.Action {
	case ActionOpen:
		if d.App == "" {
			return missing("an app", "")
		}
	case ActionLink, ActionDetach:
		if len(d.Signals) == 0 {
			return missing("signals", "name at least one")
		}
	case ActionHold:
		if !d.Until.After(d.Time) {
			return missing("a wake time in the future", "a case on hold comes back by itself")
		}
	case ActionAware:
		if d.Until.IsZero() || d.Until.After(d.Time) {
			return missing("a time in the past", "say since when the platform has known")
		}
	case ActionMerge:
		if d.Into == "" {
			return missing("another case", "name the one that goes on")
		}
	case ActionTag:
		return d.validateTags(missing)
	case ActionDecide:
		return d.validateVerdict(missing)
	}
	return nil
}

func (d *Decision) validateTags(missing func(what, hint string) error) error {
	if len(d.Add)+len(d.Remove) == 0 {
		return missing("tags", "name some to add or to remove")
	}
	for _, tag := range d.Add {
		if tag == "" || len(tag) > MaxTagBytes || strings.ContainsAny(tag, " ,\n\t") {
			return invalidf("TAG_INVALID", "tag %q must have 1 to %d bytes without spaces and commas", tag, MaxTagBytes)
		}
	}
	return nil
}

func (d *Decision) validateVerdict(missing func(what, hint string) error) error {
	switch {
	case d.Verdict == VerdictUnspecified || d.Verdict >= Verdicts:
		return missing("a verdict", "ABUSE, EXPECTED, BENIGN, INCONCLUSIVE or DUPLICATE")
	case d.Reason == "":
		return missing("a reason", "")
	case d.Verdict == VerdictExpected && (d.Expect == nil || d.Expect.Members <= 0 || !d.Expect.Until.After(d.Time)):
		return missing("a bound of members and an end in the future for EXPECTED", "what is expected without bound or end is not watched at all")
	case d.Verdict != VerdictExpected && d.Expect != nil:
		return invalidf("DECISION_INVALID", "only EXPECTED has a bound, not %v", d.Verdict)
	}
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
	case ActionRemediate:
		return []CaseState{CaseDecided, CaseRemediating}
	case ActionClose:
		return []CaseState{CaseDecided, CaseRemediating}
	case ActionReopen:
		return []CaseState{CaseDecided, CaseRemediating, CaseClosed}
	case ActionNote, ActionTag, ActionAware:
		return []CaseState{CaseNew, CaseInReview, CaseOnHold, CaseDecided, CaseRemediating, CaseClosed}
	default: // link, detach, claim, release, assign, merge
		return []CaseState{CaseNew, CaseInReview, CaseOnHold, CaseDecided, CaseRemediating}
	}
}

// permit tells whether the case's state allows a decision.
func (c *Case) permit(d *Decision) error {
	if !slices.Contains(d.Action.from(), c.State) {
		return c.forbid("CASE_STATE_FORBIDS", "%v is not possible while it is %v", d.Action, c.State)
	}
	switch d.Action {
	case ActionClaim, ActionHold, ActionResume, ActionDecide, ActionClose, ActionReopen, ActionMerge:
		if d.By != System && c.Claimed(d.By, d.Time) {
			return c.forbid("CASE_CLAIMED", "%s works on it until %s: ask for a hand-over, or assign it", c.ClaimedBy, c.ClaimedUntil.UTC().Format(time.RFC3339))
		}
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
		c.Effects = append(c.Effects, d.Effects...)
		c.takeCause(d)
	case ActionClose:
		c.release()
		c.State, c.Closed = CaseClosed, d.Time
	case ActionReopen:
		c.release()
		c.State, c.Verdict, c.Reason, c.Comment = CaseInReview, VerdictUnspecified, "", ""
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
}

func (c *Case) tag(d *Decision) {
	c.Tags = slices.DeleteFunc(c.Tags, func(tag string) bool { return slices.Contains(d.Remove, tag) })
	c.Tags = append(c.Tags, d.Add...)
	slices.Sort(c.Tags)
	c.Tags = slices.Compact(c.Tags)
}
