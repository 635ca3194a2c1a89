package monitor

import (
	"context"
	"fmt"

	"github.com/memberwatch/memberwatch"
)

// signalPage is how many signals are read in one transaction.
const signalPage = 256

// Signal returns a published signal, or ErrNotFound.
func (m *Monitor) Signal(_ context.Context, id memberwatch.SignalID) (memberwatch.Signal, error) {
	return m.store.Platform.Signal(id)
}

// EvidenceHash returns SHA-256 over the stored record of a signal and those of
// its kept findings, in hexadecimal.
func (m *Monitor) EvidenceHash(_ context.Context, id memberwatch.SignalID) (string, error) {
	return m.store.Platform.EvidenceHash(id)
}

// VerifySignal makes the kept findings of a signal again from their records and
// compares them byte for byte with what is stored.
func (m *Monitor) VerifySignal(_ context.Context, id memberwatch.SignalID) (memberwatch.Verification, error) {
	return m.store.Platform.Verify(id, maker)
}

// Findings returns the first, the strongest and the newest 100 findings of a
// signal, oldest first.
func (m *Monitor) Findings(_ context.Context, id memberwatch.SignalID) ([]memberwatch.Finding, error) {
	if _, err := m.store.Platform.Signal(id); err != nil {
		return nil, err
	}
	return m.store.Platform.Findings(id)
}

// Signals returns up to limit signals that match, in an order, and the cursor of
// the next page: empty at the end. Pages stay in step while signals come and
// change. A nil match takes all; another one is shown what lists choose by, see
// [store.Platform.Signals].
func (m *Monitor) Signals(ctx context.Context, order memberwatch.Order, after string, limit int, match func(*memberwatch.Signal) bool) ([]memberwatch.Signal, string, error) {
	return signalPages(ctx, m.store.Platform.Signals, order, after, limit, match)
}

// ShadowSignals returns the signals of kinds that were in shadow, which Signals
// leaves out, likewise.
func (m *Monitor) ShadowSignals(ctx context.Context, order memberwatch.Order, after string, limit int, match func(*memberwatch.Signal) bool) ([]memberwatch.Signal, string, error) {
	return signalPages(ctx, m.store.Platform.ShadowSignals, order, after, limit, match)
}

// signalReader reads up to a page of signals in one transaction.
type signalReader func(order memberwatch.Order, after string, limit int, match func(*memberwatch.Signal) bool) ([]memberwatch.Signal, string, error)

// signalPages gathers one page from as many transactions as it takes.
func signalPages(
	ctx context.Context, read signalReader, order memberwatch.Order, after string, limit int, match func(*memberwatch.Signal) bool,
) ([]memberwatch.Signal, string, error) {
	var page []memberwatch.Signal
	for ctx.Err() == nil {
		// Reading no more than is missing keeps the cursor exact.
		some, next, err := read(order, after, limit-len(page), match)
		if err != nil {
			return nil, "", err
		}
		page = append(page, some...)
		if next == "" || len(page) >= limit {
			return page, next, nil
		}
		after = next
	}
	return nil, "", ctx.Err()
}

// SignalPlace returns the newest place in the feed of signal changes. Who wants
// a snapshot and all later changes takes the place first, lists, and goes on
// with NextSignals.
func (m *Monitor) SignalPlace(context.Context) (int64, error) { return m.store.Platform.FeedPlace() }

// NextSignals waits until signals have changed after a place in the feed and
// returns some of them, in the order of their newest change, with the place to
// go on from. A signal that changed several times comes once, as it is now;
// hence the feed is no longer than there are signals, and no place expires. A
// place that this data directory has never reached is ErrInvalid with reason
// RESUME_EXPIRED.
func (m *Monitor) NextSignals(ctx context.Context, after int64) ([]memberwatch.Signal, int64, error) {
	place, err := m.store.Platform.FeedPlace()
	if err != nil {
		return nil, after, err
	}
	if after < 0 || after > place {
		return nil, after, &memberwatch.ReasonError{
			Kind: memberwatch.ErrInvalid, Reason: "RESUME_EXPIRED",
			Message: fmt.Sprintf("place %d is not in this feed, which reaches %d", after, place), Hint: "begin again without a resume token",
		}
	}
	for {
		changed := m.publisher.changed()
		signals, through, err := m.store.Platform.SignalsSince(after, signalPage)
		if err != nil || len(signals) > 0 {
			return signals, through, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, after, ctx.Err()
		case <-m.stop:
			return nil, after, closedError()
		}
	}
}
