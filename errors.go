package memberwatch

import "errors"

// Kinds of errors. Packages wrap them with %w; only the server turns them into
// status codes.
var (
	// ErrInvalid means that the caller gave something that can never work.
	ErrInvalid = errors.New("invalid")
	// ErrNotFound means that a named thing does not exist.
	ErrNotFound = errors.New("not found")
	// ErrConflict means that somebody else changed the thing meanwhile.
	ErrConflict = errors.New("conflict")
	// ErrState means that the thing's present state forbids the move.
	ErrState = errors.New("forbidden in this state")
	// ErrUnavailable means that the service cannot answer now but may later.
	ErrUnavailable = errors.New("unavailable")
	// ErrUnidentified means that the caller did not prove who calls.
	ErrUnidentified = errors.New("not identified")
	// ErrDenied means that the caller may not do that.
	ErrDenied = errors.New("denied")
	// ErrExhausted means that a bounded resource, such as the disk, is full.
	ErrExhausted = errors.New("exhausted")
)

// ReasonError is an error with a stable reason for programs and a hint for
// people. It unwraps to its kind.
type ReasonError struct {
	// Kind is one of the kinds above.
	Kind error
	// Reason is the stable name in UPPER_SNAKE_CASE, at most 63 bytes.
	Reason string
	// Message says what is wrong, naming the thing and the value.
	Message string
	// Hint says how to mend it; it may be empty.
	Hint string
	// Metadata holds values for programs, such as next_sequence.
	Metadata map[string]string
}

// Error returns the message, followed by the hint if there is one.
func (e *ReasonError) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + " (" + e.Hint + ")"
}

// Unwrap returns the kind.
func (e *ReasonError) Unwrap() error { return e.Kind }
