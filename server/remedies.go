package server

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/filter"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/wire"
)

// Remediations is what is to be done about cases.
type Remediations interface {
	// Propose proposes a remediation for a case.
	Propose(ctx context.Context, of memberwatch.CaseID, step memberwatch.Step) (memberwatch.Remediation, error)
	// Advance takes a step with a remediation of a case, whose etag is known, or any.
	Advance(ctx context.Context, of memberwatch.CaseID, id memberwatch.RemediationID, etag string, step memberwatch.Step) (memberwatch.Remediation, error)
	// Remediations returns up to limit that match and come before a number, the newest first.
	Remediations(ctx context.Context, before int64, limit int, match func(*memberwatch.Remediation) bool) ([]memberwatch.Remediation, error)
}

// Silences hides signals from the queue.
type Silences interface {
	// Silence makes a silence in the name of its author.
	Silence(ctx context.Context, want memberwatch.Silence) (memberwatch.Silence, error)
	// EndSilence ends a silence before its time.
	EndSilence(ctx context.Context, by memberwatch.Person, id memberwatch.SilenceID, comment string) (memberwatch.Silence, error)
	// Silences returns up to limit that match and come before a number, the newest first.
	Silences(ctx context.Context, before int64, limit int, match func(*memberwatch.Silence) bool) ([]memberwatch.Silence, error)
	// Preview returns how many signals of the last 30 days a silence would have hidden, how many are above its bound, and
	// how many of the hidden ones were judged ABUSE.
	Preview(ctx context.Context, want memberwatch.Silence) (hidden, above, abuse int64, err error)
}

// sortedKeys returns the keys of a map in order.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// remedyFields are what remediations can be filtered by, at a time.
func remedyFields(now time.Time) []filter.Field[memberwatch.Remediation] {
	return []filter.Field[memberwatch.Remediation]{
		filter.Name("app", "apps/", func(r *memberwatch.Remediation) string { return string(r.App) }),
		filter.Name("case", "cases/", func(r *memberwatch.Remediation) string { return string(r.Case) }),
		filter.Enum("kind", enumNames(pb.Remediation_Kind_name, "KIND_"), func(r *memberwatch.Remediation) int { return int(r.Kind) }),
		filter.Enum("state", enumNames(pb.Remediation_State_name, "STATE_"), func(r *memberwatch.Remediation) int { return int(r.State) }),
		filter.Bool("overdue", func(r *memberwatch.Remediation) bool { return r.Overdue(now) }),
		filter.Time("due_time", func(r *memberwatch.Remediation) int64 { return nanosOf(r.Due) }),
	}
}

// silenceFields are what silences can be filtered by, at a time.
func silenceFields(now time.Time) []filter.Field[memberwatch.Silence] {
	return []filter.Field[memberwatch.Silence]{
		filter.Name("app", "apps/", func(s *memberwatch.Silence) string { return string(s.Match.App) }),
		filter.Text("developer", func(s *memberwatch.Silence) string { return string(s.Match.Developer) }),
		filter.Text("kind", func(s *memberwatch.Silence) string { return string(s.Match.Kind) }),
		filter.Text("author", func(s *memberwatch.Silence) string { return string(s.Author) }),
		filter.Bool("active", func(s *memberwatch.Silence) bool { return s.Active(now) }),
		filter.Time("end_time", func(s *memberwatch.Silence) int64 { return nanosOf(s.End) }),
	}
}

// ProposeRemediation proposes a remediation.
func (s *caseService) ProposeRemediation(ctx context.Context, r *pb.ProposeRemediationRequest) (*pb.ProposeRemediationResponse, error) {
	of, step, err := wire.DecodeProposal(r)
	if err != nil {
		return nil, err
	}
	step.By = memberwatch.PersonIn(ctx)
	m, err := s.review.Propose(ctx, of, step)
	if err != nil {
		return nil, err
	}
	return &pb.ProposeRemediationResponse{Remediation: wire.EncodeRemediation(&m, time.Now())}, nil
}

