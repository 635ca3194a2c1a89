package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/client"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/store"
)

// TestKilledAtAnyMoment kills a real service with SIGKILL again and again while
// a client streams to it. In the end its data directory and its signals equal
// those of a service that nobody disturbed, byte for byte.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	kills := 24
	if testing.Short() {
		kills = 4
	}
	events := killTestEvents()
	undisturbed := runKilled(t, events, 0)
	disturbed := runKilled(t, events, kills)
	for _, kind := range []string{string(memberwatch.KindRestricted), "-burst"} { // a rule and statistics
		if !strings.Contains(undisturbed.signals, kind) {
			t.Errorf("the stream raises no signal of kind %s, so equal signals prove little:\n%s", kind, undisturbed.signals)
		}
	}
	if disturbed.signals != undisturbed.signals {
		t.Errorf("signals differ:\n--- undisturbed\n%s--- killed %d times\n%s", undisturbed.signals, kills, disturbed.signals)
	}
	if undisturbed.dump != disturbed.dump {
		t.Errorf("data differs after %d kills: %s", kills, firstDifference(undisturbed.dump, disturbed.dump))
	}
	t.Logf("%d events, %d signals, %d keys; client resent %d events over %d reconnects", len(events),
		strings.Count(undisturbed.signals, "\n"), strings.Count(undisturbed.dump, "\n"), disturbed.stats.Resent, disturbed.stats.Reconnects)
}

// outcome is what a run leaves behind.
type outcome struct {
	dump, signals string
	stats         client.Stats
}

// killTestEvents is a stream of 12 days: 30 apps with a daily rhythm, one of
// which reads a restricted class and one of which harvests for two hours.
func killTestEvents() []memberwatch.Event {
	random := rand.New(rand.NewPCG(7, 7))
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	var events []memberwatch.Event
	for slot := range 12 * 24 * 12 { // of 5 minutes
		at := start.Add(time.Duration(slot) * 5 * time.Minute)
		for app := range 30 {
			calls := random.IntN(2)
			if at.Hour() >= 8 && at.Hour() < 20 {
				calls++
			}
			if app == 3 && slot/24 == 11*12+5 {
				calls = 80
			}
			for range calls {
				ev := memberwatch.Event{
					App: memberwatch.AppID(fmt.Sprintf("app-%02d", app)), Developer: memberwatch.DeveloperID(fmt.Sprintf("dev-%d", app/2)),
					Time: at.UnixNano() + random.Int64N(int64(5*time.Minute)), Endpoint: "members.get", DataClasses: []string{"profile_name"},
					Group: fmt.Sprintf("group-%d", random.IntN(20)), Actor: 1 + random.Uint64N(9),
				}
				if app == 5 {
					ev.DataClasses = append(ev.DataClasses, "group_membership")
				}
				for range 1 + random.IntN(6) {
					ev.Disclosed = append(ev.Disclosed, uint64(app)<<32+random.Uint64N(400+100_000*uint64(calls/80)))
				}
				events = append(events, ev)
			}
		}
	}
	return events
}

