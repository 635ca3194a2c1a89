package wire

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/memberwatch/memberwatch"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

// AppendRequest is one message of an AppendEvents stream as a server receives it. Of Open, Batch and Err at most one is
// set. It is made for reuse: take one with Codec.NewAppendRequest, let the codec fill it, and call Release when nothing
// points into it any more.
type AppendRequest struct {
	// Open is set in a message that opens a stream. It points into no buffer.
	Open *pb.OpenStream
	// Batch is set in a message with events. Its strings and slices are valid until Batch.Release, which is the
	// request's own Release.
	Batch *memberwatch.Batch
	// Err says why the message was not decoded; it is a *memberwatch.ReasonError.
	Err error

	home    *sync.Pool
	request *pb.AppendEventsRequest
	buffer  mem.Buffer
	batch   memberwatch.Batch
	pooled  bool // it is at home
}

// Release gives the message's memory back; nothing of Batch may be used afterwards. It panics when called twice, which
// would let two streams write into one buffer.
func (r *AppendRequest) Release() {
	if r.pooled {
		panic("wire: AppendRequest released twice")
	}
	if r.buffer != nil {
		r.buffer.Free()
		r.buffer = nil
	}
	if r.request != nil {
		trim(r.request.GetBatch().GetEvents())
		r.request.ReturnToVTPool()
		r.request = nil
	}
	clear(r.batch.Events)
	r.batch.Events, r.batch.Gap, r.batch.Complete = r.batch.Events[:0], nil, 0
	r.Open, r.Batch, r.Err = nil, nil, nil
	r.pooled = true
	r.home.Put(r)
}

// decode fills the request from a contiguous buffer and takes over the caller's reference to it.
func (r *AppendRequest) decode(buffer mem.Buffer, maxEvents int) {
	r.buffer = buffer
	b := buffer.ReadOnlyData()
	events, err := countEvents(b)
	if err != nil {
		r.Err = malformed(err)
		return
	}
	if maxEvents > 0 && events > maxEvents {
		r.Err = TooManyEvents(events, maxEvents)
		return
	}
	r.request = pb.AppendEventsRequestFromVTPool()
	if err := r.request.UnmarshalVTUnsafe(b); err != nil {
		r.Err = malformed(err)
		return
	}
	switch m := r.request.GetMessage().(type) {
	case *pb.AppendEventsRequest_Open:
		r.Open = &pb.OpenStream{Producer: strings.Clone(m.Open.GetProducer()), InstanceId: strings.Clone(m.Open.GetInstanceId())}
	case *pb.AppendEventsRequest_Batch:
		r.batch.Base = m.Batch.GetBaseSequence()
		r.batch.Events = DecodeEvents(r.batch.Events[:0], m.Batch.GetEvents())
		r.batch.Gap = DecodeGap(m.Batch.GetGap())
		r.batch.Complete = int64(min(m.Batch.GetCompleteUnixNano(), math.MaxInt64))
		r.Batch = &r.batch
	default:
		r.Err = malformed(errors.New("it holds neither open nor batch"))
	}
}

// keptMembers is the longest list of members whose memory an event keeps for its next use. Without a bound each of the
// thousands of events in a pooled batch would grow to the longest list ever seen in its place.
const keptMembers = 256

func trim(events []*pb.AccessEvent) {
	for _, m := range events {
		if cap(m.DisclosedMembers) > keptMembers {
			m.DisclosedMembers = nil
		}
		if cap(m.RequestedMembers) > keptMembers {
			m.RequestedMembers = nil
		}
		if cap(m.DataClasses) > memberwatch.MaxEventClasses {
			m.DataClasses = nil
		}
	}
}

// countEvents walks over a message without decoding its events. An empty event takes 2 bytes on the wire and hundreds in
// memory, so events are counted before any is made.
func countEvents(message []byte) (int, error) {
	events := 0
	err := eachMessage(message, 2, func(batch []byte) error { // AppendEventsRequest.batch
		return eachMessage(batch, 2, func([]byte) error { // EventBatch.events
			events++
			return nil
		})
	})
	return events, err
}

// eachMessage calls do for each occurrence of a field that holds a message.
func eachMessage(b []byte, field protowire.Number, do func([]byte) error) error {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if number != field || kind != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(number, kind, b); n < 0 {
				return protowire.ParseError(n)
			}
			b = b[n:]
			continue
		}
		message, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		if err := do(message); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

func malformed(err error) error {
	return invalid("MESSAGE_MALFORMED", fmt.Sprintf("message cannot be decoded: %v", err), "encode it as memberwatch.v1.AppendEventsRequest")
}

// TooManyEvents says that a batch has more events than the limit.
func TooManyEvents(events, limit int) error {
	return &memberwatch.ReasonError{
		Kind:     memberwatch.ErrInvalid,
		Reason:   "BATCH_TOO_LARGE",
		Message:  fmt.Sprintf("batch has %d events, the limit is %d", events, limit),
		Hint:     "split it: StreamOpened.max_batch_events holds the limit",
		Metadata: map[string]string{"max_batch_events": strconv.Itoa(limit)},
	}
}

// TooLarge says that a message has more bytes than the limit.
func TooLarge(size, limit int) error {
	return &memberwatch.ReasonError{
		Kind:     memberwatch.ErrExhausted,
		Reason:   "MESSAGE_TOO_LARGE",
		Message:  fmt.Sprintf("message has %d bytes, the limit is %d", size, limit),
		Hint:     "split the batch",
		Metadata: map[string]string{"max_message_bytes": strconv.Itoa(limit)},
	}
}
