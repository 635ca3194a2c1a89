package memberwatch

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Verdict is what a review found.
type Verdict uint8

// Verdicts.
const (
	VerdictUnspecified  Verdict = iota
	VerdictAbuse                // data was read against the rules
	VerdictExpected             // true, and agreed: it may happen again until a set time
	VerdictBenign               // the detector should not have spoken
	VerdictInconclusive         // there is not enough to tell
	VerdictDuplicate            // another case has it
	Verdicts                    // how many there are
)

// String returns the verdict in capitals, as in the contract.
func (v Verdict) String() string {
	names := [Verdicts]string{"UNSPECIFIED", "ABUSE", "EXPECTED", "BENIGN", "INCONCLUSIVE", "DUPLICATE"}
	if v >= Verdicts {
		return names[0]
	}
	return names[v]
}

// ReasonBadData is the reason of BENIGN that also takes the windows out of the
// baselines: what was counted did not happen.
const ReasonBadData = "bad-data"

// Reasons holds the reasons that each verdict may have.
type Reasons map[Verdict][]string

// DefaultReasons returns the reasons that need no configuration.
func DefaultReasons() Reasons {
	return Reasons{
		VerdictAbuse:        {"harvesting", "scope-misuse", "token-sharing", "retention-beyond-terms", "off-purpose-use", "retained-access"},
		VerdictExpected:     {"agreed-backfill", "partner-contract", "security-test", "known-batch"},
		VerdictBenign:       {"detector-wrong", ReasonBadData, "organic-growth"},
		VerdictInconclusive: {"not-enough-data"},
		VerdictDuplicate:    {"other-case"},
	}
}

// With returns the reasons and more of them, each once.
func (r Reasons) With(more Reasons) Reasons {
	all := maps.Clone(r)
	for v, reasons := range more {
		all[v] = slices.Clone(all[v])
		for _, reason := range reasons {
			if !slices.Contains(all[v], reason) {
				all[v] = append(all[v], reason)
			}
		}
	}
	return all
}

// Check tells whether a verdict may have a reason.
func (r Reasons) Check(v Verdict, reason string) error {
	if slices.Contains(r[v], reason) {
		return nil
	}
	return &ReasonError{
		Kind: ErrInvalid, Reason: "REASON_UNKNOWN", Message: "reason " + strconv.Quote(reason) + " is not one of verdict " + v.String(),
		Hint: "use one of " + strings.Join(r[v], ", ") + ", or add yours to the configuration",
	}
}

// EffectKind says what a verdict did to detection.
type EffectKind string

// Kinds of effects.
const (
	// EffectExclude takes windows of the app out of its baselines.
	EffectExclude EffectKind = "exclude-windows"
	// EffectExpect silences signals below a bound until a time.
	EffectExpect EffectKind = "expectation"
	// EffectLabel counts for or against the precision of the detector's version.
	EffectLabel EffectKind = "label"
)

// Effect is one thing a verdict did. Nothing else moves.
type Effect struct {
	Kind    EffectKind `json:"kind"`
	Subject string     `json:"subject"` // what it made: silences/s3, exclusions/c7-1, signals/abc
	Text    string     `json:"text"`    // "this verdict did ..."
	// Revision is the control change that carried it; 0 for none.
	Revision int64     `json:"revision,omitempty"`
	At       time.Time `json:"at"`
	Undone   time.Time `json:"undone,omitzero"` // zero while it stands
}

// Label is what a review says about one signal: positive or negative evidence
// about the detector that raised it. ABUSE and EXPECTED speak for it, BENIGN
// against; INCONCLUSIVE and DUPLICATE say nothing and make none.
type Label struct {
	Signal  SignalID
	Case    CaseID
	Kind    Kind
	Model   string // version of the models that raised the signal
	Verdict Verdict
	Time    time.Time
	// ReturnPeriod is the evidence at the time, in app-days; 0 for rules.
	ReturnPeriod float64
}

// Labels tells whether a verdict says anything about the detector.
func (v Verdict) Labels() bool {
	return v == VerdictAbuse || v == VerdictExpected || v == VerdictBenign
}

// Precision sums the labels of one version of the models and kind of signal.
type Precision struct {
	Model                   string
	Kind                    Kind
	Abuse, Expected, Benign int64
}

// Share returns the part of labelled signals that were true, NaN-free: 0 when
// there are none.
func (p *Precision) Share() float64 {
	all := p.Abuse + p.Expected + p.Benign
	if all == 0 {
		return 0
	}
	return float64(p.Abuse+p.Expected) / float64(all)
}

// Exclusion takes windows of an app, or of a developer's apps and of all of them
// together, out of the baselines: what happened in them was not normal and must not
// become so.
type Exclusion struct {
	ID        string      `json:"id"`
	App       AppID       `json:"app,omitempty"`
	Developer DeveloperID `json:"developer,omitempty"` // where App is empty
	Since     int64       `json:"since_unix_nano"`     // event time, nanoseconds since the epoch
	Until     int64       `json:"until_unix_nano"`     // exclusive
	Withdrawn bool        `json:"withdrawn,omitempty"` // the windows count again from now on
	Revision  int64       `json:"revision"`            // of the control change that recorded it
}

// Validate checks an exclusion.
func (x *Exclusion) Validate() error {
	switch {
	case x.ID == "" || len(x.ID) > MaxNameBytes || x.Entity() == "":
		return invalidf("EXCLUSION_INVALID", "exclusion %q of app %q needs an id and an app or a developer", x.ID, x.App)
	case x.Until <= x.Since:
		return invalidf("EXCLUSION_INVALID", "exclusion %q ends before it begins", x.ID)
	}
	return nil
}
