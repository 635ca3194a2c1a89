package throughput

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"

	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

// stream is one producer's. It sends batches that are encoded already, so that
// the sender costs little beside what it measures.
type stream struct {
	rpc     grpc.BidiStreamingClient[pb.AppendEventsRequest, pb.AppendEventsResponse]
	conn    *grpc.ClientConn
	pool    []*batch
	turn    int   // of the pool's next batch
	next    int64 // sequence number of the next event
	clock   time.Time
	step    time.Duration // between two events
	credit  int           // bytes that may be on their way
	receive sync.WaitGroup

	mu        sync.Mutex
	acked     int64
	inFlight  []flight
	bytes     int // in flight
	latencies []time.Duration
	err       error
	changed   *sync.Cond
}

// flight is a batch that is not acknowledged yet.
type flight struct {
	last  int64
	bytes int
	sent  time.Time
}

// open connects and opens a stream for a producer.
func (s *stream) open(ctx context.Context, address, producer string) (err error) {
	s.changed = sync.NewCond(&s.mu)
	s.conn, err = grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("connect to %s: %w", address, err)
	}
	s.rpc, err = pb.NewIngestServiceClient(s.conn).AppendEvents(ctx, grpc.ForceCodecV2(codec{encoding.GetCodecV2(proto.Name)}))
	if err != nil {
		return fmt.Errorf("open a stream to %s: %w", address, err)
	}
	hello := &pb.OpenStream{Producer: producer}
	if err := s.rpc.Send(&pb.AppendEventsRequest{Message: &pb.AppendEventsRequest_Open{Open: hello}}); err != nil {
		return fmt.Errorf("open a stream to %s: %w", address, err)
	}
	answer, err := s.rpc.Recv()
	if err != nil || answer.GetOpened() == nil {
		return fmt.Errorf("open a stream to %s: answered with %v: %w", address, answer, err)
	}
	s.next = answer.GetOpened().GetNextSequence()
	s.acked = s.next - 1
	s.receive.Go(s.receiveAcks)
	return nil
}

// close ends the stream when all is acknowledged.
func (s *stream) close() error {
	err := s.rpc.CloseSend()
	s.receive.Wait()
	return errors.Join(err, s.conn.Close())
}

// receiveAcks notes acknowledgements until the stream ends.
func (s *stream) receiveAcks() {
	for {
		answer, err := s.rpc.Recv()
		now := time.Now()
		s.mu.Lock()
		if err != nil {
			s.err = err
		} else if rejected := answer.GetAck().GetRejected(); len(rejected) > 0 {
			s.err = fmt.Errorf("event %d was rejected: %s", rejected[0].GetSequence(), rejected[0].GetMessage())
		}
		s.acked = max(s.acked, answer.GetAck().GetCommittedSequence())
		n := 0
		for n < len(s.inFlight) && s.inFlight[n].last <= s.acked {
			s.latencies = append(s.latencies, now.Sub(s.inFlight[n].sent))
			s.bytes -= s.inFlight[n].bytes
			n++
		}
		s.inFlight = slices.Delete(s.inFlight, 0, n)
		s.changed.Broadcast()
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// await waits until a condition on the acknowledgements holds.
func (s *stream) await(holds func() bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !holds() {
		if s.err != nil {
			return fmt.Errorf("stream broke off: %w", s.err)
		}
		s.changed.Wait()
	}
	return nil
}

// send sends so many events, to the batch, and waits for their acknowledgement.
func (s *stream) send(events int) error {
	for sent := 0; sent < events; {
		b := s.pool[s.turn%len(s.pool)]
		s.turn++
		if err := s.sendBatch(b); err != nil {
			return err
		}
		sent += len(b.times)
	}
	return s.settle()
}

func (s *stream) settle() error {
	return s.await(func() bool { return len(s.inFlight) == 0 })
}

// sendBatch sends a batch once the credit allows it and its own last round, whose
// bytes gRPC may still hold, is acknowledged.
func (s *stream) sendBatch(b *batch) error {
	if err := s.await(func() bool { return s.bytes+len(b.body) <= s.credit && s.acked >= b.last }); err != nil {
		return err
	}
	b.stamp(s.clock, s.step)
	events := len(b.times)
	f := &frame{base: s.next, body: b.body}
	s.next += int64(events)
	s.clock = s.clock.Add(time.Duration(events) * s.step)
	b.last = s.next - 1
	s.mu.Lock()
	s.inFlight = append(s.inFlight, flight{last: b.last, bytes: len(b.body), sent: time.Now()})
	s.bytes += len(b.body)
	s.mu.Unlock()
	if err := s.rpc.SendMsg(f); err != nil {
		return fmt.Errorf("send a batch: %w", errors.Join(err, s.failure()))
	}
	return nil
}

func (s *stream) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// ping sends the pool's batches one at a time, with pauses, until ctx is done or
// so many were sent, and returns how long each acknowledgement took.
func (s *stream) ping(ctx context.Context, pause time.Duration, most int) ([]time.Duration, error) {
	for range most {
		if err := errors.Join(s.sendBatch(s.pool[0]), s.settle()); err != nil {
			return nil, err
		}
		select {
		case <-time.After(pause):
			continue
		case <-ctx.Done():
		}
		break
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.latencies
	s.latencies = nil
	return taken, nil
}

// frame is an AppendEventsRequest around a batch.
type frame struct {
	base int64
	body []byte
}

// codec sends frames as they are and leaves the rest to gRPC's codec.
type codec struct{ encoding.CodecV2 }

// Marshal encodes a message for gRPC.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	f, ok := v.(*frame)
	if !ok {
		return c.CodecV2.Marshal(v)
	}
	inner := protowire.AppendTag(nil, batchBase, protowire.VarintType)
	inner = protowire.AppendVarint(inner, uint64(f.base))
	head := protowire.AppendTag(nil, requestBatch, protowire.BytesType)
	head = protowire.AppendVarint(head, uint64(len(inner)+len(f.body)))
	return mem.BufferSlice{mem.SliceBuffer(append(head, inner...)), mem.SliceBuffer(f.body)}, nil
}
