package review

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/store"
)

// Remediations returns up to limit remediations that match and come before a
// number, the newest first; 0 begins at the newest.
func (s *Service) Remediations(_ context.Context, before int64, limit int, match func(*memberwatch.Remediation) bool) ([]memberwatch.Remediation, error) {
	return s.files.Remediations(before, limit, match)
}

// Propose proposes a remediation for a case whose verdict is ABUSE. In a
// developer's case the step names which of the developer's apps it is for.
func (s *Service) Propose(ctx context.Context, of memberwatch.CaseID, step memberwatch.Step) (m memberwatch.Remediation, err error) {
	var owner memberwatch.DeveloperID
	if step.App != "" {
		if owner, err = s.owner(ctx, step.App); err != nil {
			return m, err
		}
	}
	return s.onceRemedy(ctx, step.By, func(t *turn) (memberwatch.Remediation, error) {
		step.Move, step.Time = memberwatch.MovePropose, t.now
		return t.propose(of, &step, owner)
	})
}

// onceRemedy is like onceCase.
func (s *Service) onceRemedy(ctx context.Context, by memberwatch.Person, do func(*turn) (memberwatch.Remediation, error)) (m memberwatch.Remediation, err error) {
	err = s.write(by, func(t *turn) error {
		m, err = t.OnceRemediation(memberwatch.RequestIn(ctx), t.now, func() (memberwatch.Remediation, error) { return do(t) })
		return err
	})
	return m, err
}

// propose begins a remediation; owner is the developer of the app that it names.
func (t *turn) propose(of memberwatch.CaseID, step *memberwatch.Step, owner memberwatch.DeveloperID) (memberwatch.Remediation, error) {
	c, err := t.Case(of)
	if err != nil {
		return memberwatch.Remediation{}, err
	}
	if step.App != "" && !c.Covers(&memberwatch.Signal{App: step.App, Developer: owner}) {
		return memberwatch.Remediation{}, &memberwatch.ReasonError{
			Kind: memberwatch.ErrInvalid, Reason: "REMEDIATION_OF_ANOTHER_APP",
			Message: fmt.Sprintf("app %q is not what case %q is about: that is %s", step.App, c.ID, whom(c.App, c.Developer)),
			Hint:    "propose it in a case of that app",
		}
	}
	if step.Kind == memberwatch.LiftRestriction && step.Restriction != "" {
		if err := t.mayLift(&c, step.Restriction); err != nil {
			return memberwatch.Remediation{}, err
		}
	}
	id, err := t.NewRemediationID()
	if err != nil {
		return memberwatch.Remediation{}, err
	}
	m, err := memberwatch.NewRemediation(id, &c, step)
	if err != nil {
		return m, err
	}
	// What lifts a restriction makes good: it may follow any verdict, all others
	// only ABUSE.
	if step.Kind != memberwatch.LiftRestriction || c.Verdict == memberwatch.VerdictAbuse {
		if err := t.decide(&c, memberwatch.Decision{Action: memberwatch.ActionRemediate, Comment: fmt.Sprintf("%v proposed as %s", step.Kind, id)}); err != nil {
			return m, err
		}
	}
	return m, t.keepStep(&m, step)
}

// mayLift tells whether a restriction is one about what a case is about, so that no
// case lifts what the platform has declared for others.
func (t *turn) mayLift(c *memberwatch.Case, id memberwatch.RestrictionID) error {
	r, err := t.Restriction(id)
	if err != nil {
		return err
	}
	remedies, err := t.RemediationsOf(c.ID)
	if err != nil {
		return err
	}
	own := slices.ContainsFunc(remedies, func(m memberwatch.Remediation) bool { return m.Kind.TwoPersons() && m.Restriction == id })
	if own || len(r.Apps) == 1 && r.Apps[0] == c.App {
		return nil
	}
	return &memberwatch.ReasonError{
		Kind: memberwatch.ErrInvalid, Reason: "RESTRICTION_OF_OTHERS",
		Message: fmt.Sprintf("restriction %q is not about %s alone, and not of case %q", id, whom(c.App, c.Developer), c.ID),
		Hint:    "who declared it lifts it in the registry: memberwatch restrict lift",
	}
}

// keepStep writes a remediation after a step, and the step.
func (t *turn) keepStep(m *memberwatch.Remediation, step *memberwatch.Step) error {
	if err := t.PutRemediation(m); err != nil {
		return err
	}
	return t.record(actionName("remediation.", step.Move.String()), remedySubject(m), step)
}

// Advance takes a step with a remediation: approval, the platform's callback,
// evidence, verification. It fails with ErrConflict when the remediation has
// moved on since the etag was read; an empty etag matches any.
func (s *Service) Advance(ctx context.Context, of memberwatch.CaseID, id memberwatch.RemediationID, etag string, step memberwatch.Step) (m memberwatch.Remediation, err error) {
	if step.Move == memberwatch.MovePropose || step.Move == memberwatch.MoveSend {
		return m, &memberwatch.ReasonError{Kind: memberwatch.ErrInvalid, Reason: "MOVE_NOT_YOURS", Message: fmt.Sprintf("%v is taken by memberwatch itself", step.Move)}
	}
	return s.onceRemedy(ctx, step.By, func(t *turn) (memberwatch.Remediation, error) {
		m, err := t.Remediation(id)
		if err != nil {
			return m, err
		}
		if m.Case != of {
			return m, &memberwatch.ReasonError{Kind: memberwatch.ErrNotFound, Reason: "REMEDIATION_NOT_FOUND", Message: fmt.Sprintf("case %q has no remediation %q", of, id)}
		}
		if err := m.CheckEtag(etag); err != nil {
			return m, err
		}
		err = t.advance(&m, &step)
		return m, err
	})
}

