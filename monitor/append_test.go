package monitor_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/monitor"
)

func reason(err error) string {
	if r, ok := errors.AsType[*memberwatch.ReasonError](err); ok {
		return r.Reason
	}
	return ""
}

func TestAppendKeepsToTheSequence(t *testing.T) {
	m := open(t, monitor.Options{Dir: filepath.Join(t.TempDir(), "data"), Partitions: 2})
	defer shut(t, m)
	events := stream(100, 5)
	at := openStream(t, m, "gw")
	cases := []struct {
		name       string
		producer   memberwatch.ProducerID
		epoch      int64
		base, n    int64
		wantReason string
		wantKind   error
		applied    int64 // events in all afterwards
	}{
		{"no stream", "other", 1, 1, 10, "STREAM_NOT_OPEN", memberwatch.ErrInvalid, 0},
		{"base zero", "gw", at.Epoch, 0, 10, "SEQUENCE_INVALID", memberwatch.ErrInvalid, 0},
		{"gap at the start", "gw", at.Epoch, 2, 10, "SEQUENCE_GAP", memberwatch.ErrInvalid, 0},
		{"first", "gw", at.Epoch, 1, 10, "", nil, 10},
		{"duplicate", "gw", at.Epoch, 1, 10, "", nil, 10},
		{"inside what is known", "gw", at.Epoch, 3, 2, "", nil, 10},
		{"overlap", "gw", at.Epoch, 6, 10, "", nil, 15},
		{"empty keep-alive", "gw", at.Epoch, 16, 0, "", nil, 15},
		{"gap", "gw", at.Epoch, 17, 5, "SEQUENCE_GAP", memberwatch.ErrInvalid, 15},
		{"older epoch", "gw", at.Epoch - 1, 16, 5, "PRODUCER_FENCED", memberwatch.ErrConflict, 15},
		{"goes on", "gw", at.Epoch, 16, 5, "", nil, 20},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			released := make(chan struct{}, 2)
			batch := memberwatch.Batch{Base: c.base, Events: events[:c.n], Release: func() { released <- struct{}{} }}
			err := m.Append(t.Context(), c.producer, c.epoch, &batch)
			if reason(err) != c.wantReason || !errors.Is(err, c.wantKind) {
				t.Fatalf("error %v, want reason %q", err, c.wantReason)
			}
			if c.wantReason == "SEQUENCE_GAP" {
				r, _ := errors.AsType[*memberwatch.ReasonError](err)
				if got := r.Metadata["next_sequence"]; got != map[int64]string{0: "1", 15: "16"}[c.applied] {
					t.Errorf("next_sequence %q", got)
				}
			}
			<-released
			awaitApplied(t, m, c.applied)
			if len(released) > 0 {
				t.Error("released twice")
			}
		})
	}
	if s := m.Stats(t.Context()); s.Duplicate != 10+2 {
		t.Errorf("%d duplicates, want 12 in whole batches", s.Duplicate)
	}
}

// awaitApplied waits until so many events are applied.
func awaitApplied(t *testing.T, m *monitor.Monitor, n int64) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		applied := m.Stats(t.Context()).Applied
		if applied == n {
			return
		}
		if applied > n || time.Now().After(deadline) {
			t.Fatalf("%d events applied, want %d", applied, n)
		}
	}
}

func TestRejectedEventsUseUpTheirNumbers(t *testing.T) {
	m := open(t, monitor.Options{Dir: filepath.Join(t.TempDir(), "data"), Partitions: 2})
	defer shut(t, m)
	events := stream(10, 5)
	events[3], events[9] = memberwatch.Event{}, memberwatch.Event{}
	at := openStream(t, m, "gw")
	send(t, m, "gw", at.Epoch, 1, events)
	awaitCommitted(t, m, "gw", at.Epoch, 10)
	if s := m.Stats(t.Context()); s.Applied != 8 {
		t.Errorf("%d events applied, want 8", s.Applied)
	}
}

