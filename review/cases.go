package review

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/store"
)

// Case returns a case with its remediations, oldest first.
func (s *Service) Case(_ context.Context, id memberwatch.CaseID) (c memberwatch.Case, remedies []memberwatch.Remediation, err error) {
	err = s.files.ReadReview(func(r *store.Review) error {
		if c, err = r.Case(id); err != nil {
			return err
		}
		remedies, err = r.RemediationsOf(id)
		return err
	})
	return c, remedies, err
}

// Cases returns up to limit cases that match, in an order, and the cursor to go on
// from: empty at the end. Match is shown what lists choose by, see
// [store.Platform.Cases].
func (s *Service) Cases(_ context.Context, order memberwatch.Order, after string, limit int, match func(*memberwatch.Case) bool) (page []memberwatch.Case, next string, err error) {
	return s.files.Cases(order, after, limit, match)
}

// History returns up to limit entries of the audit log about a case, whose
// numbers come after one, in order; after -1 begins at the start. The details of
// those named case.* are its decisions.
func (s *Service) History(_ context.Context, id memberwatch.CaseID, after int64, limit int) ([]memberwatch.AuditEntry, error) {
	return s.files.AuditOf(subjectOf(id), after, limit)
}

// Open opens a case by hand, about an app or about a developer, which the service
// need not have seen. It fails with ErrState when one is open already, unless
// another is wanted.
func (s *Service) Open(ctx context.Context, d memberwatch.Decision, another bool) (c memberwatch.Case, err error) {
	if err := checkOpening(&d); err != nil {
		return c, err
	}
	if d.App != "" {
		if d.Developer, err = s.owner(ctx, d.App); err != nil && !errors.Is(err, memberwatch.ErrNotFound) {
			return c, err
		}
	}
	return s.onceCase(ctx, d.By, func(t *turn) (memberwatch.Case, error) {
		d.Action = memberwatch.ActionOpen
		if !another {
			if err := t.noneOpen(d.App, d.Developer); err != nil {
				return memberwatch.Case{}, err
			}
		}
		return t.open(d)
	})
}

// checkOpening checks what a person says of a case to open.
func checkOpening(d *memberwatch.Decision) error {
	message, hint := "", ""
	switch {
	case (d.App == "") == (d.Developer == ""):
		message, hint = "a case is about an app or about a developer", "name one of the two; who has developed an app is known"
	case strings.TrimSpace(d.Title) == "":
		message, hint = "a case needs a title", "say in a sentence what it is about"
	default:
		return nil
	}
	return &memberwatch.ReasonError{Kind: memberwatch.ErrInvalid, Reason: "DECISION_INCOMPLETE", Message: message, Hint: hint}
}

// noneOpen fails when an app, or a developer where no app is named, has a case
// that is open.
func (t *turn) noneOpen(app memberwatch.AppID, developer memberwatch.DeveloperID) error {
	about := memberwatch.Case{App: app, Developer: developer}
	other, found, err := t.OpenCase(about.Entity())
	if err != nil || !found {
		return err
	}
	return &memberwatch.ReasonError{
		Kind: memberwatch.ErrState, Reason: "CASE_ALREADY_OPEN",
		Message:  fmt.Sprintf("case %q about %s is %v", other.ID, whom(app, developer), other.State),
		Hint:     "go on with that one, or say that you want another",
		Metadata: map[string]string{"case": subjectOf(other.ID), "etag": other.Etag()},
	}
}

// onceCase runs one transaction whose answer is a case, once for the request in
// the context.
func (s *Service) onceCase(ctx context.Context, by memberwatch.Person, do func(*turn) (memberwatch.Case, error)) (c memberwatch.Case, err error) {
	err = s.write(by, func(t *turn) error {
		c, err = t.OnceCase(memberwatch.RequestIn(ctx), t.now, func() (memberwatch.Case, error) { return do(t) })
		return err
	})
	return c, err
}

// Decide takes a decision about a case and returns the case after it. It fails
// with ErrConflict when the case has moved on since the etag was read; an empty
// etag matches any.
func (s *Service) Decide(ctx context.Context, id memberwatch.CaseID, etag string, d memberwatch.Decision) (c memberwatch.Case, err error) {
	if d.Action == memberwatch.ActionRemediate {
		return c, &memberwatch.ReasonError{Kind: memberwatch.ErrInvalid, Reason: "ACTION_NOT_YOURS", Message: "REMEDIATE is taken by memberwatch itself", Hint: "propose a remediation"}
	}
	return s.onceCase(ctx, d.By, func(t *turn) (memberwatch.Case, error) {
		c, err := t.Case(id)
		if err != nil {
			return c, err
		}
		if err := c.CheckEtag(etag); err != nil {
			return c, err
		}
		err = t.decide(&c, d)
		return c, err
	})
}

