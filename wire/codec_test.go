package wire_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/memberwatch/memberwatch"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/wire"
)

// poisonPool overwrites each buffer that comes back, so that whoever still points into it is found out.
type poisonPool struct {
	mu              sync.Mutex
	taken, returned int
}

func (p *poisonPool) Get(length int) *[]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken++
	b := make([]byte, length)
	return &b
}

func (p *poisonPool) Put(b *[]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.returned++
	for i := range *b {
		(*b)[i] = '!'
	}
}

// batchOf returns a message with n events, each of members disclosed members.
func batchOf(n, members int) *pb.AppendEventsRequest {
	batch := &pb.EventBatch{BaseSequence: 7}
	for i := range n {
		batch.Events = append(batch.Events, &pb.AccessEvent{
			App: fmt.Sprintf("app-%d", i%10), Developer: "dev", TimeUnixNano: uint64(1e18 + i), Endpoint: "groups.members",
			DataClasses: []string{"group_membership", "profile_name"}, Group: "g", Actor: 5, Network: "AS1",
			DisclosedMembers: slices.Repeat([]uint64{uint64(i) + 1}, members), RequestedMembers: []uint64{1}, Outcome: pb.Outcome_OUTCOME_OK,
		})
	}
	return &pb.AppendEventsRequest{Message: &pb.AppendEventsRequest_Batch{Batch: batch}}
}

// receive decodes what a sender marshalled, in pieces as a transport delivers them, and lets gRPC's references go.
func receive(t testing.TB, codec *wire.Codec, pool mem.BufferPool, m proto.Message, piece int) *wire.AppendRequest {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var pieces mem.BufferSlice
	for part := range slices.Chunk(b, piece) {
		pieces = append(pieces, mem.Copy(part, pool))
	}
	r := codec.NewAppendRequest()
	if err := codec.Unmarshal(pieces, r); err != nil {
		t.Fatalf("unmarshal: %v", err)
	}
	pieces.Free()
	return r
}

func TestBatchLivesUntilItsRelease(t *testing.T) {
	for name, piece := range map[string]int{"one buffer": 1 << 20, "many buffers": 4096} {
		t.Run(name, func(t *testing.T) {
			pool := &poisonPool{}
			codec := &wire.Codec{Pool: pool}
			message := batchOf(100, 3)
			r := receive(t, codec, pool, message, piece)
			if r.Err != nil || r.Open != nil || r.Batch == nil {
				t.Fatalf("decoded to %+v", r)
			}
			want := wire.DecodeEvents(nil, message.GetBatch().GetEvents())
			if !slices.EqualFunc(r.Batch.Events, want, equalEvents) || r.Batch.Base != 7 {
				t.Fatal("events differ from those sent, before the release")
			}
			name := r.Batch.Events[0].App
			r.Batch.Release()
			if pool.taken != pool.returned {
				t.Errorf("%d buffers taken, %d came back", pool.taken, pool.returned)
			}
			if name != "!!!!!" {
				t.Errorf("app %q was copied, so the test would not notice one who keeps it", name)
			}
		})
	}
}

func equalEvents(a, b memberwatch.Event) bool {
	ma, mb := new(pb.AccessEvent), new(pb.AccessEvent)
	wire.EncodeEvent(ma, &a)
	wire.EncodeEvent(mb, &b)
	return proto.Equal(ma, mb)
}

func TestReusedRequestRemembersNothing(t *testing.T) {
	codec := &wire.Codec{}
	pool := mem.DefaultBufferPool()
	for range 3 {
		full := batchOf(50, 400)
		full.GetBatch().Gap = &pb.Gap{EventCount: 1}
		receive(t, codec, pool, full, 1<<20).Release()

		bare := &pb.AppendEventsRequest{Message: &pb.AppendEventsRequest_Batch{Batch: &pb.EventBatch{Events: []*pb.AccessEvent{{App: "a"}}}}}
		r := receive(t, codec, pool, bare, 1<<20)
		if len(r.Batch.Events) != 1 || !equalEvents(r.Batch.Events[0], memberwatch.Event{App: "a"}) || r.Batch.Gap != nil || r.Batch.Base != 0 {
			t.Fatalf("an earlier message shines through: %+v", r.Batch)
		}
		r.Release()

		open := receive(t, codec, pool, &pb.AppendEventsRequest{Message: &pb.AppendEventsRequest_Open{Open: &pb.OpenStream{Producer: "gw"}}}, 1<<20)
		if open.Batch != nil || open.Open.GetProducer() != "gw" {
			t.Fatalf("open decoded to %+v", open)
		}
		open.Release()
	}
}

func TestDoubleReleasePanics(t *testing.T) {
	r := receive(t, &wire.Codec{}, mem.DefaultBufferPool(), batchOf(1, 1), 1<<20)
	r.Release()
	defer func() {
		if recover() == nil {
			t.Error("a second release went unnoticed")
		}
	}()
	r.Release()
}

