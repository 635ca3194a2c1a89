package client

import (
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/memberwatch/memberwatch"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/wire"
)

// frame is an AppendEventsRequest with a batch whose events are encoded
// already. Its body points into the buffer, which never writes over what it
// handed out.
type frame struct {
	base   int64 // sequence number of the first event
	events int
	body   []byte
	gap    *memberwatch.Gap
	until  int64 // all events up to this time have been sent; 0 says nothing
}

// Field numbers of the contract that make up a frame.
const (
	requestBatch = 2 // AppendEventsRequest.batch
	batchBase    = 1 // EventBatch.base_sequence
	batchEvents  = 2 // EventBatch.events
	batchGap     = 3 // EventBatch.gap
	batchUntil   = 4 // EventBatch.complete_unix_nano
)

// encode returns the frame's bytes around its body, without copying the body.
func (f *frame) encode() (mem.BufferSlice, error) {
	inner := protowire.AppendTag(nil, batchBase, protowire.VarintType)
	inner = protowire.AppendVarint(inner, uint64(f.base))
	if f.gap != nil {
		gap, err := wire.EncodeGap(f.gap).MarshalVT()
		if err != nil {
			return nil, err
		}
		inner = protowire.AppendTag(inner, batchGap, protowire.BytesType)
		inner = protowire.AppendBytes(inner, gap)
	}
	if f.until > 0 {
		inner = protowire.AppendTag(inner, batchUntil, protowire.Fixed64Type)
		inner = protowire.AppendFixed64(inner, uint64(f.until))
	}
	head := protowire.AppendTag(nil, requestBatch, protowire.BytesType)
	head = protowire.AppendVarint(head, uint64(len(inner)+len(f.body)))
	head = append(head, inner...)
	return mem.BufferSlice{mem.SliceBuffer(head), mem.SliceBuffer(f.body)}, nil
}

// codec sends frames as they are and leaves every other message to gRPC's own
// codec for protobuf.
type codec struct{ encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2(proto.Name)} }

// Marshal encodes a message for gRPC.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if f, ok := v.(*frame); ok {
		return f.encode()
	}
	return c.CodecV2.Marshal(v)
}

// encoder turns events into fields of EventBatch. It reuses one message, so it
// is not safe for concurrent use.
type encoder struct {
	message pb.AccessEvent
	size    int // of the loaded message
}

// load takes an event and returns the size of its field.
func (e *encoder) load(ev *memberwatch.Event) int {
	wire.EncodeEvent(&e.message, ev)
	e.size = e.message.SizeVT()
	return protowire.SizeTag(batchEvents) + protowire.SizeBytes(e.size)
}

// store writes the loaded event's field into space of just that size.
func (e *encoder) store(space []byte) error {
	head := protowire.AppendTag(space[:0], batchEvents, protowire.BytesType)
	head = protowire.AppendVarint(head, uint64(e.size))
	_, err := e.message.MarshalToSizedBufferVT(space[len(head):])
	return err
}
