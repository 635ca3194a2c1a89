package store

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	"pgregory.net/rapid"
)

// TestReviewRecordsRoundTrip fills every field of every record of the review
// side: one that is forgotten in the encoding comes back empty.
func TestReviewRecordsRoundTrip(t *testing.T) {
	t.Run("case", func(t *testing.T) { roundTrip(t, encodeCase, decodeCase) })
	t.Run("triage", func(t *testing.T) { roundTrip(t, encodeTriage, decodeTriage) })
	t.Run("remediation", func(t *testing.T) { roundTrip(t, encodeRemediation, decodeRemediation) })
	t.Run("silence", func(t *testing.T) { roundTrip(t, encodeSilence, decodeSilence) })
	t.Run("label", func(t *testing.T) { roundTrip(t, encodeLabel, decodeLabel) })
	t.Run("token", func(t *testing.T) { roundTrip(t, encodeToken, decodeToken) })
	t.Run("event", func(t *testing.T) { roundTrip(t, encodeReviewEvent, decodeReviewEvent) })
}

func roundTrip[T any](t *testing.T, encode func(*T) []byte, decode func([]byte) (T, error)) {
	values := rapid.MakeCustom[T](rapid.MakeConfig{Types: map[reflect.Type]*rapid.Generator[any]{
		reflect.TypeFor[time.Time](): rapid.Custom(anyTime).AsAny(),
	}})
	rapid.Check(t, func(t *rapid.T) {
		want := values.Draw(t, "value")
		got, err := decode(encode(&want))
		if err != nil {
			t.Fatal(err)
		}
		// Printed, an empty list is equal to none: the records do not tell them apart.
		if a, b := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); a != b {
			t.Fatalf("got  %s\nwant %s", a, b)
		}
	})
}

// FuzzReviewRecords feeds damaged records: none may panic, and what decodes must
// encode to the same bytes.
func FuzzReviewRecords(f *testing.F) {
	f.Add(encodeCase(&memberwatch.Case{ID: "c1", Signals: []memberwatch.SignalID{"a"}, Effects: []memberwatch.Effect{{Kind: memberwatch.EffectLabel}}}))
	f.Add(encodeRemediation(&memberwatch.Remediation{ID: "r1"}))
	f.Add(encodeSilence(&memberwatch.Silence{ID: "s1", Bound: 3}))
	f.Add(encodeToken(&memberwatch.Token{ID: "t1", Roles: []memberwatch.Role{memberwatch.RoleLead}}))
	f.Add(encodeTriage(&memberwatch.Triage{Case: "c1"}))
	f.Fuzz(func(t *testing.T, record []byte) {
		if len(record) > frameBytes { // reach behind the checksum
			e := encoder{b: record[: len(record)-4 : len(record)-4]}
			record = e.seal()
		}
		again(t, record, encodeCase, decodeCase)
		again(t, record, encodeRemediation, decodeRemediation)
		again(t, record, encodeSilence, decodeSilence)
		again(t, record, encodeTriage, decodeTriage)
		again(t, record, encodeToken, decodeToken)
		again(t, record, encodeLabel, decodeLabel)
		again(t, record, encodeReviewEvent, decodeReviewEvent)
	})
}

func again[T any](t *testing.T, record []byte, encode func(*T) []byte, decode func([]byte) (T, error)) {
	value, err := decode(record)
	if err == nil && string(encode(&value)) != string(record) {
		t.Errorf("%T has two spellings: %x and %x", value, record, encode(&value))
	}
}
