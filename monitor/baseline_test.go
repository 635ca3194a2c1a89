package monitor_test

import (
	"errors"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/monitor"
)

// TestBaselineIsReadFromMemoryAndDisk: an app that has gone quiet is read from the
// disk after a restart, says the same and stays there.
func TestBaselineIsReadFromMemoryAndDisk(t *testing.T) {
	o := monitor.Options{Dir: filepath.Join(t.TempDir(), "data"), Partitions: 2}
	m := open(t, o)
	var events []memberwatch.Event
	for day := range 12 {
		if day < 10 {
			events = append(events, reads("quiet", "", day, "name", 0, 50))
		}
		events = append(events, reads("busy", "", day, "name", 0, 20))
	}
	at := openStream(t, m, "gw")
	send(t, m, "gw", at.Epoch, 1, events)
	awaitCommitted(t, m, "gw", at.Epoch, int64(len(events)))
	before, err := m.Baseline(t.Context(), "quiet")
	if err != nil || before.App != "quiet" || before.Days != 10 || len(before.Expected) == 0 {
		t.Fatalf("in memory: %+v, %v", before, err)
	}
	if _, err := m.Baseline(t.Context(), "none"); !errors.Is(err, memberwatch.ErrNotFound) {
		t.Errorf("no app: %v", err)
	}
	shut(t, m)
	m = open(t, o)
	defer shut(t, m)
	after, err := m.Baseline(t.Context(), "quiet")
	if err != nil || !reflect.DeepEqual(after, before) {
		t.Errorf("after a restart: %+v, %v\nbefore: %+v", after, err, before)
	}
	at = openStream(t, m, "gw") // partitions count what is in memory when events come
	send(t, m, "gw", at.Epoch, at.Next, []memberwatch.Event{reads("busy", "", 12, "name", 0, 20)})
	awaitCommitted(t, m, "gw", at.Epoch, at.Next)
	if resident := m.Stats(t.Context()).Resident; resident != 1 {
		t.Errorf("%d apps in memory, want the one that is at work", resident)
	}
}
