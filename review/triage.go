package review

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/store"
)

// Dismiss sets signals aside, or takes them back, all or none of them.
func (s *Service) Dismiss(ctx context.Context, by memberwatch.Person, ids []memberwatch.SignalID, reason string, undo bool) error {
	_, err := onceJSON(ctx, s, by, func(t *turn) (struct{}, error) {
		for _, id := range ids {
			if err := t.dismiss(id, reason, undo); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	return err
}

// DismissAll sets aside, or takes back, every signal that matches, whatever page
// it would be on. Those whose state forbids it stay as they are and are in
// failed. With dry, nothing is written and done lists what matches.
func (s *Service) DismissAll(ctx context.Context, by memberwatch.Person, match func(*memberwatch.Signal) bool, reason string, undo, dry bool) (done []memberwatch.SignalID, failed map[memberwatch.SignalID]error, err error) {
	ids, err := s.matching(ctx, match)
	if err != nil || dry {
		return ids, nil, err
	}
	// A repeated request is about the signals of the first time.
	if ids, err = onceJSON(ctx, s, by, func(*turn) ([]memberwatch.SignalID, error) { return ids, nil }); err != nil {
		return nil, nil, err
	}
	failed = make(map[memberwatch.SignalID]error)
	for part := 0; len(ids) > 0; part++ {
		page := ids[:min(len(ids), bulkPage)]
		ids = ids[len(page):]
		answer, err := onceJSON(within(ctx, strconv.Itoa(part)), s, by, func(t *turn) (dismissed, error) { return t.dismissSome(ctx, page, reason, undo) })
		if err != nil {
			return done, failed, err
		}
		done = append(done, answer.Done...)
		for id, why := range answer.Failed {
			failed[id] = why.err()
		}
	}
	return done, failed, nil
}

// dismissed is what became of some signals of a bulk, as repeated requests read
// it.
type dismissed struct {
	Done   []memberwatch.SignalID
	Failed map[memberwatch.SignalID]refusal
}

// refusal is why a signal stayed as it was.
type refusal struct{ Reason, Message string }

func (r refusal) err() error {
	return &memberwatch.ReasonError{Kind: memberwatch.ErrState, Reason: r.Reason, Message: r.Message}
}

// dismissSome sets aside, or takes back, what can be of some signals.
func (t *turn) dismissSome(ctx context.Context, ids []memberwatch.SignalID, reason string, undo bool) (dismissed, error) {
	became := dismissed{Failed: make(map[memberwatch.SignalID]refusal)}
	for _, id := range ids {
		err := t.dismiss(id, reason, undo)
		if why, ok := errors.AsType[*memberwatch.ReasonError](err); ok && refused(err) { // nothing was written about this one
			became.Failed[id] = refusal{why.Reason, why.Error()}
			continue
		}
		if err != nil {
			return became, err
		}
		became.Done = append(became.Done, id)
	}
	return became, ctx.Err()
}

// refused tells whether an error says that a thing cannot take a move, rather
// than that something broke.
func refused(err error) bool {
	return errors.Is(err, memberwatch.ErrState) || errors.Is(err, memberwatch.ErrInvalid) || errors.Is(err, memberwatch.ErrNotFound)
}

// matching returns all signals that match, newest first.
func (s *Service) matching(ctx context.Context, match func(*memberwatch.Signal) bool) (ids []memberwatch.SignalID, err error) {
	for after := ""; ctx.Err() == nil; {
		page, next, err := s.files.Signals(memberwatch.Order{}, after, bulkPage, match)
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
	return nil, ctx.Err()
}

func (t *turn) dismiss(id memberwatch.SignalID, reason string, undo bool) error {
	signal, err := t.Signal(id)
	if err != nil {
		return err
	}
	next, action := memberwatch.Triage{State: memberwatch.TriageDismissed, Reason: reason}, "signal.dismiss"
	if undo && signal.Triage.State != memberwatch.TriageDismissed {
		return &memberwatch.ReasonError{
			Kind: memberwatch.ErrState, Reason: "TRIAGE_STATE_FORBIDS", Message: fmt.Sprintf("signal %q: it is %v and was not dismissed", id, signal.Triage.State),
			Metadata: map[string]string{"triage": signal.Triage.State.String()},
		}
	}
	if undo {
		next, action = memberwatch.Triage{State: memberwatch.TriageOpen}, "signal.restore"
	}
	if err := t.triage(&signal, next); err != nil {
		return err
	}
	return t.record(action, signalSubject(id), map[string]string{"reason": reason})
}

// maxPast is how many signals of a kind with a verdict are looked at for similar
// ones, the newest verdicts first.
const maxPast = 1000

// Similar returns up to limit past signals of a signal's kind that have a
// verdict, the most similar first, and how often each verdict was given about the
// newest maxPast of them.
func (s *Service) Similar(_ context.Context, id memberwatch.SignalID, limit int) (list []memberwatch.SimilarSignal, found map[memberwatch.Verdict]int64, err error) {
	found = make(map[memberwatch.Verdict]int64)
	err = s.files.ReadReview(func(r *store.Review) error {
		to, err := r.Signal(id)
		if err != nil {
			return err
		}
		labels, err := r.LabelsOf(to.Kind, maxPast)
		if err != nil {
			return err
		}
		for i := range labels {
			l := &labels[i]
			if l.Signal == id {
				continue
			}
			past, err := r.Signal(l.Signal)
			if err != nil {
				return err
			}
			c, err := r.Case(l.Case)
			if err != nil {
				return err
			}
			found[l.Verdict]++
			list = append(list, memberwatch.NewSimilarSignal(&to, past, &c))
		}
		return nil
	})
	memberwatch.SortSimilar(list)
	return list[:min(len(list), limit)], found, err
}