func TestBadMessagesAreToldApart(t *testing.T) {
	encode := func(m proto.Message) []byte {
		b, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	empty := &pb.EventBatch{}
	for range 11 {
		empty.Events = append(empty.Events, &pb.AccessEvent{})
	}
	eleven := encode(&pb.AppendEventsRequest{Message: &pb.AppendEventsRequest_Batch{Batch: empty}})
	for name, test := range map[string]struct {
		message []byte
		reason  string
	}{
		"empty":                    {nil, "MESSAGE_MALFORMED"},
		"not protobuf":             {[]byte("GET / HTTP/1.1"), "MESSAGE_MALFORMED"},
		"cut short":                {eleven[:len(eleven)-1], "MESSAGE_MALFORMED"},
		"bad event":                {[]byte{0x12, 0x04, 0x12, 0x02, 0x0a, 0x7f}, "MESSAGE_MALFORMED"},
		"eleven empty events":      {eleven, "BATCH_TOO_LARGE"},
		"two batches in a message": {slices.Concat(encode(batchOf(6, 0)), encode(batchOf(6, 0))), "BATCH_TOO_LARGE"},
		"more bytes than allowed":  {encode(batchOf(10, 1000)), "MESSAGE_TOO_LARGE"},
	} {
		t.Run(name, func(t *testing.T) {
			pool := &poisonPool{}
			codec := &wire.Codec{MaxBatchEvents: 10, MaxMessageBytes: 40_000, Pool: pool}
			r := codec.NewAppendRequest()
			if err := codec.Unmarshal(mem.BufferSlice{mem.Copy(test.message, pool)}, r); err != nil {
				t.Fatalf("unmarshal returned %v instead of keeping it", err)
			}
			reason, ok := errors.AsType[*memberwatch.ReasonError](r.Err)
			if !ok || reason.Reason != test.reason || r.Batch != nil || r.Open != nil {
				t.Errorf("decoded to %+v, want only an error with reason %s", r, test.reason)
			}
			r.Release()
		})
	}
}

func TestMarshalWritesPlainProtobuf(t *testing.T) {
	codec := &wire.Codec{}
	for _, m := range []proto.Message{batchOf(20, 10), &pb.GetAppRequest{Name: "apps/a"}, &pb.AppendEventsResponse{}} {
		b, err := codec.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		got := m.ProtoReflect().New().Interface()
		if err := proto.Unmarshal(b.Materialize(), got); err != nil || !proto.Equal(got, m) {
			t.Errorf("%T came back as %v (%v)", m, got, err)
		}
		if back := m.ProtoReflect().New().Interface(); codec.Unmarshal(b, back) != nil || !proto.Equal(back, m) {
			t.Errorf("%T does not pass the codec both ways", m)
		}
		b.Free()
	}
}

// TestDecodingAllocatesNothingPerEvent holds a batch of 1 event against one of 500: what a message costs, an event must
// not. It takes the best of many runs, because under the race detector pools forget at random.
func TestDecodingAllocatesNothingPerEvent(t *testing.T) {
	codec := &wire.Codec{MaxBatchEvents: 1000, MaxMessageBytes: 8 << 20}
	fewest := func(events int) float64 {
		b, err := proto.Marshal(batchOf(events, 10))
		if err != nil {
			t.Fatal(err)
		}
		message := mem.BufferSlice{mem.SliceBuffer(b)}
		best := math.Inf(1)
		for range 100 {
			best = min(best, testing.AllocsPerRun(1, func() {
				r := codec.NewAppendRequest()
				if err := codec.Unmarshal(message, r); err != nil || len(r.Batch.Events) != events {
					t.Fatal("decoding failed")
				}
				r.Batch.Release()
			}))
		}
		return best
	}
	if one, many := fewest(1), fewest(500); many > one {
		t.Errorf("a batch of 500 events costs %v allocations, one of 1 event %v", many, one)
	}
}

func BenchmarkDecodeBatch(b *testing.B) {
	codec := &wire.Codec{MaxBatchEvents: 10_000, MaxMessageBytes: 8 << 20}
	encoded, err := proto.Marshal(batchOf(1000, 10))
	if err != nil {
		b.Fatal(err)
	}
	message := mem.BufferSlice{mem.SliceBuffer(encoded)}
	b.SetBytes(int64(len(encoded)))
	b.ReportAllocs()
	for b.Loop() {
		r := codec.NewAppendRequest()
		if err := codec.Unmarshal(message, r); err != nil {
			b.Fatal(err)
		}
		r.Batch.Release()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/event")
}

// FuzzDecode feeds bytes to the zero-copy decoder and, beside it, to protobuf's own: what that one takes, and knows all
// fields of, must come out the same; nothing may panic.
func FuzzDecode(f *testing.F) {
	for _, m := range []proto.Message{batchOf(0, 0), batchOf(3, 2), &pb.AppendEventsRequest{Message: &pb.AppendEventsRequest_Open{Open: &pb.OpenStream{Producer: "gw"}}}} {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	codec := &wire.Codec{MaxBatchEvents: 100, MaxMessageBytes: 1 << 20}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := codec.NewAppendRequest()
		if err := codec.Unmarshal(mem.BufferSlice{mem.SliceBuffer(b)}, r); err != nil {
			t.Fatalf("unmarshal returned %v instead of keeping it", err)
		}
		defer r.Release()
		var oracle pb.AppendEventsRequest
		if (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(b, &oracle) != nil || oracle.GetMessage() == nil {
			return
		}
		plain, err := proto.MarshalOptions{Deterministic: true}.Marshal(&oracle)
		if err != nil || !bytes.Equal(plain, b) || len(oracle.GetBatch().GetEvents()) > 100 {
			return // unknown fields and the like, which the decoders treat differently on purpose
		}
		if r.Err != nil {
			t.Fatalf("refused what protobuf takes: %v", r.Err)
		}
		if batch := oracle.GetBatch(); batch != nil && !slices.EqualFunc(r.Batch.Events, wire.DecodeEvents(nil, batch.GetEvents()), equalEvents) {
			t.Fatal("events differ from protobuf's")
		}
	})
}
