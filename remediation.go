package memberwatch

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// RemediationID names a remediation: r and its number, such as r7.
type RemediationID string

// RemediationNumber returns the number in a remediation's id, and false when it
// is not one of ours.
func (id RemediationID) RemediationNumber() (int64, bool) { return numberAfter("r", string(id)) }

// NewRemediationID returns the id of the n-th remediation.
func NewRemediationID(n int64) RemediationID { return RemediationID("r" + strconv.FormatInt(n, 10)) }

// RemediationKind is what is to be done. memberwatch asks, the platform acts.
type RemediationKind uint8

// Kinds of remediation.
const (
	RemediationUnspecified RemediationKind = iota
	RestrictApp                            // the app may not read, or not a data class
	RevokeTokens                           // the app's tokens die
	RequestDeletion                        // the developer deletes what was read
	RequireAttestation                     // the developer attests to it
	Audit                                  // somebody looks whether it is true
	NotifyDeveloper                        // the developer is told
	LiftRestriction                        // a restriction of this case ends
	RemediationKinds                       // how many there are
)

// String returns the kind in capitals, as in the contract.
func (k RemediationKind) String() string {
	names := [RemediationKinds]string{
		"UNSPECIFIED", "RESTRICT_APP", "REVOKE_TOKENS", "REQUEST_DELETION", "REQUIRE_ATTESTATION", "AUDIT", "NOTIFY_DEVELOPER", "LIFT_RESTRICTION",
	}
	if k >= RemediationKinds {
		return names[0]
	}
	return names[k]
}

// TwoPersons tells whether somebody else than the proposer must approve: these
// kinds stop an app.
func (k RemediationKind) TwoPersons() bool { return k == RestrictApp || k == RevokeTokens }

// touchesApp tells whether the kind needs an app to restrict or to watch.
func (k RemediationKind) touchesApp() bool {
	return k != Audit && k != NotifyDeveloper && k != LiftRestriction
}

// Allowance is how long a kind may take unless a due time is set. They are ours.
func (k RemediationKind) Allowance() time.Duration {
	switch k {
	case RestrictApp, RevokeTokens, LiftRestriction:
		return day
	case NotifyDeveloper:
		return 3 * day
	case RequireAttestation:
		return 14 * day
	case Audit:
		return 60 * day
	default:
		return 30 * day
	}
}

// RemediationState says how far a remediation has come.
type RemediationState uint8

// States of a remediation.
const (
	RemediationNone RemediationState = iota
	Proposed
	Approved
	Sent              // the platform was asked
	Acknowledged      // the platform or the developer said yes
	EvidenceSubmitted // somebody says it is done, and shows it
	Verified          // a person looked, and it is done
	Rejected          // not approved
	Waived            // not needed, with a reason
	Failed            // it did not happen
	Cancelled         // withdrawn before it was sent
	RemediationStates // how many there are
)

// String returns the state in capitals, as in the contract.
func (s RemediationState) String() string {
	names := [RemediationStates]string{
		"UNSPECIFIED", "PROPOSED", "APPROVED", "SENT", "ACKNOWLEDGED", "EVIDENCE_SUBMITTED", "VERIFIED", "REJECTED", "WAIVED", "FAILED", "CANCELLED",
	}
	if s >= RemediationStates {
		return names[0]
	}
	return names[s]
}

// Remediation is one thing to be done about a case.
type Remediation struct {
	ID       RemediationID    `json:"id"`
	Case     CaseID           `json:"case"`
	App      AppID            `json:"app,omitempty"` // the case's own, or in a developer's case one of the developer's; empty: all of them
	Kind     RemediationKind  `json:"kind"`
	State    RemediationState `json:"state"`
	Class    DataClass        `json:"data_class,omitempty"` // that RESTRICT_APP forbids; empty: all
	Due      time.Time        `json:"due_time"`
	Comment  string           `json:"comment,omitempty"` // of the proposal
	Proposer Person           `json:"proposer"`
	Approver Person           `json:"approver,omitempty"`
	Evidence string           `json:"evidence,omitempty"` // what was shown: a link, a text
	// Attested is by when the developer says everything was deleted.
	Attested time.Time `json:"attest_time,omitzero"`
	// Restriction is what it recorded in the registry, or lifts.
	Restriction RestrictionID `json:"restriction,omitempty"`
	Outcome     string        `json:"outcome,omitempty"` // comment of the step that ended it
	Created     time.Time     `json:"create_time"`
	Updated     time.Time     `json:"update_time"`
	Ended       time.Time     `json:"end_time,omitzero"`
	Announced   bool          `json:"overdue_announced,omitempty"` // that it is overdue
	Revision    int64         `json:"revision"`
}

