package server

import (
	"context"
	"errors"
	"maps"
	"strings"
	"time"
	"unicode"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/wire"
)

// Domain is the domain of all ErrorInfo details of this service.
const Domain = "memberwatch.dev"

// retryDelay is what a client is asked to wait where trying again may help.
const retryDelay = time.Second

// kinds gives each kind of error its code, and the reason of errors that bring none. This is the only place that chooses
// codes.
var kinds = []struct {
	kind   error
	code   codes.Code
	reason string
}{
	{memberwatch.ErrInvalid, codes.InvalidArgument, "INVALID"},
	{memberwatch.ErrNotFound, codes.NotFound, "NOT_FOUND"},
	{memberwatch.ErrConflict, codes.Aborted, "CONFLICT"},
	{memberwatch.ErrState, codes.FailedPrecondition, "FORBIDDEN_IN_THIS_STATE"},
	{memberwatch.ErrUnidentified, codes.Unauthenticated, "UNIDENTIFIED"},
	{memberwatch.ErrDenied, codes.PermissionDenied, "DENIED"},
	{memberwatch.ErrUnavailable, codes.Unavailable, "UNAVAILABLE"},
	{memberwatch.ErrExhausted, codes.ResourceExhausted, "EXHAUSTED"},
	{context.Canceled, codes.Canceled, "CANCELED"},
	{context.DeadlineExceeded, codes.DeadlineExceeded, "DEADLINE_EXCEEDED"},
}

// exceptions lists the reasons whose code or retry differ from those of their kind.
var exceptions = map[string]struct {
	code  codes.Code
	retry bool
}{
	"SEQUENCE_GAP":       {codes.OutOfRange, false}, // the client goes on from elsewhere
	"RESUME_EXPIRED":     {codes.OutOfRange, false}, // likewise
	"PRODUCER_BUSY":      {codes.Aborted, true},
	"MESSAGE_TOO_LARGE":  {codes.ResourceExhausted, false}, // it stays as large
	"TOO_MANY_PRODUCERS": {codes.ResourceExhausted, false}, // they stay as many
}

// toStatus turns an error into the status that goes over the wire: a code and always one ErrorInfo, a RetryInfo where
// trying again may help, a BadRequest where a field is to blame. Errors that are a status already came from gRPC itself
// and stay as they are.
func toStatus(err error) *status.Status {
	if s, ok := status.FromError(err); ok {
		return s
	}
	code, info := codes.Internal, &errdetails.ErrorInfo{Domain: Domain, Reason: "INTERNAL"}
	for _, k := range kinds {
		if errors.Is(err, k.kind) {
			code, info.Reason = k.code, k.reason
			break
		}
	}
	retry := code == codes.Unavailable || code == codes.ResourceExhausted
	details := []protoadapt.MessageV1{info}
	if reason, ok := errors.AsType[*memberwatch.ReasonError](err); ok {
		info.Reason, info.Metadata = reason.Reason, maps.Clone(reason.Metadata)
		if field := info.Metadata[wire.FieldKey]; field != "" {
			details = append(details, blame(field, reason))
		}
	}
	if e, ok := exceptions[info.Reason]; ok {
		code, retry = e.code, e.retry
	}
	if retry {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(retryDelay)})
	}
	s := status.New(code, err.Error())
	if detailed, err := s.WithDetails(details...); err == nil { // fails for code OK only
		s = detailed
	}
	return s
}

func blame(field string, reason *memberwatch.ReasonError) *errdetails.BadRequest {
	return &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
		{Field: field, Description: reason.Error(), Reason: reason.Reason},
	}}
}

// reasonOf returns the reason of a failed call for the counters: that of its ErrorInfo, else what gRPC itself meant.
func reasonOf(err error) string {
	s := status.Convert(err)
	for _, detail := range s.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	if s.Code() == codes.ResourceExhausted { // gRPC refuses nothing else for want of resources
		return "MESSAGE_TOO_LARGE"
	}
	return upperSnake(s.Code().String())
}

// upperSnake writes ResourceExhausted as RESOURCE_EXHAUSTED.
func upperSnake(camel string) string {
	var b strings.Builder
	for i, r := range camel {
		if i > 0 && unicode.IsUpper(r) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToUpper(r))
	}
	return b.String()
}

// invalidField says that a request can never work because of one field.
func invalidField(field, reason, message, hint string) error {
	return wire.InField(field, &memberwatch.ReasonError{Kind: memberwatch.ErrInvalid, Reason: reason, Message: message, Hint: hint})
}
