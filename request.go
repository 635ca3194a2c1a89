package memberwatch

import (
	"context"
	"fmt"
	"time"
)

// Request is a call that may come again because its answer was lost. Under one id
// it has its effect once, and every repetition is given the first answer. The zero
// value is a call that does not say so.
type Request struct {
	ID    string
	Print uint64 // of method, person and all that was asked: a repetition has the same
}

// RequestTTL is how long the answer of a request is kept.
const RequestTTL = 24 * time.Hour

// Validate checks that the id is a UUID, as AIP-155 asks.
func (r *Request) Validate() error {
	ok := len(r.ID) == 36
	for i := 0; i < len(r.ID) && ok; i++ {
		switch c := r.ID[i]; i {
		case 8, 13, 18, 23:
			ok = c == '-'
		default:
			ok = c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f'
		}
	}
	if ok {
		return nil
	}
	return &ReasonError{
		Kind: ErrInvalid, Reason: "REQUEST_ID_INVALID", Message: fmt.Sprintf("request id %q is no UUID", r.ID),
		Hint: "send a random one such as 6f1e2a54-0b7c-4d7e-9a41-3c2f6b8d9e10, or none",
	}
}

// requestKey is the key of the request in a context.
type requestKey struct{}

// WithRequest returns a context in which a request is answered.
func WithRequest(ctx context.Context, r Request) context.Context {
	return context.WithValue(ctx, requestKey{}, r)
}

// RequestIn returns the request that is answered in a context.
func RequestIn(ctx context.Context) Request {
	r, _ := ctx.Value(requestKey{}).(Request)
	return r
}
