package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/store"
)

// openPlatform opens a data directory of its own for a test.
func openPlatform(t *testing.T, dir string) *store.Platform {
	t.Helper()
	s, err := store.Open(dir, store.Options{Partitions: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s.Platform
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tape is a feed that a test writes.
type tape struct {
	mu      sync.Mutex
	notices []memberwatch.Notice
	grown   chan struct{}
}

func newTape() *tape { return &tape{grown: make(chan struct{})} }

func (f *tape) Name() string { return "tape" }

func (f *tape) Next(ctx context.Context, after int64) ([]memberwatch.Notice, int64, error) {
	for {
		f.mu.Lock()
		rest, grown := f.notices[min(after, int64(len(f.notices))):], f.grown
		f.mu.Unlock()
		if len(rest) > 0 {
			n := min(len(rest), 3)
			return append([]memberwatch.Notice(nil), rest[:n]...), after + int64(n), nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return nil, after, ctx.Err()
		}
	}
}

// tell adds a notice about a subject.
func (f *tape) tell(id, subject string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.notices = append(f.notices, memberwatch.Notice{
		ID: id, Type: "case.decided", Subject: subject, Severity: memberwatch.SeverityHigh, Time: time.Unix(1790000000, 0), Data: []byte(`{}`),
	})
	close(f.grown)
	f.grown = make(chan struct{})
}

// receiver is somebody's webhook: it verifies what comes and remembers it.
type receiver struct {
	answer func(w http.ResponseWriter, r *http.Request, id string, seen int) // seen: how often the id came, with this time

	mu      sync.Mutex
	keys    []string
	got     []arrival
	seen    map[string]int
	effects map[string]int // what was done, once for each id
	wrong   []error
}

type arrival struct {
	id   string
	at   time.Time
	keys int // signatures on it
}

func newReceiver(answer func(w http.ResponseWriter, r *http.Request, id string, seen int)) *receiver {
	return &receiver{answer: answer, seen: make(map[string]int), effects: make(map[string]int)}
}

func accept(http.ResponseWriter, *http.Request, string, int) {}

func refuse(w http.ResponseWriter, _ *http.Request, _ string, _ int) {
	w.WriteHeader(http.StatusInternalServerError)
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return // cut off
	}
	r.mu.Lock()
	id, err := Verify(r.keys, request.Header, body, time.Now())
	if err == nil && len(body) >= MaxBody {
		err = fmt.Errorf("body of %d bytes", len(body))
	}
	if err != nil {
		r.wrong = append(r.wrong, err)
	}
	r.seen[id]++
	seen := r.seen[id]
	r.got = append(r.got, arrival{id: id, at: time.Now(), keys: len(request.Header[HeaderSignature][0]) / 44})
	r.effects[id] = 1 // as a receiver does who remembers ids
	r.mu.Unlock()
	r.answer(w, request, id, seen)
}

// arrivals returns what has come so far.
func (r *receiver) arrivals(t *testing.T) []arrival {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := errors.Join(r.wrong...); err != nil {
		t.Errorf("receiver: %v", err)
	}
	return append([]arrival(nil), r.got...)
}

func (r *receiver) trust(keys ...memberwatch.Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range keys {
		r.keys = append(r.keys, k.Verification())
	}
}

// world is a courier over a network in memory, so that its clock can be that of
// a bubble. Hosts are receivers by name.
type world struct {
	*Courier
	t     *testing.T
	tape  *tape
	store *store.Platform
	hosts sync.Map // by name: *pipeListener
}

// newWorld begins a network over a fresh data directory.
func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{t: t, tape: newTape(), store: openPlatform(t, t.TempDir())}
}

// begin starts a courier, as the program does at its start.
func (w *world) begin() {
	w.t.Helper()
	c, err := newCourier(Options{Store: w.store, Feeds: []Feed{w.tape}, BaseURL: "https://memberwatch.example"})
	must(w.t, err)
	c.public = newClient(w.dial)
	c.private = c.public
	must(w.t, c.start())
	w.Courier = c
}

func (w *world) dial(ctx context.Context, _, address string) (net.Conn, error) {
	host, _, _ := net.SplitHostPort(address)
	known, ok := w.hosts.Load(host)
	if !ok {
		return nil, fmt.Errorf("no such host %q", host)
	}
	l := known.(*pipeListener)
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// host serves a receiver under a name.
func (w *world) host(name string, r *receiver) {
	l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	w.hosts.Store(name, l)
	server := &http.Server{Handler: r}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(l) })
	w.t.Cleanup(func() {
		_ = server.Close()
		serving.Wait()
	})
}

// endpoint creates an endpoint at a host. It speaks http: TLS is not ours to
// test, and the rule that forbids it is lifted behind the API's back.
func (w *world) endpoint(id string, r *receiver, change ...func(*memberwatch.Endpoint)) memberwatch.Endpoint {
	w.t.Helper()
	w.host(id+".example", r)
	e := memberwatch.Endpoint{ID: memberwatch.EndpointID(id), URL: "http://" + id + ".example/in", AllowPrivate: true}
	for _, c := range change {
		c(&e)
	}
	e, err := w.CreateEndpoint(w.t.Context(), e, memberwatch.KeyRequest{}, true)
	must(w.t, err)
	r.trust(e.Keys...)
	return e
}

// list returns an endpoint's deliveries in a state.
func (w *world) list(id string, state memberwatch.DeliveryState) []memberwatch.Delivery {
	w.t.Helper()
	all, err := w.Deliveries(w.t.Context(), memberwatch.EndpointID(id), state, 0, 1000, nil)
	must(w.t, err)
	return all
}

// pipeListener accepts connections in memory.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "unix"} }
