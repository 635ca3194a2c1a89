package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/filter"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/wire"
)

// Review is the whole review side.
type Review interface {
	Cases
	Triage
	Remediations
	Silences
	Auditor
	Packets
}

// Cases is the reviewers' work. What writes takes the person from the decision
// or its argument.
type Cases interface {
	// Case returns a case with its remediations, oldest first.
	Case(ctx context.Context, id memberwatch.CaseID) (memberwatch.Case, []memberwatch.Remediation, error)
	// Against returns the signals that contradict what was attested for a case.
	Against(ctx context.Context, of memberwatch.CaseID) ([]memberwatch.SignalID, error)
	// Cases returns up to limit cases that match, in an order, beginning after a cursor, and the next cursor; it is empty at the
	// end.
	Cases(ctx context.Context, order memberwatch.Order, after string, limit int, match func(*memberwatch.Case) bool) (page []memberwatch.Case, next string, err error)
	// History returns audit entries about a case whose numbers come after one, oldest first.
	History(ctx context.Context, id memberwatch.CaseID, after int64, limit int) ([]memberwatch.AuditEntry, error)
	// Open opens a case about an app or a developer; if one is open, only when another is wanted.
	Open(ctx context.Context, d memberwatch.Decision, another bool) (memberwatch.Case, error)
	// Next claims the most urgent case that nobody has and that matches.
	Next(ctx context.Context, by memberwatch.Person, match func(*memberwatch.Case) bool) (memberwatch.Case, error)
	// Decide takes a decision about a case whose etag is known, or any.
	Decide(ctx context.Context, id memberwatch.CaseID, etag string, d memberwatch.Decision) (memberwatch.Case, error)
	// DecideAll takes a decision about all cases that match; with dry it only lists them.
	DecideAll(ctx context.Context, match func(*memberwatch.Case) bool, d memberwatch.Decision, dry bool) ([]memberwatch.CaseID, map[memberwatch.CaseID]error, error)
	// Reasons returns the reasons that each verdict may have.
	Reasons() memberwatch.Reasons
	// Precisions returns how often each version of the models was right.
	Precisions(ctx context.Context) ([]memberwatch.Precision, error)
}

// caseService serves CaseService.
type caseService struct {
	pb.UnimplementedCaseServiceServer
	review Review
}

// caseFields are what cases can be filtered by, at a time. Lists know no more of a case: what is added here must be added to
// its head in package store.
func caseFields(now time.Time) []filter.Field[memberwatch.Case] {
	return []filter.Field[memberwatch.Case]{
		filter.Name("app", "apps/", func(c *memberwatch.Case) string { return string(c.App) }),
		filter.Text("developer", func(c *memberwatch.Case) string { return string(c.Developer) }),
		filter.Enum("state", enumNames(pb.Case_State_name, "STATE_"), func(c *memberwatch.Case) int { return int(c.State) }),
		filter.Enum("severity", enumNames(pb.Severity_name, "SEVERITY_"), func(c *memberwatch.Case) int { return int(c.Severity) }),
		filter.Enum("verdict", enumNames(pb.Verdict_name, "VERDICT_"), func(c *memberwatch.Case) int { return int(c.Verdict) }),
		filter.Text("reason", func(c *memberwatch.Case) string { return c.Reason }),
		filter.Text("assignee", func(c *memberwatch.Case) string { return string(c.Assignee) }),
		filter.Text("tags", func(c *memberwatch.Case) string { return strings.Join(c.Tags, " ") }),
		filter.Bool("overdue", func(c *memberwatch.Case) bool { return c.Overdue(now) }),
		filter.Time("create_time", func(c *memberwatch.Case) int64 { return c.Created.UnixNano() }),
		filter.Time("due_time", func(c *memberwatch.Case) int64 { return nanosOf(c.NextDue()) }),
	}
}

// caseOrders are what cases can be sorted by. Each has an index in package store.
var caseOrders = map[string]memberwatch.OrderField{
	"create_time": memberwatch.ByOpening, "severity": memberwatch.BySeverity, "due_time": memberwatch.ByDue, "update_time": memberwatch.ByUpdate,
}

