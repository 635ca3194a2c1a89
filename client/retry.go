package client

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/memberwatch/memberwatch"
)

// Bounds of the pause before another stream is tried.
const (
	minBackoff = 100 * time.Millisecond
	maxBackoff = 10 * time.Second
)

// pauseBefore returns how long to wait before the next stream: exponential with
// full jitter, so that the producers of a restarted service do not return in
// step, and never less than the service asked for.
func pauseBefore(attempt int, err error) time.Duration {
	bound := maxBackoff
	if attempt < 7 { // 100 ms << 7 exceeds 10 s
		bound = min(maxBackoff, minBackoff<<attempt)
	}
	return max(rand.N(bound), retryAfter(err))
}

// retryAfter returns the pause that the service asked for.
func retryAfter(err error) time.Duration {
	if d, ok := errors.AsType[drained](err); ok {
		return d.after
	}
	info := detail[*errdetails.RetryInfo](err)
	return info.GetRetryDelay().AsDuration()
}

// isFinal tells whether another stream would meet the same error: the caller
// must be told instead.
func isFinal(err error) bool {
	if _, ok := errors.AsType[*memberwatch.ReasonError](err); ok {
		return true // this client's own verdict
	}
	reason := detail[*errdetails.ErrorInfo](err).GetReason()
	if reason == "PRODUCER_FENCED" || reason == "PRODUCER_EXPIRED" {
		return true
	}
	switch status.Code(err) {
	case codes.Unauthenticated, codes.PermissionDenied, codes.InvalidArgument, codes.FailedPrecondition, codes.Unimplemented:
		return true
	case codes.ResourceExhausted:
		return detail[*errdetails.RetryInfo](err) == nil
	default:
		return false
	}
}

// detail returns the error's detail of a type, or nil.
func detail[T any](err error) (found T) {
	for _, d := range status.Convert(err).Details() {
		if d, ok := d.(T); ok {
			return d
		}
	}
	return found
}

// kinds maps status codes to the kinds of errors.
var kinds = map[codes.Code]error{
	codes.InvalidArgument:    memberwatch.ErrInvalid,
	codes.NotFound:           memberwatch.ErrNotFound,
	codes.Aborted:            memberwatch.ErrConflict,
	codes.FailedPrecondition: memberwatch.ErrState,
	codes.Unavailable:        memberwatch.ErrUnavailable,
	codes.ResourceExhausted:  memberwatch.ErrExhausted,
}

// asReason turns a status into the error that the service meant.
func asReason(err error) error {
	if _, ok := errors.AsType[*memberwatch.ReasonError](err); ok {
		return err
	}
	st := status.Convert(err)
	info := detail[*errdetails.ErrorInfo](err)
	kind, known := kinds[st.Code()]
	if !known {
		kind = fmt.Errorf("%s", st.Code())
	}
	return &memberwatch.ReasonError{Kind: kind, Reason: info.GetReason(), Message: st.Message(), Metadata: info.GetMetadata()}
}