// Next claims the most urgent case that nobody has, for a person. It fails with
// ErrNotFound when there is none. No two persons get the same one.
func (s *Service) Next(ctx context.Context, by memberwatch.Person, match func(*memberwatch.Case) bool) (memberwatch.Case, error) {
	return s.onceCase(ctx, by, func(t *turn) (c memberwatch.Case, err error) {
		found := false
		err = t.EachOpenCase(func(candidate *memberwatch.Case) error {
			if candidate.Free(by, t.now) && (match == nil || match(candidate)) && (!found || memberwatch.MoreUrgent(candidate, &c) < 0) {
				c, found = *candidate, true
			}
			return nil
		})
		if err != nil {
			return c, err
		}
		if !found {
			return c, &memberwatch.ReasonError{Kind: memberwatch.ErrNotFound, Reason: "QUEUE_EMPTY", Message: "no case is waiting for anybody"}
		}
		if c.State == memberwatch.CaseOnHold {
			if err := t.decide(&c, memberwatch.Decision{Action: memberwatch.ActionResume, Comment: "its wake time has come"}); err != nil {
				return c, err
			}
		}
		err = t.decide(&c, memberwatch.Decision{Action: memberwatch.ActionClaim})
		return c, err
	})
}

// DecideAll takes one decision about every case that matches, whatever page it
// would be on. Each case is a transaction of its own: some may fail while others
// succeed. A repeated request decides about the same cases, each once, and tries
// those that failed again. With dry, nothing is written and done lists what matches.
func (s *Service) DecideAll(ctx context.Context, match func(*memberwatch.Case) bool, d memberwatch.Decision, dry bool) (done []memberwatch.CaseID, failed map[memberwatch.CaseID]error, err error) {
	ids, err := s.matchingCases(match)
	if err != nil || dry {
		return ids, nil, err
	}
	// A repeated request is about the cases of the first time.
	if ids, err = onceJSON(ctx, s, d.By, func(*turn) ([]memberwatch.CaseID, error) { return ids, nil }); err != nil {
		return nil, nil, err
	}
	failed = make(map[memberwatch.CaseID]error)
	for _, id := range ids {
		if ctx.Err() != nil {
			return done, failed, ctx.Err()
		}
		if _, err := s.Decide(within(ctx, string(id)), id, "", d); err != nil {
			failed[id] = err
			continue
		}
		done = append(done, id)
	}
	return done, failed, nil
}

// matchingCases returns all cases that match, newest first.
func (s *Service) matchingCases(match func(*memberwatch.Case) bool) (ids []memberwatch.CaseID, err error) {
	for after := ""; ; {
		page, next, err := s.files.Cases(memberwatch.Order{}, after, bulkPage, match)
		if err != nil {
			return nil, err
		}
		for i := range page {
			ids = append(ids, page[i].ID)
		}
		if after = next; after == "" {
			return ids, nil
		}
	}
}

// bulkPage is how many cases are read in one transaction.
const bulkPage = 1000

// open opens a case and links its signals.
func (t *turn) open(d memberwatch.Decision) (memberwatch.Case, error) {
	id, err := t.NewCaseID()
	if err != nil {
		return memberwatch.Case{}, err
	}
	d.By, d.Time = t.by, t.now
	if err := t.fillLink(&d, nil); err != nil {
		return memberwatch.Case{}, err
	}
	c, err := memberwatch.NewCase(id, &d)
	if err != nil {
		return c, err
	}
	for _, id := range d.Signals {
		if err := t.leave(&c, id); err != nil {
			return c, err
		}
	}
	if err := t.link(&c, d.Signals, memberwatch.TriageLinked); err != nil {
		return c, err
	}
	if err := t.keep(&c, &d); err != nil {
		return c, err
	}
	return c, t.emitCase(memberwatch.EventCaseCreated, &c)
}

// keep writes a case after a decision, and the decision.
func (t *turn) keep(c *memberwatch.Case, d *memberwatch.Decision) error {
	if err := t.PutCase(c); err != nil {
		return err
	}
	return t.record(actionName("case.", d.Action.String()), subjectOf(c.ID), d)
}

