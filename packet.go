package memberwatch

import "time"

// Duties that a packet helps to keep. Which of them bind a platform is for its
// lawyers; memberwatch only counts.
const (
	// AwareClock is how long after becoming aware a breach is to be notified
	// (GDPR, article 33).
	AwareClock = 72 * time.Hour
	// DiscoveryClock is how long after its discovery a covered incident is to be
	// reported (order of the FTC of 2020).
	DiscoveryClock = 30 * day
	// CoveredPersons is from how many persons on that order speaks.
	CoveredPersons = 500
)

// Packet is what a platform hands to a regulator about a case: everything
// memberwatch knows, with how sure it is. Later revisions replace earlier ones.
type Packet struct {
	Incident  CaseID      `json:"incident"`
	Revision  int64       `json:"revision"` // how often it was exported, from 1
	Made      time.Time   `json:"made"`
	MadeBy    Person      `json:"made_by"`
	App       AppID       `json:"app"`
	AppName   string      `json:"app_name,omitempty"`
	Developer DeveloperID `json:"developer,omitempty"`
	State     CaseState   `json:"state"`
	Verdict   Verdict     `json:"verdict"`
	Reason    string      `json:"reason,omitempty"`
	// DuplicateOf is the case that has it, or went on for this one.
	DuplicateOf CaseID `json:"duplicate_of,omitempty"`
	Comment     string `json:"comment,omitempty"`
	Cause       string `json:"cause_hypothesis"`

	Classes []PacketClass `json:"data_classes"`
	Groups  Interval      `json:"groups"`
	First   string        `json:"first_day,omitempty"` // UTC
	Last    string        `json:"last_day,omitempty"`
	Period  string        `json:"period_uncertainty"`
	Persons Interval      `json:"persons"`
	Method  string        `json:"persons_method"`
	Records uint64        `json:"records"`
	Calls   uint64        `json:"calls"`
	// After are the persons read about after a restriction took effect.
	After Interval `json:"persons_after_restriction"`
	// Covered is true when the lower bound of persons reaches CoveredPersons.
	Covered bool `json:"at_least_500_persons"`

	Discovered time.Time  `json:"discovered_at"`
	ReportBy   time.Time  `json:"report_by_30_days"`
	Aware      *time.Time `json:"aware_at"`           // set by a person, null until then
	NotifyBy   *time.Time `json:"notify_by_72_hours"` // null until somebody is aware

	Containment []PacketStep     `json:"containment"`
	Attestation PacketAttest     `json:"attestation"`
	Signals     []PacketSignal   `json:"signals"`
	Effects     []Effect         `json:"effects_on_detection,omitempty"`
	Decisions   []PacketDecision `json:"decisions"`
	// Audit is the head of the audit log when the packet was made.
	Audit PacketHead `json:"audit_log"`
}

// Interval is an estimate with its 95 % interval.
type Interval struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// PacketClass is what was read of one data class.
type PacketClass struct {
	Class      DataClass `json:"class"`
	Persons    Interval  `json:"persons"`
	Groups     Interval  `json:"groups"`
	Records    uint64    `json:"records"`
	Calls      uint64    `json:"calls"`
	CallsAfter uint64    `json:"calls_after_restriction"`
	First      string    `json:"first_day"`
	Last       string    `json:"last_day"`
}

// PacketStep is one remediation.
type PacketStep struct {
	ID          RemediationID    `json:"id"`
	App         AppID            `json:"app,omitempty"`
	Kind        RemediationKind  `json:"kind"`
	State       RemediationState `json:"state"`
	Proposed    time.Time        `json:"proposed"`
	Due         time.Time        `json:"due"`
	Overdue     bool             `json:"overdue"`
	Ended       time.Time        `json:"ended,omitzero"`
	Restriction RestrictionID    `json:"restriction,omitempty"`
	Evidence    string           `json:"evidence,omitempty"`
	Proposer    Person           `json:"proposer"`
	Approver    Person           `json:"approver,omitempty"`
	Outcome     string           `json:"outcome,omitempty"`
}

// PacketAttest is what the developer attested, and what speaks against it.
type PacketAttest struct {
	State    string     `json:"state"` // NONE, ATTESTED or CONTRADICTED
	Attested time.Time  `json:"deleted_by,omitzero"`
	Against  []SignalID `json:"contradicted_by,omitempty"`
}

// PacketSignal is one signal with the hash of its stored evidence.
type PacketSignal struct {
	ID       SignalID  `json:"id"`
	Kind     Kind      `json:"kind"`
	Severity Severity  `json:"severity"`
	Sentence string    `json:"sentence"`
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
	Findings int64     `json:"findings"`
	Model    string    `json:"model"`
	// Evidence is SHA-256 over the stored record of the signal and those of its
	// kept findings, in hexadecimal.
	Evidence string `json:"evidence_sha256"`
}

// PacketDecision is one line of the case's history.
type PacketDecision struct {
	Entry  int64     `json:"audit_entry"`
	Time   time.Time `json:"time"`
	Person Person    `json:"person"`
	Action string    `json:"action"`
}

// PacketHead names a state of the audit log.
type PacketHead struct {
	Size int64  `json:"size"`
	Root string `json:"root"` // base64
}
