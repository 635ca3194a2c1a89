package server

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/memberwatch/memberwatch"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

// appender is one producer's open stream. Three goroutines share it: one receives and appends, one waits for commits,
// and the handler's own, which alone sends, tells the producer about both and decides when the stream ends.
type appender struct {
	service  *ingestService
	stream   grpc.BidiStreamingServer[pb.AppendEventsRequest, pb.AppendEventsResponse]
	producer memberwatch.ProducerID
	epoch    int64
	acked    int64 // the newest committed sequence number sent; of the handler's goroutine

	nudge chan struct{} // something changed under mu that the handler should look at

	mu        sync.Mutex
	accepted  int64   // the last sequence number appended
	appending bool    // a batch is on its way into the monitor
	draining  bool    // no more batches are taken
	answer    bool    // a batch brought nothing new, so that no commit will answer it
	rejected  rejects // since the last ack
}

func newAppender(s *ingestService, g grpc.BidiStreamingServer[pb.AppendEventsRequest, pb.AppendEventsResponse], producer memberwatch.ProducerID, p memberwatch.Position) *appender {
	return &appender{
		service: s, stream: g, producer: producer, epoch: p.Epoch,
		acked: p.Committed, accepted: p.Next - 1, nudge: make(chan struct{}, 1),
	}
}

// commit is what a wait for a commit brought.
type commit struct {
	sequence int64
	err      error
}

// run serves the stream until the producer closes it and all it sent is acked, an error ends it, or it is drained.
func (a *appender) run(ctx context.Context, cancel context.CancelFunc) error {
	ended := make(chan error, 1)
	a.service.readers.Go(func() { ended <- a.read(ctx) })
	commits := make(chan commit)
	var waiter sync.WaitGroup
	after := a.acked
	waiter.Go(func() { a.waitCommits(ctx, after, commits) })
	defer waiter.Wait()
	defer cancel() // before the wait
	age := time.NewTimer(a.maxAge())
	defer age.Stop()

	shutdown, closed, drained := a.service.lifetime.Done(), false, false
	for {
		select {
		case c := <-commits:
			if c.err != nil {
				return c.err
			}
			if err := a.ack(c.sequence); err != nil {
				return err
			}
		case <-a.nudge:
			if a.wantsAnswer() {
				if err := a.ack(a.acked); err != nil {
					return err
				}
			}
		case err := <-ended:
			if err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			closed = err != nil
		case <-shutdown:
			shutdown, drained = nil, true
			a.drain()
		case <-age.C:
			drained = true
			a.drain()
		}
		if (closed || drained) && a.settled() {
			return a.finish(drained && !closed)
		}
	}
}

// read receives batches and appends them. It returns io.EOF when the producer closes the stream, and nil when the stream
// is drained.
func (a *appender) read(ctx context.Context) error {
	for {
		r := a.service.codec.NewAppendRequest()
		err := a.stream.RecvMsg(r)
		switch {
		case err != nil:
			r.Release()
			return err
		case r.Err != nil:
			err = r.Err
			r.Release()
			return err
		case r.Batch == nil:
			r.Release()
			return invalidField("message", "OPEN_REPEATED", "stream was opened twice", "send batches after OpenStream")
		}
		if more, err := a.append(ctx, r.Batch); err != nil || !more {
			return err
		}
	}
}

// append takes one batch. It returns false when the stream takes no more.
func (a *appender) append(ctx context.Context, b *memberwatch.Batch) (more bool, err error) {
	if len(b.Events) == 0 && b.Gap == nil && b.Complete == 0 { // a keep-alive
		b.Release()
		a.settle(func() { a.answer = true })
		return true, nil
	}
	if err := checkBatch(b); err != nil {
		b.Release()
		return false, err
	}
	last := b.Base + int64(len(b.Events)) - 1
	a.mu.Lock()
	next := a.accepted + 1
	if a.draining {
		a.mu.Unlock()
		b.Release()
		return false, nil
	}
	a.appending = true
	a.mu.Unlock()

	var bad rejects
	bad.screen(b, next, time.Now().UnixNano())
	err = a.service.ingester.Append(ctx, a.producer, a.epoch, b) // b is gone from here on
	if err == nil {
		bad.count(a.service.rejected)
	}
	a.settle(func() {
		a.appending = false
		if err == nil {
			a.answer = a.answer || last < next
			a.accepted = max(a.accepted, last)
			a.rejected.merge(&bad)
		}
	})
	return true, err
}

