package client_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/client"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

// bubble runs a test in fake time, with a service that it may set up first.
func bubble(t *testing.T, test func(t *testing.T, s *service)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, &service{}) })
}

func newClient(t *testing.T, o client.Options) *client.Client {
	t.Helper()
	c, err := client.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
		cancel() // tests that care have closed it before
		_ = c.Close(ctx)
	})
	return c
}

func event(app string) memberwatch.Event {
	return memberwatch.Event{App: memberwatch.AppID(app), Time: 1_700_000_000_000_000_000, Disclosed: []uint64{1, 2, 3}}
}

func appendAll(t *testing.T, c *client.Client, n int) []string {
	t.Helper()
	var want []string
	for i := range n {
		app := fmt.Sprintf("app-%d", i)
		if err := c.Append(t.Context(), event(app)); err != nil {
			t.Fatalf("append %d: %v", i, err)
		}
		want = append(want, app)
	}
	return want
}

// TestExactlyOnce breaks streams in every way at random moments: what the
// service ends up with is what was appended, once and in order.
func TestExactlyOnce(t *testing.T) {
	for seed := range uint64(150) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			bubble(t, func(t *testing.T, s *service) {
				random := rand.New(rand.NewPCG(seed, 1))
				troubles := 5 + random.IntN(40)
				s.script = func(batch int) act {
					if batch < troubles {
						return act(random.IntN(int(acts)))
					}
					return ackIt
				}
				if random.IntN(2) == 0 {
					s.limits.bytes, s.limits.events = 1+random.IntN(2000), 1+random.IntN(20)
				}
				o := s.start(t)
				o.BatchEvents = 1 + random.IntN(30)
				o.MaxBufferedBytes = 500 + random.IntN(5000)
				c := newClient(t, o)
				want := appendAll(t, c, 500)
				if err := c.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := s.got(); !slices.Equal(got, want) {
					t.Errorf("service got %d events, %d were appended, or in another order: %v", len(got), len(want), got)
				}
				if st := c.Stats(); st.Acked != 500 || st.Appended != 500 || st.BufferedBytes != 0 || st.Sent != 500+st.Resent {
					t.Errorf("stats %+v", st)
				}
			})
		})
	}
}

// TestCredit holds every ack back: the client must not send more than the
// service takes, in bytes or in events of one batch.
func TestCredit(t *testing.T) {
	bubble(t, func(t *testing.T, s *service) {
		s.limits.bytes, s.limits.events = 1000, 7
		s.script = func(int) act { return holdIt }
		c := newClient(t, s.start(t))
		appendAll(t, c, 200)
		time.Sleep(time.Second)
		sent := c.Stats().Sent
		if perEvent := c.Stats().BufferedBytes / 200; sent == 0 || sent*perEvent > 1000 {
			t.Errorf("sent %d events of %d bytes with a credit of 1,000", sent, perEvent)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.batches < 2 || int64(s.batches) < sent/7 {
			t.Errorf("%d events came in %d batches of at most 7", sent, s.batches)
		}
	})
}

func TestFreshProcessGoesOn(t *testing.T) {
	bubble(t, func(t *testing.T, s *service) {
		o := s.start(t)
		first := newClient(t, o)
		want := appendAll(t, first, 3)
		if err := first.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		second := newClient(t, o)
		next, err := second.Ready(t.Context())
		if err != nil || next != 4 {
			t.Fatalf("second process begins at %d, %v; want 4", next, err)
		}
		want = append(want, appendAll(t, second, 2)...)
		if err := second.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := s.got(); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if st := second.Stats(); st.Acked != 2 || st.Committed != 5 || !st.Connected {
			t.Errorf("stats %+v", st)
		}
	})
}

// TestStops lists what no retry mends: Append, Flush and Err report it.
func TestStops(t *testing.T) {
	for _, tt := range []struct {
		name, reason string
		err          error
		kind         error
	}{
		{"fenced", "PRODUCER_FENCED", failure(codes.Aborted, "PRODUCER_FENCED", 0), memberwatch.ErrConflict},
		{"expired", "PRODUCER_EXPIRED", failure(codes.FailedPrecondition, "PRODUCER_EXPIRED", 0), memberwatch.ErrState},
		{"invalid", "PRODUCER_INVALID", failure(codes.InvalidArgument, "PRODUCER_INVALID", 0), memberwatch.ErrInvalid},
		{"too large", "MESSAGE_TOO_LARGE", failure(codes.ResourceExhausted, "MESSAGE_TOO_LARGE", 0), memberwatch.ErrExhausted},
		{"not an ingest service", "", status.Error(codes.Unimplemented, "unknown service"), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *service) {
				s.refuse = func(int) error { return tt.err }
				c := newClient(t, s.start(t))
				appendAll(t, c, 1)
				flushErr := c.Flush(t.Context())
				reason, ok := errors.AsType[*memberwatch.ReasonError](flushErr)
				if !ok || reason.Reason != tt.reason || tt.kind != nil && !errors.Is(flushErr, tt.kind) {
					t.Errorf("flush: %v, want %s", flushErr, tt.reason)
				}
				if err := c.Append(t.Context(), event("later")); !errors.Is(err, flushErr) {
					t.Errorf("append: %v, want %v", err, flushErr)
				}
				if err := c.Err(); !errors.Is(err, flushErr) {
					t.Errorf("err: %v, want %v", err, flushErr)
				}
				if s.streams != 1 {
					t.Errorf("%d streams were tried", s.streams)
				}
				if err := c.Close(t.Context()); err == nil || !strings.Contains(err.Error(), "1 events are not acknowledged") {
					t.Errorf("close: %v", err)
				}
			})
		})
	}
}

