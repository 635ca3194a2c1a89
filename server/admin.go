package server

import (
	"context"
	"io"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/memberwatch/memberwatch"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/wire"
)

// Observed tells about itself.
type Observed interface {
	// Stats returns a snapshot of the service.
	Stats(ctx context.Context) memberwatch.Stats
	// Backup writes all files as they were at one moment to what open returns for their names and sizes.
	Backup(ctx context.Context, open func(name string, bytes int64) (io.Writer, error)) error
}

// adminService serves AdminService.
type adminService struct {
	pb.UnimplementedAdminServiceServer
	observed   Observed
	audit      Auditor // nil: none
	access     Access  // nil: nobody has a token
	rejected   *counters
	callErrors *counters
	version    string
	started    time.Time
}

// GetStats returns the monitor's counters and the server's own.
func (s *adminService) GetStats(ctx context.Context, _ *pb.GetStatsRequest) (*pb.GetStatsResponse, error) {
	snapshot := s.observed.Stats(ctx)
	m := wire.EncodeStats(&snapshot)
	m.Uptime = durationpb.New(time.Since(s.started))
	m.Version = s.version
	m.Rejected = wire.EncodeCounts(s.rejected.snapshot())
	m.CallErrors = wire.EncodeCounts(s.callErrors.snapshot())
	return m, nil
}
