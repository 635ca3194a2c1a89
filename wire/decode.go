package wire

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/memberwatch/memberwatch"
)

// FieldKey is the key in the metadata of a *memberwatch.ReasonError that names the message field to blame.
const FieldKey = "field"

// decoder keeps the first error of a message, so that the translation of its fields reads as one list.
type decoder struct{ err error }

// parse decodes one field of a message, and returns the zero value where that fails.
func parse[M, W any](d *decoder, field string, decode func(M) (W, error), message M) W {
	word, err := decode(message)
	if err != nil && d.err == nil {
		d.err = InField(field, err)
	}
	return word
}

// InField names the field to blame for an error, in its message and in its metadata under FieldKey.
func InField(field string, err error) error {
	reason, ok := errors.AsType[*memberwatch.ReasonError](err)
	if !ok {
		return fmt.Errorf("%s: %w", field, err)
	}
	blamed := *reason
	blamed.Message = field + ": " + reason.Message
	blamed.Metadata = maps.Clone(reason.Metadata)
	if blamed.Metadata == nil {
		blamed.Metadata = make(map[string]string)
	}
	blamed.Metadata[FieldKey] = field
	return &blamed
}

// optional lets a name be empty.
func optional[ID ~string](parseName func(string) (ID, error)) func(string) (ID, error) {
	return func(name string) (ID, error) {
		if name == "" {
			return "", nil
		}
		return parseName(name)
	}
}

// encodeTime returns nothing for the zero time.
func encodeTime(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// decodeTime returns the zero time for an absent one.
func decodeTime(t *timestamppb.Timestamp) (time.Time, error) {
	if t == nil {
		return time.Time{}, nil
	}
	if err := t.CheckValid(); err != nil {
		return time.Time{}, invalid("TIME_INVALID", fmt.Sprintf("time of %d s and %d ns is not valid", t.GetSeconds(), t.GetNanos()),
			"times lie between the years 1 and 9999")
	}
	return t.AsTime(), nil
}

// encodeNanos returns nothing for 0, which stands for a time that is not known.
func encodeNanos(nanos int64) *timestamppb.Timestamp {
	if nanos == 0 {
		return nil
	}
	return timestamppb.New(time.Unix(0, nanos))
}

// decodeNanos takes only times that 64 bits of nanoseconds can hold.
func decodeNanos(t *timestamppb.Timestamp) (int64, error) {
	at, err := decodeTime(t)
	if err != nil || t == nil {
		return 0, err
	}
	if at.Before(time.Unix(0, math.MinInt64)) || at.After(time.Unix(0, math.MaxInt64)) {
		return 0, invalid("TIME_INVALID", fmt.Sprintf("time %s is out of range", at.Format(time.RFC3339)),
			"event times lie between the years 1678 and 2261")
	}
	return at.UnixNano(), nil
}

func decodeDuration(d *durationpb.Duration) (time.Duration, error) {
	if d == nil {
		return 0, nil
	}
	if err := d.CheckValid(); err != nil || d.GetSeconds() != int64(d.AsDuration()/time.Second) {
		return 0, invalid("DURATION_INVALID", fmt.Sprintf("duration of %d s and %d ns is not valid", d.GetSeconds(), d.GetNanos()),
			"durations are shorter than 292 years, and their parts have one sign")
	}
	return d.AsDuration(), nil
}

// daySeconds is the length of a day; days count from the epoch, UTC.
const daySeconds = 24 * 60 * 60

func encodeDay(day int32) *timestamppb.Timestamp {
	return &timestamppb.Timestamp{Seconds: int64(day) * daySeconds}
}

// decodeDay returns the UTC day that holds a time, and 0 for an absent one.
func decodeDay(t *timestamppb.Timestamp) (int32, error) {
	at, err := decodeTime(t)
	if err != nil || t == nil {
		return 0, err
	}
	seconds := at.Unix()
	day := seconds / daySeconds
	if seconds%daySeconds < 0 {
		day-- // division cuts towards zero, days before the epoch go the other way
	}
	return int32(day), nil
}

// count carries a counter over; one that has outgrown the contract's type stays at its end.
func count(n uint64) int64 { return int64(min(n, math.MaxInt64)) }

func invalid(reason, message, hint string) error {
	return &memberwatch.ReasonError{Kind: memberwatch.ErrInvalid, Reason: reason, Message: message, Hint: hint}
}
