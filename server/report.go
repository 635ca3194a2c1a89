package server

import (
	"context"
	"fmt"
	"strconv"

	"github.com/memberwatch/memberwatch"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/wire"
)

// Reporter answers questions about the past.
type Reporter interface {
	// QueryAccess returns the rows of a query, those with most members first, and all of them together.
	QueryAccess(ctx context.Context, q memberwatch.AccessQuery) (rows []memberwatch.AccessRow, total memberwatch.AccessRow, err error)
}

// reportService serves ReportService.
type reportService struct {
	pb.UnimplementedReportServiceServer
	reporter Reporter
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
	if query.UntilDay < query.SinceDay {
		return nil, invalidField("until", "RANGE_INVALID", fmt.Sprintf("until lies %d days before since", query.SinceDay-query.UntilDay), "swap the two")
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
