package server

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/filter"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/wire"
)

// Signals shows what was found.
type Signals interface {
	// Signal returns one signal.
	Signal(ctx context.Context, id memberwatch.SignalID) (memberwatch.Signal, error)
	// Findings returns the kept findings of a signal, oldest first.
	Findings(ctx context.Context, id memberwatch.SignalID) ([]memberwatch.Finding, error)
	// EvidenceHash returns SHA-256 over the stored records of a signal and its kept findings, in hexadecimal.
	EvidenceHash(ctx context.Context, id memberwatch.SignalID) (string, error)
	// VerifySignal makes the findings of a signal again and compares them with what is stored.
	VerifySignal(ctx context.Context, id memberwatch.SignalID) (memberwatch.Verification, error)
	// Signals returns up to limit signals that match, in an order, beginning after a cursor, and the next cursor; it is
	// empty at the end.
	Signals(ctx context.Context, order memberwatch.Order, after string, limit int, match func(*memberwatch.Signal) bool) (page []memberwatch.Signal, next string, err error)
	// ShadowSignals returns those of kinds that were in shadow, which Signals leaves out, likewise.
	ShadowSignals(ctx context.Context, order memberwatch.Order, after string, limit int, match func(*memberwatch.Signal) bool) (page []memberwatch.Signal, next string, err error)
	// SignalPlace returns the newest place in the feed of changes.
	SignalPlace(ctx context.Context) (int64, error)
	// NextSignals waits until signals have changed after a place in the feed, and returns some of them as they are now,
	// with the place to go on from. From place 0 the feed holds every signal once.
	NextSignals(ctx context.Context, after int64) ([]memberwatch.Signal, int64, error)
}

// signalService serves SignalService.
type signalService struct {
	pb.UnimplementedSignalServiceServer
	signals  Signals
	audit    Auditor         // nil: views are not recorded
	bookmark time.Duration   // longest silence of a feed
	lifetime context.Context // ends when the server shuts down
}

// signalFields are what signals can be filtered by. The index of signals has no more of them: what is added here must be
// added to the heads of package store.
var signalFields = []filter.Field[memberwatch.Signal]{
	filter.Name("app", "apps/", func(s *memberwatch.Signal) string { return string(s.App) }),
	filter.Text("developer", func(s *memberwatch.Signal) string { return string(s.Developer) }),
	filter.Text("kind", func(s *memberwatch.Signal) string { return string(s.Kind) }),
	filter.Enum("severity", enumNames(pb.Severity_name, "SEVERITY_"), func(s *memberwatch.Signal) int { return int(s.Severity) }),
	filter.Enum("state", []string{"OPEN", "ENDED"}, func(s *memberwatch.Signal) int {
		if s.Open() {
			return 0
		}
		return 1
	}),
	filter.Enum("triage", triageNames(), func(s *memberwatch.Signal) int { return int(s.Triage.State) }),
	filter.Name("case", "cases/", func(s *memberwatch.Signal) string { return string(s.Triage.Case) }),
	filter.Enum("verdict", enumNames(pb.Verdict_name, "VERDICT_"), func(s *memberwatch.Signal) int { return int(s.Triage.Verdict) }),
	filter.Time("open_time", func(s *memberwatch.Signal) int64 { return s.Opened }),
}

// signalOrders are what signals can be sorted by. Each has an index in package store.
var signalOrders = map[string]memberwatch.OrderField{
	"open_time": memberwatch.ByOpening, "severity": memberwatch.BySeverity, "evidence": memberwatch.ByEvidence, "last_time": memberwatch.ByLast,
}

// triageNames returns the states of triage in the order of the words: the contract has one more before them.
func triageNames() []string { return enumNames(pb.Triage_name, "TRIAGE_")[1:] }

// enumNames returns the short names of an enum of the contract, in its order.
func enumNames(names map[int32]string, prefix string) []string {
	short := make([]string, len(names))
	for i, name := range names {
		short[i] = strings.TrimPrefix(name, prefix)
	}
	return short
}

// GetSignal returns one signal.
func (s *signalService) GetSignal(ctx context.Context, r *pb.GetSignalRequest) (*pb.GetSignalResponse, error) {
	signal, err := s.signal(ctx, r.GetName())
	if err != nil {
		return nil, err
	}
	return &pb.GetSignalResponse{Signal: wire.EncodeSignal(&signal)}, nil
}

// ExplainSignal returns a signal with its findings.
func (s *signalService) ExplainSignal(ctx context.Context, r *pb.ExplainSignalRequest) (*pb.ExplainSignalResponse, error) {
	signal, err := s.signal(ctx, r.GetName())
	if err != nil {
		return nil, err
	}
	findings, err := s.signals.Findings(ctx, signal.ID)
	if err != nil {
		return nil, err
	}
	hash, err := s.signals.EvidenceHash(ctx, signal.ID)
	if err != nil {
		return nil, err
	}
	if err := record(ctx, s.audit, "evidence.view", r.GetName(), nil); err != nil {
		return nil, err
	}
	m := &pb.ExplainSignalResponse{Signal: wire.EncodeSignal(&signal), EvidenceSha256: hash}
	for i := range findings {
		m.Findings = append(m.Findings, wire.EncodeFinding(&findings[i]))
	}
	return m, nil
}

// VerifySignal makes a signal's findings again. The result is recorded: it is what an auditor asks for.
func (s *signalService) VerifySignal(ctx context.Context, r *pb.VerifySignalRequest) (*pb.VerifySignalResponse, error) {
	id, err := wire.ParseSignalName(r.GetName())
	if err != nil {
		return nil, wire.InField("name", err)
	}
	v, err := s.signals.VerifySignal(ctx, id)
	if err != nil {
		return nil, err
	}
	detail := map[string]string{"result": v.Result().String(), "evidence_sha256": v.Evidence}
	if err := record(ctx, s.audit, "evidence.verify", r.GetName(), detail); err != nil {
		return nil, err
	}
	return wire.EncodeVerification(&v), nil
}

