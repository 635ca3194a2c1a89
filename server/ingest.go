package server

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/memberwatch/memberwatch"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/wire"
)

// Ingester takes producers' events in sequence.
type Ingester interface {
	// OpenProducer begins a producer's next stream, which ends the older one with PRODUCER_FENCED, and says where to go
	// on. The instance names the caller's process for people.
	OpenProducer(ctx context.Context, producer memberwatch.ProducerID, instance string) (memberwatch.Position, error)
	// Append takes a batch of the producer's open stream, and blocks while too much waits. It sees to it that the batch is
	// released exactly once, whatever it returns.
	Append(ctx context.Context, producer memberwatch.ProducerID, epoch int64, b *memberwatch.Batch) error
	// WaitCommitted waits until events beyond a sequence number are durable, and returns up to which all are.
	WaitCommitted(ctx context.Context, producer memberwatch.ProducerID, epoch, after int64) (int64, error)
	// CloseProducer ends a stream.
	CloseProducer(producer memberwatch.ProducerID, epoch int64)
}

// ingestService serves IngestService.
type ingestService struct {
	pb.UnimplementedIngestServiceServer
	ingester Ingester
	codec    *wire.Codec
	options  Options
	rejected *counters
	lifetime context.Context // ends when the server shuts down
	readers  sync.WaitGroup  // goroutines that receive; one may outlive its handler by moments

	mu   sync.Mutex
	busy map[memberwatch.ProducerID]int // streams and unary calls under way
}

// AppendEvents serves one producer's stream.
func (s *ingestService) AppendEvents(g grpc.BidiStreamingServer[pb.AppendEventsRequest, pb.AppendEventsResponse]) error {
	ctx, cancel := context.WithCancel(g.Context())
	defer cancel()
	open, err := s.receiveOpen(ctx, g)
	if err != nil {
		return err
	}
	producer := memberwatch.ProducerID(open.GetProducer())
	if err := checkOpen(open); err != nil {
		return err
	}
	s.enter(producer)
	defer s.leave(producer)
	position, err := s.ingester.OpenProducer(ctx, producer, open.GetInstanceId())
	if err != nil {
		return err
	}
	defer s.ingester.CloseProducer(producer, position.Epoch)
	opened := &pb.StreamOpened{
		CommittedSequence: position.Committed,
		NextSequence:      position.Next,
		Epoch:             position.Epoch,
		MaxUnackedBytes:   s.options.MaxUnackedBytes,
		MaxBatchEvents:    int32(s.options.MaxBatchEvents),
	}
	if err := g.Send(&pb.AppendEventsResponse{Message: &pb.AppendEventsResponse_Opened{Opened: opened}}); err != nil {
		return err
	}
	return newAppender(s, g, producer, position).run(ctx, cancel)
}

// openTimeout is how long a stream may take to say who it is.
const openTimeout = 10 * time.Second