// Finished tells whether nothing more is expected.
func (r *Remediation) Finished() bool {
	switch r.State {
	case Verified, Rejected, Waived, Cancelled:
		return true
	default:
		return false
	}
}

// Done tells whether it came to a good end.
func (r *Remediation) Done() bool { return r.State == Verified || r.State == Waived }

// Overdue tells whether its time has run out. It is computed, never stored.
func (r *Remediation) Overdue(now time.Time) bool {
	return !r.Finished() && r.State != Failed && !r.Due.IsZero() && now.After(r.Due)
}

// Etag changes with every step.
func (r *Remediation) Etag() string { return strconv.FormatInt(r.Revision, 10) }

// CheckEtag fails with ErrConflict when it has moved on since an etag was read.
func (r *Remediation) CheckEtag(etag string) error {
	return checkEtag("remediation", string(r.ID), etag, r.Etag())
}

// Move is what a step does to a remediation.
type Move uint8

// Moves of a remediation.
const (
	MoveUnspecified Move = iota
	MovePropose
	MoveApprove
	MoveReject
	MoveSend // by memberwatch itself, when the request is in the outbox
	MoveAcknowledge
	MoveSubmitEvidence
	MoveVerify
	MoveWaive
	MoveFail
	MoveCancel
	Moves // how many there are
)

// String returns the move in capitals, as in the contract.
func (m Move) String() string {
	names := [Moves]string{"UNSPECIFIED", "PROPOSE", "APPROVE", "REJECT", "SEND", "ACKNOWLEDGE", "SUBMIT_EVIDENCE", "VERIFY", "WAIVE", "FAIL", "CANCEL"}
	if m >= Moves {
		return names[0]
	}
	return names[m]
}

// Step is one step in the life of a remediation, appended to the audit log.
type Step struct {
	Move    Move      `json:"move"`
	By      Person    `json:"by"`
	Time    time.Time `json:"time"`
	Comment string    `json:"comment,omitempty"`
	// Evidence of SUBMIT_EVIDENCE.
	Evidence string `json:"evidence,omitempty"`
	// Attested of SUBMIT_EVIDENCE: by when everything was deleted.
	Attested time.Time `json:"attested,omitzero"`
	// Against lists signals that contradict the developer, at VERIFY.
	Against []SignalID `json:"against,omitempty"`
	// Kind, App, Class, Due and Restriction of PROPOSE; no app: the case's own.
	Kind        RemediationKind `json:"kind,omitempty"`
	App         AppID           `json:"app,omitempty"`
	Class       DataClass       `json:"class,omitempty"`
	Due         time.Time       `json:"due,omitzero"`
	Restriction RestrictionID   `json:"restriction,omitempty"`
}

// NewRemediation returns the remediation that a PROPOSE step begins. Whether the
// case covers the app that the step names is for the caller to know.
func NewRemediation(id RemediationID, of *Case, s *Step) (Remediation, error) {
	r := Remediation{ID: id, Case: of.ID, App: of.App}
	if of.App == "" && s.App == "" && s.Kind.touchesApp() {
		return r, &ReasonError{
			Kind: ErrInvalid, Reason: "REMEDIATION_NEEDS_APP",
			Message: fmt.Sprintf("case %q is about developer %q and no app, %v is for an app", of.ID, of.Developer, s.Kind),
			Hint:    "name one of the developer's apps",
		}
	}
	if s.Move != MovePropose {
		return r, fmt.Errorf("remediation %q begins with %v: %w", id, s.Move, ErrInvalid)
	}
	return r, r.Apply(s)
}

// Apply takes a step, or fails and leaves the remediation as it was: with
// ErrInvalid when the step lacks something, with ErrState when the present state
// forbids it.
func (r *Remediation) Apply(s *Step) error {
	if err := s.validate(); err != nil {
		return err
	}
	if err := r.permit(s); err != nil {
		return err
	}
	r.take(s)
	r.Revision++
	r.Updated = s.Time
	if r.Finished() || r.State == Failed {
		r.Ended, r.Outcome = s.Time, s.Comment
	}
	return nil
}

