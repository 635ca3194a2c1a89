package wire_test

import (
	"errors"
	"math"
	"testing"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/memberwatch/memberwatch"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/wire"
)

func TestDecodeNamesTheFieldToBlame(t *testing.T) {
	app := func(m *pb.App) func() error { return func() error { _, err := wire.DecodeApp(m); return err } }
	restriction := func(m *pb.Restriction) func() error {
		return func() error { _, err := wire.DecodeRestriction(m); return err }
	}
	query := func(m *pb.QueryAccessRequest) func() error {
		return func() error { _, err := wire.DecodeAccessQuery(m); return err }
	}
	for name, test := range map[string]struct {
		decode        func() error
		reason, field string
	}{
		"app without a name":            {app(&pb.App{}), "NAME_INVALID", "name"},
		"app of another collection":     {app(&pb.App{Name: "signals/crm"}), "NAME_INVALID", "name"},
		"collection without an id":      {app(&pb.App{Name: "apps/"}), "NAME_INVALID", "name"},
		"nanoseconds out of range":      {app(&pb.App{Name: "apps/a", CertifyTime: &timestamppb.Timestamp{Nanos: -1}}), "TIME_INVALID", "certify_time"},
		"time beyond 64 bits":           {app(&pb.App{Name: "apps/a", LastEventTime: &timestamppb.Timestamp{Seconds: 1 << 36}}), "TIME_INVALID", "last_event_time"},
		"restricted app without prefix": {restriction(&pb.Restriction{Name: "restrictions/r", Apps: []string{"crm"}}), "NAME_INVALID", "apps"},
		"grace of mixed signs":          {restriction(&pb.Restriction{Name: "restrictions/r", Grace: &durationpb.Duration{Seconds: 1, Nanos: -1}}), "DURATION_INVALID", "grace"},
		"grace of 300 years":            {restriction(&pb.Restriction{Name: "restrictions/r", Grace: &durationpb.Duration{Seconds: 1e10}}), "DURATION_INVALID", "grace"},
		"query without since":           {query(&pb.QueryAccessRequest{}), "SINCE_MISSING", "since"},
		"query for a bare app id":       {query(&pb.QueryAccessRequest{Since: &timestamppb.Timestamp{}, App: "crm"}), "NAME_INVALID", "app"},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.decode()
			reason, ok := errors.AsType[*memberwatch.ReasonError](err)
			if !ok || !errors.Is(err, memberwatch.ErrInvalid) {
				t.Fatalf("error %v is not a ReasonError of kind ErrInvalid", err)
			}
			if reason.Reason != test.reason || reason.Metadata[wire.FieldKey] != test.field {
				t.Errorf("reason %s for field %q, want %s for %q", reason.Reason, reason.Metadata[wire.FieldKey], test.reason, test.field)
			}
		})
	}
}

func TestDecodeEventAtTheEdges(t *testing.T) {
	got := wire.DecodeEvents(nil, []*pb.AccessEvent{{TimeUnixNano: math.MaxUint64, Outcome: 99}})[0]
	if got.Time != math.MaxInt64 {
		t.Errorf("a time that overflows became %d, want the far future", got.Time)
	}
	if got.Outcome != memberwatch.OutcomeUnspecified {
		t.Errorf("an outcome of a later contract became %d, want unspecified", got.Outcome)
	}
}

func TestGapCoversWhatWasLost(t *testing.T) {
	m := wire.EncodeGap(&memberwatch.Gap{Count: 3, Start: 1_999_999, End: 2_000_001})
	got := wire.DecodeGap(m)
	if want := (memberwatch.Gap{Count: 3, Start: 1_000_000, End: 3_000_000}); *got != want {
		t.Errorf("gap became %+v, want %+v", *got, want)
	}
	if far := wire.DecodeGap(&pb.Gap{StartUnixMs: math.MinInt64, EndUnixMs: math.MaxInt64}); far.Start > 0 || far.End < 0 {
		t.Errorf("times out of range wrapped around: %+v", far)
	}
	if wire.EncodeGap(nil) != nil || wire.DecodeGap(nil) != nil {
		t.Error("no gap became one")
	}
}

func TestDaysBeforeTheEpochCountDown(t *testing.T) {
	for seconds, want := range map[int64]int32{-86_401: -2, -86_400: -1, -1: -1, 0: 0, 86_399: 0, 86_400: 1} {
		q, err := wire.DecodeAccessQuery(&pb.QueryAccessRequest{Since: &timestamppb.Timestamp{Seconds: seconds}})
		if err != nil || q.SinceDay != want {
			t.Errorf("second %d lies in day %d (%v), want %d", seconds, q.SinceDay, err, want)
		}
	}
}
