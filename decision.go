package memberwatch

import (
	"fmt"
	"math"
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
	// Into is the case that goes on after MERGE, or that DECIDE with DUPLICATE names.
	Into CaseID `json:"into,omitempty"`
	// Add and Remove are the tags of TAG.
	Add    []string `json:"add,omitempty"`
	Remove []string `json:"remove,omitempty"`
	// Appeal marks a REOPEN that the developer asked for.
	Appeal bool `json:"appeal,omitempty"`
	// Another lets a case be reopened although another one is open.
	Another bool `json:"another,omitempty"`
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
		if entityOf(d.App, d.Developer) == "" {
			return missing("an app or a developer", "")
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
	default: // needs nothing more
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
	case d.Verdict == VerdictDuplicate && d.Into == "":
		return missing("another case for DUPLICATE", "name the one that has it")
	case d.Verdict != VerdictDuplicate && d.Into != "":
		return invalidf("DECISION_INVALID", "only DUPLICATE names another case, not %v", d.Verdict)
	case d.Verdict == VerdictExpected && (d.Expect == nil || !(d.Expect.Members > 0) || math.IsInf(d.Expect.Members, 0) || !d.Expect.Until.After(d.Time)):
		return missing("a bound of members and an end in the future for EXPECTED", "what is expected without bound or end is not watched at all")
	case d.Verdict != VerdictExpected && d.Expect != nil:
		return invalidf("DECISION_INVALID", "only EXPECTED has a bound, not %v", d.Verdict)
	}
	return nil
}
