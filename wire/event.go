package wire

import (
	"math"

	"github.com/memberwatch/memberwatch"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

// DecodeEvents appends events to dst, one for each message, and returns the extended slice. It copies nothing: strings
// and slices of the events are those of the messages. With room in dst it allocates nothing.
func DecodeEvents(dst []memberwatch.Event, src []*pb.AccessEvent) []memberwatch.Event {
	for _, m := range src {
		dst = append(dst, memberwatch.Event{})
		decodeEvent(&dst[len(dst)-1], m)
	}
	return dst
}

func decodeEvent(e *memberwatch.Event, m *pb.AccessEvent) {
	e.App = memberwatch.AppID(m.GetApp())
	e.Developer = memberwatch.DeveloperID(m.GetDeveloper())
	e.Time = int64(min(m.GetTimeUnixNano(), math.MaxInt64)) // what overflows is far in the future, not before 1970
	e.Endpoint = m.GetEndpoint()
	e.DataClasses = m.GetDataClasses()
	e.Group = m.GetGroup()
	e.Disclosed = m.GetDisclosedMembers()
	e.Requested = m.GetRequestedMembers()
	e.Missed = m.GetMissedLookups()
	e.Records = m.GetRecords()
	e.Actor = m.GetActor()
	e.Credential = m.GetCredential()
	e.Network = m.GetNetwork()
	e.Outcome = decodeOutcome(m.GetOutcome())
}

// EncodeEvent overwrites a message with an event, so that a producer can reuse messages. Strings and slices are shared.
func EncodeEvent(m *pb.AccessEvent, e *memberwatch.Event) {
	m.App = string(e.App)
	m.Developer = string(e.Developer)
	m.TimeUnixNano = uint64(max(e.Time, 0))
	m.Endpoint = e.Endpoint
	m.DataClasses = e.DataClasses
	m.Group = e.Group
	m.DisclosedMembers = e.Disclosed
	m.RequestedMembers = e.Requested
	m.MissedLookups = e.Missed
	m.Records = e.Records
	m.Actor = e.Actor
	m.Credential = e.Credential
	m.Network = e.Network
	m.Outcome = pb.Outcome(e.Outcome)
}

// decodeOutcome takes an outcome of a later contract for one that was not given.
func decodeOutcome(o pb.Outcome) memberwatch.Outcome {
	if o < 0 || o > pb.Outcome_OUTCOME_ERROR {
		return memberwatch.OutcomeUnspecified
	}
	return memberwatch.Outcome(o)
}

const millisecond = 1_000_000 // nanoseconds

// EncodeGap returns the message for a gap, or nil for none. The contract's times have milliseconds: the start is cut,
// the end rounded up, so that the message covers the gap.
func EncodeGap(g *memberwatch.Gap) *pb.Gap {
	if g == nil {
		return nil
	}
	m := &pb.Gap{EventCount: g.Count, StartUnixMs: g.Start / millisecond, EndUnixMs: g.End / millisecond}
	if g.End%millisecond > 0 {
		m.EndUnixMs++
	}
	return m
}

// DecodeGap returns the gap of a message, or nil for none. Times beyond the range of nanoseconds end at its borders.
func DecodeGap(m *pb.Gap) *memberwatch.Gap {
	if m == nil {
		return nil
	}
	return &memberwatch.Gap{Count: m.GetEventCount(), Start: millisToNanos(m.GetStartUnixMs()), End: millisToNanos(m.GetEndUnixMs())}
}

func millisToNanos(ms int64) int64 {
	const last = math.MaxInt64 / millisecond
	return max(-last, min(ms, last)) * millisecond
}