// TestDiverged stops a client whose service forgot acknowledged events, or
// knows events it never sent: going on would lose or double some silently.
func TestDiverged(t *testing.T) {
	for _, next := range []int64{2, 9} {
		t.Run(fmt.Sprint("next=", next), func(t *testing.T) {
			bubble(t, func(t *testing.T, s *service) {
				s.script = func(batch int) act { return []act{drain, ackIt}[min(batch, 1)] }
				s.opened = func(o *pb.StreamOpened) {
					if s.streams == 2 {
						o.CommittedSequence, o.NextSequence = next-1, next
					}
				}
				c := newClient(t, s.start(t))
				appendAll(t, c, 5)
				if err := c.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				reason, ok := errors.AsType[*memberwatch.ReasonError](c.Err())
				if !ok || reason.Reason != "PRODUCER_DIVERGED" {
					t.Errorf("err %v", c.Err())
				}
			})
		})
	}
}

// TestBackoff measures the pauses between streams that are refused: random, up
// to twice as long each time, never beyond 10 s.
func TestBackoff(t *testing.T) {
	bubble(t, func(t *testing.T, s *service) {
		s.refuse = func(stream int) error {
			if stream > 30 {
				return nil
			}
			return failure(codes.Unavailable, "STARTING", 0)
		}
		c := newClient(t, s.start(t))
		if _, err := c.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		var sum time.Duration
		for i := range s.openTimes[1:] {
			pause := s.openTimes[i+1].Sub(s.openTimes[i])
			if bound := min(10*time.Second, 100*time.Millisecond<<min(i, 10)); pause > bound {
				t.Errorf("pause %d is %v, its bound is %v", i, pause, bound)
			}
			sum += pause
		}
		// 23 pauses at the full bound average 5 s each; 40 s is 4 standard deviations below their sum.
		if sum < 40*time.Second {
			t.Errorf("30 refusals within %v", sum)
		}
	})
}

func TestHonoursRetryInfo(t *testing.T) {
	bubble(t, func(t *testing.T, s *service) {
		s.refuse = func(stream int) error {
			if stream == 1 {
				return failure(codes.ResourceExhausted, "STORAGE_FULL", 7*time.Second)
			}
			return nil
		}
		c := newClient(t, s.start(t))
		if _, err := c.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		if pause := s.openTimes[1].Sub(s.openTimes[0]); pause < 7*time.Second {
			t.Errorf("reconnected after %v", pause)
		}
	})
}

func TestSilentServiceIsLeft(t *testing.T) {
	bubble(t, func(t *testing.T, s *service) {
		s.script = func(batch int) act { return []act{silent, ackIt}[min(batch, 1)] }
		c := newClient(t, s.start(t))
		began := time.Now()
		appendAll(t, c, 1)
		time.Sleep(59 * time.Second)
		appendAll(t, c, 1) // more events do not start the patience anew
		s.mu.Lock()
		s.script = func(int) act { return ackIt }
		s.mu.Unlock()
		if err := c.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if after := time.Since(began); after > 2*time.Minute {
			t.Errorf("flushed after %v", after)
		}
	})
}

