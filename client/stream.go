package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/memberwatch/memberwatch"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

// openTimeout bounds how long a stream may take to be opened. A service that is
// just starting loads its state first.
const openTimeout = 20 * time.Second

// stream is one stream's life. Its run is the sender; receive runs beside it.
type stream struct {
	client    *Client
	rpc       grpc.BidiStreamingClient[pb.AppendEventsRequest, pb.AppendEventsResponse]
	began     time.Time
	maxEvents int
	received  chan error // the receiver's last word
	finished  bool       // nothing more will be sent: the client closes
	completed int64      // the newest completeness mark that this stream carried

	// Guarded by the client's lock.
	credit   int // bytes that may be sent without an acknowledgement
	draining bool
	progress bool // an acknowledgement covered something
	lastAck  time.Time
}

// drained asks the client to open another stream after a while.
type drained struct{ after time.Duration }

func (d drained) Error() string { return fmt.Sprintf("service asked to reconnect after %v", d.after) }

// run keeps a stream open until the client is closed or stopped for good.
func (c *Client) run(ctx context.Context) {
	defer close(c.done)
	for attempt := 0; ; attempt++ {
		s := &stream{client: c, began: time.Now(), received: make(chan error, 1)}
		err := s.run(ctx)
		if c.ended(ctx, err) {
			return
		}
		if s.progress || time.Since(s.began) > maxBackoff {
			attempt = 0
		}
		pause := pauseBefore(attempt, err)
		c.options.Logger.Warn("no stream to memberwatch", "target", c.options.Target, "producer", c.options.Producer, "error", err, "retry_in", pause)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			c.ended(ctx, err)
			return
		}
	}
}

// ended records why a stream broke and tells whether it was the last.
func (c *Client) ended(ctx context.Context, err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open, c.lastErr = false, err
	c.stopped = ctx.Err() != nil || c.closing && len(c.buffer.queue) == 0
	if !c.stopped && isFinal(err) {
		c.stopped, c.err = true, asReason(err)
	}
	c.broadcast()
	return c.stopped
}

// run opens the stream and sends until it breaks; nil means that the client
// closed it and the service agreed. Each stream has a connection of its own:
// it finds the service's present address, and nothing of an old stream lingers.
func (s *stream) run(ctx context.Context) error {
	o := &s.client.options
	conn, err := grpc.NewClient(o.Target, append([]grpc.DialOption{grpc.WithTransportCredentials(o.Credentials)}, o.DialOptions...)...)
	if err != nil {
		return &memberwatch.ReasonError{Kind: memberwatch.ErrInvalid, Reason: "TARGET_INVALID", Message: fmt.Sprintf("connect to %q: %v", o.Target, err)}
	}
	defer conn.Close() //nolint:errcheck // it only fails when called twice
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	opening := time.AfterFunc(openTimeout, func() {
		cancel(fmt.Errorf("no stream within %v: %w", openTimeout, context.DeadlineExceeded))
	})
	err = s.open(ctx, conn)
	opening.Stop()
	if err != nil {
		return explain(ctx, err)
	}
	var beside sync.WaitGroup
	beside.Go(func() { s.received <- s.receive() })
	beside.Go(func() { s.watch(ctx, cancel) })
	err = explain(ctx, s.send())
	cancel(err)
	beside.Wait()
	return err
}

// explain returns why we cancelled a context in place of the bare status that
// gRPC makes of it.
func explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// open introduces the producer and takes over where the service stands.
func (s *stream) open(ctx context.Context, conn *grpc.ClientConn) error {
	c := s.client
	rpc, err := pb.NewIngestServiceClient(conn).AppendEvents(ctx, grpc.ForceCodecV2(newCodec()))
	if err != nil {
		return err
	}
	s.rpc = rpc
	hello := &pb.OpenStream{Producer: string(c.options.Producer), InstanceId: c.options.InstanceID}
	err = rpc.Send(&pb.AppendEventsRequest{Message: &pb.AppendEventsRequest_Open{Open: hello}})
	if err != nil && !errors.Is(err, io.EOF) { // EOF: Recv knows why
		return err
	}
	answer, err := rpc.Recv()
	if err != nil {
		return unexpectedEOF(err)
	}
	opened := answer.GetOpened()
	if opened == nil || opened.GetNextSequence() < 1 || opened.GetCommittedSequence() >= opened.GetNextSequence() {
		return fmt.Errorf("service answered the opening of a stream with %v", answer)
	}
	return s.takeUp(opened)
}