func (s *Step) validate() error {
	incomplete := func(what string) error {
		return invalidf("STEP_INCOMPLETE", "%v needs %s", s.Move, what)
	}
	switch {
	case s.Move == MoveUnspecified || s.Move >= Moves:
		return invalidf("MOVE_UNKNOWN", "a step needs a move")
	case s.By == "" || len(s.By) > MaxPersonBytes:
		return incomplete("a person")
	case s.Time.IsZero():
		return incomplete("a time")
	case len(s.Comment) > MaxCommentBytes || len(s.Evidence) > MaxCommentBytes:
		return invalidf("TEXT_TOO_LONG", "%v has a text of more than %d bytes", s.Move, MaxCommentBytes)
	case s.Move == MovePropose && (s.Kind == RemediationUnspecified || s.Kind >= RemediationKinds):
		return incomplete("a kind of remediation")
	case s.Move == MovePropose && s.Kind == LiftRestriction && s.Restriction == "":
		return incomplete("the restriction to lift")
	case s.Move == MovePropose && !s.Due.IsZero() && s.Due.Before(s.Time):
		return incomplete("a due time in the future")
	case s.Move == MoveSubmitEvidence && strings.TrimSpace(s.Evidence) == "":
		return incomplete("evidence: a link or a text")
	case !s.Attested.IsZero() && s.Attested.After(s.Time):
		return incomplete("an attestation of the past")
	}
	switch s.Move {
	case MoveReject, MoveVerify, MoveWaive, MoveFail, MoveCancel:
		if strings.TrimSpace(s.Comment) == "" {
			return incomplete("a comment: say why, for whoever reads it in a year")
		}
	default: // speaks for itself
	}
	return nil
}

// from lists the states in which a move is allowed.
func (m Move) from() []RemediationState {
	switch m {
	case MovePropose:
		return []RemediationState{RemediationNone}
	case MoveApprove, MoveReject:
		return []RemediationState{Proposed}
	case MoveSend:
		return []RemediationState{Approved}
	case MoveAcknowledge:
		return []RemediationState{Sent}
	case MoveSubmitEvidence:
		return []RemediationState{Sent, Acknowledged, EvidenceSubmitted}
	case MoveVerify:
		return []RemediationState{EvidenceSubmitted}
	case MoveWaive:
		return []RemediationState{Proposed, Approved, Sent, Acknowledged, EvidenceSubmitted, Failed}
	case MoveFail:
		return []RemediationState{Sent, Acknowledged, EvidenceSubmitted}
	default: // cancel
		return []RemediationState{Proposed, Approved}
	}
}

func (r *Remediation) permit(s *Step) error {
	switch {
	case !slices.Contains(s.Move.from(), r.State):
		return r.forbid("REMEDIATION_STATE_FORBIDS", "%v is not possible while it is %v", s.Move, r.State)
	case s.Move == MoveApprove && r.Kind.TwoPersons() && s.By == r.Proposer:
		return r.forbid("SECOND_PERSON_NEEDED", "%v needs another person than %s, who proposed it", r.Kind, r.Proposer)
	case s.Move == MoveVerify && len(s.Against) > 0:
		return r.forbid("KNOWLEDGE_SPEAKS_AGAINST", "signal %q shows that the app still knows what it attested to have deleted", s.Against[0])
	}
	return nil
}

func (r *Remediation) forbid(reason, format string, args ...any) error {
	return &ReasonError{
		Kind: ErrState, Reason: reason, Message: fmt.Sprintf("remediation %q: ", r.ID) + fmt.Sprintf(format, args...),
		Metadata: map[string]string{"state": r.State.String(), "etag": r.Etag()},
	}
}

// take changes the remediation. The step was permitted.
func (r *Remediation) take(s *Step) {
	switch s.Move {
	case MovePropose:
		r.State, r.Kind, r.Class, r.Proposer, r.Comment, r.Created = Proposed, s.Kind, s.Class, s.By, s.Comment, s.Time
		r.Restriction = s.Restriction
		if s.App != "" {
			r.App = s.App
		}
		if r.Due = s.Due; r.Due.IsZero() {
			r.Due = s.Time.Add(s.Kind.Allowance())
		}
	case MoveApprove:
		r.State, r.Approver = Approved, s.By
	case MoveReject:
		r.State, r.Approver = Rejected, s.By
	case MoveSend:
		r.State = Sent
	case MoveAcknowledge:
		r.State = Acknowledged
	case MoveSubmitEvidence:
		r.State, r.Evidence = EvidenceSubmitted, s.Evidence
		if !s.Attested.IsZero() {
			r.Attested = s.Attested
		}
	case MoveVerify:
		r.State = Verified
	case MoveWaive:
		r.State = Waived
	case MoveFail:
		r.State = Failed
	default: // cancel
		r.State = Cancelled
	}
}

// Attests tells whether evidence of this kind may carry an attestation, which
// starts the watch for impossible knowledge.
func (k RemediationKind) Attests() bool { return k == RequestDeletion || k == RequireAttestation }

// TestsKnowledge tells whether the kind cannot be verified while the app shows
// that it kept what was attested to be deleted.
func (k RemediationKind) TestsKnowledge() bool { return k.Attests() || k == Audit }
