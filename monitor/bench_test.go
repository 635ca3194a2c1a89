package monitor_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/monitor"
)

// BenchmarkAppendCommitted measures events of 10 members from Append to their
// commit, in batches of 2,000, spread over 2,000 apps, at 20,000 events a second
// of event time. One iteration is one event.
func BenchmarkAppendCommitted(b *testing.B) {
	const size, batches = 2000, 64
	m := open(b, monitor.Options{Dir: filepath.Join(b.TempDir(), "data")})
	defer shut(b, m)
	at := openStream(b, m, "gw")
	r := rand.New(rand.NewPCG(1, 2))
	pool := make([][]memberwatch.Event, batches)
	free := make(chan []memberwatch.Event, batches)
	for i := range pool {
		pool[i] = hotEvents(r, size)
		free <- pool[i]
	}
	now, base := begin, int64(1)
	b.ReportAllocs()
	b.ResetTimer()
	for sent := 0; sent < b.N; sent += size {
		events := <-free
		for i := range events {
			now += int64(50 * time.Microsecond)
			events[i].Time = now
		}
		batch := memberwatch.Batch{Base: base, Events: events, Release: func() { free <- events }}
		if err := m.Append(b.Context(), "gw", at.Epoch, &batch); err != nil {
			b.Fatal(err)
		}
		base += size
	}
	awaitCommitted(b, m, "gw", at.Epoch, base-1)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

func hotEvents(r *rand.Rand, n int) []memberwatch.Event {
	events := make([]memberwatch.Event, n)
	for i := range events {
		app := r.IntN(2000)
		events[i] = memberwatch.Event{
			App: memberwatch.AppID(fmt.Sprintf("app-%04d", app)), Developer: memberwatch.DeveloperID(fmt.Sprintf("dev-%04d", app/3)),
			DataClasses: []string{"group_membership"}, Group: fmt.Sprintf("g%d", r.IntN(500)), Actor: 1 + r.Uint64N(5000),
			Endpoint: "/groups/members", Credential: "c", Network: "AS64500", Outcome: memberwatch.OutcomeOK,
		}
		for range 10 {
			events[i].Disclosed = append(events[i].Disclosed, r.Uint64N(1_000_000)*0x9e3779b97f4a7c15)
		}
	}
	return events
}

// BenchmarkReplayDay measures how fast a past is replayed when there is little
// in it: 300 apps with 4 events an hour each. One iteration is one day, with its
// 24 rounds of closing windows, judging them and writing the judgements down.
func BenchmarkReplayDay(b *testing.B) {
	m := open(b, monitor.Options{Dir: filepath.Join(b.TempDir(), "data")})
	defer shut(b, m)
	at := openStream(b, m, "gw")
	r := rand.New(rand.NewPCG(1, 3))
	base, day := int64(1), begin
	for b.Loop() {
		var events []memberwatch.Event
		for h := range int64(24) {
			for range 4 {
				for app := range 300 {
					e := access(r, day+h*int64(time.Hour), app)
					e.Time = day + h*int64(time.Hour) + int64(len(events)%1200)*int64(time.Second)
					events = append(events, e)
				}
			}
		}
		send(b, m, "gw", at.Epoch, base, events)
		base, day = base+int64(len(events)), day+memberwatch.Day.Length()
	}
	awaitCommitted(b, m, "gw", at.Epoch, base-1)
}
