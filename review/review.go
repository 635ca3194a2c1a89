package review

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/store"
)

// Monitor is what review needs of the running service.
type Monitor interface {
	// Commit runs a transaction that may number control changes, and hands those
	// to the detector.
	Commit(commit func(now time.Time) ([]memberwatch.Change, error)) error
	// NextSignals waits for signals that changed after a place in the feed.
	NextSignals(ctx context.Context, after int64) ([]memberwatch.Signal, int64, error)
	// App returns an app as declared and as seen.
	App(ctx context.Context, id memberwatch.AppID) (memberwatch.AppView, error)
	// QueryAccess returns what was read.
	QueryAccess(ctx context.Context, q memberwatch.AccessQuery) ([]memberwatch.AccessRow, memberwatch.AccessRow, error)
}

// Options say how reviews run. The zero value of every field means the default
// named beside it.
type Options struct {
	// Reasons are added to memberwatch.DefaultReasons.
	Reasons memberwatch.Reasons
	// Allowances replace memberwatch.DefaultAllowance for the severities they name.
	Allowances map[memberwatch.Severity]memberwatch.Allowance
	// SweepInterval is how often clocks are looked at (10 s).
	SweepInterval time.Duration
	// Logger takes what is worth telling an operator (discarded).
	Logger *slog.Logger
}

// Service runs reviews over one data directory. It is safe for concurrent use.
type Service struct {
	files   *store.Platform
	monitor Monitor
	options Options
	reasons memberwatch.Reasons
	stop    context.CancelFunc
	workers sync.WaitGroup
	mu      sync.Mutex
	news    chan struct{} // closed when there are new review events
}

// Open starts to take signals in. The monitor must outlive the service.
func Open(files *store.Platform, m Monitor, o Options) *Service {
	if o.SweepInterval == 0 {
		o.SweepInterval = 10 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Service{
		files: files, monitor: m, options: o, stop: stop, news: make(chan struct{}),
		reasons: memberwatch.DefaultReasons().With(o.Reasons),
	}
	s.workers.Go(func() { s.repeat(ctx, "take signals in", s.intake) })
	s.workers.Go(func() { s.repeat(ctx, "look at the clocks", s.sweepOn) })
	return s
}

// Close stops taking signals in. Those that come later wait for the next start.
func (s *Service) Close() {
	s.stop()
	s.workers.Wait()
}

// retry is how long to wait after a failure, such as a full disk.
const retry = time.Second

// repeat runs work until the context ends.
func (s *Service) repeat(ctx context.Context, what string, work func(context.Context) error) {
	for failed := false; ctx.Err() == nil; {
		err := work(ctx)
		if err == nil || ctx.Err() != nil {
			failed = false
			continue
		}
		if !failed && !errors.Is(err, memberwatch.ErrUnavailable) {
			s.options.Logger.Error("review cannot "+what, "error", err)
		}
		failed = true
		pause(ctx, retry)
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// Reasons returns the reasons that each verdict may have.
func (s *Service) Reasons() memberwatch.Reasons { return s.reasons }

// allowance returns how long a case of a severity may take.
func (s *Service) allowance(severity memberwatch.Severity) memberwatch.Allowance {
	if a, ok := s.options.Allowances[severity]; ok {
		return a
	}
	return memberwatch.DefaultAllowance(severity)
}

// owner returns the developer of an app, declared or seen; it may be unknown. It
// fails with ErrNotFound when nobody has declared or seen the app.
func (s *Service) owner(ctx context.Context, app memberwatch.AppID) (memberwatch.DeveloperID, error) {
	view, err := s.monitor.App(ctx, app)
	return view.Developer, err
}

// turn is one transaction: who acts, when, and the control changes it numbered.
type turn struct {
	*store.Review
	service *Service
	by      memberwatch.Person
	now     time.Time
	changes []memberwatch.Change
}

// write runs one transaction in a person's name.
func (s *Service) write(by memberwatch.Person, do func(*turn) error) error {
	if by == "" {
		return &memberwatch.ReasonError{
			Kind: memberwatch.ErrInvalid, Reason: "PERSON_MISSING", Message: "nobody is named who decides",
			Hint: "send the metadata memberwatch-person with the call, on the command line --as",
		}
	}
	err := s.monitor.Commit(func(now time.Time) ([]memberwatch.Change, error) {
		t := &turn{service: s, by: by, now: now}
		err := s.files.Review(func(r *store.Review) error {
			t.Review = r
			return do(t)
		})
		return t.changes, err
	})
	if err == nil {
		s.announce()
	}
	return err
}

// onceJSON runs one transaction whose answer is JSON, once for the request in the
// context.
func onceJSON[T any](ctx context.Context, s *Service, by memberwatch.Person, do func(*turn) (T, error)) (answer T, err error) {
	err = s.write(by, func(t *turn) error {
		first := false
		text, err := t.OnceText(memberwatch.RequestIn(ctx), t.now, func() (text []byte, err error) {
			first = true
			if answer, err = do(t); err != nil {
				return nil, err
			}
			return json.Marshal(answer)
		})
		if err != nil || first {
			return err
		}
		return json.Unmarshal(text, &answer)
	})
	return answer, err
}

// within gives a part of a request, which is a transaction of its own, an id of
// its own.
func within(ctx context.Context, part string) context.Context {
	request := memberwatch.RequestIn(ctx)
	if request.ID != "" {
		request.ID += "/" + part
	}
	return memberwatch.WithRequest(ctx, request)
}

// control numbers a control change and keeps it for the partitions.
func (t *turn) control(c memberwatch.Change) (int64, error) {
	c.Time, c.By = t.now, t.by
	if err := t.Change(&c); err != nil {
		return 0, err
	}
	t.changes = append(t.changes, c)
	return c.Revision, nil
}

// record appends to the audit log in the acting person's name.
func (t *turn) record(action, subject string, detail any) error {
	_, err := t.Audit(memberwatch.AuditEntry{Time: t.now, Person: t.by, Action: action, Subject: subject}, detail)
	return err
}

// Record appends a line to the audit log: somebody looked at raw evidence or
// took data out.
func (s *Service) Record(_ context.Context, by memberwatch.Person, action, subject string, detail any) error {
	now := time.Now().UTC()
	return s.files.Review(func(r *store.Review) error {
		_, err := r.Audit(memberwatch.AuditEntry{Time: now, Person: by, Action: action, Subject: subject}, detail)
		return err
	})
}

func (s *Service) announce() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.news)
	s.news = make(chan struct{})
}

// NextEvents waits until there are review events after a sequence and returns
// some of them in order.
func (s *Service) NextEvents(ctx context.Context, after int64) ([]memberwatch.ReviewEvent, error) {
	for {
		s.mu.Lock()
		news := s.news
		s.mu.Unlock()
		events, err := s.files.ReviewEvents(after, eventPage)
		if err != nil || len(events) > 0 {
			return events, err
		}
		select {
		case <-news:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// eventPage is how many review events are read at once.
const eventPage = 256

// subjectOf returns resource names as the audit log and events spell them.
func subjectOf(c memberwatch.CaseID) string          { return "cases/" + string(c) }
func signalSubject(id memberwatch.SignalID) string   { return "signals/" + string(id) }
func silenceSubject(id memberwatch.SilenceID) string { return "silences/" + string(id) }
func remedySubject(r *memberwatch.Remediation) string {
	return subjectOf(r.Case) + "/remediations/" + string(r.ID)
}

func actionName(prefix, name string) string {
	return prefix + strings.ToLower(strings.ReplaceAll(name, "_", "-"))
}
