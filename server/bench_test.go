package server

import (
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/memberwatch/memberwatch/monitor"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/wire"
)

// loopback is a service over a real socket, as producers meet it.
func loopback(t testing.TB) *system {
	m, err := monitor.Open(monitor.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	lis, err := Listen(t.Context(), "127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	s := &system{monitor: m, server: New(m, Options{})}
	served := make(chan error, 1)
	go func() { served <- s.server.Serve(lis) }()
	s.ClientConn, err = grpc.NewClient(lis.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(&wire.Codec{})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.server.Shutdown(t.Context()), s.Close(), m.Close(t.Context()), <-served); err != nil && t.Context().Err() == nil {
			t.Errorf("stop: %v", err)
		}
	})
	return s
}

const benchBatch = 1000

// hourly makes one batch of events with 10 members each, all in one hour.
func hourly(random *rand.Rand) []*pb.AccessEvent {
	list := events(1, benchBatch)
	begin := time.Date(2019, 4, 1, 0, 0, 0, 0, time.UTC)
	for i, e := range list {
		e.TimeUnixNano = uint64(begin.Add(time.Duration(i) * time.Second).UnixNano())
		e.DisclosedMembers = e.DisclosedMembers[:0]
		for range 10 {
			e.DisclosedMembers = append(e.DisclosedMembers, random.Uint64N(100_000)*0x9e3779b97f4a7c15)
		}
	}
	return list
}

// flow sends a batch again and again under new sequence numbers, and receives the acks beside.
func (p *producer) flow(batches int, list []*pb.AccessEvent) {
	acks := make(chan error, 1)
	last := p.next + int64(batches*len(list)) - 1
	go func() {
		for {
			m, err := p.Recv()
			if err != nil || m.GetAck().GetCommittedSequence() == last {
				acks <- err
				return
			}
		}
	}()
	for range batches {
		p.append(list...)
	}
	if err := <-acks; err != nil && !errors.Is(err, io.EOF) {
		p.t.Fatal(err)
	}
}

// BenchmarkIngest takes events from a producer over loopback until they are durable.
func BenchmarkIngest(b *testing.B) {
	s := loopback(b)
	p := s.open(b, "gw-1")
	list := hourly(rand.New(rand.NewPCG(1, 2)))
	p.flow(10, list)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	b.ResetTimer()
	p.flow(b.N, list)
	b.StopTimer()
	runtime.ReadMemStats(&after)
	n := float64(b.N * benchBatch)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/n, "ns/event")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/n, "allocs/event")
}