// settle changes what the handler looks at, and lets it look.
func (a *appender) settle(change func()) {
	a.mu.Lock()
	change()
	a.mu.Unlock()
	select {
	case a.nudge <- struct{}{}:
	default: // it has yet to look at the last change, and will see this one
	}
}

func checkBatch(b *memberwatch.Batch) error {
	if err := checkSequence(b.Base, len(b.Events)); err != nil {
		return err
	}
	if ahead := b.Complete - time.Now().UnixNano(); ahead > int64(memberwatch.MaxAhead) {
		return invalidField("complete_unix_nano", "COMPLETE_IN_FUTURE", fmt.Sprintf("batch is complete until %v ahead of the server", time.Duration(ahead)),
			"check the producer's clock")
	}
	if g := b.Gap; g != nil && (g.Count < 1 || g.Start > g.End) {
		return invalidField("gap", "GAP_INVALID", fmt.Sprintf("gap of %d events from %d to %d ns is not possible", g.Count, g.Start, g.End),
			"a gap has at least one event and does not end before it starts")
	}
	return nil
}

// waitCommits reports each commit after a sequence number until the first error, or until the stream ends.
func (a *appender) waitCommits(ctx context.Context, after int64, commits chan<- commit) {
	for {
		sequence, err := a.service.ingester.WaitCommitted(ctx, a.producer, a.epoch, after)
		select {
		case commits <- commit{sequence, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
		after = sequence
	}
}

// ack tells the producer what is durable and what was rejected.
func (a *appender) ack(committed int64) error {
	a.mu.Lock()
	bad := a.rejected
	a.rejected, a.answer = rejects{}, false
	a.mu.Unlock()
	a.acked = committed
	return a.send(&pb.AppendEventsResponse{Message: &pb.AppendEventsResponse_Ack{Ack: &pb.Ack{
		CommittedSequence: committed,
		Rejected:          bad.first,
		RejectedCount:     bad.total,
		MaxUnackedBytes:   a.service.options.MaxUnackedBytes,
	}}})
}

func (a *appender) send(m *pb.AppendEventsResponse) error { return a.stream.Send(m) }

// wantsAnswer tells whether an ack is due though nothing was committed.
func (a *appender) wantsAnswer() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.answer
}

// drain lets no further batch in.
func (a *appender) drain() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.draining = true
}

// settled tells whether all that was taken is acked.
func (a *appender) settled() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !a.appending && a.acked >= a.accepted
}

// finish sends what is left to say.
func (a *appender) finish(drained bool) error {
	a.mu.Lock()
	owes := a.rejected.total > 0 || a.answer
	a.mu.Unlock()
	if owes {
		if err := a.ack(a.acked); err != nil {
			return err
		}
	}
	if !drained {
		return nil
	}
	delay := a.service.options.ReconnectAfter
	return a.send(&pb.AppendEventsResponse{Message: &pb.AppendEventsResponse_Drain{Drain: &pb.Drain{ReconnectAfterMs: delay.Milliseconds()}}})
}

// maxAge shortens the oldest age of a stream by up to a tenth, so that producers that came together do not leave
// together. The producer's name decides, so it needs no random numbers.
func (a *appender) maxAge() time.Duration {
	age := a.service.options.MaxStreamAge
	h := fnv.New32a()
	fmt.Fprintf(h, "%s/%d", a.producer, a.epoch)
	return age - time.Duration(float64(age)/10*float64(h.Sum32()%1000)/1000)
}