func (s *signalService) signal(ctx context.Context, name string) (memberwatch.Signal, error) {
	id, err := wire.ParseSignalName(name)
	if err != nil {
		return memberwatch.Signal{}, wire.InField("name", err)
	}
	return s.signals.Signal(ctx, id)
}

// ListSignals returns a page of signals.
func (s *signalService) ListSignals(ctx context.Context, r *pb.ListSignalsRequest) (*pb.ListSignalsResponse, error) {
	size, after, err := listPages.open(r)
	if err != nil {
		return nil, err
	}
	selected, err := filter.Parse(r.GetFilter(), signalFields)
	if err != nil {
		return nil, wire.InField("filter", err)
	}
	order, err := filter.ParseOrder(r.GetOrderBy(), signalOrders)
	if err != nil {
		return nil, wire.InField("order_by", err)
	}
	if r.GetExport() {
		if err := recordFirst(ctx, s.audit, "signals.export", "signals", r); err != nil {
			return nil, err
		}
	}
	list := s.signals.Signals
	if r.GetShadow() {
		list = s.signals.ShadowSignals
	}
	page, next, err := list(ctx, order, after, size, selected.Match)
	if err != nil {
		return nil, err
	}
	m := &pb.ListSignalsResponse{}
	if next != "" {
		m.NextPageToken = newToken(r, next)
	}
	for i := range page {
		m.Signals = append(m.Signals, wire.EncodeSignal(&page[i]))
	}
	return m, nil
}

// WatchSignals sends every matching signal as it is, then each change. Both come from one feed, so that nothing falls
// between them.
func (s *signalService) WatchSignals(r *pb.WatchSignalsRequest, g grpc.ServerStreamingServer[pb.WatchSignalsResponse]) error {
	selected, err := filter.Parse(r.GetFilter(), signalFields)
	if err != nil {
		return wire.InField("filter", err)
	}
	if err := recordWatch(g.Context(), s.audit, r); err != nil {
		return err
	}
	w := &watch{signals: s.signals, request: r, stream: g, match: selected.Match}
	ctx, cancel := context.WithCancelCause(g.Context())
	defer cancel(nil)
	stop := context.AfterFunc(s.lifetime, func() { cancel(shuttingDown()) })
	defer stop()
	if err := w.follow(ctx, s.bookmark); ctx.Err() == nil {
		return err
	}
	return context.Cause(ctx)
}

// recordWatch notes that a feed was begun; what resumes it belongs to it.
func recordWatch(ctx context.Context, log Auditor, r *pb.WatchSignalsRequest) error {
	if r.GetResumeToken() != "" {
		return nil
	}
	detail, err := detailOf(r)
	if err != nil {
		return err
	}
	return record(ctx, log, "signals.watch", "signals", detail)
}

// watch is one feed under way.
type watch struct {
	signals Signals
	request *pb.WatchSignalsRequest
	stream  grpc.ServerStreamingServer[pb.WatchSignalsResponse]
	match   func(*memberwatch.Signal) bool
	place   int64 // all up to it was sent
}

func (w *watch) follow(ctx context.Context, bookmark time.Duration) error {
	if token := w.request.GetResumeToken(); token != "" {
		place, err := readPlace(w.request, token)
		if err != nil {
			return err
		}
		w.place = place
	} else if err := w.snapshot(ctx); err != nil {
		return err
	}
	for {
		quiet, cancel := context.WithTimeout(ctx, bookmark)
		err := w.next(quiet, pb.WatchSignalsResponse_TYPE_CHANGED)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			err = w.mark()
		}
		if err != nil {
			return err
		}
	}
}

// snapshot sends the feed up to where it stands now.
func (w *watch) snapshot(ctx context.Context) error {
	end, err := w.signals.SignalPlace(ctx)
	if err != nil {
		return err
	}
	for w.place < end {
		if err := w.next(ctx, pb.WatchSignalsResponse_TYPE_SNAPSHOT); err != nil {
			return err
		}
	}
	return w.mark()
}

// next sends some changes. Only the last of them resumes after itself: a break before it brings the others again.
func (w *watch) next(ctx context.Context, kind pb.WatchSignalsResponse_Type) error {
	changed, through, err := w.signals.NextSignals(ctx, w.place)
	if err != nil {
		return err
	}
	for i := range changed {
		if i == len(changed)-1 {
			w.place = through
		}
		if !w.match(&changed[i]) {
			continue
		}
		if err := w.send(kind, wire.EncodeSignal(&changed[i])); err != nil {
			return err
		}
	}
	return nil
}

// mark sends the place alone.
func (w *watch) mark() error { return w.send(pb.WatchSignalsResponse_TYPE_BOOKMARK, nil) }

func (w *watch) send(kind pb.WatchSignalsResponse_Type, signal *pb.Signal) error {
	return w.stream.Send(&pb.WatchSignalsResponse{
		Type: kind, Signal: signal, ResumeToken: newToken(w.request, strconv.FormatInt(w.place, 10)),
	})
}

// readPlace returns the place in the feed that a resume token stands for.
func readPlace(r *pb.WatchSignalsRequest, token string) (int64, error) {
	cursor, err := readToken(r, "resume_token", token)
	if err != nil {
		return 0, err
	}
	place, err := strconv.ParseInt(cursor, 10, 64)
	if err != nil {
		return 0, tokenInvalid("resume_token", token)
	}
	return place, nil
}
