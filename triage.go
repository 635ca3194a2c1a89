package memberwatch

import (
	"fmt"
	"time"
)

// TriageState says what reviewers did with a signal. Whether it still runs is
// apart: an ended signal may be open to triage, a running one dismissed.
type TriageState uint8

// States of triage.
const (
	TriageOpen      TriageState = iota // nobody has decided about it
	TriageLinked                       // a case reviews it
	TriageDismissed                    // a person set it aside, with a reason
	TriageSilenced                     // a silence or an expectation hides it; it is kept and counted
	TriageRegressed                    // it went above what was expected; a case reviews it again
	TriageStates                       // how many there are
)

// String returns the state in capitals, as in the contract.
func (s TriageState) String() string {
	names := [TriageStates]string{"OPEN", "LINKED", "DISMISSED", "SILENCED", "REGRESSED"}
	if s >= TriageStates {
		return "UNSPECIFIED"
	}
	return names[s]
}

// Triage is the reviewers' side of a signal: facts belong to the detector and
// stay as they are, this moves.
type Triage struct {
	State   TriageState
	Case    CaseID    // that reviews it, when LINKED or REGRESSED
	Silence SilenceID // that hides it, or that it went above
	Reason  string    // of DISMISSED
	Verdict Verdict   // of the case that reviews it; unspecified: none yet
	By      Person
	Time    time.Time
	// Seen is the newest revision of the signal that triage has looked at, and
	// SeenOpen whether it still ran then.
	Seen     int64
	SeenOpen bool
}

// to lists where a state of triage may go.
func (s TriageState) to() [TriageStates]bool {
	var to [TriageStates]bool
	switch s {
	case TriageOpen:
		to[TriageLinked], to[TriageDismissed], to[TriageSilenced], to[TriageRegressed] = true, true, true, true
	case TriageLinked:
		// To another case by merging, out of it by detaching, and silenced or
		// regressed by a verdict of EXPECTED.
		to[TriageLinked], to[TriageOpen], to[TriageSilenced], to[TriageRegressed] = true, true, true, true
	case TriageDismissed:
		to[TriageOpen], to[TriageLinked] = true, true
	case TriageSilenced:
		to[TriageLinked], to[TriageRegressed], to[TriageOpen] = true, true, true
	default: // regressed
		to[TriageLinked], to[TriageOpen], to[TriageSilenced], to[TriageRegressed] = true, true, true, true
	}
	return to
}

// Move takes the signal of an id to another state, or fails with ErrState and
// leaves it. What the new state does not have is emptied.
func (t *Triage) Move(id SignalID, next Triage) error {
	if next.State >= TriageStates || !t.State.to()[next.State] {
		return &ReasonError{
			Kind: ErrState, Reason: "TRIAGE_STATE_FORBIDS",
			Message:  fmt.Sprintf("signal %q: it is %v and cannot become %v", id, t.State, next.State),
			Metadata: map[string]string{"triage": t.State.String()},
		}
	}
	needsCase := next.State == TriageLinked || next.State == TriageRegressed
	switch {
	case needsCase && next.Case == "":
		return invalidf("TRIAGE_INCOMPLETE", "signal %q becomes %v without a case", id, next.State)
	case next.State == TriageDismissed && next.Reason == "":
		return invalidf("TRIAGE_INCOMPLETE", "signal %q is dismissed without a reason: say why", id)
	case next.State == TriageSilenced && next.Silence == "":
		return invalidf("TRIAGE_INCOMPLETE", "signal %q is silenced without a silence", id)
	}
	next.Seen, next.SeenOpen = t.Seen, t.SeenOpen
	*t = next
	return nil
}
