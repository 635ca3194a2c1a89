package server

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/monitor"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

func TestStreamIsAckedAndResumed(t *testing.T) {
	s := start(t, Options{MaxBatchEvents: 500, MaxUnackedBytes: 1 << 20})
	p := s.open(t, "gw-1")
	want := &pb.StreamOpened{NextSequence: 1, Epoch: 1, MaxUnackedBytes: 1 << 20, MaxBatchEvents: 500}
	if !proto.Equal(p.opened, want) {
		t.Errorf("opened with %v, want %v", p.opened, want)
	}
	for part := range slices.Chunk(events(1, 900), 300) {
		p.append(part...)
	}
	p.acked()
	if err := p.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if err := p.ends(); err != nil {
		t.Errorf("stream ended with %v", err)
	}
	again := s.open(t, "gw-1")
	want = &pb.StreamOpened{CommittedSequence: 900, NextSequence: 901, Epoch: 2, MaxUnackedBytes: 1 << 20, MaxBatchEvents: 500}
	if !proto.Equal(again.opened, want) {
		t.Errorf("opened again with %v, want %v", again.opened, want)
	}
}

func TestClosingWaitsForTheLastAck(t *testing.T) {
	s := start(t, Options{})
	p := s.open(t, "gw-1")
	p.append(events(1, 10)...)
	p.append(&pb.AccessEvent{})
	if err := p.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, rejected := p.acked(); rejected != 1 {
		// The ack may come before the server has noted the last reject; then another follows it.
		if m, err := p.Recv(); err != nil || m.GetAck().GetRejectedCount() != 1 {
			t.Errorf("closed stream told of no rejected event (%v, %v)", m, err)
		}
	}
	if err := p.ends(); err != nil {
		t.Errorf("stream ended with %v", err)
	}
}

func TestBatchWithoutNewsIsAnswered(t *testing.T) {
	s := start(t, Options{})
	p := s.open(t, "gw-1")
	list := events(1, 10)
	p.append(list...)
	p.acked()
	for name, m := range map[string]*pb.AppendEventsRequest{
		"duplicate":  batchMessage(1, list...),
		"part of it": batchMessage(4, list[3:7]...),
		"keep-alive": batchMessage(0),
		"gap":        {Message: &pb.AppendEventsRequest_Batch{Batch: &pb.EventBatch{BaseSequence: 11, Gap: &pb.Gap{EventCount: 3, StartUnixMs: 1, EndUnixMs: 2}}}},
	} {
		p.send(m)
		if answer, err := p.Recv(); err != nil || answer.GetAck().GetCommittedSequence() != 10 {
			t.Errorf("%s was answered with %v, %v", name, answer, err)
		}
	}
	p.send(batchMessage(8, append(list[7:], events(2, 5)...)...)) // overlaps
	p.next = 16
	p.acked()
	if m := s.stats(t); m.GetEventsApplied() != 15 || m.GetEventsLostByProducers() != 3 {
		t.Errorf("%d events applied and %d lost, want 15 and 3", m.GetEventsApplied(), m.GetEventsLostByProducers())
	}
}

// TestAcksGoOutWhileABatchWaits has room for one uncommitted batch at a time, so that each waits for the commit of the one
// before; a producer that counts on acks to go on must get them meanwhile.
func TestAcksGoOutWhileABatchWaits(t *testing.T) {
	s := startOver(t, monitor.Options{MaxUncommittedBytes: 20_000}, Options{})
	p := s.open(t, "gw-1")
	for part := range slices.Chunk(events(1, 1500), 100) {
		p.append(part...)
	}
	acks := 0
	for {
		m, err := p.Recv()
		if err != nil {
			t.Fatal(err)
		}
		acks++
		if m.GetAck().GetCommittedSequence() == 1500 {
			break
		}
	}
	if acks < 10 {
		t.Errorf("15 batches that waited for each other were acked by %d messages", acks)
	}
}

// rawCodec sends bytes as they are, for messages that no client would send.
type rawCodec struct{}

func (rawCodec) Marshal(v any) ([]byte, error)   { return v.([]byte), nil }
func (rawCodec) Unmarshal(b []byte, v any) error { return proto.Unmarshal(b, v.(proto.Message)) }
func (rawCodec) Name() string                    { return "proto" }

