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

// ReviewSource is the outbox of the review side.
type ReviewSource interface {
	// NextEvents waits until there are events after a sequence and returns some of
	// them in order.
	NextEvents(ctx context.Context, after int64) ([]memberwatch.ReviewEvent, error)
}

// Reviews makes notices of all that the review side tells of, signals included:
// it has looked at each of them, and tells of one that it has opened before it
// tells of anything else about it.
type Reviews struct {
	Source ReviewSource
	// Drop forgets the events up to a sequence. What is journalled need not be in
	// the outbox as well.
	Drop func(through int64) error

	dropped int64
}

// Name names the feed in the store.
func (f *Reviews) Name() string { return "reviews" }

// dropEvery is how many events are dropped from the outbox at a time: each time
// is a transaction.
const dropEvery = 1000

// Next waits for the review side to tell of something, as [Feed] has it.
func (f *Reviews) Next(ctx context.Context, after int64) ([]memberwatch.Notice, int64, error) {
	if after-f.dropped >= dropEvery {
		if err := f.Drop(after); err != nil {
			return nil, after, err
		}
		f.dropped = after
	}
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
	case memberwatch.EventSignalJudged: // as often as people change their minds
		at, id = e.Time.UnixNano(), fmt.Sprintf("%s-judged-%d-%d", s.ID, e.Sequence, e.Time.UnixMilli())
	default:
	}
	n.ID, n.Time, n.Signal, n.Data = id, time.Unix(0, at).UTC(), s, nil
	return n, nil
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