// AdvanceRemediation takes a step with a remediation.
func (s *caseService) AdvanceRemediation(ctx context.Context, r *pb.AdvanceRemediationRequest) (*pb.AdvanceRemediationResponse, error) {
	of, id, err := wire.ParseRemediationName(r.GetName())
	if err != nil {
		return nil, wire.InField("name", err)
	}
	step, err := wire.DecodeStep(r)
	if err != nil {
		return nil, err
	}
	step.By = memberwatch.PersonIn(ctx)
	m, err := s.review.Advance(ctx, of, id, r.GetEtag(), step)
	if err != nil {
		return nil, err
	}
	return &pb.AdvanceRemediationResponse{Remediation: wire.EncodeRemediation(&m, time.Now())}, nil
}

// ListRemediations returns a page of remediations.
func (s *caseService) ListRemediations(ctx context.Context, r *pb.ListRemediationsRequest) (*pb.ListRemediationsResponse, error) {
	size, before, err := numberedPage(r)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	selected, err := filter.Parse(r.GetFilter(), remedyFields(now))
	if err != nil {
		return nil, wire.InField("filter", err)
	}
	list, err := s.review.Remediations(ctx, before, size+1, selected.Match)
	if err != nil {
		return nil, err
	}
	m := &pb.ListRemediationsResponse{}
	if len(list) > size {
		list = list[:size]
		n, _ := list[size-1].ID.RemediationNumber()
		m.NextPageToken = newToken(r, strconv.FormatInt(n, 10))
	}
	for i := range list {
		m.Remediations = append(m.Remediations, wire.EncodeRemediation(&list[i], now))
	}
	return m, nil
}

// CreateSilence makes a silence.
func (s *caseService) CreateSilence(ctx context.Context, r *pb.CreateSilenceRequest) (*pb.CreateSilenceResponse, error) {
	want, err := wire.DecodeSilence(r.GetSilence())
	if err != nil {
		return nil, wire.InField("silence", err)
	}
	want.Author = memberwatch.PersonIn(ctx)
	made, err := s.review.Silence(ctx, want)
	if err != nil {
		return nil, err
	}
	return &pb.CreateSilenceResponse{Silence: wire.EncodeSilence(&made, time.Now())}, nil
}

// PreviewSilence says what a silence would have done.
func (s *caseService) PreviewSilence(ctx context.Context, r *pb.PreviewSilenceRequest) (*pb.PreviewSilenceResponse, error) {
	want, err := wire.DecodeSilence(r.GetSilence())
	if err != nil {
		return nil, wire.InField("silence", err)
	}
	hidden, above, abuse, err := s.review.Preview(ctx, want)
	if err != nil {
		return nil, err
	}
	return &pb.PreviewSilenceResponse{Hidden: hidden, Above: above, Abuse: abuse}, nil
}

// EndSilence ends a silence.
func (s *caseService) EndSilence(ctx context.Context, r *pb.EndSilenceRequest) (*pb.EndSilenceResponse, error) {
	id, err := wire.ParseSilenceName(r.GetName())
	if err != nil {
		return nil, wire.InField("name", err)
	}
	ended, err := s.review.EndSilence(ctx, memberwatch.PersonIn(ctx), id, r.GetComment())
	if err != nil {
		return nil, err
	}
	return &pb.EndSilenceResponse{Silence: wire.EncodeSilence(&ended, time.Now())}, nil
}

// ListSilences returns a page of silences.
func (s *caseService) ListSilences(ctx context.Context, r *pb.ListSilencesRequest) (*pb.ListSilencesResponse, error) {
	size, before, err := numberedPage(r)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	selected, err := filter.Parse(r.GetFilter(), silenceFields(now))
	if err != nil {
		return nil, wire.InField("filter", err)
	}
	list, err := s.review.Silences(ctx, before, size+1, selected.Match)
	if err != nil {
		return nil, err
	}
	m := &pb.ListSilencesResponse{}
	if len(list) > size {
		list = list[:size]
		n, _ := list[size-1].ID.SilenceNumber()
		m.NextPageToken = newToken(r, strconv.FormatInt(n, 10))
	}
	for i := range list {
		m.Silences = append(m.Silences, wire.EncodeSilence(&list[i], now))
	}
	return m, nil
}