// nanosOf returns 0 for no time.
func nanosOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// GetCase returns one case.
func (s *caseService) GetCase(ctx context.Context, r *pb.GetCaseRequest) (*pb.GetCaseResponse, error) {
	id, err := wire.ParseCaseName(r.GetName())
	if err != nil {
		return nil, wire.InField("name", err)
	}
	c, remedies, err := s.review.Case(ctx, id)
	if err != nil {
		return nil, err
	}
	against, err := s.review.Against(ctx, id)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	m := &pb.GetCaseResponse{Case: wire.EncodeCase(&c, now), Against: wire.EncodeSignalNames(against)}
	for i := range remedies {
		m.Remediations = append(m.Remediations, wire.EncodeRemediation(&remedies[i], now))
	}
	return m, nil
}

// ListCases returns a page of cases.
func (s *caseService) ListCases(ctx context.Context, r *pb.ListCasesRequest) (*pb.ListCasesResponse, error) {
	size, after, err := listPages.open(r)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	selected, err := filter.Parse(r.GetFilter(), caseFields(now))
	if err != nil {
		return nil, wire.InField("filter", err)
	}
	order, err := filter.ParseOrder(r.GetOrderBy(), caseOrders)
	if err != nil {
		return nil, wire.InField("order_by", err)
	}
	cases, next, err := s.review.Cases(ctx, order, after, size, selected.Match)
	if err != nil {
		return nil, err
	}
	m := &pb.ListCasesResponse{}
	if next != "" {
		m.NextPageToken = newToken(r, next)
	}
	for i := range cases {
		m.Cases = append(m.Cases, wire.EncodeCase(&cases[i], now))
	}
	return m, nil
}

// numberedPage opens a request for a page of numbered things, newest first.
func numberedPage(r pageRequest) (size int, before int64, err error) {
	size, cursor, err := listPages.open(r)
	if err != nil || cursor == "" {
		return size, 0, err
	}
	before, err = strconv.ParseInt(cursor, 10, 64)
	if err != nil {
		return 0, 0, tokenInvalid("page_token", r.GetPageToken())
	}
	return size, before, nil
}

// casePrefix begins the actions in the audit log that are decisions about a case.
const casePrefix = "case."

// decisionFields are what decisions about a case can be filtered by.
var decisionFields = []filter.Field[memberwatch.Decision]{
	filter.Enum("action", enumNames(pb.Action_name, "ACTION_"), func(d *memberwatch.Decision) int { return int(d.Action) }),
	filter.Enum("verdict", enumNames(pb.Verdict_name, "VERDICT_"), func(d *memberwatch.Decision) int { return int(d.Verdict) }),
	filter.Text("person", func(d *memberwatch.Decision) string { return string(d.By) }),
	filter.Time("decide_time", func(d *memberwatch.Decision) int64 { return d.Time.UnixNano() }),
}

// ListDecisions returns a page of decisions about a case.
func (s *caseService) ListDecisions(ctx context.Context, r *pb.ListDecisionsRequest) (*pb.ListDecisionsResponse, error) {
	id, err := wire.ParseCaseName(r.GetName())
	if err != nil {
		return nil, wire.InField("name", err)
	}
	size, cursor, err := listPages.open(r)
	if err != nil {
		return nil, err
	}
	after := int64(-1)
	if cursor != "" {
		if after, err = strconv.ParseInt(cursor, 10, 64); err != nil {
			return nil, tokenInvalid("page_token", r.GetPageToken())
		}
	}
	selected, err := filter.Parse(r.GetFilter(), decisionFields)
	if err != nil {
		return nil, wire.InField("filter", err)
	}
	if _, _, err := s.review.Case(ctx, id); err != nil {
		return nil, err
	}
	entries, err := s.review.History(ctx, id, after, size+1)
	if err != nil {
		return nil, err
	}
	m := &pb.ListDecisionsResponse{}
	if len(entries) > size {
		entries = entries[:size]
		m.NextPageToken = newToken(r, strconv.FormatInt(entries[size-1].Number, 10))
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Action, casePrefix) {
			continue
		}
		var d memberwatch.Decision
		if err := json.Unmarshal(e.Detail, &d); err != nil {
			return nil, fmt.Errorf("audit entry %d: %w", e.Number, err)
		}
		if selected.Match(&d) {
			m.Decisions = append(m.Decisions, wire.EncodeDecision(&d, e.Number))
		}
	}
	return m, nil
}