func TestANewerStreamEndsTheOlder(t *testing.T) {
	m := open(t, monitor.Options{Dir: filepath.Join(t.TempDir(), "data"), Partitions: 2, CheckpointInterval: time.Hour})
	defer shut(t, m)
	first := openStream(t, m, "gw")
	waited := make(chan error)
	go func() {
		_, err := m.WaitCommitted(context.Background(), "gw", first.Epoch, 10)
		waited <- err
	}()
	second := openStream(t, m, "gw")
	if second.Epoch <= first.Epoch {
		t.Fatalf("epochs %d and %d", first.Epoch, second.Epoch)
	}
	if err := <-waited; reason(err) != "PRODUCER_FENCED" {
		t.Errorf("waiting ended with %v", err)
	}
}

// A stalled stream, blocked for want of room, must not keep its successor out.
func TestAFullBudgetBlocksAndFencingFrees(t *testing.T) {
	m := open(t, monitor.Options{
		Dir: filepath.Join(t.TempDir(), "data"), Partitions: 2, CheckpointInterval: time.Hour, MaxUncommittedBytes: 10_000,
	})
	defer shut(t, m)
	at := openStream(t, m, "gw")
	awaitCheckpoint(t, m) // that of the opening; the next is an hour away
	events := stream(100, 5)
	send(t, m, "gw", at.Epoch, 1, events[:50])
	blocked := make(chan error)
	go func() {
		blocked <- m.Append(context.Background(), "gw", at.Epoch, &memberwatch.Batch{Base: 51, Events: events[50:]})
	}()
	select {
	case err := <-blocked:
		t.Fatalf("Append went beyond the budget: %v", err)
	case <-time.After(30 * time.Millisecond):
	}
	if second := openStream(t, m, "gw"); second.Next != 51 {
		t.Errorf("next is %d, want 51", second.Next)
	}
	if err := <-blocked; reason(err) != "PRODUCER_FENCED" {
		t.Errorf("blocked Append ended with %v", err)
	}
}

// awaitCheckpoint waits until every partition has written one.
func awaitCheckpoint(t *testing.T, m *monitor.Monitor) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		written := true
		for _, p := range m.Stats(t.Context()).Partitions {
			written = written && p.Checkpoints > 0
		}
		if written {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("no checkpoint")
		}
	}
}

func TestCloseEndsWhatWaits(t *testing.T) {
	m := open(t, monitor.Options{Dir: filepath.Join(t.TempDir(), "data"), Partitions: 2, CheckpointInterval: time.Hour})
	at := openStream(t, m, "gw")
	awaitCheckpoint(t, m)
	send(t, m, "gw", at.Epoch, 1, stream(30, 5))
	committed := make(chan int64, 1)
	gone := make(chan error, 1)
	go func() {
		n, _ := m.WaitCommitted(context.Background(), "gw", at.Epoch, 0)
		committed <- n
	}()
	go func() {
		_, err := m.WaitCommitted(context.Background(), "gw", at.Epoch, 30)
		gone <- err
	}()
	shut(t, m)
	if n := <-committed; n != 30 {
		t.Errorf("the final checkpoint acknowledged %d events, want 30", n)
	}
	if err := <-gone; !errors.Is(err, memberwatch.ErrUnavailable) {
		t.Errorf("waiting for more ended with %v", err)
	}
	if err := m.Append(t.Context(), "gw", at.Epoch, &memberwatch.Batch{Base: 31, Events: stream(1, 1)}); !errors.Is(err, memberwatch.ErrUnavailable) {
		t.Errorf("Append after Close: %v", err)
	}
}

// Steady state allocates nothing for an event; a batch costs a handful.
func TestAppendDoesNotAllocatePerEvent(t *testing.T) {
	m := open(t, monitor.Options{Dir: filepath.Join(t.TempDir(), "data"), Partitions: 2, CheckpointInterval: time.Hour})
	defer shut(t, m)
	at := openStream(t, m, "gw")
	events := stream(2000, 20)
	for i := range events {
		events[i].Time = begin + int64(i)
	}
	base, done := int64(1), make(chan struct{})
	release := func() { done <- struct{}{} }
	batch := memberwatch.Batch{Events: events, Release: release}
	turn := func() {
		batch.Base = base
		if err := m.Append(context.Background(), "gw", at.Epoch, &batch); err != nil {
			t.Fatal(err)
		}
		base += int64(len(events))
		<-done
	}
	for range 5 {
		turn()
	}
	if n := testing.AllocsPerRun(50, turn); n > 20 {
		t.Errorf("%.0f allocations for a batch of %d events", n, len(events))
	}
}