// runKilled streams the events to a service that is killed so many times, then
// stops it in order and returns what it left.
func runKilled(t *testing.T, events []memberwatch.Event, kills int) outcome {
	t.Helper()
	dir := t.TempDir()
	v := &victim{dir: dir, address: freeAddress(t)}
	v.start(t)
	defer v.kill()
	v.restrict(t)
	c, err := client.New(client.Options{Target: v.address, Producer: "gw-1", BatchEvents: 97, MaxBufferedBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var calm atomic.Bool // no more kills: full speed
	calm.Store(kills == 0)
	loaded := make(chan error, 1)
	go func() { loaded <- load(ctx, c, events, &calm) }()
	random := rand.New(rand.NewPCG(uint64(kills), 9))
	for range kills {
		time.Sleep(time.Duration(20+random.IntN(500)) * time.Millisecond)
		v.kill()
		v.start(t)
	}
	calm.Store(true)
	if err := <-loaded; err != nil {
		t.Fatal(err)
	}
	if err := c.Close(ctx); err != nil {
		t.Fatal(err)
	}
	o := outcome{signals: v.signals(ctx, t), stats: c.Stats()}
	v.stop(t)
	var dump strings.Builder
	if err := store.Dump(dir, &dump); err != nil {
		t.Fatal(err)
	}
	o.dump = dump.String()
	if kills > 0 && o.stats.Reconnects == 0 {
		t.Error("the client was never disturbed")
	}
	return o
}

// load appends the events, slowly while somebody is to be killed.
func load(ctx context.Context, c *client.Client, events []memberwatch.Event, calm *atomic.Bool) error {
	for i, ev := range events {
		if i%60 == 0 && !calm.Load() {
			time.Sleep(10 * time.Millisecond)
		}
		if err := c.Append(ctx, ev); err != nil {
			return err
		}
	}
	return nil
}

// victim is a service in a process of its own.
type victim struct {
	dir, address string
	process      *exec.Cmd
	stderr       bytes.Buffer
}

// start starts the process and waits until it listens.
func (v *victim) start(t *testing.T) {
	t.Helper()
	v.process = exec.Command("memberwatch", "serve", "--data-dir", v.dir, "--listen", v.address)
	v.process.Stderr = &v.stderr
	stdout, err := v.process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := v.process.Start(); err != nil {
		t.Fatal(err)
	}
	if n, err := io.ReadFull(stdout, make([]byte, 1)); n == 0 {
		t.Fatalf("the service did not start: %v\n%s", err, &v.stderr)
	}
}

// kill ends the process without warning. It may be dead already.
func (v *victim) kill() {
	_ = v.process.Process.Kill()
	_ = v.process.Wait()
}

// stop ends the process in order.
func (v *victim) stop(t *testing.T) {
	t.Helper()
	if err := v.process.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := v.process.Wait(); err != nil {
		t.Fatalf("stop: %v\n%s", err, &v.stderr)
	}
}

// restrict forbids a class from the ninth day on.
func (v *victim) restrict(t *testing.T) {
	t.Helper()
	status := run(t.Context(), []string{
		"restrict", "--server", v.address, "--class", "group_membership", "--from", "2026-03-10", "--id", "groups",
	}, nil, io.Discard, &v.stderr)
	if status != exitOK {
		t.Fatalf("restrict: status %d\n%s", status, &v.stderr)
	}
}

// signals waits until the service has nothing left to compute and lists its
// signals.
func (v *victim) signals(ctx context.Context, t *testing.T) string {
	t.Helper()
	checkpoints := func() (n int64) {
		s, err := ask(ctx, v.address, func(c *grpc.ClientConn) call[*pb.GetStatsRequest, *pb.GetStatsResponse] {
			return pb.NewAdminServiceClient(c).GetStats
		}, &pb.GetStatsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range s.GetPartitions() {
			n += p.GetCheckpoints()
		}
		return n
	}
	const settleFor = 1500 * time.Millisecond // longer than any interval between two checkpoints
	for last, since := int64(-1), time.Now(); time.Since(since) < settleFor; time.Sleep(settleFor / 15) {
		if n := checkpoints(); n != last {
			last, since = n, time.Now()
		}
	}
	var out, stderr strings.Builder
	if status := run(ctx, []string{"signals", "list", "--server", v.address, "--limit", "0", "--format", "json"}, nil, &out, &stderr); status != exitOK {
		t.Fatalf("signals list: status %d\n%s", status, &stderr)
	}
	return triaged.ReplaceAllString(out.String(), "")
}

// triaged is what review adds to a signal: cases are numbered as they come.
var triaged = regexp.MustCompile(`,"triage":"[A-Z_]+"(,"case":"[^"]+")?(,"verdict":"[A-Z]+")?`)

// freeAddress returns an address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // nothing was written
	return l.Addr().String()
}

// firstDifference shows where two dumps part.
func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	different, first := 0, ""
	for i := range max(len(x), len(y)) {
		var left, right string
		if i < len(x) {
			left = x[i]
		}
		if i < len(y) {
			right = y[i]
		}
		if left != right {
			if different++; first == "" {
				first = fmt.Sprintf("line %d:\n%.300s\n%.300s", i+1, left, right)
			}
		}
	}
	return fmt.Sprintf("%d of %d lines differ, first %s", different, len(x), first)
}