// receiveOpen waits for the first message.
func (s *ingestService) receiveOpen(ctx context.Context, g grpc.ServerStream) (*pb.OpenStream, error) {
	type result struct {
		open *pb.OpenStream
		err  error
	}
	first := make(chan result, 1)
	s.readers.Go(func() {
		r := s.codec.NewAppendRequest()
		defer r.Release()
		if err := g.RecvMsg(r); err != nil {
			first <- result{err: err}
			return
		}
		first <- result{r.Open, r.Err}
	})
	timeout := time.NewTimer(openTimeout)
	defer timeout.Stop()
	select {
	case r := <-first:
		if r.err == nil && r.open == nil {
			r.err = invalidField("message", "OPEN_MISSING", "stream began without open", "send OpenStream first")
		}
		return r.open, r.err
	case <-timeout.C:
		return nil, invalidField("message", "OPEN_MISSING", fmt.Sprintf("stream has sent nothing in %s", openTimeout), "send OpenStream first")
	case <-s.lifetime.Done():
		return nil, shuttingDown()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// WriteEvents appends one batch and waits until it is durable. Its message takes gRPC's own codec: the generated handler
// leaves no place for a buffer's reference, and cron jobs need no speed.
func (s *ingestService) WriteEvents(ctx context.Context, r *pb.WriteEventsRequest) (*pb.WriteEventsResponse, error) {
	producer := memberwatch.ProducerID(r.GetProducer())
	if err := s.checkWrite(r); err != nil {
		return nil, err
	}
	if !s.enterAlone(producer) {
		return nil, &memberwatch.ReasonError{
			Kind: memberwatch.ErrConflict, Reason: "PRODUCER_BUSY",
			Message: fmt.Sprintf("producer %q has a stream or another call under way", producer), Hint: "use a producer name of its own, or wait",
		}
	}
	defer s.leave(producer)
	position, err := s.ingester.OpenProducer(ctx, producer, "")
	if err != nil {
		return nil, err
	}
	defer s.ingester.CloseProducer(producer, position.Epoch)

	batch := &memberwatch.Batch{Base: r.GetBaseSequence(), Events: wire.DecodeEvents(nil, r.GetEvents())}
	if batch.Base == 0 {
		batch.Base = position.Next
	}
	last := batch.Base + int64(len(batch.Events)) - 1
	var bad rejects
	bad.screen(batch, position.Next, time.Now().UnixNano())
	if err := s.ingester.Append(ctx, producer, position.Epoch, batch); err != nil {
		return nil, err
	}
	bad.count(s.rejected)
	committed := position.Committed
	for committed < last {
		if committed, err = s.ingester.WaitCommitted(ctx, producer, position.Epoch, committed); err != nil {
			return nil, err
		}
	}
	return &pb.WriteEventsResponse{CommittedSequence: committed, Rejected: bad.first, RejectedCount: bad.total}, nil
}

func (s *ingestService) checkWrite(r *pb.WriteEventsRequest) error {
	if err := checkProducer(r.GetProducer()); err != nil {
		return err
	}
	if len(r.GetEvents()) > s.options.MaxBatchEvents {
		return wire.InField("events", wire.TooManyEvents(len(r.GetEvents()), s.options.MaxBatchEvents))
	}
	if size := r.SizeVT(); size > s.options.MaxMessageBytes {
		return wire.TooLarge(size, s.options.MaxMessageBytes)
	}
	if r.GetBaseSequence() == 0 {
		return nil
	}
	return checkSequence(r.GetBaseSequence(), len(r.GetEvents()))
}

// checkSequence refuses sequence numbers that no stream can have.
func checkSequence(base int64, events int) error {
	if base < 1 || base > math.MaxInt64-int64(events) {
		return invalidField("base_sequence", "SEQUENCE_INVALID", fmt.Sprintf("base sequence %d is not possible", base), "sequence numbers count events from 1")
	}
	return nil
}

// maxProducerBytes bounds the names of producers and of their instances.
const maxProducerBytes = 128

func checkOpen(open *pb.OpenStream) error {
	if len(open.GetInstanceId()) > maxProducerBytes {
		return invalidField("instance_id", "INSTANCE_INVALID", fmt.Sprintf("instance id has %d bytes, the limit is %d", len(open.GetInstanceId()), maxProducerBytes), "")
	}
	return checkProducer(open.GetProducer())
}

func checkProducer(name string) error {
	strange := strings.IndexFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-/", r)
	})
	if name == "" || len(name) > maxProducerBytes || strange >= 0 {
		return invalidField("producer", "PRODUCER_INVALID", fmt.Sprintf("producer name %q is not possible", name),
			fmt.Sprintf("use 1 to %d letters, digits and . _ - /", maxProducerBytes))
	}
	return nil
}

// enter notes that a producer has a stream.
func (s *ingestService) enter(producer memberwatch.ProducerID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy[producer]++
}

// enterAlone notes that a producer is at work if nothing else of it is.
func (s *ingestService) enterAlone(producer memberwatch.ProducerID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[producer] > 0 {
		return false
	}
	s.busy[producer]++
	return true
}

func (s *ingestService) leave(producer memberwatch.ProducerID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[producer]--; s.busy[producer] == 0 {
		delete(s.busy, producer)
	}
}

func shuttingDown() error {
	return &memberwatch.ReasonError{
		Kind: memberwatch.ErrUnavailable, Reason: "SHUTTING_DOWN", Message: "the service is shutting down", Hint: "reconnect",
	}
}