func marshal(t *testing.T, m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestBadMessagesEndTheirStreamOnly sends what is wrong on one stream while another goes on.
func TestBadMessagesEndTheirStreamOnly(t *testing.T) {
	const limit = 64 << 10
	s := start(t, Options{MaxBatchEvents: 100, MaxMessageBytes: limit})
	bystander := s.open(t, "bystander")
	members := func(bytes int) *pb.AccessEvent {
		return &pb.AccessEvent{App: "a", TimeUnixNano: 1e18, DisclosedMembers: make([]uint64, bytes/8)}
	}
	for name, test := range map[string]struct {
		messages []proto.Message
		raw      []byte
		code     codes.Code
		reason   string
		counter  string // where it differs from the reason
		metadata string
	}{
		"not protobuf":            {raw: []byte("GET / HTTP/1.1"), code: codes.InvalidArgument, reason: "MESSAGE_MALFORMED"},
		"empty message":           {raw: []byte{}, code: codes.InvalidArgument, reason: "MESSAGE_MALFORMED"},
		"no open":                 {messages: []proto.Message{batchMessage(1)}, code: codes.InvalidArgument, reason: "OPEN_MISSING", metadata: "field"},
		"open without a name":     {messages: []proto.Message{openMessage("")}, code: codes.InvalidArgument, reason: "PRODUCER_INVALID", metadata: "field"},
		"open with a bad name":    {messages: []proto.Message{openMessage("gw 1")}, code: codes.InvalidArgument, reason: "PRODUCER_INVALID", metadata: "field"},
		"second open":             {messages: []proto.Message{openMessage("bad"), openMessage("bad")}, code: codes.InvalidArgument, reason: "OPEN_REPEATED"},
		"base before 1":           {messages: []proto.Message{openMessage("bad"), batchMessage(0, members(8))}, code: codes.InvalidArgument, reason: "SEQUENCE_INVALID"},
		"base that overflows":     {messages: []proto.Message{openMessage("bad"), batchMessage(1<<63-1, members(8))}, code: codes.InvalidArgument, reason: "SEQUENCE_INVALID"},
		"sequence gap":            {messages: []proto.Message{openMessage("bad"), batchMessage(7, members(8))}, code: codes.OutOfRange, reason: "SEQUENCE_GAP", metadata: "next_sequence"},
		"too many events":         {messages: []proto.Message{openMessage("bad"), batchMessage(1, events(1, 101)...)}, code: codes.InvalidArgument, reason: "BATCH_TOO_LARGE", metadata: "max_batch_events"},
		"message too large":       {messages: []proto.Message{openMessage("bad"), batchMessage(1, members(limit))}, code: codes.ResourceExhausted, reason: "MESSAGE_TOO_LARGE", metadata: "max_message_bytes"},
		"message twice too large": {messages: []proto.Message{openMessage("bad"), batchMessage(1, members(2*limit))}, code: codes.ResourceExhausted, counter: "MESSAGE_TOO_LARGE"},
		"gap that ends before it starts": {
			messages: []proto.Message{openMessage("bad"), &pb.AppendEventsRequest{Message: &pb.AppendEventsRequest_Batch{
				Batch: &pb.EventBatch{BaseSequence: 1, Gap: &pb.Gap{EventCount: 1, StartUnixMs: 2, EndUnixMs: 1}},
			}}},
			code: codes.InvalidArgument, reason: "GAP_INVALID",
		},
	} {
		t.Run(name, func(t *testing.T) {
			counter := test.reason + test.counter
			before := counted(s.stats(t).GetCallErrors(), counter)
			p := s.connect(t, grpc.ForceCodec(rawCodec{}))
			if test.raw != nil {
				_ = p.SendMsg(test.raw)
			}
			for _, m := range test.messages {
				_ = p.SendMsg(marshal(t, m)) // fails when the stream has ended, which is the point
			}
			info := expect(t, p.ends(), test.code, test.reason)
			if test.metadata == "next_sequence" && info.GetMetadata()["next_sequence"] != "1" {
				t.Errorf("metadata %v does not hold the next sequence", info.GetMetadata())
			}
			if test.metadata != "" && info.GetMetadata()[test.metadata] == "" && test.metadata != "field" {
				t.Errorf("metadata %v does not hold %s", info.GetMetadata(), test.metadata)
			}
			s.failed(t, counter, before+1)
			bystander.append(events(3, 10)...)
			bystander.acked()
		})
	}
	if m := s.stats(t); m.GetEventsApplied() != 130 {
		t.Errorf("%d events applied, want the bystander's 130", m.GetEventsApplied())
	}
}

// TestBadEventsAreRejectedOneByOne puts bad events between good ones.
func TestBadEventsAreRejectedOneByOne(t *testing.T) {
	s := start(t, Options{})
	p := s.open(t, "gw-1")
	good := events(1, 2)
	future := uint64(time.Now().Add(time.Hour).UnixNano())
	bad := []*pb.AccessEvent{
		{TimeUnixNano: 1e18},
		{App: "a", TimeUnixNano: future},
		{App: "a", TimeUnixNano: 1e18, DisclosedMembers: make([]uint64, 100_000)},
		{App: "a", TimeUnixNano: 1e18, RequestedMembers: make([]uint64, 100_000)},
		{App: "a", TimeUnixNano: 1e12},
		{App: "a"},
		{App: strings.Repeat("a", 257), TimeUnixNano: 1e18},
		{App: "a", TimeUnixNano: 1e18, DataClasses: []string{""}},
		{App: "a", TimeUnixNano: 1e18, DataClasses: make([]string, 33)},
		{App: "a\x1b[2J", TimeUnixNano: 1e18},
		{App: "a", Endpoint: "x\u0085", TimeUnixNano: 1e18},
	}
	want := []string{
		"EVENT_WITHOUT_APP", "EVENT_IN_FUTURE", "TOO_MANY_MEMBERS", "TOO_MANY_MEMBERS", "EVENT_TIME_INVALID", "EVENT_TIME_INVALID",
		"NAME_TOO_LONG", "DATA_CLASS_INVALID", "TOO_MANY_DATA_CLASSES", "NAME_NOT_TEXT", "NAME_NOT_TEXT",
	}
	p.append(slices.Concat(good[:1], bad, good[1:])...)
	rejected, count := p.acked()
	if count == 0 {
		m, err := p.Recv()
		if err != nil {
			t.Fatal(err)
		}
		rejected, count = m.GetAck().GetRejected(), m.GetAck().GetRejectedCount()
	}
	var got []string
	for i, r := range rejected {
		got = append(got, r.GetReason())
		if r.GetSequence() != int64(i)+2 || r.GetMessage() == "" {
			t.Errorf("rejected %v, want sequence %d and a message", r, i+2)
		}
	}
	if !slices.Equal(got, want) || count != int64(len(want)) {
		t.Errorf("rejected %d events for %v, want %v", count, got, want)
	}
	m := s.stats(t)
	if m.GetEventsApplied() != 2 || counted(m.GetRejected(), "TOO_MANY_MEMBERS") != 2 || counted(m.GetRejected(), "EVENT_WITHOUT_APP") != 1 {
		t.Errorf("%d events applied, rejected %v", m.GetEventsApplied(), m.GetRejected())
	}
}

func TestInvalidUTF8IsRejectedThoughNotDecoded(t *testing.T) {
	s := start(t, Options{})
	p := s.connect(t, grpc.ForceCodec(rawCodec{}))
	_ = p.SendMsg(marshal(t, openMessage("gw-1")))
	b := marshal(t, batchMessage(1, &pb.AccessEvent{App: "??", TimeUnixNano: 1e18}))
	_ = p.SendMsg(bytes.ReplaceAll(b, []byte("??"), []byte("\xff\xfe")))
	if err := p.CloseSend(); err != nil {
		t.Fatal(err)
	}
	var reasons []string
	for {
		m, err := p.Recv()
		if err != nil {
			break
		}
		for _, r := range m.GetAck().GetRejected() {
			reasons = append(reasons, r.GetReason())
		}
	}
	if !slices.Equal(reasons, []string{"NAME_NOT_TEXT"}) {
		t.Errorf("rejected for %v, want NAME_NOT_TEXT", reasons)
	}
}

func TestFloodOfRejectsIsCounted(t *testing.T) {
	s := start(t, Options{})
	p := s.open(t, "gw-1")
	p.append(make([]*pb.AccessEvent, 1000)...)
	if err := p.CloseSend(); err != nil {
		t.Fatal(err)
	}
	var named, count int64
	for {
		m, err := p.Recv()
		if err != nil {
			break
		}
		named += int64(len(m.GetAck().GetRejected()))
		count += m.GetAck().GetRejectedCount()
	}
	if named != 32 || count != 1000 {
		t.Errorf("%d rejects named and %d counted, want 32 and 1000", named, count)
	}
}

func TestUnknownDataClassIsTakenAndListed(t *testing.T) {
	s := start(t, Options{})
	p := s.open(t, "gw-1")
	p.append(&pb.AccessEvent{App: "a", TimeUnixNano: 1e18, DataClasses: []string{"shoe_size"}})
	p.acked()
	if m := s.stats(t); counted(m.GetUnknownDataClasses(), "shoe_size") != 1 || m.GetEventsApplied() != 1 {
		t.Errorf("unknown classes %v, %d events applied", m.GetUnknownDataClasses(), m.GetEventsApplied())
	}
}

func TestNewerStreamFencesTheOlder(t *testing.T) {
	s := start(t, Options{})
	older := s.open(t, "gw-1")
	older.append(events(1, 10)...)
	older.acked()
	newer := s.open(t, "gw-1")
	expect(t, older.ends(), codes.Aborted, "PRODUCER_FENCED")
	newer.append(events(2, 10)...)
	newer.acked()
	s.failed(t, "PRODUCER_FENCED", 1)
}

func TestWriteEvents(t *testing.T) {
	s := start(t, Options{MaxBatchEvents: 20, MaxMessageBytes: 32 << 10})
	ingest := pb.NewIngestServiceClient(s)
	list := events(1, 20)
	for _, step := range []struct {
		name      string
		base      int64
		events    []*pb.AccessEvent
		committed int64
		rejected  int64
	}{
		{"first", 1, list[:10], 10, 0},
		{"the same again", 1, list[:10], 10, 0},
		{"overlapping", 6, list[5:15], 15, 0},
		{"after the last known", 0, list[15:], 20, 0},
		{"with a bad event", 21, []*pb.AccessEvent{{}, list[0]}, 22, 1},
		{"nothing", 0, nil, 22, 0},
	} {
		m, err := ingest.WriteEvents(t.Context(), &pb.WriteEventsRequest{Producer: "cron", BaseSequence: step.base, Events: step.events})
		if err != nil || m.GetCommittedSequence() != step.committed || m.GetRejectedCount() != step.rejected || len(m.GetRejected()) != int(step.rejected) {
			t.Errorf("%s: %v, %v; want %d committed and %d rejected", step.name, m, err, step.committed, step.rejected)
		}
	}
	for name, test := range map[string]struct {
		request *pb.WriteEventsRequest
		code    codes.Code
		reason  string
	}{
		"no producer":     {&pb.WriteEventsRequest{Events: list}, codes.InvalidArgument, "PRODUCER_INVALID"},
		"negative base":   {&pb.WriteEventsRequest{Producer: "cron", BaseSequence: -1, Events: list}, codes.InvalidArgument, "SEQUENCE_INVALID"},
		"beyond the next": {&pb.WriteEventsRequest{Producer: "cron", BaseSequence: 99, Events: list}, codes.OutOfRange, "SEQUENCE_GAP"},
		"too many events": {&pb.WriteEventsRequest{Producer: "cron", Events: events(1, 21)}, codes.InvalidArgument, "BATCH_TOO_LARGE"},
		"too large":       {&pb.WriteEventsRequest{Producer: "cron", Events: []*pb.AccessEvent{{DisclosedMembers: make([]uint64, 5000)}}}, codes.ResourceExhausted, "MESSAGE_TOO_LARGE"},
		"twice too large": {&pb.WriteEventsRequest{Producer: "cron", Events: []*pb.AccessEvent{{DisclosedMembers: make([]uint64, 50_000)}}}, codes.ResourceExhausted, ""},
		"while streaming": {&pb.WriteEventsRequest{Producer: "gw-1", Events: list}, codes.Aborted, "PRODUCER_BUSY"},
	} {
		t.Run(name, func(t *testing.T) {
			s.open(t, "gw-1")
			_, err := ingest.WriteEvents(t.Context(), test.request)
			expect(t, err, test.code, test.reason)
		})
	}
	s.failed(t, "MESSAGE_TOO_LARGE", 2)
}

func TestScreeningGoodEventsAllocatesNothing(t *testing.T) {
	batch := &memberwatch.Batch{Base: 1, Events: words(events(1, 100))}
	now := time.Now().UnixNano()
	if n := testing.AllocsPerRun(100, func() {
		var bad rejects
		if bad.screen(batch, 1, now); bad.total > 0 {
			t.Fatal(bad.first[0])
		}
	}); n > 0 {
		t.Errorf("screening 100 good events costs %v allocations", n)
	}
}
