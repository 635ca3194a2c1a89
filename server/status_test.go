package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/memberwatch/memberwatch"
)

func TestToStatus(t *testing.T) {
	reason := func(kind error, name string) error {
		return fmt.Errorf("wrapped: %w", &memberwatch.ReasonError{Kind: kind, Reason: name, Message: "it is so", Hint: "mend it"})
	}
	for name, test := range map[string]struct {
		err    error
		code   codes.Code
		reason string
		retry  bool
	}{
		"invalid":        {reason(memberwatch.ErrInvalid, "A"), codes.InvalidArgument, "A", false},
		"not found":      {reason(memberwatch.ErrNotFound, "A"), codes.NotFound, "A", false},
		"state":          {reason(memberwatch.ErrState, "A"), codes.FailedPrecondition, "A", false},
		"unavailable":    {reason(memberwatch.ErrUnavailable, "A"), codes.Unavailable, "A", true},
		"full disk":      {reason(memberwatch.ErrExhausted, "STORAGE_FULL"), codes.ResourceExhausted, "STORAGE_FULL", true},
		"oversized":      {reason(memberwatch.ErrExhausted, "MESSAGE_TOO_LARGE"), codes.ResourceExhausted, "MESSAGE_TOO_LARGE", false},
		"fenced":         {reason(memberwatch.ErrConflict, "PRODUCER_FENCED"), codes.Aborted, "PRODUCER_FENCED", false},
		"busy":           {reason(memberwatch.ErrConflict, "PRODUCER_BUSY"), codes.Aborted, "PRODUCER_BUSY", true},
		"gap":            {reason(memberwatch.ErrInvalid, "SEQUENCE_GAP"), codes.OutOfRange, "SEQUENCE_GAP", false},
		"expired":        {reason(memberwatch.ErrInvalid, "RESUME_EXPIRED"), codes.OutOfRange, "RESUME_EXPIRED", false},
		"bare kind":      {fmt.Errorf("app %q: %w", "x", memberwatch.ErrNotFound), codes.NotFound, "NOT_FOUND", false},
		"gave up":        {fmt.Errorf("wait: %w", context.Canceled), codes.Canceled, "CANCELED", false},
		"too slow":       {context.DeadlineExceeded, codes.DeadlineExceeded, "DEADLINE_EXCEEDED", false},
		"anything else":  {errors.New("disk on fire"), codes.Internal, "INTERNAL", false},
		"status already": {status.Error(codes.Unimplemented, "no"), codes.Unimplemented, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := toStatus(test.err)
			expect(t, s.Err(), test.code, test.reason)
			retry := false
			for _, detail := range s.Details() {
				if r, ok := detail.(*errdetails.RetryInfo); ok {
					retry = r.GetRetryDelay().AsDuration() > 0
				}
			}
			if retry != test.retry {
				t.Errorf("asks to try again: %v, want %v", retry, test.retry)
			}
		})
	}
}

func TestListenOnThisMachineOnly(t *testing.T) {
	for address, want := range map[string]string{
		"127.0.0.1:0": "",
		"127.1.2.3:0": "",
		"localhost:0": "",
		"unix:" + filepath.Join(t.TempDir(), "s"): "",
		":0":             "ADDRESS_NOT_LOCAL",
		"0.0.0.0:0":      "ADDRESS_NOT_LOCAL",
		"[::]:0":         "ADDRESS_NOT_LOCAL",
		"192.0.2.1:7443": "ADDRESS_NOT_LOCAL",
		"localhost":      "ADDRESS_INVALID",
	} {
		t.Run(strings.ReplaceAll(address, "/", "_"), func(t *testing.T) {
			lis, err := Listen(t.Context(), address, false)
			if lis != nil {
				defer closeQuietly(lis)
			}
			reason, _ := errors.AsType[*memberwatch.ReasonError](err)
			switch {
			case want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case want != "" && (reason == nil || reason.Reason != want || reason.Hint == ""):
				t.Errorf("error is %v, want %s with a hint", err, want)
			}
		})
	}
}

func TestServeRefusesAListenerThatOthersReach(t *testing.T) {
	lis, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer closeQuietly(lis)
	if err := start(t, Options{}).server.Serve(lis); !errors.Is(err, memberwatch.ErrInvalid) {
		t.Errorf("served on %s: %v", lis.Addr(), err)
	}
}

func TestConnectionsBeyondTheBoundWait(t *testing.T) {
	inner, err := Listen(t.Context(), "127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	lis := bound(inner, 1)
	accepted := make(chan net.Conn, 3)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := lis.Accept()
			if err != nil {
				return
			}
			accepted <- conn
		}
	}()
	for range 2 {
		conn, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer closeQuietly(conn)
	}
	first := <-accepted
	select {
	case <-accepted:
		t.Error("two connections where one is allowed")
	case <-time.After(50 * time.Millisecond):
	}
	closeQuietly(first)
	closeQuietly(first) // gives one place back, not two
	second := <-accepted
	if len(lis.(*boundedListener).places) != 1 {
		t.Error("a place was given back twice")
	}
	if err := lis.Close(); err != nil {
		t.Fatal(err)
	}
	<-done // Accept, which waits for a place, has ended
	closeQuietly(second)
}

// closeQuietly closes what the test has no more use for.
func closeQuietly(c io.Closer) { _ = c.Close() }