func TestBlock(t *testing.T) {
	bubble(t, func(t *testing.T, s *service) {
		release := false
		s.script = func(int) act { return holdIt }
		s.refuse = func(int) error {
			if !release {
				return failure(codes.Unavailable, "DOWN", 0)
			}
			return nil
		}
		o := s.start(t)
		o.MaxBufferedBytes, o.BlockTimeout = 1000, 3*time.Second
		c := newClient(t, o)
		kept := 0
		began := time.Now()
		for {
			if err := c.Append(t.Context(), event("a")); err != nil {
				if !errors.Is(err, client.ErrFull) || !errors.Is(err, memberwatch.ErrExhausted) {
					t.Errorf("append: %v", err)
				}
				break
			}
			kept++
		}
		if waited := time.Since(began); waited != 3*time.Second {
			t.Errorf("blocked for %v", waited)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Append(ctx, event("b")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("append: %v, want the context's error", err)
		}
		s.mu.Lock()
		release, s.script = true, nil
		s.mu.Unlock()
		if err := c.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := s.got(); len(got) != kept || slices.Contains(got, "b") {
			t.Errorf("%d events were kept, the service got %v", kept, got)
		}
	})
}

// TestDrop fills the buffer while the service is away: the newest events
// survive, and the service learns how many did not.
func TestDrop(t *testing.T) {
	bubble(t, func(t *testing.T, s *service) {
		s.refuse = func(stream int) error {
			if stream < 6 {
				return failure(codes.Unavailable, "DOWN", time.Second)
			}
			return nil
		}
		o := s.start(t)
		o.MaxBufferedBytes, o.BatchBytes, o.Policy = 1000, 200, client.Drop
		c := newClient(t, o)
		want := appendAll(t, c, 300)
		if err := c.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := s.got()
		if len(got) == 0 || len(got) > 40 || !slices.Equal(got, want[300-len(got):]) {
			t.Errorf("service got %v", got)
		}
		if dropped := c.Stats().Dropped; dropped != s.gaps || dropped+int64(len(got)) != 300 {
			t.Errorf("dropped %d, gap marks say %d, %d of 300 arrived", dropped, s.gaps, len(got))
		}
	})
}

// TestDropWhileInFlight fills the buffer with events that were sent but never
// acknowledged: they may be durable already, so the new one must go.
func TestDropWhileInFlight(t *testing.T) {
	bubble(t, func(t *testing.T, s *service) {
		s.script = func(int) act { return holdIt }
		o := s.start(t)
		o.MaxBufferedBytes, o.Policy = 1000, client.Drop
		c := newClient(t, o)
		kept := 0
		for range 100 {
			time.Sleep(time.Second / 4) // each is sent before the next comes
			switch err := c.Append(t.Context(), event(fmt.Sprint("app-", kept))); {
			case err == nil:
				kept++
			case !errors.Is(err, client.ErrFull):
				t.Fatal(err)
			}
		}
		if err := c.Close(t.Context()); err == nil { // holdIt acks only at the end of the stream
			t.Log("closed")
		}
		if dropped := c.Stats().Dropped; dropped == 0 || dropped != int64(100-kept) {
			t.Errorf("dropped %d, kept %d of 100", dropped, kept)
		}
		if got := s.got(); len(got) != kept {
			t.Errorf("kept %d, service got %d", kept, len(got))
		}
	})
}

func TestRejections(t *testing.T) {
	bubble(t, func(t *testing.T, s *service) {
		s.script = func(int) act { return rejectOne }
		o := s.start(t)
		var seen []client.Rejection
		o.OnRejected = func(r client.Rejection) { seen = append(seen, r) }
		c := newClient(t, o)
		appendAll(t, c, 2)
		if err := c.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(seen) != 1 || seen[0].Reason != "EVENT_IN_FUTURE" || seen[0].Sequence != 1 || c.Stats().Rejected != 1 {
			t.Errorf("rejections %+v, stats %+v", seen, c.Stats())
		}
	})
}

func TestAppendRefuses(t *testing.T) {
	bubble(t, func(t *testing.T, s *service) {
		o := s.start(t)
		o.MaxBufferedBytes = 100
		c := newClient(t, o)
		if err := c.Append(t.Context(), event("")); !errors.Is(err, memberwatch.ErrInvalid) {
			t.Errorf("event without app: %v", err)
		}
		if err := c.Append(t.Context(), event(strings.Repeat("a", 200))); !errors.Is(err, memberwatch.ErrInvalid) {
			t.Errorf("event larger than the buffer: %v", err)
		}
		if err := c.Close(t.Context()); err != nil {
			t.Errorf("close: %v", err)
		}
		if err := c.Append(t.Context(), event("late")); !errors.Is(err, client.ErrClosed) {
			t.Errorf("append after close: %v", err)
		}
	})
	if _, err := client.New(client.Options{}); !errors.Is(err, memberwatch.ErrInvalid) {
		t.Errorf("client without a producer: %v", err)
	}
}

func TestNobodyListens(t *testing.T) {
	c := newClient(t, client.Options{Target: "127.0.0.1:1", Producer: "gw-1"})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := c.Ready(ctx); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("ready: %v, want to hear that the connection was refused", err)
	}
}

// TestAppendAllocates pins the cost of keeping an event: the buffer's bytes,
// which are allocated a batch at a time.
func TestAppendAllocates(t *testing.T) {
	c := newClient(t, client.Options{Target: "127.0.0.1:1", Producer: "gw-1"})
	ev := event("app")
	allocated := testing.AllocsPerRun(20_000, func() {
		if err := c.Append(t.Context(), ev); err != nil {
			t.Fatal(err)
		}
	})
	if allocated > 0 {
		t.Errorf("%v allocations per event", allocated)
	}
}
