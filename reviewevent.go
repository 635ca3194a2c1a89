package memberwatch

import "time"

// ReviewEventType says what happened on the review side.
type ReviewEventType string

// Types of review events.
const (
	EventSignalCreated         ReviewEventType = "signal.created"
	EventSignalUpdated         ReviewEventType = "signal.updated"
	EventSignalClosed          ReviewEventType = "signal.closed"
	EventSignalJudged          ReviewEventType = "signal.judged"
	EventCaseCreated           ReviewEventType = "case.created"
	EventCaseDecided           ReviewEventType = "case.decided"
	EventCaseClosed            ReviewEventType = "case.closed"
	EventCaseReopened          ReviewEventType = "case.reopened"
	EventRemediationRequested  ReviewEventType = "remediation.requested"
	EventRemediationOverdue    ReviewEventType = "remediation.overdue"
	EventRemediationVerified   ReviewEventType = "remediation.verified"
	EventSilenceCreated        ReviewEventType = "silence.created"
	EventSilenceExpiring       ReviewEventType = "silence.expiring"
	EventCertificationExpiring ReviewEventType = "certification.expiring"
)

// ReviewEvent is one entry of the review side's outbox: it was committed in the
// same transaction as what it tells of, so it is neither lost nor made up.
type ReviewEvent struct {
	Sequence int64 // from 1, without holes
	Type     ReviewEventType
	Subject  string // a resource name, such as cases/c7 or signals/abc
	App      AppID
	Severity Severity
	Time     time.Time // when it happened, by the service's clock
	// Payload is the subject as it was then, by encoding/json: a Signal, Case,
	// Remediation, Silence or App, by the first word of the type.
	Payload []byte
}
