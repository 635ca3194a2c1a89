package server

import (
	"context"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/memberwatch/memberwatch"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/wire"
)

// Reporter answers questions about the past and what follows from it.
type Reporter interface {
	// QueryAccess returns the rows of a query, what is certain first and then those with most members, and all of them together.
	QueryAccess(ctx context.Context, q memberwatch.AccessQuery) (rows []memberwatch.AccessRow, total memberwatch.AccessRow, err error)
	// Baseline returns what is normal for an app, declared or only seen.
	Baseline(ctx context.Context, id memberwatch.AppID) (memberwatch.Baseline, error)
}

// Packets writes incident packets.
type Packets interface {
	// Packet writes the packet of a case in a person's name.
	Packet(ctx context.Context, by memberwatch.Person, id memberwatch.CaseID) ([]byte, error)
}

// ExportPacket writes the incident packet of a case.
func (s *reportService) ExportPacket(ctx context.Context, r *pb.ExportPacketRequest) (*pb.ExportPacketResponse, error) {
	if s.packets == nil {
		return nil, status.Error(codes.Unimplemented, "this server has no cases")
	}
	id, err := wire.ParseCaseName(r.GetCase())
	if err != nil {
		return nil, wire.InField("case", err)
	}
	document, err := s.packets.Packet(ctx, memberwatch.PersonIn(ctx), id)
	if err != nil {
		return nil, err
	}
	return &pb.ExportPacketResponse{Document: document}, nil
}

// reportService serves ReportService.
type reportService struct {
	pb.UnimplementedReportServiceServer
	reporter Reporter
	packets  Packets // nil: this server has no cases
	audit    Auditor // nil: reports are not recorded
}

// QueryAccess returns a page of rows. Each page asks anew, so that the server keeps nothing between calls; a row whose
// rank changes meanwhile may move across a page's border.
func (s *reportService) QueryAccess(ctx context.Context, r *pb.QueryAccessRequest) (*pb.QueryAccessResponse, error) {
	size, begin, err := accessPages.open(r)
	if err != nil {
		return nil, err
	}
	from := 0
	if begin != "" {
		if from, err = strconv.Atoi(begin); err != nil {
			return nil, tokenInvalid("page_token", r.GetPageToken())
		}
	}
	query, err := wire.DecodeAccessQuery(r)
	if err != nil {
		return nil, err
	}
	if err := query.Validate(); err != nil {
		return nil, err
	}
	if err := recordFirst(ctx, s.audit, "access.report", "access", r); err != nil {
		return nil, err
	}
	rows, total, err := s.reporter.QueryAccess(ctx, query)
	if err != nil {
		return nil, err
	}
	m := &pb.QueryAccessResponse{Total: wire.EncodeAccessRow(&total)}
	rows = rows[min(max(from, 0), len(rows)):]
	if len(rows) > size {
		rows = rows[:size]
		m.NextPageToken = newToken(r, strconv.Itoa(from+size))
	}
	for i := range rows {
		m.Rows = append(m.Rows, wire.EncodeAccessRow(&rows[i]))
	}
	return m, nil
}

// GetBaseline tells what is normal for an app.
func (s *reportService) GetBaseline(ctx context.Context, r *pb.GetBaselineRequest) (*pb.GetBaselineResponse, error) {
	id, err := wire.ParseAppName(r.GetApp())
	if err != nil {
		return nil, wire.InField("app", err)
	}
	baseline, err := s.reporter.Baseline(ctx, id)
	if err != nil {
		return nil, err
	}
	return &pb.GetBaselineResponse{Baseline: wire.EncodeBaseline(&baseline)}, nil
}