// decide takes a decision about a case with all that belongs to it.
func (t *turn) decide(c *memberwatch.Case, d memberwatch.Decision) error {
	d.By, d.Time = t.by, t.now
	prepare := map[memberwatch.Action]func(*memberwatch.Case, *memberwatch.Decision) error{
		memberwatch.ActionLink:   t.prepareLink,
		memberwatch.ActionDetach: t.prepareDetach,
		memberwatch.ActionDecide: t.prepareVerdict,
		memberwatch.ActionClose:  t.prepareClose,
		memberwatch.ActionReopen: t.prepareReopen,
		memberwatch.ActionMerge:  t.merge,
	}[d.Action]
	// Permission first: what follows writes, and an error must not depend on it.
	if trial := *c; prepare != nil && d.Action != memberwatch.ActionClose {
		if err := trial.Apply(&d); err != nil {
			return err
		}
	}
	if prepare != nil {
		if err := prepare(c, &d); err != nil {
			return err
		}
	}
	if err := c.Apply(&d); err != nil {
		return err
	}
	if err := t.keep(c, &d); err != nil {
		return err
	}
	switch d.Action {
	case memberwatch.ActionReopen:
		if err := t.judge(c); err != nil {
			return err
		}
		return t.emitCase(memberwatch.EventCaseReopened, c)
	case memberwatch.ActionDecide:
		return t.decided(c)
	case memberwatch.ActionClose, memberwatch.ActionMerge:
		return t.emitCase(memberwatch.EventCaseClosed, c)
	default:
		return nil
	}
}

// decided tells of a verdict, and closes the case when nothing is left to do.
func (t *turn) decided(c *memberwatch.Case) error {
	if err := t.judge(c); err != nil {
		return err
	}
	if err := t.emitCase(memberwatch.EventCaseDecided, c); err != nil {
		return err
	}
	unfinished, _, err := t.count(c.ID)
	if err != nil || c.Verdict == memberwatch.VerdictAbuse || unfinished > 0 {
		return err
	}
	return t.decide(c, memberwatch.Decision{Action: memberwatch.ActionClose})
}

// judge puts a case's verdict on its signals, or takes it off them, and tells of it.
func (t *turn) judge(c *memberwatch.Case) error {
	signals, err := t.signalsOf(c)
	if err != nil {
		return err
	}
	for i := range signals {
		s := &signals[i]
		if s.Triage.Case != c.ID { // it has regressed into another one
			continue
		}
		s.Triage.Verdict, s.Triage.By, s.Triage.Time = c.Verdict, t.by, t.now
		if err := t.PutTriage(s.ID, &s.Triage); err != nil {
			return err
		}
		if err := t.emitSignal(memberwatch.EventSignalJudged, s); err != nil {
			return err
		}
	}
	return nil
}

// count counts a case's remediations that are left, and those that came to a
// good end.
func (t *turn) count(id memberwatch.CaseID) (unfinished, done int, err error) {
	remedies, err := t.RemediationsOf(id)
	for i := range remedies {
		if !remedies[i].Finished() {
			unfinished++
		}
		if remedies[i].Done() {
			done++
		}
	}
	return unfinished, done, err
}

func (t *turn) prepareClose(c *memberwatch.Case, d *memberwatch.Decision) (err error) {
	d.Unfinished, d.Remediated, err = t.count(c.ID)
	return err
}

// merge moves the signals of a case to the one that goes on for it.
func (t *turn) merge(c *memberwatch.Case, d *memberwatch.Decision) error {
	if unfinished, _, err := t.count(c.ID); err != nil || unfinished > 0 {
		if err == nil {
			err = &memberwatch.ReasonError{Kind: memberwatch.ErrState, Reason: "REMEDIATION_UNFINISHED", Message: fmt.Sprintf("case %q has %d remediations under way: end them first", c.ID, unfinished)}
		}
		return err
	}
	into, err := t.Case(d.Into)
	if err != nil {
		return err
	}
	if !into.Covers(&memberwatch.Signal{App: c.App, Developer: c.Developer}) {
		return &memberwatch.ReasonError{
			Kind: memberwatch.ErrInvalid, Reason: "CASE_OF_ANOTHER_APP",
			Message: fmt.Sprintf("case %q is about %s, not %s", into.ID, whom(into.App, into.Developer), whom(c.App, c.Developer)),
		}
	}
	if len(c.Signals) == 0 {
		return t.decide(&into, memberwatch.Decision{Action: memberwatch.ActionTag, Add: []string{"merged-" + string(c.ID)}})
	}
	link := memberwatch.Decision{Action: memberwatch.ActionLink, Signals: c.Signals, Comment: fmt.Sprintf("from case %q", c.ID), By: t.by, Time: t.now}
	if err := t.fillLink(&link, &into); err != nil {
		return err
	}
	if err := t.link(&into, link.Signals, memberwatch.TriageLinked); err != nil {
		return err
	}
	if err := into.Apply(&link); err != nil {
		return err
	}
	return t.keep(&into, &link)
}

func (t *turn) emitCase(kind memberwatch.ReviewEventType, c *memberwatch.Case) error {
	return t.Emit(memberwatch.ReviewEvent{Type: kind, Subject: subjectOf(c.ID), App: c.App, Severity: c.Severity, Time: t.now}, c)
}
