package client_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/client"
	"github.com/memberwatch/memberwatch/monitor"
	"github.com/memberwatch/memberwatch/server"
)

// real is the real service on a real socket, in this process.
type real struct {
	dir, address string
	monitor      *monitor.Monitor
	server       *server.Server
	serving      sync.WaitGroup
}

func startReal(t *testing.T) *real {
	t.Helper()
	r := &real{dir: t.TempDir(), address: "127.0.0.1:0"}
	r.start(t)
	t.Cleanup(func() { r.stop(t) })
	return r
}

func (r *real) start(t *testing.T) {
	t.Helper()
	var err error
	if r.monitor, err = monitor.Open(monitor.Options{Dir: r.dir, Partitions: 2}); err != nil {
		t.Fatal(err)
	}
	var listener net.Listener
	if listener, err = server.Listen(context.WithoutCancel(t.Context()), r.address, false); err != nil {
		t.Fatal(err)
	}
	r.address = listener.Addr().String()
	r.server = server.New(r.monitor, server.Options{ReconnectAfter: 10 * time.Millisecond})
	r.serving.Go(func() {
		if err := r.server.Serve(listener); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
}

func (r *real) stop(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 20*time.Second)
	defer cancel()
	if err := errors.Join(r.server.Shutdown(ctx), r.monitor.Close(ctx)); err != nil {
		t.Errorf("stop: %v", err)
	}
	r.serving.Wait()
}

// TestRealRestart restarts a service in order while a client streams to it.
func TestRealRestart(t *testing.T) {
	r := startReal(t)
	c := newClient(t, client.Options{Target: r.address, Producer: "gw-1", BatchEvents: 100, MaxBufferedBytes: 64 << 10})
	const events = 20_000
	loaded := make(chan error, 1)
	go func() {
		for i := range events {
			ev := event(fmt.Sprintf("app-%d", i%20))
			ev.Time += int64(i) * int64(time.Second)
			if err := c.Append(t.Context(), ev); err != nil {
				loaded <- err
				return
			}
		}
		loaded <- nil
	}()
	for range 3 {
		time.Sleep(150 * time.Millisecond)
		r.stop(t)
		r.start(t)
	}
	if err := <-loaded; err != nil {
		t.Fatal(err)
	}
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if applied := r.monitor.Stats(t.Context()).Applied; applied != events {
		t.Errorf("service applied %d events, want %d; client %+v", applied, events, c.Stats())
	}
}

// TestRealFencing starts a second process under the name of the first.
func TestRealFencing(t *testing.T) {
	r := startReal(t)
	o := client.Options{Target: r.address, Producer: "gw-1"}
	first := newClient(t, o)
	appendAll(t, first, 3)
	if err := first.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := newClient(t, o)
	if next, err := second.Ready(t.Context()); err != nil || next != 4 {
		t.Fatalf("second process begins at %d, %v; want 4", next, err)
	}
	for began := time.Now(); first.Err() == nil && time.Since(began) < 10*time.Second; {
		time.Sleep(time.Millisecond)
	}
	if reason, ok := errors.AsType[*memberwatch.ReasonError](first.Err()); !ok || reason.Reason != "PRODUCER_FENCED" {
		t.Errorf("first process stopped by %v", first.Err())
	}
}

// TestRealRejection sends an event that only the service's clock can refuse,
// between two good ones.
func TestRealRejection(t *testing.T) {
	r := startReal(t)
	var seen []client.Rejection
	c := newClient(t, client.Options{
		Target: r.address, Producer: "gw-1", OnRejected: func(r client.Rejection) { seen = append(seen, r) },
	})
	future := event("app")
	future.Time = time.Now().Add(time.Hour).UnixNano()
	for _, ev := range []memberwatch.Event{event("app"), future, event("app")} {
		if err := c.Append(t.Context(), ev); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 1 || seen[0].Sequence != 2 || seen[0].Reason != "EVENT_IN_FUTURE" || c.Stats().Acked != 3 {
		t.Errorf("rejections %+v, stats %+v", seen, c.Stats())
	}
	if applied := r.monitor.Stats(t.Context()).Applied; applied != 2 {
		t.Errorf("service applied %d events, want 2", applied)
	}
}
