// Package server is the gRPC face of memberwatch: it serves the contract over small interfaces that it declares itself,
// validates what comes in, chooses status codes, counts what it refuses, and ends streams in order. It knows nothing of
// detectors and storage, and gets all translation from package wire.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	"github.com/memberwatch/memberwatch"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/wire"
)

// Monitor is all that a server puts a face on.
type Monitor interface {
	Ingester
	Registry
	Signals
	Reporter
	Tuner
	Observed
}

// Options say how a server works. The zero value of every field means the default named beside it.
type Options struct {
	// Version is the program's version, for AdminService.GetStats.
	Version string
	// Log takes what is worth telling an operator (discarded).
	Log *slog.Logger
	// WithoutReflection turns off gRPC server reflection.
	WithoutReflection bool
	// MaxMessageBytes bounds one message of events (8 MiB).
	MaxMessageBytes int
	// MaxBatchEvents bounds the events of one batch (10,000).
	MaxBatchEvents int
	// MaxUnackedBytes is how many bytes of batches a producer may have sent without an ack (64 MiB).
	MaxUnackedBytes int64
	// MaxStreamAge is when a stream is drained, so that producers spread again over what serves them (30 min). Each
	// stream goes up to a tenth earlier, so that they do not go together.
	MaxStreamAge time.Duration
	// ReconnectAfter is how long a drained producer is asked to wait (500 ms).
	ReconnectAfter time.Duration
	// MaxConnections bounds the open connections (1,024). Further ones wait.
	MaxConnections int
	// MaxStreams bounds the calls under way on one connection (256).
	MaxStreams int
	// Review serves CaseService and the audit log; nil: the server has neither.
	Review Review
	// Access knows who may call; nil: nobody proves who calls.
	Access Access
	// Recheck is how often the token of a stream is looked at again: a revoked one should not read on for long (15 s).
	Recheck time.Duration
	// TLS secures the connections; nil: they are in the clear. Certificates of clients are demanded if it demands them.
	TLS *tls.Config
	// Deliveries serves DeliveryService; nil: the server has none.
	Deliveries Deliveries
	// Bookmark is the longest silence of WatchSignals (15 s).
	Bookmark time.Duration
}

func (o Options) withDefaults() Options {
	setDefault(&o.MaxMessageBytes, 8<<20)
	setDefault(&o.MaxBatchEvents, 10_000)
	setDefault(&o.MaxUnackedBytes, 64<<20)
	setDefault(&o.MaxStreamAge, 30*time.Minute)
	setDefault(&o.ReconnectAfter, 500*time.Millisecond)
	setDefault(&o.MaxConnections, 1024)
	setDefault(&o.MaxStreams, 256)
	setDefault(&o.Bookmark, 15*time.Second)
	setDefault(&o.Recheck, 15*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// auditor returns nothing where there is no review side.
func (o *Options) auditor() Auditor {
	if o.Review == nil {
		return nil
	}
	return o.Review
}

// packets is like auditor.
func (o *Options) packets() Packets {
	if o.Review == nil {
		return nil
	}
	return o.Review
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Server serves the contract. Make one with New.
type Server struct {
	grpc     *grpc.Server
	ingest   *ingestService
	health   *healthService
	options  Options
	drain    context.CancelFunc // ends the lifetime that streams watch
	checking sync.WaitGroup
}

// New returns a server over a monitor, which must outlive it.
func New(m Monitor, o Options) *Server { return newServer(m, o.withDefaults()) }

// newServer lets tests add options of gRPC's own.
func newServer(m Monitor, o Options, extra ...grpc.ServerOption) *Server {
	lifetime, drain := context.WithCancel(context.Background())
	codec := &wire.Codec{MaxBatchEvents: o.MaxBatchEvents, MaxMessageBytes: o.MaxMessageBytes}
	rejected, failed := new(counters), new(counters)
	s := &Server{options: o, drain: drain, health: newHealthService(m)}
	s.ingest = &ingestService{
		ingester: m, codec: codec, options: o, rejected: rejected, lifetime: lifetime,
		busy: make(map[memberwatch.ProducerID]int),
	}
	if o.TLS != nil {
		extra = append(extra, grpc.Creds(credentials.NewTLS(o.TLS)))
	}
	s.grpc = grpc.NewServer(append([]grpc.ServerOption{
		grpc.ForceServerCodecV2(codec),
		// A message up to twice too large is read and refused with the reason; gRPC refuses a larger one unread.
		grpc.MaxRecvMsgSize(2 * o.MaxMessageBytes),
		grpc.MaxConcurrentStreams(uint32(o.MaxStreams)),
		grpc.ConnectionTimeout(10 * time.Second),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: time.Minute, Timeout: 20 * time.Second}),
		grpc.StatsHandler(callErrors{failed}),
		grpc.UnaryInterceptor(s.translateUnary),
		grpc.StreamInterceptor(s.translateStream),
	}, extra...)...)
	pb.RegisterIngestServiceServer(s.grpc, s.ingest)
	pb.RegisterRegistryServiceServer(s.grpc, &registryService{registry: m})
	pb.RegisterSignalServiceServer(s.grpc, &signalService{signals: m, audit: o.auditor(), bookmark: o.Bookmark, lifetime: lifetime})
	pb.RegisterReportServiceServer(s.grpc, &reportService{reporter: m, packets: o.packets(), audit: o.auditor()})
	pb.RegisterAdminServiceServer(s.grpc, &adminService{observed: m, audit: o.auditor(), access: o.Access, rejected: rejected, callErrors: failed, version: o.Version, started: time.Now()})
	pb.RegisterTuningServiceServer(s.grpc, &tuningService{tuner: m})
	if o.Review != nil {
		pb.RegisterCaseServiceServer(s.grpc, &caseService{review: o.Review})
	}
	if o.Deliveries != nil {
		pb.RegisterDeliveryServiceServer(s.grpc, &deliveryService{deliveries: o.Deliveries, audit: o.auditor()})
	}
	s.health.register(s.grpc)
	if !o.WithoutReflection {
		reflection.Register(s.grpc)
	}
	s.checking.Go(func() { s.health.watch(lifetime) })
	return s
}

// Serve answers on a listener until Shutdown, and returns nil then. Where other machines reach the listener, it refuses
// to unless CheckReach finds that all is in place.
func (s *Server) Serve(lis net.Listener) error {
	if err := s.CheckReach(context.Background(), lis.Addr()); err != nil {
		return err
	}
	err := s.grpc.Serve(bound(lis, s.options.MaxConnections))
	if err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("serve on %s: %w", lis.Addr(), err)
	}
	return nil
}

