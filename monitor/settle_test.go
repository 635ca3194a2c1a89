package monitor_test

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/monitor"
)

// TestSettle: once a monitor has settled, nothing comes any more: not when it
// closes, and not when it opens again. Its checkpoints are rare enough to wait for.
func TestSettle(t *testing.T) {
	options := monitor.Options{Dir: filepath.Join(t.TempDir(), "data"), Partitions: 3, CheckpointInterval: time.Hour}
	m := open(t, options)
	restrict(t, m, "r-1", "group_membership", begin+memberwatch.Day.Length())
	at := openStream(t, m, "gw")
	events := platform(5, 3)
	send(t, m, "gw", at.Epoch, 1, events)
	complete(t, m, "gw", at.Epoch, int64(len(events))+1, events[len(events)-1].Time+3*memberwatch.Day.Length())
	if err := m.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	settled := signalsOf(t, m)
	shut(t, m)
	if err := m.Settle(t.Context()); !errors.Is(err, memberwatch.ErrUnavailable) {
		t.Errorf("a closed monitor settles: %v", err)
	}
	m = open(t, options)
	defer shut(t, m)
	if later := signalsOf(t, m); len(settled) == 0 || !reflect.DeepEqual(settled, later) {
		t.Errorf("%d signals when all was settled, %d later", len(settled), len(later))
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.Settle(done); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func signalsOf(t *testing.T, m *monitor.Monitor) []memberwatch.Signal {
	t.Helper()
	signals, _, err := m.Signals(t.Context(), memberwatch.Order{}, "", 1000, nil)
	if err != nil {
		t.Fatal(err)
	}
	return signals
}
