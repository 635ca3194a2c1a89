package client_test

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/memberwatch/memberwatch/client"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

// act is what the service does on one batch.
type act uint8

const (
	ackIt     act = iota // apply, commit, ack
	holdIt               // apply, ack later
	loseIt               // end the stream before applying
	loseAck              // apply and commit, then end the stream without the ack
	crash                // apply, then fall back to what is committed and end the stream
	drain                // apply, commit, ack, ask to reconnect
	acts                 // how many of these a random script draws from
	silent               // apply and never answer
	rejectOne            // apply, commit, ack with one rejection
)

// service is a gRPC server that keeps the ingest contract for one producer in
// memory and misbehaves on demand. It decodes with protobuf's own code, so what
// it applies is what any server would understand.
type service struct {
	pb.UnimplementedIngestServiceServer
	script func(batch int) act         // asked once per batch
	refuse func(stream int) error      // asked once per stream, before it opens
	opened func(*pb.StreamOpened)      // may change the answer to an opening
	limits struct{ bytes, events int } // 0: large

	mu        sync.Mutex
	applied   []string // the apps of applied events, by sequence number from 1
	committed int
	epoch     int64
	streams   int
	batches   int
	gaps      int64
	openTimes []time.Time
}

func (s *service) AppendEvents(rpc grpc.BidiStreamingServer[pb.AppendEventsRequest, pb.AppendEventsResponse]) error {
	if _, err := rpc.Recv(); err != nil {
		return err
	}
	answer, err := s.open()
	if err != nil {
		return err
	}
	if err := rpc.Send(&pb.AppendEventsResponse{Message: &pb.AppendEventsResponse_Opened{Opened: answer}}); err != nil {
		return err
	}
	for {
		request, err := rpc.Recv()
		if err != nil { // the client closed: everything is committed and acked first
			return rpc.Send(s.commit())
		}
		if err := s.take(rpc, request.GetBatch()); err != nil {
			return err
		}
	}
}

func (s *service) open() (*pb.StreamOpened, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams++
	s.openTimes = append(s.openTimes, time.Now())
	if s.refuse != nil {
		if err := s.refuse(s.streams); err != nil {
			return nil, err
		}
	}
	s.epoch++
	answer := &pb.StreamOpened{
		CommittedSequence: int64(s.committed), NextSequence: int64(len(s.applied) + 1), Epoch: s.epoch,
		MaxUnackedBytes: 1 << 20, MaxBatchEvents: 1000,
	}
	if s.limits.bytes > 0 {
		answer.MaxUnackedBytes, answer.MaxBatchEvents = int64(s.limits.bytes), int32(s.limits.events)
	}
	if s.opened != nil {
		s.opened(answer)
	}
	return answer, nil
}

func (s *service) take(rpc grpc.BidiStreamingServer[pb.AppendEventsRequest, pb.AppendEventsResponse], b *pb.EventBatch) error {
	s.mu.Lock()
	do := ackIt
	if s.script != nil {
		do = s.script(s.batches)
	}
	s.batches++
	s.mu.Unlock()
	if do == loseIt {
		return status.Error(codes.Unavailable, "lost")
	}
	if err := s.apply(b); err != nil {
		return err
	}
	answer := s.commitUnless(do)
	switch do {
	case holdIt, silent:
		return nil
	case ackIt, loseIt, acts: // as it is
	case loseAck, crash:
		return status.Error(codes.Internal, "lost")
	case drain:
		if err := rpc.Send(answer); err != nil {
			return err
		}
		answer = &pb.AppendEventsResponse{Message: &pb.AppendEventsResponse_Drain{Drain: &pb.Drain{ReconnectAfterMs: 5}}}
	case rejectOne:
		answer.GetAck().RejectedCount = 1
		answer.GetAck().Rejected = []*pb.RejectedEvent{{Sequence: b.GetBaseSequence(), Reason: "EVENT_IN_FUTURE", Message: "too early"}}
	}
	return rpc.Send(answer)
}

// apply follows the sequence rules of the contract.
func (s *service) apply(b *pb.EventBatch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := int64(len(s.applied) + 1)
	if b.GetBaseSequence() > next {
		return status.Errorf(codes.OutOfRange, "batch begins at %d, next is %d", b.GetBaseSequence(), next)
	}
	for i, e := range b.GetEvents() {
		if b.GetBaseSequence()+int64(i) >= next {
			s.applied = append(s.applied, e.GetApp())
		}
	}
	s.gaps += b.GetGap().GetEventCount()
	return nil
}

func (s *service) commitUnless(do act) *pb.AppendEventsResponse {
	switch do {
	case holdIt, silent:
		return nil
	case crash:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.applied = s.applied[:s.committed]
		return nil
	default:
		return s.commit()
	}
}

func (s *service) commit() *pb.AppendEventsResponse {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.committed = len(s.applied)
	return &pb.AppendEventsResponse{Message: &pb.AppendEventsResponse_Ack{Ack: &pb.Ack{CommittedSequence: int64(s.committed)}}}
}

// got returns the apps of what has been applied so far.
func (s *service) got() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.applied)
}

// start serves until the test ends and returns options that reach the service.
func (s *service) start(t *testing.T) client.Options {
	t.Helper()
	listener := bufconn.Listen(1 << 16)
	server := grpc.NewServer()
	pb.RegisterIngestServiceServer(server, s)
	var running sync.WaitGroup
	running.Go(func() {
		if err := server.Serve(listener); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	t.Cleanup(func() {
		server.Stop()
		running.Wait()
	})
	return client.Options{
		Target:      "passthrough:///bufconn",
		Producer:    "gw-1",
		Credentials: insecure.NewCredentials(),
		DialOptions: []grpc.DialOption{grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return listener.DialContext(ctx)
		})},
	}
}

// failure returns a status with an ErrorInfo and, unless zero, a RetryInfo.
func failure(code codes.Code, reason string, retry time.Duration) error {
	st := status.New(code, "no: "+reason)
	details := []protoadapt.MessageV1{&errdetails.ErrorInfo{Reason: reason, Domain: "memberwatch.dev"}}
	if retry > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(retry)})
	}
	st, err := st.WithDetails(details...)
	if err != nil {
		return err
	}
	return st.Err()
}
