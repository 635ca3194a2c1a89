package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/access"
	"github.com/memberwatch/memberwatch/monitor"
	"github.com/memberwatch/memberwatch/notify"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/review"
	"github.com/memberwatch/memberwatch/store"
	"github.com/memberwatch/memberwatch/wire"
)

// system is a whole service in memory, but for its files: client, server and monitor.
type system struct {
	*grpc.ClientConn
	monitor *monitor.Monitor
	server  *Server
	dir     string
	stop    func() // shuts everything down, once
}

// start brings up a service in a fresh directory; it is shut down with the test.
func start(t testing.TB, o Options, extra ...grpc.ServerOption) *system {
	t.Helper()
	return startOver(t, monitor.Options{}, o, extra...)
}

// startOver brings up a service over a monitor with some options.
func startOver(t testing.TB, below monitor.Options, o Options, extra ...grpc.ServerOption) *system {
	t.Helper()
	return startIn(t, t.TempDir(), below, o, extra...)
}

// startIn brings up a service in a directory, with reviews and deliveries.
func startIn(t testing.TB, dir string, below monitor.Options, o Options, extra ...grpc.ServerOption) *system {
	t.Helper()
	s := &system{dir: dir}
	below.Dir, below.Partitions, below.CheckpointInterval = s.dir, 2, 10*time.Millisecond
	m, err := monitor.Open(below)
	if err != nil {
		t.Fatal(err)
	}
	reviews := review.Open(m.Platform(), m, review.Options{})
	courier, err := notify.New(notify.Options{Store: m.Platform(), BaseURL: "https://memberwatch.example"})
	if err != nil {
		t.Fatal(err)
	}
	o.Review, o.Access, o.Deliveries = reviews, access.Open(m.Platform()), courier
	s.monitor, s.server = m, newServer(m, o.withDefaults(), extra...)
	lis := bufconn.Listen(1 << 20)
	served := make(chan error, 1)
	go func() { served <- s.server.Serve(lis) }()
	s.ClientConn, err = grpc.NewClient("passthrough:///memory", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	stopped := false
	s.stop = func() {
		if stopped {
			return
		}
		stopped = true
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		err := errors.Join(s.server.Shutdown(ctx), s.Close())
		reviews.Close()
		courier.Close()
		if err := errors.Join(err, m.Close(ctx), <-served); err != nil {
			t.Errorf("stop: %v", err)
		}
	}
	t.Cleanup(s.stop)
	return s
}

// dump returns all that lasts of the service's state, which must have been stopped.
func (s *system) dump(t testing.TB) string {
	t.Helper()
	var b bytes.Buffer
	if err := store.Dump(s.dir, &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func (s *system) stats(t testing.TB) *pb.GetStatsResponse {
	t.Helper()
	m, err := pb.NewAdminServiceClient(s).GetStats(t.Context(), &pb.GetStatsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// counted returns a counter by its name.
func counted(counts []*pb.NamedCount, name string) int64 {
	for _, c := range counts {
		if c.GetName() == name {
			return c.GetCount()
		}
	}
	return 0
}

// failed waits until calls have failed for a reason so many times: gRPC counts a call after its status has gone out.
func (s *system) failed(t testing.TB, reason string, want int64) {
	t.Helper()
	var got int64
	for range 200 {
		if got = counted(s.stats(t).GetCallErrors(), reason); got == want {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%s counted %d times, want %d", reason, got, want)
}

// producer is one stream as a producer sees it.
type producer struct {
	grpc.BidiStreamingClient[pb.AppendEventsRequest, pb.AppendEventsResponse]
	t      testing.TB
	opened *pb.StreamOpened
	next   int64
}

// connect begins a stream without opening it.
func (s *system) connect(t testing.TB, options ...grpc.CallOption) *producer {
	t.Helper()
	stream, err := pb.NewIngestServiceClient(s).AppendEvents(t.Context(), options...)
	if err != nil {
		t.Fatal(err)
	}
	return &producer{BidiStreamingClient: stream, t: t}
}

// open begins a stream and opens it.
func (s *system) open(t testing.TB, name string) *producer {
	t.Helper()
	p := s.connect(t)
	p.send(openMessage(name))
	m, err := p.Recv()
	if err != nil {
		t.Fatalf("open %q: %v", name, err)
	}
	p.opened = m.GetOpened()
	p.next = p.opened.GetNextSequence()
	return p
}

func openMessage(name string) *pb.AppendEventsRequest {
	return &pb.AppendEventsRequest{Message: &pb.AppendEventsRequest_Open{Open: &pb.OpenStream{Producer: name, InstanceId: "test"}}}
}

func batchMessage(base int64, events ...*pb.AccessEvent) *pb.AppendEventsRequest {
	return &pb.AppendEventsRequest{Message: &pb.AppendEventsRequest_Batch{Batch: &pb.EventBatch{BaseSequence: base, Events: events}}}
}

// send sends a message; what the server thinks of it shows in Recv.
func (p *producer) send(m *pb.AppendEventsRequest) {
	p.t.Helper()
	if err := p.Send(m); err != nil && !errors.Is(err, io.EOF) {
		p.t.Fatalf("send: %v", err)
	}
}

// append sends events under the next sequence numbers.
func (p *producer) append(events ...*pb.AccessEvent) {
	p.t.Helper()
	p.send(batchMessage(p.next, events...))
	p.next += int64(len(events))
}

// acked receives until everything sent is acked, and returns the rejected events on the way and their number.
func (p *producer) acked() (rejected []*pb.RejectedEvent, count int64) {
	p.t.Helper()
	for {
		m, err := p.Recv()
		if err != nil {
			p.t.Fatalf("wait for the ack of %d: %v", p.next-1, err)
		}
		rejected = append(rejected, m.GetAck().GetRejected()...)
		count += m.GetAck().GetRejectedCount()
		if m.GetAck().GetCommittedSequence() == p.next-1 {
			return rejected, count
		}
	}
}

// ends receives until the stream ends, and returns why; nil for an orderly end.
func (p *producer) ends() error {
	for {
		if _, err := p.Recv(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// events makes n events of some apps, in the past, each with a few members.
func events(seed uint64, n int) []*pb.AccessEvent {
	random := rand.New(rand.NewPCG(seed, 11))
	at := time.Date(2019, 4, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	list := make([]*pb.AccessEvent, n)
	for i := range list {
		at += random.Int64N(int64(time.Minute))
		app := random.IntN(20)
		list[i] = &pb.AccessEvent{
			App: fmt.Sprintf("app-%02d", app), Developer: fmt.Sprintf("dev-%d", app/3), TimeUnixNano: uint64(at),
			Endpoint: "groups.members", DataClasses: []string{"group_membership"}, Group: fmt.Sprintf("g%d", random.IntN(9)),
			Actor: 1 + random.Uint64N(5), Network: "AS64500", Outcome: pb.Outcome_OUTCOME_OK,
		}
		for range random.IntN(6) {
			list[i].DisclosedMembers = append(list[i].DisclosedMembers, random.Uint64N(2000)*0x9e3779b97f4a7c15)
		}
	}
	return list
}

// words returns events as the monitor takes them.
func words(list []*pb.AccessEvent) []memberwatch.Event { return wire.DecodeEvents(nil, list) }

// expect checks an error's code and the reason of its ErrorInfo, and returns the info.
func expect(t testing.TB, err error, code codes.Code, reason string) *errdetails.ErrorInfo {
	t.Helper()
	s := status.Convert(err)
	var info *errdetails.ErrorInfo
	for _, detail := range s.Details() {
		if found, ok := detail.(*errdetails.ErrorInfo); ok {
			if info != nil {
				t.Errorf("status %v has more than one ErrorInfo", s)
			}
			info = found
		}
	}
	if s.Code() != code || info.GetReason() != reason || reason != "" && info.GetDomain() != Domain {
		t.Errorf("status %v %q with ErrorInfo %v, want %v with reason %q", s.Code(), s.Message(), info, code, reason)
	}
	return info
}
