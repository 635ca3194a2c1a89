package server

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/memberwatch/memberwatch"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

// maxRejects is how many rejected events an answer names; the others are counted.
const maxRejects = 32

// rejects collects the events that were refused.
type rejects struct {
	first    []*pb.RejectedEvent
	total    int64
	byReason map[string]int64
}

// screen blanks each event of a batch that breaks a bound, so that it uses up its sequence number and does nothing else,
// and notes it. Events before next were there already, and noted then.
func (r *rejects) screen(b *memberwatch.Batch, next, now int64) {
	for i := range b.Events {
		err := check(&b.Events[i], now)
		if err == nil {
			continue
		}
		b.Events[i] = memberwatch.Event{}
		if sequence := b.Base + int64(i); sequence >= next {
			r.add(sequence, err)
		}
	}
}

func (r *rejects) add(sequence int64, err error) {
	reason := "INVALID"
	if detailed, ok := errors.AsType[*memberwatch.ReasonError](err); ok {
		reason = detailed.Reason
	}
	if r.byReason == nil {
		r.byReason = make(map[string]int64)
	}
	r.byReason[reason]++
	r.total++
	if len(r.first) < maxRejects {
		r.first = append(r.first, &pb.RejectedEvent{Sequence: sequence, Reason: reason, Message: err.Error()})
	}
}

// merge takes in later rejects.
func (r *rejects) merge(later *rejects) {
	r.first = append(r.first, later.first[:min(len(later.first), maxRejects-len(r.first))]...)
	r.total += later.total
}

// count adds to the counters of the process.
func (r *rejects) count(c *counters) {
	for reason, n := range r.byReason {
		c.add(reason, n)
	}
}

// check validates an event, and its texts: the zero-copy decoder does not look whether they are UTF-8, but they are shown
// to people and travel in messages that must be.
func check(e *memberwatch.Event, now int64) error {
	if err := e.Validate(now); err != nil {
		return err
	}
	for _, text := range [...]string{string(e.App), string(e.Developer), e.Endpoint, e.Group, e.Credential, e.Network} {
		if !plain(text) {
			return notPlain(text)
		}
	}
	for _, class := range e.DataClasses {
		if !plain(class) {
			return notPlain(class)
		}
	}
	return nil
}

// plain tells whether a name is UTF-8 without control characters, which would garble terminals and logs.
func plain(name string) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case c < ' ' || c == 0x7f:
			return false
		case c > 0x7f:
			return utf8.ValidString(name[i:]) && strings.IndexFunc(name[i:], unicode.IsControl) < 0
		}
	}
	return true
}

func notPlain(name string) error {
	return &memberwatch.ReasonError{
		Kind: memberwatch.ErrInvalid, Reason: "NAME_NOT_TEXT",
		Message: fmt.Sprintf("name %q is not plain text", name), Hint: "send UTF-8 without control characters",
	}
}
