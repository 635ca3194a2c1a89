package memberwatch

import "time"

// AttestState says how far the attestation of a case has come.
type AttestState string

// States of an attestation.
const (
	AttestNone         AttestState = "NONE"         // nobody was asked to delete or to attest
	AttestAwaited      AttestState = "AWAITED"      // asked for, not given
	AttestGiven        AttestState = "ATTESTED"     // given, and nothing contradicts it so far
	AttestContradicted AttestState = "CONTRADICTED" // the app asked for members whom it cannot know
)

// Attested is what a developer attested about a case, and what the watch for
// impossible knowledge has found since.
type Attested struct {
	State AttestState
	// Time is by when everything was deleted; zero while nothing is attested.
	Time time.Time
	// Against are the signals that contradict it.
	Against []SignalID
}

// NewAttested sums up a case's remediations and the signals against it.
func NewAttested(remedies []Remediation, against []SignalID) Attested {
	a := Attested{State: AttestNone, Against: against}
	for i := range remedies {
		r := &remedies[i]
		if r.Kind.Attests() && a.State == AttestNone && !r.Finished() && r.State != Failed {
			a.State = AttestAwaited
		}
		if r.Attested.After(a.Time) {
			a.Time = r.Attested
		}
	}
	switch {
	case len(against) > 0:
		a.State = AttestContradicted
	case !a.Time.IsZero():
		a.State = AttestGiven
	}
	return a
}
