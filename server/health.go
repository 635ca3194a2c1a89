package server

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

// healthPeriod is how often the storage is looked at.
const healthPeriod = time.Second / 2

// healthService answers grpc.health.v1 for the whole and for each service. While nothing can be written, the whole and
// the ingest are NOT_SERVING; what reads goes on.
type healthService struct {
	observed Observed
	server   *health.Server
}

func newHealthService(o Observed) *healthService {
	h := &healthService{observed: o, server: health.NewServer()}
	for _, name := range []string{
		pb.RegistryService_ServiceDesc.ServiceName, pb.SignalService_ServiceDesc.ServiceName,
		pb.ReportService_ServiceDesc.ServiceName, pb.AdminService_ServiceDesc.ServiceName,
	} {
		h.server.SetServingStatus(name, healthpb.HealthCheckResponse_SERVING)
	}
	return h
}

func (h *healthService) register(g *grpc.Server) { healthpb.RegisterHealthServer(g, h.server) }

// watch follows the storage until the lifetime ends.
func (h *healthService) watch(lifetime context.Context) {
	ticker := time.NewTicker(healthPeriod)
	defer ticker.Stop()
	for {
		status := healthpb.HealthCheckResponse_SERVING
		if h.observed.Stats(lifetime).StorageError != "" {
			status = healthpb.HealthCheckResponse_NOT_SERVING
		}
		h.server.SetServingStatus("", status)
		h.server.SetServingStatus(pb.IngestService_ServiceDesc.ServiceName, status)
		select {
		case <-ticker.C:
		case <-lifetime.Done():
			return
		}
	}
}

// shutDown makes everything NOT_SERVING for good.
func (h *healthService) shutDown() { h.server.Shutdown() }
