package memberwatch

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// CaseID names a case: c and its number, such as c42.
type CaseID string

// CaseNumber returns the number in a case's id, and false when it is not one of
// ours.
func (id CaseID) CaseNumber() (int64, bool) { return numberAfter("c", string(id)) }

// NewCaseID returns the id of the n-th case.
func NewCaseID(n int64) CaseID { return CaseID("c" + strconv.FormatInt(n, 10)) }

// numberAfter reads ids of a letter and a number. Only the canonical spelling
// counts, so that no two texts name one thing.
func numberAfter(letter, id string) (int64, bool) {
	digits, ok := strings.CutPrefix(id, letter)
	n, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || n < 1 || strconv.FormatInt(n, 10) != digits {
		return 0, false
	}
	return n, true
}

// CaseState says how far a case has come.
type CaseState uint8

// States of a case.
const (
	CaseUnspecified CaseState = iota
	CaseNew                   // nobody has looked at it
	CaseInReview              // somebody works on it
	CaseOnHold                // it waits until its wake time, its clocks stand
	CaseDecided               // it has a verdict, and ABUSE has nothing under way yet
	CaseRemediating           // remediations are under way
	CaseClosed                // nothing is left to do
	CaseStates                // how many there are
)

// String returns the state in capitals, as in the contract.
func (s CaseState) String() string {
	names := [CaseStates]string{"UNSPECIFIED", "NEW", "IN_REVIEW", "ON_HOLD", "DECIDED", "REMEDIATING", "CLOSED"}
	if s >= CaseStates {
		return names[0]
	}
	return names[s]
}

// Case is the review of one or more signals of one app, or without an app of a
// developer and its apps.
type Case struct {
	ID        CaseID      `json:"id"`
	Title     string      `json:"title,omitempty"`
	App       AppID       `json:"app,omitempty"`
	Developer DeveloperID `json:"developer,omitempty"`
	State     CaseState   `json:"state"`
	Severity  Severity    `json:"severity"` // the highest of its signals
	Signals   []SignalID  `json:"signals,omitempty"`
	Tags      []string    `json:"tags,omitempty"` // sorted
	Assignee  Person      `json:"assignee,omitempty"`
	// ClaimedBy works on it right now, until ClaimedUntil.
	ClaimedBy    Person    `json:"claimed_by,omitempty"`
	ClaimedUntil time.Time `json:"claim_expire_time,omitzero"`
	Verdict      Verdict   `json:"verdict"`
	Reason       string    `json:"reason,omitempty"`  // of the verdict
	Comment      string    `json:"comment,omitempty"` // of the verdict
	Effects      []Effect  `json:"effects,omitempty"`
	// WakeTime is when a case on hold comes back; HeldSince is since when it waits.
	WakeTime     time.Time `json:"wake_time,omitzero"`
	HeldSince    time.Time `json:"hold_time,omitzero"`
	Created      time.Time `json:"create_time"`
	Updated      time.Time `json:"update_time"`
	Acknowledged time.Time `json:"acknowledge_time,omitzero"` // zero until somebody takes it into review
	Decided      time.Time `json:"decide_time,omitzero"`
	Closed       time.Time `json:"close_time,omitzero"`
	Due          Clocks    `json:"due,omitzero"`
	// Aware is when a person said that the platform knew of a breach. Only a
	// person sets it: legal clocks run from it.
	Aware time.Time `json:"aware_time,omitzero"`
	// MergedInto is the case that goes on for this one.
	MergedInto CaseID `json:"merged_into,omitempty"`
	// DuplicateOf is the case that has what this one is about, after DUPLICATE.
	DuplicateOf CaseID `json:"duplicate_of,omitempty"`
	Appeal      bool   `json:"appeal,omitempty"` // it was reopened on appeal
	Notes       int64  `json:"notes,omitempty"`  // how many were written
	Revision    int64  `json:"revision"`         // decisions so far, from 1
	Cause       string `json:"cause,omitempty"`  // hypothesis, such as retained access; for the incident packet
}

// Clocks are the times by which a case should have come so far.
type Clocks struct {
	Acknowledge time.Time `json:"acknowledge,omitzero"`
	Decide      time.Time `json:"decide,omitzero"`
	Remediate   time.Time `json:"remediate,omitzero"`
}

// Allowance is how long each step of a case may take.
type Allowance struct {
	Acknowledge, Decide, Remediate time.Duration
}

const day = 24 * time.Hour

