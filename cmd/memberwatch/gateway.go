package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"google.golang.org/grpc"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/bench/feed"
	"github.com/memberwatch/memberwatch/bench/trial"
	"github.com/memberwatch/memberwatch/client"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/wire"
)

// gateway is a whole service behind gRPC, fed by a client as in production: the
// road that bench scenarios --through grpc takes.
type gateway struct {
	service *service
	conn    *grpc.ClientConn
	client  *client.Client
	dir     string
}

// openGateway starts a service on a port of its own and connects to it.
func openGateway(ctx context.Context) (trial.Service, func() error, error) {
	dir, err := os.MkdirTemp("", "memberwatch-bench-")
	if err != nil {
		return nil, nil, fmt.Errorf("make a data directory: %w", err)
	}
	g := &gateway{dir: dir}
	end := func() error { return g.close(ctx) }
	g.service, err = startService(ctx, serviceOptions{listen: "127.0.0.1:0", monitor: feed.MonitorOptions(dir, feed.Options{})})
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	if g.conn, err = dial(ctx, g.service.address); err != nil {
		return nil, nil, errors.Join(err, end())
	}
	g.client, err = client.New(client.Options{Target: g.service.address, Producer: "bench", MaxBufferedBytes: 16 << 20})
	if err != nil {
		return nil, nil, errors.Join(err, end())
	}
	return g, end, nil
}

// Append streams an event.
func (g *gateway) Append(ctx context.Context, ev *memberwatch.Event) error {
	return g.client.Append(ctx, *ev)
}

// Declare makes a control change once all earlier events have arrived.
func (g *gateway) Declare(ctx context.Context, change *memberwatch.Change) error {
	if err := g.client.Flush(ctx); err != nil {
		return err
	}
	registry := pb.NewRegistryServiceClient(g.conn)
	var err error
	switch {
	case change.Canaries != nil:
		_, err = registry.PutCanaries(ctx, wire.EncodeCanaries(change.Canaries))
	case change.Attestation != nil:
		_, err = registry.PutAttestation(ctx, &pb.PutAttestationRequest{Attestation: wire.EncodeAttestation(change.Attestation)})
	default:
		err = declare(ctx, registry, change)
	}
	return err
}

// Signals waits until all is judged and lists what was found.
func (g *gateway) Signals(ctx context.Context) ([]memberwatch.Signal, error) {
	if err := g.client.Flush(ctx); err != nil {
		return nil, err
	}
	if err := g.service.monitor.Settle(ctx); err != nil {
		return nil, err
	}
	return fetchSignals(ctx, g.conn)
}

// fetchSignals lists all signals of a server, in the order in which they opened.
func fetchSignals(ctx context.Context, conn *grpc.ClientConn) ([]memberwatch.Signal, error) {
	var signals []memberwatch.Signal
	service := pb.NewSignalServiceClient(conn)
	err := pages(0, maxPage, func(token string, size int) (int, string, error) {
		answer, err := service.ListSignals(ctx, &pb.ListSignalsRequest{PageSize: int32(size), PageToken: token})
		for _, m := range answer.GetSignals() {
			s, err := wire.DecodeSignal(m)
			if err != nil {
				return 0, "", err
			}
			signals = append(signals, s)
		}
		return len(answer.GetSignals()), answer.GetNextPageToken(), err
	})
	feed.Sort(signals)
	return signals, err
}

func (g *gateway) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	var errs []error
	if g.client != nil {
		errs = append(errs, g.client.Close(ctx))
	}
	if g.conn != nil {
		errs = append(errs, g.conn.Close())
	}
	errs = append(errs, g.service.stop(ctx), os.RemoveAll(g.dir))
	return errors.Join(errs...)
}
