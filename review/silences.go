package review

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/memberwatch/memberwatch"
)

// Silence makes a silence, or with a bound an expectation, in the name of its
// author.
func (s *Service) Silence(ctx context.Context, want memberwatch.Silence) (memberwatch.Silence, error) {
	return s.onceSilence(ctx, want.Author, func(t *turn) (memberwatch.Silence, error) {
		if want.Start.IsZero() {
			want.Start = t.now
		}
		if !want.End.After(t.now) {
			return want, &memberwatch.ReasonError{Kind: memberwatch.ErrInvalid, Reason: "SILENCE_INVALID", Message: "a silence needs an end in the future"}
		}
		err := t.silence(&want)
		return want, err
	})
}

// onceSilence is like onceCase.
func (s *Service) onceSilence(ctx context.Context, by memberwatch.Person, do func(*turn) (memberwatch.Silence, error)) (made memberwatch.Silence, err error) {
	err = s.write(by, func(t *turn) error {
		made, err = t.OnceSilence(memberwatch.RequestIn(ctx), t.now, func() (memberwatch.Silence, error) { return do(t) })
		return err
	})
	return made, err
}

// silence numbers and writes a silence.
func (t *turn) silence(s *memberwatch.Silence) error {
	if err := s.Validate(); err != nil {
		return err
	}
	id, err := t.NewSilenceID()
	if err != nil {
		return err
	}
	s.ID, s.Created, s.Ended, s.Hidden, s.Warned, s.Revision = id, t.now, time.Time{}, 0, false, 1
	if err := t.PutSilence(s); err != nil {
		return err
	}
	if err := t.record("silence.create", silenceSubject(id), s); err != nil {
		return err
	}
	return t.emitSilence(memberwatch.EventSilenceCreated, s)
}

func (t *turn) emitSilence(kind memberwatch.ReviewEventType, s *memberwatch.Silence) error {
	return t.Emit(memberwatch.ReviewEvent{Type: kind, Subject: silenceSubject(s.ID), App: s.Match.App, Time: t.now}, s)
}

// EndSilence ends a silence before its time. What it has hidden stays hidden
// until it has something new to say.
func (s *Service) EndSilence(ctx context.Context, by memberwatch.Person, id memberwatch.SilenceID, comment string) (memberwatch.Silence, error) {
	return s.onceSilence(ctx, by, func(t *turn) (memberwatch.Silence, error) {
		if err := t.endSilence(id, comment); err != nil {
			return memberwatch.Silence{}, err
		}
		return t.Silence(id)
	})
}

// endSilence ends a silence; one that is over stays as it is.
func (t *turn) endSilence(id memberwatch.SilenceID, comment string) error {
	s, err := t.Silence(id)
	if err != nil || !s.Ended.IsZero() || !t.now.Before(s.End) {
		return err
	}
	s.Ended = t.now
	s.Revision++
	if err := t.PutSilence(&s); err != nil {
		return err
	}
	return t.record("silence.end", silenceSubject(id), map[string]string{"comment": comment})
}

// Silences returns up to limit silences that match and come before a number, the
// newest first; 0 begins at the newest.
func (s *Service) Silences(_ context.Context, before int64, limit int, match func(*memberwatch.Silence) bool) ([]memberwatch.Silence, error) {
	return s.files.Silences(before, limit, match)
}

// previewDays is how far back a preview looks.
const previewDays = 30

// Preview returns how many signals of the last 30 days before an event time a
// silence would have hidden, how many would have gone above its bound, and how
// many of the hidden ones were judged ABUSE.
func (s *Service) Preview(_ context.Context, want memberwatch.Silence) (hidden, above, abuse int64, err error) {
	since := time.Now().Add(-previewDays * 24 * time.Hour).UnixNano()
	for after := ""; ; {
		page, next, err := s.files.Signals(memberwatch.Order{}, after, eventPage, nil)
		if err != nil {
			return 0, 0, 0, err
		}
		for i := range page {
			signal := &page[i]
			if signal.Opened < since {
				return hidden, above, abuse, nil // the newest come first
			}
			switch {
			case !want.Match.Matches(signal):
			case !want.Hides(signal):
				above++
			default:
				hidden++
				if s.judgedAbuse(signal) {
					abuse++
				}
			}
		}
		if next == "" {
			return hidden, above, abuse, nil
		}
		after = next
	}
}

// judgedAbuse tells whether the case of a signal has the verdict ABUSE.
func (s *Service) judgedAbuse(signal *memberwatch.Signal) bool {
	if signal.Triage.Case == "" {
		return false
	}
	c, _, err := s.Case(context.Background(), signal.Triage.Case)
	return err == nil && c.Verdict == memberwatch.VerdictAbuse
}

// cut splits a resource name into collection and id.
func cut(name string) (collection, id string, ok bool) { return strings.Cut(name, "/") }

// Precisions returns how often each version of the models was right, by the
// verdicts that stand.
func (s *Service) Precisions(context.Context) ([]memberwatch.Precision, error) {
	list, err := s.files.Precisions()
	if err != nil {
		return nil, fmt.Errorf("sum labels: %w", err)
	}
	return list, nil
}
