package wire_test

import (
	"math"
	"reflect"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/memberwatch/memberwatch"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/wire"
)

// Generators of words. Ids are not empty, times not zero where the word's own zero means that it is absent.
var (
	text     = rapid.String()
	id       = rapid.StringMatching(`[a-zA-Z0-9._/ ä-]{1,20}`)
	counter  = rapid.Int64Range(0, math.MaxInt64)
	unsigned = rapid.Uint64Range(0, math.MaxInt64)
	nanos    = rapid.Int64()
	day      = rapid.Int32Range(1, 40_000)
	number   = rapid.Float64()
	flag     = rapid.Bool()
	seconds  = rapid.Int64Range(-62_135_596_799, 253_402_300_799)
	instant  = rapid.Custom(func(t *rapid.T) time.Time {
		if flag.Draw(t, "absent") {
			return time.Time{}
		}
		return time.Unix(seconds.Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC()
	})
	estimate = rapid.Custom(func(t *rapid.T) memberwatch.Estimate {
		return memberwatch.Estimate{Value: number.Draw(t, "value"), Low: number.Draw(t, "low"), High: number.Draw(t, "high")}
	})
	window = rapid.Custom(func(t *rapid.T) memberwatch.Window {
		return memberwatch.WindowAt(memberwatch.Scale(rapid.IntRange(0, 1).Draw(t, "scale")), rapid.Int64Range(-1<<62, 1<<62).Draw(t, "at"))
	})
	event = rapid.Custom(func(t *rapid.T) memberwatch.Event {
		return memberwatch.Event{
			App: memberwatch.AppID(text.Draw(t, "app")), Developer: memberwatch.DeveloperID(text.Draw(t, "developer")),
			Time: counter.Draw(t, "time"), Endpoint: text.Draw(t, "endpoint"), DataClasses: list(t, text, "classes"),
			Group: text.Draw(t, "group"), Disclosed: list(t, rapid.Uint64(), "disclosed"), Requested: list(t, rapid.Uint64(), "requested"),
			Missed: rapid.Uint32().Draw(t, "missed"), Records: rapid.Uint64().Draw(t, "records"), Actor: rapid.Uint64().Draw(t, "actor"),
			Credential: text.Draw(t, "credential"), Network: text.Draw(t, "network"),
			Outcome: memberwatch.Outcome(rapid.IntRange(0, 5).Draw(t, "outcome")),
		}
	})
	finding = rapid.Custom(func(t *rapid.T) memberwatch.Finding {
		return memberwatch.Finding{
			Kind: memberwatch.KindNovelty, Number: counter.Draw(t, "number"), Window: window.Draw(t, "window"), Time: nanos.Draw(t, "time"),
			Stream: memberwatch.Stream(rapid.IntRange(0, 2).Draw(t, "stream")), Sentence: text.Draw(t, "sentence"),
			ReturnPeriod: number.Draw(t, "period"), FleetFactor: number.Draw(t, "fleet"), Provisional: flag.Draw(t, "provisional"),
			Members: estimate.Draw(t, "members"), Factors: list(t, factor, "factors"), Caveats: list(t, text, "caveats"),
			Restriction: memberwatch.RestrictionID(rapid.OneOf(rapid.Just(""), id).Draw(t, "restriction")),
			Severity:    memberwatch.Severity(rapid.IntRange(0, 4).Draw(t, "severity")), Influences: list(t, influence, "influences"),
			Basis: memberwatch.Basis{
				App: memberwatch.AppID(id.Draw(t, "app")), Developer: memberwatch.DeveloperID(text.Draw(t, "developer")), Model: text.Draw(t, "model"), Calibration: counter.Draw(t, "calibration"),
				Control: counter.Draw(t, "control"), Learning: memberwatch.Learning(rapid.IntRange(0, 3).Draw(t, "learning")), LearningDays: rapid.Int32().Draw(t, "days"),
			},
		}
	})
	influence = rapid.Custom(func(t *rapid.T) memberwatch.Influence {
		return memberwatch.Influence{
			Dimension: text.Draw(t, "dimension"), Name: text.Draw(t, "name"), Share: number.Draw(t, "share"),
			Without: number.Draw(t, "without"), P: number.Draw(t, "p"), Text: text.Draw(t, "text"),
		}
	})
	factor = rapid.Custom(func(t *rapid.T) memberwatch.Factor {
		return memberwatch.Factor{
			Feature: text.Draw(t, "feature"), Observed: number.Draw(t, "observed"), Expected: number.Draw(t, "expected"),
			Low: number.Draw(t, "low"), High: number.Draw(t, "high"), P: number.Draw(t, "p"),
			ReturnPeriod: number.Draw(t, "period"), Share: number.Draw(t, "share"), Text: text.Draw(t, "text"), Peers: number.Draw(t, "peers"),
		}
	})
)

// list draws a slice that is nil when empty, as decoding makes it.
func list[T any](t *rapid.T, element *rapid.Generator[T], label string) []T {
	if s := rapid.SliceOfN(element, 0, 4).Draw(t, label); len(s) > 0 {
		return s
	}
	return nil
}

// overTheWire returns what a receiver gets of a message.
func overTheWire[M proto.Message](t *rapid.T, m M) M {
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatalf("marshal: %v", err)
	}
	received := m.ProtoReflect().New().Interface().(M)
	if err := proto.Unmarshal(b, received); err != nil {
		t.Fatalf("unmarshal: %v", err)
	}
	return received
}