// DefaultAllowance returns the time a case of a severity has. They are ours:
// "now", "today", "this week" and "when there is time" of the severities, and 30
// days to remediate after the usual deadlines of regulators.
func DefaultAllowance(s Severity) Allowance {
	switch s {
	case SeverityCritical:
		return Allowance{Acknowledge: time.Hour, Decide: day, Remediate: 7 * day}
	case SeverityHigh:
		return Allowance{Acknowledge: 8 * time.Hour, Decide: 3 * day, Remediate: 30 * day}
	case SeverityMedium:
		return Allowance{Acknowledge: 3 * day, Decide: 7 * day, Remediate: 30 * day}
	default:
		return Allowance{Acknowledge: 7 * day, Decide: 14 * day, Remediate: 60 * day}
	}
}

// From returns the clocks of an allowance that starts at a time.
func (a Allowance) From(t time.Time) Clocks {
	return Clocks{Acknowledge: t.Add(a.Acknowledge), Decide: t.Add(a.Decide), Remediate: t.Add(a.Remediate)}
}

// earlier returns the earlier of two sets of clocks, each on its own.
func (c Clocks) earlier(o Clocks) Clocks {
	pick := func(a, b time.Time) time.Time {
		if a.IsZero() || !b.IsZero() && b.Before(a) {
			return b
		}
		return a
	}
	return Clocks{pick(c.Acknowledge, o.Acknowledge), pick(c.Decide, o.Decide), pick(c.Remediate, o.Remediate)}
}

// later moves all clocks by a length of time.
func (c Clocks) later(d time.Duration) Clocks {
	return Clocks{c.Acknowledge.Add(d), c.Decide.Add(d), c.Remediate.Add(d)}
}

// Open tells whether anything is left to do.
func (c *Case) Open() bool { return c.State != CaseClosed }

// Claimed tells whether somebody other than a person works on it right now.
func (c *Case) Claimed(by Person, now time.Time) bool {
	return c.ClaimedBy != "" && c.ClaimedBy != by && now.Before(c.ClaimedUntil)
}

// Free tells whether the queue may give the case to a person: nobody has it and
// there is something to do now.
func (c *Case) Free(by Person, now time.Time) bool {
	waiting := c.State == CaseNew || c.State == CaseInReview || c.State == CaseOnHold && !now.Before(c.WakeTime)
	return waiting && (c.Assignee == "" || c.Assignee == by) && !c.Claimed(by, now)
}

// NextDue returns the clock that runs in the present state, zero for none.
func (c *Case) NextDue() time.Time {
	switch c.State {
	case CaseNew:
		return c.Due.Acknowledge
	case CaseInReview:
		return c.Due.Decide
	case CaseDecided, CaseRemediating:
		return c.Due.Remediate
	default:
		return time.Time{}
	}
}

// Overdue tells whether the clock that runs has run out. It is computed, never
// stored.
func (c *Case) Overdue(now time.Time) bool {
	due := c.NextDue()
	return !due.IsZero() && now.After(due)
}

// Etag changes with every decision about the case.
func (c *Case) Etag() string { return strconv.FormatInt(c.Revision, 10) }

// CheckEtag fails with ErrConflict when the case has moved on since an etag was
// read; the fresh one is in the error's metadata. An empty etag matches any.
func (c *Case) CheckEtag(etag string) error {
	return checkEtag("case", string(c.ID), etag, c.Etag())
}

func checkEtag(what, id, given, fresh string) error {
	if given == "" || given == fresh {
		return nil
	}
	return &ReasonError{
		Kind: ErrConflict, Reason: "ETAG_MISMATCH",
		Message:  what + " " + strconv.Quote(id) + " has changed since etag " + strconv.Quote(given) + " was read",
		Hint:     "read it again, look at what changed, and repeat with etag " + strconv.Quote(fresh),
		Metadata: map[string]string{"etag": fresh},
	}
}

// MoreUrgent orders cases for the queue: higher severity first, then the one
// whose clock runs out first, then the older one.
func MoreUrgent(a, b *Case) int {
	if a.Severity != b.Severity {
		return int(b.Severity) - int(a.Severity)
	}
	if c := a.NextDue().Compare(b.NextDue()); c != 0 {
		return c
	}
	return a.Created.Compare(b.Created)
}

// clone copies a case so that no change of the copy reaches the original.
func (c *Case) clone() Case {
	next := *c
	next.Signals = slices.Clone(c.Signals)
	next.Tags = slices.Clone(c.Tags)
	next.Effects = slices.Clone(c.Effects)
	return next
}