// takeUp sets the client to where the service stands.
func (s *stream) takeUp(opened *pb.StreamOpened) error {
	c := s.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.buffer.resume(opened.GetNextSequence()); err != nil {
		return err
	}
	if err := c.buffer.ack(opened.GetCommittedSequence()); err != nil {
		return err
	}
	s.credit, s.lastAck = max(int(opened.GetMaxUnackedBytes()), 1), time.Now()
	s.maxEvents = max(int(opened.GetMaxBatchEvents()), 1)
	if c.opened {
		c.counters.Reconnects++
	} else {
		c.opened, c.counters.First = true, opened.GetNextSequence()
	}
	c.open = true
	c.broadcast()
	c.options.Logger.Info("stream to memberwatch is open", "target", c.options.Target, "producer", c.options.Producer,
		"epoch", opened.GetEpoch(), "next_sequence", opened.GetNextSequence())
	return nil
}

// step is what the sender does next: send a frame, wait, or end the stream.
type step struct {
	frame *frame
	wait  time.Duration // unless somebody wakes the sender
	end   bool
}

// idle is how long the sender sleeps when nothing is due; whatever happens
// meanwhile wakes it.
const idle = time.Hour

// send sends what is due until the stream ends.
func (s *stream) send() error {
	for {
		next := s.next()
		switch {
		case next.end:
			return s.finish()
		case next.frame != nil:
			if err := s.rpc.SendMsg(next.frame); errors.Is(err, io.EOF) {
				return unexpectedEOF(<-s.received)
			} else if err != nil {
				return err
			}
			continue
		}
		timer := time.NewTimer(next.wait)
		select {
		case <-s.client.wake:
		case <-timer.C:
		case err := <-s.received:
			return unexpectedEOF(err)
		}
		timer.Stop()
	}
}

// next decides the sender's next step.
func (s *stream) next() step {
	c := s.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.draining || s.finished {
		return step{end: true}
	}
	at, from := c.buffer.due(c.options.BatchDelay)
	if at == nil {
		return s.last()
	}
	if wait := time.Until(from); wait > 0 {
		return step{wait: wait}
	}
	if c.buffer.unacked == 0 {
		s.lastAck = time.Now() // patience begins with the first event in flight
	}
	f, ok := c.buffer.take(s.maxEvents, s.credit)
	if !ok {
		return step{wait: idle}
	}
	s.count(f)
	return step{frame: &f}
}

// last decides what follows when the cursor has reached the buffer's end: once
// the client closes and all is acknowledged, a gap that no event follows, then
// nothing more.
func (s *stream) last() step {
	c := s.client
	if c.complete > s.completed && (c.buffer.gap == nil || !c.closing) {
		s.completed = c.complete
		return step{frame: &frame{base: c.buffer.next, until: c.complete}}
	}
	if !c.closing || len(c.buffer.queue) > 0 {
		return step{wait: idle}
	}
	s.finished = true
	if gap := c.buffer.gap; gap != nil {
		c.buffer.gap = nil
		return step{frame: &frame{base: c.buffer.next, gap: gap, until: c.complete}}
	}
	return step{end: true}
}

// count keeps the counters of what was sent.
func (s *stream) count(f frame) {
	c := s.client
	end := f.base + int64(f.events) - 1
	c.counters.Sent += int64(f.events)
	c.counters.Resent += max(0, min(end, c.highest)-f.base+1)
	c.highest = max(c.highest, end)
}

// finish says goodbye and waits for the service's last word.
func (s *stream) finish() error {
	if err := s.rpc.CloseSend(); err != nil {
		return err
	}
	select {
	case err := <-s.received:
		if s.finished && errors.Is(err, io.EOF) {
			return nil
		}
		return unexpectedEOF(err)
	case <-time.After(openTimeout):
		return fmt.Errorf("service did not end the stream within %v: %w", openTimeout, context.DeadlineExceeded)
	}
}

// watch cancels the stream once events have been in flight for too long without
// any acknowledgement: the connection may be dead without either end knowing.
func (s *stream) watch(ctx context.Context, cancel context.CancelCauseFunc) {
	timeout := s.client.options.AckTimeout
	for left := timeout; left > 0; left = timeout - s.silence() {
		select {
		case <-time.After(left):
		case <-ctx.Done():
			return
		}
	}
	cancel(fmt.Errorf("no acknowledgement for %v: %w", timeout, context.DeadlineExceeded))
}

// silence returns for how long an acknowledgement has been due.
func (s *stream) silence() time.Duration {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	if s.client.buffer.unacked == 0 {
		return 0
	}
	return time.Since(s.lastAck)
}

// unexpectedEOF names the end of a stream that the service closed without
// being asked.
func unexpectedEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("service closed the stream: %w", io.ErrUnexpectedEOF)
	}
	return err
}
