package main

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/memberwatch/memberwatch/access"
	"github.com/memberwatch/memberwatch/monitor"
	"github.com/memberwatch/memberwatch/notify"
	"github.com/memberwatch/memberwatch/review"
	"github.com/memberwatch/memberwatch/server"
)

// serviceOptions say where a service listens and how its parts work.
type serviceOptions struct {
	listen  string
	monitor monitor.Options
	review  review.Options
	server  server.Options
	deliver *notify.Options // nil: nothing is delivered
}

// service is a monitor behind a server on a listener: all that serve, demo and
// replay --embedded start.
type service struct {
	monitor *monitor.Monitor
	reviews *review.Service
	courier *notify.Courier // nil: nothing is delivered
	server  *server.Server
	address string
	proves  bool // callers prove who they are
	serving sync.WaitGroup
	failed  chan error // the server's end, if it came by itself
}

// startService opens the data directory and serves it. The caller stops it.
func startService(ctx context.Context, o serviceOptions) (*service, error) {
	listener, err := server.Listen(ctx, o.listen, o.server.TLS != nil)
	if err != nil {
		return nil, err
	}
	m, err := monitor.Open(o.monitor)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	reviews := review.Open(m.Platform(), m, o.review)
	known := access.Open(m.Platform())
	o.server.Version, o.server.Review, o.server.Access = version(), reviews, known
	s := &service{monitor: m, reviews: reviews, address: dialable(listener.Addr()), failed: make(chan error, 1)}
	if o.deliver != nil {
		if s.courier, err = startCourier(m.Platform(), reviews, *o.deliver); err != nil {
			reviews.Close()
			return nil, errors.Join(err, m.Close(ctx), listener.Close())
		}
		o.server.Deliveries = s.courier
	}
	s.server = server.New(m, o.server)
	if s.proves, err = known.Proves(ctx); err == nil {
		err = s.server.CheckReach(ctx, listener.Addr())
	}
	if err != nil {
		return nil, errors.Join(err, s.stop(ctx), listener.Close())
	}
	s.serving.Go(func() {
		if err := s.server.Serve(listener); err != nil {
			s.failed <- err
		}
	})
	return s, nil
}

// dialable returns a listener's address as gRPC takes it.
func dialable(a net.Addr) string {
	if a.Network() == "unix" {
		return "unix:" + a.String()
	}
	return a.String()
}

// stopTimeout bounds an orderly stop.
const stopTimeout = 30 * time.Second

// stop drains the producers, writes the final checkpoint and closes the data
// directory. It works when ctx is done already: that is why one stops.
func (s *service) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	err := s.server.Shutdown(ctx)
	s.serving.Wait()
	if s.courier != nil {
		s.courier.Close()
	}
	s.reviews.Close()
	return errors.Join(err, s.monitor.Close(ctx))
}
