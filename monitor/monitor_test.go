package monitor_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/monitor"
	"github.com/memberwatch/memberwatch/store"
)

func open(t testing.TB, o monitor.Options) *monitor.Monitor {
	t.Helper()
	m, err := monitor.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func shut(t testing.TB, m *monitor.Monitor) {
	t.Helper()
	if err := m.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func TestAppendIsCommittedAndSurvivesARestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	m := open(t, monitor.Options{Dir: dir, Partitions: 2})
	events := stream(500, 20)
	at, err := m.OpenProducer(t.Context(), "gw-1", "test")
	if err != nil || at.Next != 1 || at.Epoch != 1 {
		t.Fatalf("opened at %+v, %v", at, err)
	}
	if err := m.Append(t.Context(), "gw-1", at.Epoch, &memberwatch.Batch{Base: 1, Events: events}); err != nil {
		t.Fatal(err)
	}
	for committed := int64(0); committed < 500; {
		if committed, err = m.WaitCommitted(t.Context(), "gw-1", at.Epoch, committed); err != nil {
			t.Fatal(err)
		}
	}
	shut(t, m)
	m = open(t, monitor.Options{Dir: dir})
	at, err = m.OpenProducer(t.Context(), "gw-1", "test")
	if err != nil || at != (memberwatch.Position{Committed: 500, Next: 501, Epoch: 2}) {
		t.Fatalf("opened again at %+v, %v", at, err)
	}
	if s := m.Stats(t.Context()); s.Applied != 500 || s.Apps != 20 {
		t.Errorf("stats %+v", s)
	}
	shut(t, m)
	if dump(t, dir) == "" {
		t.Error("empty dump")
	}
}

func dump(t testing.TB, dir string) string {
	t.Helper()
	var b bytes.Buffer
	if err := store.Dump(dir, &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// begin is when the streams of the tests begin, a Monday.
var begin = time.Date(2019, 4, 1, 0, 0, 0, 0, time.UTC).UnixNano()

// stream makes n events of some apps, about 40 an hour, each with a few members.
func stream(n, apps int) []memberwatch.Event {
	r := rand.New(rand.NewPCG(1, 7))
	events := make([]memberwatch.Event, n)
	at := begin
	for i := range events {
		at += r.Int64N(int64(3 * time.Minute))
		app := r.IntN(apps)
		events[i] = memberwatch.Event{
			App: memberwatch.AppID(fmt.Sprintf("app-%02d", app)), Developer: memberwatch.DeveloperID(fmt.Sprintf("dev-%d", app/3)),
			Time: at - r.Int64N(int64(time.Minute)), DataClasses: []string{"group_membership"}, Group: fmt.Sprintf("g%d", r.IntN(9)),
			Actor: 1 + r.Uint64N(5), Endpoint: fmt.Sprintf("/groups/%d", i%(1+20*(app%3))),
		}
		for range r.IntN(6) {
			events[i].Disclosed = append(events[i].Disclosed, r.Uint64N(2000)*0x9e3779b97f4a7c15)
		}
	}
	return events
}
