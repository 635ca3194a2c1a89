package server

import (
	"context"
	"fmt"
	"strconv"

	"google.golang.org/grpc"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/filter"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/wire"
)

// Tuner decides how evidence becomes signals.
type Tuner interface {
	// Tuning returns how evidence is decided now.
	Tuning(ctx context.Context) (memberwatch.TuningView, error)
	// Tunings returns up to limit tunings that were applied before a revision, newest first; 0 begins at the newest.
	Tunings(ctx context.Context, before int64, limit int) ([]memberwatch.Change, error)
	// TryTuning holds a tuning against the evidence of the last days.
	TryTuning(ctx context.Context, t memberwatch.Tuning, days int) (memberwatch.Trial, error)
	// Clues visits the evidence kept of windows that start from an event time on; 0 means all.
	Clues(ctx context.Context, from int64, visit func(memberwatch.Clue) error) error
	// PutTuning applies a tuning if the one in force is of the expected revision, or that is negative.
	PutTuning(ctx context.Context, t memberwatch.Tuning, expected int64) (memberwatch.Change, error)
}

// tuningService serves TuningService.
type tuningService struct {
	pb.UnimplementedTuningServiceServer
	tuner Tuner
}

// GetTuning returns how evidence is decided.
func (s *tuningService) GetTuning(ctx context.Context, _ *pb.GetTuningRequest) (*pb.GetTuningResponse, error) {
	v, err := s.tuner.Tuning(ctx)
	if err != nil {
		return nil, err
	}
	return &pb.GetTuningResponse{Tuning: wire.EncodeTuning(&v.Tuning), Shares: wire.EncodeShares(v.Shares)}, nil
}

// ListTunings returns a page of the tunings that were applied.
func (s *tuningService) ListTunings(ctx context.Context, r *pb.ListTuningsRequest) (*pb.ListTuningsResponse, error) {
	size, after, err := listPages.open(r)
	if err != nil {
		return nil, err
	}
	var before int64
	if after != "" {
		if before, err = strconv.ParseInt(after, 10, 64); err != nil || before < 1 {
			return nil, tokenInvalid("page_token", r.GetPageToken())
		}
	}
	selected, err := filter.Parse(r.GetFilter(), tuningFields)
	if err != nil {
		return nil, wire.InField("filter", err)
	}
	changes, err := s.tuner.Tunings(ctx, before, size+1)
	if err != nil {
		return nil, err
	}
	m := &pb.ListTuningsResponse{}
	if len(changes) > size {
		changes = changes[:size]
		m.NextPageToken = newToken(r, strconv.FormatInt(changes[size-1].Revision, 10))
	}
	for i := range changes {
		if selected.Match(&changes[i]) {
			m.Tunings = append(m.Tunings, wire.EncodeTuningChange(&changes[i]))
		}
	}
	return m, nil
}

// tuningFields are what tunings can be filtered by.
var tuningFields = []filter.Field[memberwatch.Change]{
	filter.Bool("configured", func(c *memberwatch.Change) bool { return c.Tuning.Configured }),
	filter.Text("comment", func(c *memberwatch.Change) string { return c.Tuning.Comment }),
	filter.Time("apply_time", func(c *memberwatch.Change) int64 { return c.Time.UnixNano() }),
}

// ApplyTuning changes how evidence is decided.
func (s *tuningService) ApplyTuning(ctx context.Context, r *pb.ApplyTuningRequest) (*pb.ApplyTuningResponse, error) {
	if r.GetTuning() == nil {
		return nil, invalidField("tuning", "TUNING_INVALID", "there is no tuning to apply", "send one; {\"configured\": true} takes all changes back")
	}
	expected := int64(-1)
	if r.ExpectedRevision != nil {
		expected = max(r.GetExpectedRevision(), 0)
	}
	change, err := s.tuner.PutTuning(ctx, wire.DecodeTuning(r.GetTuning()), expected)
	if err != nil {
		return nil, wire.InField("tuning", err)
	}
	return &pb.ApplyTuningResponse{Tuning: wire.EncodeTuningChange(&change)}, nil
}

// trialDays are those that a request asks for.
func trialDays(days int32) (int, error) {
	switch {
	case days < 0:
		return 0, invalidField("days", "DAYS_INVALID", fmt.Sprintf("%d days are negative", days), "leave it out for 28")
	case days == 0:
		return 28, nil
	default:
		return min(int(days), 400), nil
	}
}

// BacktestTuning says what a tuning would have raised.
func (s *tuningService) BacktestTuning(ctx context.Context, r *pb.BacktestTuningRequest) (*pb.BacktestTuningResponse, error) {
	days, err := trialDays(r.GetDays())
	if err != nil {
		return nil, err
	}
	t, err := s.tuner.TryTuning(ctx, wire.DecodeTuning(r.GetTuning()), days)
	if err != nil {
		return nil, wire.InField("tuning", err)
	}
	return wire.EncodeTrial(&t), nil
}

// cluesPage is how many clues go in one message.
const cluesPage = 500

// ListClues sends the evidence of the last days before the newest closed window.
func (s *tuningService) ListClues(r *pb.ListCluesRequest, g grpc.ServerStreamingServer[pb.ListCluesResponse]) error {
	days, err := trialDays(r.GetDays())
	if err != nil {
		return err
	}
	span, err := s.tuner.TryTuning(g.Context(), memberwatch.Tuning{Configured: true}, days)
	if err != nil {
		return err
	}
	page := &pb.ListCluesResponse{}
	err = s.tuner.Clues(g.Context(), span.From, func(c memberwatch.Clue) error {
		if page.Clues = append(page.Clues, wire.EncodeClue(&c)); len(page.GetClues()) < cluesPage {
			return nil
		}
		full := page
		page = &pb.ListCluesResponse{}
		return g.Send(full)
	})
	if err != nil || len(page.GetClues()) == 0 {
		return err
	}
	return g.Send(page)
}
