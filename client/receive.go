package client

import (
	"errors"
	"io"
	"time"

	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

// receive takes acknowledgements until the stream ends and returns why it did;
// io.EOF when the service closed it.
func (s *stream) receive() error {
	var drain *drained
	for {
		answer, err := s.rpc.Recv()
		switch {
		case err != nil && drain != nil && errors.Is(err, io.EOF):
			return *drain
		case err != nil:
			return err
		case answer.GetAck() != nil:
			err = s.acknowledged(answer.GetAck())
		case answer.GetDrain() != nil:
			drain = &drained{time.Duration(answer.GetDrain().GetReconnectAfterMs()) * time.Millisecond}
			s.drain()
		}
		if err != nil {
			return err
		}
	}
}

// acknowledged forgets what became durable and wakes those who waited for it.
func (s *stream) acknowledged(ack *pb.Ack) error {
	if err := s.forget(ack); err != nil {
		return err
	}
	s.client.wakeSender()
	if s.client.options.OnRejected != nil {
		for _, r := range ack.GetRejected() {
			s.client.options.OnRejected(Rejection{Sequence: r.GetSequence(), Reason: r.GetReason(), Message: r.GetMessage()})
		}
	}
	return nil
}

func (s *stream) forget(ack *pb.Ack) error {
	c := s.client
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.buffer.committed
	if err := c.buffer.ack(ack.GetCommittedSequence()); err != nil {
		return err
	}
	s.progress = s.progress || c.buffer.committed > before
	s.lastAck = time.Now()
	if ack.GetMaxUnackedBytes() > 0 {
		s.credit = int(ack.GetMaxUnackedBytes())
	}
	c.counters.Rejected += ack.GetRejectedCount()
	c.broadcast()
	return nil
}

// drain stops the sender.
func (s *stream) drain() {
	s.client.mu.Lock()
	s.draining = true
	s.client.mu.Unlock()
	s.client.wakeSender()
}
