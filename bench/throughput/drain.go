package throughput

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"

	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

// Drain serves AppendEvents on a listener until ctx is done. It drops the bytes
// of each batch unread and acknowledges them; perBatch says how many events the
// sender puts into each. Its credit is the service's.
func Drain(ctx context.Context, lis net.Listener, perBatch int) error {
	s := grpc.NewServer(grpc.ForceServerCodecV2(dropCodec{encoding.GetCodecV2(proto.Name)}), grpc.MaxRecvMsgSize(16<<20))
	pb.RegisterIngestServiceServer(s, &drain{perBatch: int64(perBatch)})
	defer context.AfterFunc(ctx, s.Stop)()
	if err := s.Serve(lis); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("drain on %s: %w", lis.Addr(), err)
	}
	return nil
}

type drain struct {
	pb.UnimplementedIngestServiceServer
	perBatch int64
}

// AppendEvents counts messages and acknowledges them.
func (d *drain) AppendEvents(g grpc.BidiStreamingServer[pb.AppendEventsRequest, pb.AppendEventsResponse]) error {
	var message dropped
	if err := g.RecvMsg(&message); err != nil {
		return err
	}
	opened := &pb.StreamOpened{NextSequence: 1, MaxUnackedBytes: 64 << 20, MaxBatchEvents: 10_000}
	if err := g.Send(&pb.AppendEventsResponse{Message: &pb.AppendEventsResponse_Opened{Opened: opened}}); err != nil {
		return err
	}
	acks := make(chan int64, 1)
	var sender sync.WaitGroup
	defer sender.Wait()
	defer close(acks)
	sender.Go(func() { sendAcks(g, acks) })
	for taken := d.perBatch; ; taken += d.perBatch {
		if err := g.RecvMsg(&message); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		select {
		case <-acks: // the newer one says it all
		default:
		}
		acks <- taken
	}
}

// sendAcks sends the newest acknowledgement again and again.
func sendAcks(g grpc.BidiStreamingServer[pb.AppendEventsRequest, pb.AppendEventsResponse], acks <-chan int64) {
	for committed := range acks {
		ack := &pb.AppendEventsResponse{Message: &pb.AppendEventsResponse_Ack{Ack: &pb.Ack{CommittedSequence: committed}}}
		if g.Send(ack) != nil {
			return // the receiving side meets the same error
		}
	}
}

// dropped is a message whose bytes were not looked at.
type dropped struct{}

// dropCodec drops what it is given.
type dropCodec struct{ encoding.CodecV2 }

// Unmarshal leaves a dropped message alone.
func (c dropCodec) Unmarshal(b mem.BufferSlice, v any) error {
	if _, ok := v.(*dropped); ok {
		return nil
	}
	return c.CodecV2.Unmarshal(b, v)
}
