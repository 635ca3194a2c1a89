package memberwatch

import (
	"fmt"
	"log/slog"
	"time"
)

// AppID names a third-party app.
type AppID string

// DeveloperID names the owner of apps.
type DeveloperID string

// DataClass names what is read, in the platform's own vocabulary.
type DataClass string

// ProducerID names a process that streams events, such as a gateway shard.
type ProducerID string

// MemberID is the keyed 64-bit hash of a member id. It never shows its value in
// logs: a hash of a person is still about a person.
type MemberID uint64

// LogValue hides the hash from logs.
func (MemberID) LogValue() slog.Value { return slog.StringValue("[member]") }

// String hides the hash from formatted output.
func (MemberID) String() string { return "[member]" }

// Outcome says how the gateway answered a call.
type Outcome uint8

// Outcomes, in the order of the contract.
const (
	OutcomeUnspecified Outcome = iota // not given, treated as OK
	OutcomeOK
	OutcomeDenied
	OutcomeNotFound
	OutcomeThrottled
	OutcomeError
)

// Event is one API call of a third-party app that touched member data. Its
// strings and slices may point into a receive buffer: whoever keeps one beyond
// the call must copy it.
type Event struct {
	App         AppID
	Developer   DeveloperID
	Time        int64 // nanoseconds since the Unix epoch
	Endpoint    string
	DataClasses []string // values of DataClass
	Group       string
	Disclosed   []uint64 // values of MemberID; members whose data the answer held
	Requested   []uint64 // values of MemberID; members asked for by id
	Missed      uint32   // asked-for ids that did not exist
	Records     uint64   // member records in the answer; 0 means len(Disclosed)
	Actor       uint64   // keyed hash of the acting user, 0 when unknown
	Credential  string
	Network     string
	Outcome     Outcome
}

// RecordCount returns how many member records the answer held.
func (e *Event) RecordCount() uint64 {
	if e.Records > 0 {
		return e.Records
	}
	return uint64(len(e.Disclosed))
}

// MissCount returns how many look-ups found nothing. A call that was not found
// missed whatever it asked for.
func (e *Event) MissCount() uint64 {
	if e.Outcome == OutcomeNotFound {
		return max(uint64(e.Missed), uint64(len(e.Requested)), 1)
	}
	return uint64(e.Missed)
}

// Refused tells whether the platform turned the call away, for lack of permission
// or for its rate.
func (e *Event) Refused() bool { return e.Outcome.Refused() }

// Refused tells whether a call with this outcome was turned away.
func (o Outcome) Refused() bool { return o == OutcomeDenied || o == OutcomeThrottled }

// Bounds of a single event. A larger one is rejected, never cut.
const (
	MaxEventMembers = 65_536
	MaxEventClasses = 32
	MaxNameBytes    = 256
	MaxClassBytes   = 128
	// MaxAhead is how far an event may lie ahead of the server's clock.
	MaxAhead = 5 * time.Minute
	// EarliestEvent is the oldest event time taken (1990-01-01T00:00:00Z);
	// anything before is a unit mistake.
	EarliestEvent = int64(631_152_000) * int64(time.Second)
)

// Validate checks an event against the bounds of the contract, at a server
// whose clock says now (nanoseconds since the epoch). The error is a
// *ReasonError of kind ErrInvalid. It allocates nothing for a good event.
func (e *Event) Validate(now int64) error {
	switch {
	case e.App == "":
		return e.invalid("EVENT_WITHOUT_APP", "event has no app", "set app to the id of the third-party app")
	case e.Time < EarliestEvent:
		return e.invalid("EVENT_TIME_INVALID", fmt.Sprintf("event time %d is before 1990", e.Time), "time_unix_nano counts nanoseconds since 1970")
	case e.Time > now+int64(MaxAhead):
		return e.invalid("EVENT_IN_FUTURE", fmt.Sprintf("event time %s is more than 5 minutes ahead of the server", time.Unix(0, e.Time).UTC().Format(time.RFC3339)), "check the producer's clock")
	case len(e.Disclosed) > MaxEventMembers || len(e.Requested) > MaxEventMembers:
		return e.invalid("TOO_MANY_MEMBERS", fmt.Sprintf("event lists %d members, the limit is %d", max(len(e.Disclosed), len(e.Requested)), MaxEventMembers), "split the call into several events")
	case len(e.DataClasses) > MaxEventClasses:
		return e.invalid("TOO_MANY_DATA_CLASSES", fmt.Sprintf("event lists %d data classes, the limit is %d", len(e.DataClasses), MaxEventClasses), "list each class once")
	}
	return e.validateNames()
}

// validateNames checks the lengths of all strings.
func (e *Event) validateNames() error {
	if n := max(len(e.App), len(e.Developer), len(e.Endpoint), len(e.Group), len(e.Credential), len(e.Network)); n > MaxNameBytes {
		return e.invalid("NAME_TOO_LONG", fmt.Sprintf("a name has %d bytes, the limit is %d", n, MaxNameBytes), "send ids, not texts")
	}
	for _, class := range e.DataClasses {
		if class == "" || len(class) > MaxClassBytes {
			return e.invalid("DATA_CLASS_INVALID", fmt.Sprintf("a data class has %d bytes, it must have 1 to %d", len(class), MaxClassBytes), "send names such as group_membership")
		}
	}
	return nil
}

func (e *Event) invalid(reason, message, hint string) error {
	return &ReasonError{Kind: ErrInvalid, Reason: reason, Message: message, Hint: hint}
}