// roundTrip checks that a word comes back as it was, and that the message that comes back is the same too.
func roundTrip[W any, M proto.Message](word *rapid.Generator[W], encode func(*W) M, decode func(M) (W, error)) func(*testing.T) {
	return rapid.MakeCheck(func(t *rapid.T) {
		want := word.Draw(t, "word")
		message := overTheWire(t, encode(&want))
		got, err := decode(message)
		if err != nil {
			t.Fatalf("decode %v: %v", message, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("word changed\n got %+v\nwant %+v", got, want)
		}
		if again := encode(&got); !proto.Equal(again, message) {
			t.Fatalf("message changed\n got %v\nwant %v", again, message)
		}
	})
}

func TestRoundTrips(t *testing.T) {
	t.Run("event", roundTrip(event, encodeEvent, decodeEvent))
	t.Run("app", roundTrip(rapid.Custom(drawApp), wire.EncodeApp, wire.DecodeApp))
	t.Run("restriction", roundTrip(rapid.Custom(drawRestriction), wire.EncodeRestriction, wire.DecodeRestriction))
	t.Run("attestation", roundTrip(rapid.Custom(drawAttestation), wire.EncodeAttestation, wire.DecodeAttestation))
	t.Run("canaries", roundTrip(rapid.Custom(drawCanaries), wire.EncodeCanaries, func(m *pb.PutCanariesRequest) (memberwatch.Canaries, error) {
		return wire.DecodeCanaries(m), nil
	}))
	t.Run("signal", roundTrip(rapid.Custom(drawSignal), wire.EncodeSignal, wire.DecodeSignal))
	t.Run("finding", roundTrip(finding, wire.EncodeFinding, func(m *pb.Finding) (memberwatch.Finding, error) {
		return wire.DecodeFinding(memberwatch.KindNovelty, m)
	}))
	t.Run("query", roundTrip(rapid.Custom(drawQuery), wire.EncodeAccessQuery, wire.DecodeAccessQuery))
	t.Run("row", roundTrip(rapid.Custom(drawRow), wire.EncodeAccessRow, wire.DecodeAccessRow))
	t.Run("baseline", roundTrip(rapid.Custom(drawBaseline), wire.EncodeBaseline, wire.DecodeBaseline))
	t.Run("stats", roundTrip(rapid.Custom(drawStats), wire.EncodeStats, wire.DecodeStats))
}

func encodeEvent(e *memberwatch.Event) *pb.AccessEvent {
	m := &pb.AccessEvent{App: "left over", Records: 7, DataClasses: []string{"left over"}}
	wire.EncodeEvent(m, e)
	return m
}

func decodeEvent(m *pb.AccessEvent) (memberwatch.Event, error) {
	return wire.DecodeEvents(nil, []*pb.AccessEvent{m})[0], nil
}

func drawApp(t *rapid.T) memberwatch.AppView {
	return memberwatch.AppView{
		App: memberwatch.App{
			ID: memberwatch.AppID(id.Draw(t, "id")), Developer: memberwatch.DeveloperID(text.Draw(t, "developer")),
			DisplayName: text.Draw(t, "display"), Category: text.Draw(t, "category"),
			Installs: counter.Draw(t, "installs"), Admins: counter.Draw(t, "admins"),
			Purposes: list(t, rapid.Custom(func(t *rapid.T) memberwatch.Purpose {
				return memberwatch.Purpose{Class: memberwatch.DataClass(text.Draw(t, "class")), Purpose: text.Draw(t, "purpose")}
			}), "purposes"),
			Certified: instant.Draw(t, "certified"), Expires: instant.Draw(t, "expires"),
			Created: instant.Draw(t, "created"), Updated: instant.Draw(t, "updated"),
		},
		Declared: flag.Draw(t, "declared"), FirstEvent: nanos.Draw(t, "first"), LastEvent: nanos.Draw(t, "last"),
		Events: counter.Draw(t, "events"), Learning: memberwatch.Learning(rapid.IntRange(0, 3).Draw(t, "learning")),
		LearningDays: day.Draw(t, "days"),
	}
}

func drawRestriction(t *rapid.T) memberwatch.Restriction {
	apps := rapid.Custom(func(t *rapid.T) memberwatch.AppID { return memberwatch.AppID(id.Draw(t, "app")) })
	return memberwatch.Restriction{
		ID: memberwatch.RestrictionID(id.Draw(t, "id")), Class: memberwatch.DataClass(text.Draw(t, "class")),
		Endpoint: text.Draw(t, "endpoint"), Apps: list(t, apps, "apps"), Exempt: list(t, apps, "exempt"),
		Effective: instant.Draw(t, "effective"), Grace: time.Duration(nanos.Draw(t, "grace")), Lifted: instant.Draw(t, "lifted"),
		Reason: text.Draw(t, "reason"), Revision: counter.Draw(t, "revision"),
	}
}

func drawAttestation(t *rapid.T) memberwatch.Attestation {
	return memberwatch.Attestation{
		App: memberwatch.AppID(id.Draw(t, "app")), Time: instant.Draw(t, "time"), Note: text.Draw(t, "note"), Revision: counter.Draw(t, "revision"),
	}
}

func drawCanaries(t *rapid.T) memberwatch.Canaries {
	member := rapid.Custom(func(t *rapid.T) memberwatch.MemberID { return memberwatch.MemberID(rapid.Uint64().Draw(t, "member")) })
	return memberwatch.Canaries{Members: list(t, member, "members"), Withdrawn: flag.Draw(t, "withdrawn")}
}

// drawApps draws a list of apps; no list and an empty one are the same.
func drawApps(t *rapid.T) []memberwatch.AppID {
	var list []memberwatch.AppID
	for range rapid.IntRange(0, 3).Draw(t, "number of apps") {
		list = append(list, memberwatch.AppID(id.Draw(t, "app of several")))
	}
	return list
}

// drawSignal leaves out what the message does not hold of the strongest finding.
func drawSignal(t *rapid.T) memberwatch.Signal {
	strongest := finding.Draw(t, "strongest")
	strongest.Number, strongest.Time, strongest.Stream, strongest.Sentence, strongest.FleetFactor = 0, 0, 0, "", 0
	strongest.Severity, strongest.Influences, strongest.Basis = 0, nil, memberwatch.Basis{}
	return memberwatch.Signal{
		ID: memberwatch.SignalID(id.Draw(t, "id")), App: memberwatch.AppID(rapid.OneOf(rapid.Just(""), id).Draw(t, "app")),
		Apps:      drawApps(t),
		Network:   text.Draw(t, "network"),
		Developer: memberwatch.DeveloperID(text.Draw(t, "developer")), Kind: memberwatch.KindNovelty,
		Severity: memberwatch.Severity(rapid.IntRange(0, 4).Draw(t, "severity")), Sentence: text.Draw(t, "sentence"),
		Opened: nanos.Draw(t, "opened"), Last: nanos.Draw(t, "last"), Ended: nanos.Draw(t, "ended"),
		Occurrences: counter.Draw(t, "occurrences"), Revision: counter.Draw(t, "revision"), Strongest: strongest,
		Learning: memberwatch.Learning(rapid.IntRange(0, 3).Draw(t, "learning")), LearningDays: day.Draw(t, "days"),
		Model: text.Draw(t, "model"), Calibration: counter.Draw(t, "calibration"), Control: counter.Draw(t, "control"),
		Triage: memberwatch.Triage{Verdict: memberwatch.Verdict(rapid.IntRange(0, 5).Draw(t, "verdict"))},
	}
}

func drawQuery(t *rapid.T) memberwatch.AccessQuery {
	return memberwatch.AccessQuery{
		Class: memberwatch.DataClass(text.Draw(t, "class")), App: memberwatch.AppID(rapid.OneOf(rapid.Just(""), id).Draw(t, "app")),
		Developer: memberwatch.DeveloperID(text.Draw(t, "developer")), SinceDay: rapid.Int32Range(-5000, 40_000).Draw(t, "since"),
		UntilDay:  rapid.OneOf(rapid.Just(int32(math.MaxInt32)), day).Draw(t, "until"),
		AfterOnly: flag.Draw(t, "after"), ByDeveloper: flag.Draw(t, "roll up"),
		Endpoint: text.Draw(t, "endpoint"), Group: text.Draw(t, "group"), Category: text.Draw(t, "category"),
	}
}

func drawRow(t *rapid.T) memberwatch.AccessRow {
	return memberwatch.AccessRow{
		App: memberwatch.AppID(rapid.OneOf(rapid.Just(""), id).Draw(t, "app")), Developer: memberwatch.DeveloperID(text.Draw(t, "developer")),
		Class: memberwatch.DataClass(text.Draw(t, "class")), Calls: unsigned.Draw(t, "calls"), Records: unsigned.Draw(t, "records"),
		Denials: unsigned.Draw(t, "denials"), CallsAfter: unsigned.Draw(t, "after"), Members: estimate.Draw(t, "members"),
		Groups: estimate.Draw(t, "groups"), FirstDay: day.Draw(t, "first"), LastDay: day.Draw(t, "last"),
		ActiveDays: day.Draw(t, "active"), Apps: day.Draw(t, "apps"),
		CertainDays: day.Draw(t, "certain"), AtMost: flag.Draw(t, "at most"),
	}
}

func drawBaseline(t *rapid.T) memberwatch.Baseline {
	expectation := rapid.Custom(func(t *rapid.T) memberwatch.Expectation {
		return memberwatch.Expectation{Feature: text.Draw(t, "feature"), Window: window.Draw(t, "window"), Value: estimate.Draw(t, "value")}
	})
	return memberwatch.Baseline{
		App: memberwatch.AppID(id.Draw(t, "app")), Learning: memberwatch.Learning(rapid.IntRange(0, 3).Draw(t, "learning")),
		Days: rapid.Int32().Draw(t, "days"), Expected: list(t, expectation, "expected"),
	}
}

func drawStats(t *rapid.T) memberwatch.Stats {
	return memberwatch.Stats{
		Applied: counter.Draw(t, "applied"), Duplicate: counter.Draw(t, "duplicate"), Late: counter.Draw(t, "late"),
		Lost: counter.Draw(t, "lost"), SignalsOpened: counter.Draw(t, "opened"), SignalsOpen: counter.Draw(t, "open"),
		Apps: counter.Draw(t, "apps"), Resident: counter.Draw(t, "resident"), Revision: counter.Draw(t, "revision"),
		StorageError: text.Draw(t, "error"),
		UnknownClasses: list(t, rapid.Custom(func(t *rapid.T) memberwatch.Count {
			return memberwatch.Count{Name: text.Draw(t, "name"), Count: counter.Draw(t, "count")}
		}), "classes"),
		Producers: list(t, rapid.Custom(func(t *rapid.T) memberwatch.ProducerStats {
			return memberwatch.ProducerStats{
				ID: memberwatch.ProducerID(text.Draw(t, "id")), Epoch: counter.Draw(t, "epoch"),
				Committed: counter.Draw(t, "committed"), Newest: nanos.Draw(t, "newest"), Live: flag.Draw(t, "live"),
			}
		}), "producers"),
		Partitions: list(t, rapid.Custom(func(t *rapid.T) memberwatch.PartitionStats {
			return memberwatch.PartitionStats{
				Watermark: nanos.Draw(t, "watermark"), Applied: counter.Draw(t, "applied"), Resident: counter.Draw(t, "resident"),
				Checkpoints: counter.Draw(t, "checkpoints"), LastCheckpoint: counter.Draw(t, "took"), FileBytes: counter.Draw(t, "bytes"),
			}
		}), "partitions"),
	}
}