// OpenCase opens a case by hand.
func (s *caseService) OpenCase(ctx context.Context, r *pb.OpenCaseRequest) (*pb.OpenCaseResponse, error) {
	d, err := wire.DecodeOpening(r)
	if err != nil {
		return nil, err
	}
	d.By = memberwatch.PersonIn(ctx)
	c, err := s.review.Open(ctx, d, r.GetAnother())
	if err != nil {
		return nil, err
	}
	return &pb.OpenCaseResponse{Case: wire.EncodeCase(&c, time.Now())}, nil
}

// NextCase claims the most urgent case that nobody has.
func (s *caseService) NextCase(ctx context.Context, r *pb.NextCaseRequest) (*pb.NextCaseResponse, error) {
	now := time.Now()
	selected, err := filter.Parse(r.GetFilter(), caseFields(now))
	if err != nil {
		return nil, wire.InField("filter", err)
	}
	c, err := s.review.Next(ctx, memberwatch.PersonIn(ctx), selected.Match)
	if err != nil {
		return nil, err
	}
	return &pb.NextCaseResponse{Case: wire.EncodeCase(&c, now)}, nil
}

// DecideCase takes a decision about a case.
func (s *caseService) DecideCase(ctx context.Context, r *pb.DecideCaseRequest) (*pb.DecideCaseResponse, error) {
	id, err := wire.ParseCaseName(r.GetName())
	if err != nil {
		return nil, wire.InField("name", err)
	}
	d, err := wire.DecodeDecision(r.GetDecision())
	if err != nil {
		return nil, wire.InField("decision", err)
	}
	d.By = memberwatch.PersonIn(ctx)
	c, err := s.review.Decide(ctx, id, r.GetEtag(), d)
	if err != nil {
		return nil, err
	}
	return &pb.DecideCaseResponse{Case: wire.EncodeCase(&c, time.Now())}, nil
}

// DecideCases takes a decision about every case that matches.
func (s *caseService) DecideCases(ctx context.Context, r *pb.DecideCasesRequest) (*pb.DecideCasesResponse, error) {
	if strings.TrimSpace(r.GetFilter()) == "" {
		return nil, invalidField("filter", "FILTER_MISSING", "a decision about all cases at once needs a filter", "write one that says which, such as state = NEW AND severity = LOW")
	}
	selected, err := filter.Parse(r.GetFilter(), caseFields(time.Now()))
	if err != nil {
		return nil, wire.InField("filter", err)
	}
	d, err := wire.DecodeDecision(r.GetDecision())
	if err != nil {
		return nil, wire.InField("decision", err)
	}
	d.By = memberwatch.PersonIn(ctx)
	done, failed, err := s.review.DecideAll(ctx, selected.Match, d, r.GetDryRun())
	if err != nil {
		return nil, err
	}
	m := &pb.DecideCasesResponse{}
	for _, id := range done {
		m.Cases = append(m.Cases, wire.CaseName(id))
	}
	for _, id := range sortedKeys(failed) {
		m.Failures = append(m.Failures, &pb.DecideCasesResponse_Failure{Name: wire.CaseName(id), Reason: errorReason(failed[id]), Message: failed[id].Error()})
	}
	return m, nil
}

func errorReason(err error) string {
	if reason, ok := errors.AsType[*memberwatch.ReasonError](err); ok {
		return reason.Reason
	}
	return reasonOf(toStatus(err).Err())
}

// ListReasons returns the reasons that each verdict may have.
func (s *caseService) ListReasons(context.Context, *pb.ListReasonsRequest) (*pb.ListReasonsResponse, error) {
	m := &pb.ListReasonsResponse{}
	reasons := s.review.Reasons()
	for _, v := range sortedKeys(reasons) {
		m.Verdicts = append(m.Verdicts, &pb.ListReasonsResponse_VerdictReasons{Verdict: pb.Verdict(v), Reasons: reasons[v]})
	}
	return m, nil
}

// ListPrecisions returns how often each version of the models was right.
func (s *caseService) ListPrecisions(ctx context.Context, _ *pb.ListPrecisionsRequest) (*pb.ListPrecisionsResponse, error) {
	list, err := s.review.Precisions(ctx)
	if err != nil {
		return nil, err
	}
	m := &pb.ListPrecisionsResponse{}
	for i := range list {
		p := &list[i]
		m.Precisions = append(m.Precisions, &pb.ListPrecisionsResponse_Precision{
			ModelVersion: p.Model, Kind: string(p.Kind), Abuse: p.Abuse, Expected: p.Expected, Benign: p.Benign, Precision: p.Share(),
		})
	}
	return m, nil
}
