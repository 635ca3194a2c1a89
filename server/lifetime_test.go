package server

import (
	"context"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/experimental"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/mem"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"

	"github.com/memberwatch/memberwatch"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

// drained receives until the stream ends in order, and returns the last ack and whether a drain came as the last message.
func (p *producer) drained() (committed int64, last bool) {
	p.t.Helper()
	for {
		m, err := p.Recv()
		if errors.Is(err, io.EOF) {
			return committed, last
		}
		if err != nil {
			p.t.Fatalf("drain: %v", err)
		}
		if ack := m.GetAck(); ack != nil {
			committed = ack.GetCommittedSequence()
		}
		last = m.GetDrain() != nil
	}
}

func TestShutdownAcksThenDrains(t *testing.T) {
	s := start(t, Options{ReconnectAfter: 250 * time.Millisecond})
	p, idle := s.open(t, "gw-1"), s.open(t, "gw-2")
	mute := s.connect(t) // never opens
	for part := range slices.Chunk(events(1, 3000), 500) {
		p.append(part...)
	}
	for s.monitor.Stats(t.Context()).Applied == 0 { // something must have arrived
		time.Sleep(time.Millisecond)
	}
	feed, err := pb.NewSignalServiceClient(s).WatchSignals(t.Context(), &pb.WatchSignalsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := feed.Recv(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := s.server.Shutdown(ctx); err != nil {
		t.Fatalf("shutdown: %v", err)
	}
	committed, last := p.drained()
	if at, err := s.monitor.OpenProducer(t.Context(), "gw-1", ""); err != nil || at.Next != committed+1 || !last {
		t.Errorf("acked up to %d, drain last: %v; the monitor stands at %+v (%v)", committed, last, at, err)
	}
	if _, last := idle.drained(); !last {
		t.Error("idle stream was not drained")
	}
	expect(t, mute.ends(), codes.Unavailable, "SHUTTING_DOWN")
	_, err = feed.Recv()
	expect(t, err, codes.Unavailable, "SHUTTING_DOWN")
}

func TestOldStreamIsDrained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{MaxStreamAge: time.Minute})
		begin := time.Now()
		p := s.open(t, "gw-1")
		p.append(events(1, 10)...)
		committed, last := p.drained()
		if age := time.Since(begin); committed != 10 || !last || age < 54*time.Second || age > time.Minute {
			t.Errorf("after %s, acked %d, drain last: %v", age, committed, last)
		}
		again := s.open(t, "gw-1")
		if again.opened.GetNextSequence() != 11 {
			t.Errorf("opened again with %v", again.opened)
		}
		s.stop()
	})
}

func TestSilentStreamIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		begin := time.Now()
		expect(t, s.connect(t).ends(), codes.InvalidArgument, "OPEN_MISSING")
		if age := time.Since(begin); age != openTimeout {
			t.Errorf("ended after %s", age)
		}
		s.stop()
	})
}

func TestHealth(t *testing.T) {
	s := start(t, Options{})
	health := healthpb.NewHealthClient(s)
	services := []string{"", "memberwatch.v1.IngestService", "memberwatch.v1.RegistryService", "memberwatch.v1.SignalService", "memberwatch.v1.ReportService", "memberwatch.v1.AdminService"}
	for _, name := range services {
		feed, err := health.Watch(t.Context(), &healthpb.HealthCheckRequest{Service: name})
		if err != nil {
			t.Fatal(err)
		}
		for { // "" and ingest turn with the first look at the storage
			m, err := feed.Recv()
			if err != nil {
				t.Fatalf("health of %q: %v", name, err)
			}
			if m.GetStatus() == healthpb.HealthCheckResponse_SERVING {
				break
			}
		}
	}
	s.server.health.shutDown()
	for _, name := range services {
		m, err := health.Check(t.Context(), &healthpb.HealthCheckRequest{Service: name})
		if err != nil || m.GetStatus() != healthpb.HealthCheckResponse_NOT_SERVING {
			t.Errorf("health of %q on shutdown is %v, %v", name, m, err)
		}
	}
}

func TestReflection(t *testing.T) {
	for name, test := range map[string]struct {
		without bool
		code    codes.Code
	}{"on": {false, codes.OK}, "off": {true, codes.Unimplemented}} {
		t.Run(name, func(t *testing.T) {
			s := start(t, Options{WithoutReflection: test.without})
			stream, err := reflectionpb.NewServerReflectionClient(s).ServerReflectionInfo(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			_ = stream.Send(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}})
			m, err := stream.Recv()
			expect(t, err, test.code, "")
			if test.code == codes.OK && len(m.GetListServicesResponse().GetService()) < 6 {
				t.Errorf("reflection lists %v", m)
			}
		})
	}
}

// poisonPool overwrites each buffer that comes back, so that whoever kept a part of it is found out.
type poisonPool struct{ pool sync.Pool }

func (p *poisonPool) Get(length int) *[]byte {
	if b, ok := p.pool.Get().(*[]byte); ok && cap(*b) >= length {
		*b = (*b)[:length]
		return b
	}
	return new(make([]byte, length))
}

func (p *poisonPool) Put(b *[]byte) {
	full := (*b)[:cap(*b)]
	for i := range full {
		full[i] = '!'
	}
	p.pool.Put(&full)
}

var _ mem.BufferPool = (*poisonPool)(nil)

// TestNothingKeepsTheReceiveBuffer streams events through buffers that are overwritten as soon as their batch is
// released, and holds all that lasts against a directory that got the same events from memory of their own.
func TestNothingKeepsTheReceiveBuffer(t *testing.T) {
	list := events(5, 6000)
	restriction := memberwatch.Restriction{ID: "r", Class: "group_membership", Effective: time.Unix(0, int64(list[3000].GetTimeUnixNano()))}
	run := func(send func(*system), extra ...grpc.ServerOption) (apps []memberwatch.AppView, dump []string) {
		s := start(t, Options{}, extra...)
		if _, err := s.monitor.PutRestriction(t.Context(), restriction); err != nil {
			t.Fatal(err)
		}
		send(s)
		apps, err := s.monitor.Apps(t.Context(), "", 100, nil)
		if err != nil {
			t.Fatal(err)
		}
		s.stop()
		// A baseline holds its app's totals as of when it was written, so its bytes depend on timing. The views above
		// have the totals and the names.
		return apps, slices.DeleteFunc(strings.Split(s.dump(t), "\n"), func(line string) bool { return strings.Contains(line, " state-1 ") })
	}
	pool := &poisonPool{}
	gotApps, got := run(func(s *system) {
		s.server.ingest.codec.Pool = pool
		p := s.open(t, "gw-1")
		for part := range slices.Chunk(list, 100) {
			p.append(part...)
		}
		p.acked()
	}, experimental.BufferPool(pool))
	wantApps, want := run(func(s *system) {
		at, err := s.monitor.OpenProducer(t.Context(), "gw-1", "test")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.monitor.Append(t.Context(), "gw-1", at.Epoch, &memberwatch.Batch{Base: 1, Events: words(list)}); err != nil {
			t.Fatal(err)
		}
		for committed := int64(0); committed < int64(len(list)); {
			if committed, err = s.monitor.WaitCommitted(t.Context(), "gw-1", at.Epoch, committed); err != nil {
				t.Fatal(err)
			}
		}
	})
	if !reflect.DeepEqual(gotApps, wantApps) {
		t.Errorf("apps depend on the memory that events arrived in\n got %+v\nwant %+v", gotApps, wantApps)
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("state depends on the memory that events arrived in, from line %d of %d", i, len(want))
		}
	}
}