// Shutdown ends the service in order: health turns NOT_SERVING, no new call is taken, each producer gets the ack of all
// that was received and is asked to reconnect, feeds end, other calls finish. When ctx is done before, the rest is cut
// off, and Shutdown returns the context's error. The monitor must still be open.
func (s *Server) Shutdown(ctx context.Context) error {
	s.health.shutDown()
	s.drain()
	graceful := make(chan struct{})
	var stopping sync.WaitGroup
	stopping.Go(func() {
		defer close(graceful)
		s.grpc.GracefulStop()
	})
	var err error
	select {
	case <-graceful:
	case <-ctx.Done():
		err = fmt.Errorf("shut down: calls were cut off: %w", ctx.Err())
		s.grpc.Stop()
	}
	stopping.Wait()
	s.checking.Wait()
	s.ingest.readers.Wait()
	return err
}

// translateUnary lets a call in and turns its error into a status.
func (s *Server) translateUnary(ctx context.Context, r any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	ctx, err := s.admit(ctx, info.FullMethod, r)
	if err == nil {
		ctx, err = withRequest(ctx, r)
	}
	if err != nil {
		return nil, s.translate(info.FullMethod, err)
	}
	response, err := handle(ctx, r)
	return response, s.translate(info.FullMethod, err)
}

// translateStream lets a stream in, as long as its token is good, and turns its error into a status.
func (s *Server) translateStream(service any, g grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	ctx, err := s.admit(g.Context(), info.FullMethod, nil)
	if err != nil {
		return s.translate(info.FullMethod, err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	watching.Go(func() { s.watchToken(ctx, info.FullMethod, cancel) })
	err = handle(service, stream{ServerStream: g, ctx: ctx})
	if cause := context.Cause(ctx); cause != nil && g.Context().Err() == nil {
		err = cause // the token ended, not the call
	}
	cancel(nil)
	watching.Wait()
	return s.translate(info.FullMethod, err)
}

// translate logs what is the service's own fault: the caller cannot mend it.
func (s *Server) translate(method string, err error) error {
	if err == nil {
		return nil
	}
	st := toStatus(err)
	if st.Code() == codes.Internal {
		s.options.Log.Error("call failed", "method", method, "error", err)
	}
	return st.Err()
}
