//go:build unix

package monitor_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/monitor"
)

// diskDir names the data directory to a child process that plays a full disk.
const diskDir = "MEMBERWATCH_TEST_DISK_DIR"

// A full disk is played by the kernel: a child process may not write beyond the
// first pages of its files for a while.
func TestAFullDiskStopsAcksAndRecovers(t *testing.T) {
	if dir := os.Getenv(diskDir); dir != "" {
		fillDisk(t, dir)
		return
	}
	events := platform(5, 3)
	undisturbed := plan{batch: constant(1000)}.play(t, 1, events)
	dir := filepath.Join(t.TempDir(), "data")
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	child.Env = append(os.Environ(), diskDir+"="+dir)
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := dump(t, dir); got != undisturbed {
		t.Error(firstDifference(undisturbed, got))
	}
}

func fillDisk(t *testing.T, dir string) {
	signal.Ignore(syscall.SIGXFSZ)
	m := open(t, monitor.Options{Dir: dir, Partitions: 3, CheckpointInterval: 5 * time.Millisecond})
	restrict(t, m, "r-1", "group_membership", begin+9*memberwatch.Day.Length())
	at := openStream(t, m, "gw")
	events := platform(5, 3)
	half := int64(len(events) / 2)
	send(t, m, "gw", at.Epoch, 1, events[:half])
	awaitCommitted(t, m, "gw", at.Epoch, half)

	old := limitFiles(t, syscall.Rlimit{Cur: 64 << 10})
	send(t, m, "gw", at.Epoch, half+1, events[half:])
	committed := half
	var err error
	for err == nil && committed < int64(len(events)) {
		committed, err = m.WaitCommitted(t.Context(), "gw", at.Epoch, committed)
	}
	if !errors.Is(err, memberwatch.ErrExhausted) || reason(err) != "STORAGE_FULL" {
		t.Fatalf("%d of %d events acknowledged on a full disk, error %v", committed, len(events), err)
	}
	readsWork(t, m)
	if _, err := m.OpenProducer(t.Context(), "other", ""); !errors.Is(err, memberwatch.ErrExhausted) {
		t.Errorf("a stream opened on a full disk: %v", err)
	}

	limitFiles(t, old)
	for deadline := time.Now().Add(10 * time.Second); committed < int64(len(events)); {
		if committed, err = m.WaitCommitted(t.Context(), "gw", at.Epoch, committed); err != nil {
			if time.Now().After(deadline) {
				t.Fatalf("no recovery: %v", err)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	if s := m.Stats(t.Context()); s.StorageError != "" {
		t.Errorf("storage error after recovery: %s", s.StorageError)
	}
	complete(t, m, "gw", at.Epoch, int64(len(events))+1, events[len(events)-1].Time+3*memberwatch.Day.Length())
	shut(t, m)
}

// limitFiles sets how large files may grow and returns the old limit.
func limitFiles(t *testing.T, limit syscall.Rlimit) syscall.Rlimit {
	t.Helper()
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	limit.Max = old.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	return old
}

func readsWork(t *testing.T, m *monitor.Monitor) {
	t.Helper()
	if s := m.Stats(t.Context()); s.StorageError == "" {
		t.Error("stats do not tell of the full disk")
	}
	if _, err := m.App(t.Context(), "app-01"); err != nil {
		t.Errorf("read an app: %v", err)
	}
	if _, _, err := m.Signals(t.Context(), memberwatch.Order{}, "", 10, nil); err != nil {
		t.Errorf("list signals: %v", err)
	}
	rows, _, err := m.QueryAccess(context.Background(), memberwatch.AccessQuery{UntilDay: 1 << 30})
	if err != nil || len(rows) == 0 {
		t.Errorf("query: %d rows, %v", len(rows), err)
	}
}