func (t *turn) advance(m *memberwatch.Remediation, step *memberwatch.Step) (err error) {
	step.By, step.Time = t.by, t.now
	if step.Move == memberwatch.MoveVerify && m.Kind.TestsKnowledge() {
		if step.Against, err = t.against(m.Case, m.App); err != nil {
			return err
		}
	}
	if !step.Attested.IsZero() && !m.Kind.Attests() {
		return &memberwatch.ReasonError{Kind: memberwatch.ErrInvalid, Reason: "ATTESTATION_UNASKED", Message: fmt.Sprintf("%v is not attested: attest to a REQUEST_DELETION or a REQUIRE_ATTESTATION", m.Kind)}
	}
	if err := m.Apply(step); err != nil {
		return err
	}
	if err := t.act(m, step); err != nil {
		return err
	}
	if err := t.keepStep(m, step); err != nil {
		return err
	}
	switch step.Move {
	case memberwatch.MoveApprove:
		return t.send(m)
	case memberwatch.MoveVerify:
		return t.emitRemedy(memberwatch.EventRemediationVerified, m)
	default:
		return nil
	}
}

// send puts the request into the outbox: from there the platform gets it.
func (t *turn) send(m *memberwatch.Remediation) error {
	step := memberwatch.Step{Move: memberwatch.MoveSend, By: memberwatch.System, Time: t.now}
	if err := m.Apply(&step); err != nil {
		return err
	}
	if err := t.PutRemediation(m); err != nil {
		return err
	}
	_, err := t.Audit(memberwatch.AuditEntry{Time: t.now, Person: step.By, Action: "remediation.send", Subject: remedySubject(m)}, step)
	if err != nil {
		return err
	}
	return t.emitRemedy(memberwatch.EventRemediationRequested, m)
}

// act makes the control changes of a step. They do not wait for the platform: a
// restriction is watched from the moment it was decided.
func (t *turn) act(m *memberwatch.Remediation, step *memberwatch.Step) error {
	switch {
	case step.Move == memberwatch.MoveApprove && m.Kind.TwoPersons():
		m.Restriction = memberwatch.RestrictionID(string(m.Case) + "-" + string(m.ID))
		r := memberwatch.Restriction{
			ID: m.Restriction, Class: m.Class, Apps: []memberwatch.AppID{m.App}, Effective: t.now,
			Reason: fmt.Sprintf("%v of case %s", m.Kind, m.Case),
		}
		if err := r.Validate(); err != nil {
			return err
		}
		_, err := t.control(memberwatch.Change{Restriction: &r})
		return err
	case step.Move == memberwatch.MoveApprove && m.Kind == memberwatch.LiftRestriction:
		r, err := t.Restriction(m.Restriction)
		if err != nil {
			return err
		}
		if r.Lifted = t.now; r.Effective.After(t.now) {
			r.Lifted = r.Effective
		}
		_, err = t.control(memberwatch.Change{Restriction: &r})
		return err
	case step.Move == memberwatch.MoveSubmitEvidence && !step.Attested.IsZero():
		a := memberwatch.Attestation{App: m.App, Time: step.Attested, Note: step.Evidence}
		if err := a.Validate(); err != nil {
			return err
		}
		_, err := t.control(memberwatch.Change{Attestation: &a})
		return err
	}
	return nil
}

// Against returns the signals that contradict what was attested for a case.
func (s *Service) Against(_ context.Context, of memberwatch.CaseID) (against []memberwatch.SignalID, err error) {
	err = s.files.ReadReview(func(r *store.Review) error {
		against, err = (&turn{Review: r}).against(of, "")
		return err
	})
	return against, err
}

// against returns signals that contradict what was attested for a case: an app
// asked for members whom it cannot know any more since its newest attestation. No
// app means each that was attested for. Whether a silence hides the signal makes no
// difference; dismissed ones, and those of cases judged BENIGN, do not count.
func (t *turn) against(of memberwatch.CaseID, app memberwatch.AppID) ([]memberwatch.SignalID, error) {
	remedies, err := t.RemediationsOf(of)
	if err != nil {
		return nil, err
	}
	attested := make(map[memberwatch.AppID]time.Time)
	for i := range remedies {
		if m := &remedies[i]; (app == "" || m.App == app) && m.Attested.After(attested[m.App]) {
			attested[m.App] = m.Attested
		}
	}
	if len(attested) == 0 {
		return nil, nil
	}
	signals, err := t.SignalsThat(func(s *memberwatch.Signal) bool {
		return s.Kind == memberwatch.KindImpossible && !attested[s.App].IsZero() && s.Triage.State != memberwatch.TriageDismissed
	})
	if err != nil {
		return nil, err
	}
	var against []memberwatch.SignalID
	for i := range signals {
		s := &signals[i]
		if s.Last < attested[s.App].UnixNano() {
			continue
		}
		if wrong, err := t.judgedWrong(s); err != nil {
			return nil, err
		} else if !wrong {
			against = append(against, s.ID)
		}
	}
	slices.Sort(against)
	return against, nil
}

// judgedWrong tells whether a review found that the detector should not have
// raised a signal.
func (t *turn) judgedWrong(s *memberwatch.Signal) (bool, error) {
	if s.Triage.Case == "" {
		return false, nil
	}
	c, err := t.Case(s.Triage.Case)
	return c.Verdict == memberwatch.VerdictBenign, err
}

func (t *turn) emitRemedy(kind memberwatch.ReviewEventType, m *memberwatch.Remediation) error {
	return t.Emit(memberwatch.ReviewEvent{Type: kind, Subject: remedySubject(m), App: m.App, Time: t.now}, m)
}
