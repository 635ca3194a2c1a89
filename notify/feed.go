package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/memberwatch/memberwatch"
)

// Feed is a source of notices in an order that survives restarts.
type Feed interface {
	// Name names the feed in the store; it never changes.
	Name() string
	// Next waits until something has happened after a place and returns notices
	// of some of it, in order, with the place to go on from. Place 0 is the
	// beginning. A notice's id must follow from what happened: what is reported
	// again after a crash is recognised by it.
	Next(ctx context.Context, after int64) ([]memberwatch.Notice, int64, error)
}

// SignalSource is a feed of signals as they are now, such as the monitor has.
type SignalSource interface {
	// NextSignals waits until signals have changed after a place and returns some
	// of them, in the order of their newest change, with the place to go on from.
	NextSignals(ctx context.Context, after int64) ([]memberwatch.Signal, int64, error)
}

// Signals makes notices of changes of signals. A signal that changed several
// times since it was last seen gives one notice with its newest state; the first
// notice of a signal is always signal.created.
type Signals struct {
	Source SignalSource
	// Known tells whether there was ever a notice of a subject.
	Known func(subject string) (bool, error)
}

// Name names the feed in the store.
func (f *Signals) Name() string { return "signals" }

// Next waits for signals to change, as [Feed] has it.
func (f *Signals) Next(ctx context.Context, after int64) ([]memberwatch.Notice, int64, error) {
	changed, through, err := f.Source.NextSignals(ctx, after)
	if err != nil {
		return nil, after, err
	}
	var notices []memberwatch.Notice
	for i := range changed {
		s := &changed[i]
		known, err := f.Known(signalSubject(s))
		if err != nil {
			return nil, after, err
		}
		if !known {
			notices = append(notices, signalNotice(s, memberwatch.NoticeSignalCreated, fmt.Sprintf("%s-created", s.ID), s.Opened))
		}
		revision := fmt.Sprintf("%s-%d", s.ID, s.Revision)
		switch {
		case !s.Open():
			notices = append(notices, signalNotice(s, memberwatch.NoticeSignalClosed, revision, s.Ended))
		case known:
			notices = append(notices, signalNotice(s, memberwatch.NoticeSignalUpdated, revision, s.Last))
		}
	}
	return notices, through, nil
}

func signalSubject(s *memberwatch.Signal) string { return "signals/" + string(s.ID) }

func signalNotice(s *memberwatch.Signal, kind, id string, at int64) memberwatch.Notice {
	return memberwatch.Notice{
		ID: id, Type: kind, Subject: signalSubject(s), App: s.App, Severity: s.Severity, Time: time.Unix(0, at).UTC(), Signal: s,
	}
}

// ReviewSource is the outbox of the review side.
type ReviewSource interface {
	// NextEvents waits until there are events after a sequence and returns some of
	// them in order.
	NextEvents(ctx context.Context, after int64) ([]memberwatch.ReviewEvent, error)
}

// Reviews makes notices of all that the review side tells of, signals included:
// it has looked at each of them. It takes the place of [Signals].
type Reviews struct {
	Source ReviewSource
}

// Name names the feed in the store.
func (f *Reviews) Name() string { return "reviews" }

// Next waits for the review side to tell of something, as [Feed] has it.
func (f *Reviews) Next(ctx context.Context, after int64) ([]memberwatch.Notice, int64, error) {
	events, err := f.Source.NextEvents(ctx, after)
	if err != nil {
		return nil, after, err
	}
	notices := make([]memberwatch.Notice, len(events))
	for i := range events {
		if notices[i], err = reviewNotice(&events[i]); err != nil {
			return nil, after, err
		}
		after = events[i].Sequence
	}
	return notices, after, nil
}

// reviewNotice turns an event into a notice. Sequences begin anew in a restored
// directory, times do not: an id has both.
func reviewNotice(e *memberwatch.ReviewEvent) (memberwatch.Notice, error) {
	n := memberwatch.Notice{
		ID: fmt.Sprintf("review-%d-%d", e.Sequence, e.Time.UnixMilli()), Type: string(e.Type), Subject: e.Subject, App: e.App,
		Severity: e.Severity, Time: e.Time, Data: e.Payload,
	}
	if !strings.HasPrefix(n.Type, "signal.") {
		return n, nil
	}
	s := new(memberwatch.Signal)
	if err := json.Unmarshal(e.Payload, s); err != nil {
		return n, fmt.Errorf("review event %d: %w", e.Sequence, err)
	}
	at, id := s.Last, fmt.Sprintf("%s-%d", s.ID, s.Revision)
	switch e.Type {
	case memberwatch.EventSignalCreated:
		at, id = s.Opened, fmt.Sprintf("%s-created", s.ID)
	case memberwatch.EventSignalClosed:
		at = s.Ended
	default:
	}
	return signalNotice(s, n.Type, id, at), nil
}

// retryPause is how long to wait before trying again what the disk or a feed
// refused.
const retryPause = time.Second

// collect journals a feed until ctx ends.
func (c *Courier) collect(ctx context.Context, feed Feed) {
	for ctx.Err() == nil {
		if err := c.collectSome(ctx, feed); err != nil && ctx.Err() == nil {
			c.log.Error("cannot journal notices, trying again", "feed", feed.Name(), "error", err)
			sleep(ctx, retryPause)
		}
	}
}

// collectSome journals the next notices of a feed, with its new place.
func (c *Courier) collectSome(ctx context.Context, feed Feed) error {
	place, err := c.store.NoticePlace(feed.Name())
	if err != nil {
		return err
	}
	notices, through, err := feed.Next(ctx, place)
	if err != nil {
		return err
	}
	sound := notices[:0]
	for i := range notices {
		// One bad notice must not hold up all that come after it.
		if err := notices[i].Validate(); err != nil {
			c.log.Error("left out a notice", "feed", feed.Name(), "error", err)
			continue
		}
		sound = append(sound, notices[i])
	}
	if err := c.store.AppendNotices(feed.Name(), through, sound, time.Now()); err != nil {
		return err
	}
	c.announce()
	return nil
}

// sleep waits, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
