package notify

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
)

// real starts a courier over real sockets that does not wait long.
func real(t *testing.T) (*Courier, *tape) {
	t.Helper()
	feed := newTape()
	c, err := newCourier(Options{Store: openPlatform(t, t.TempDir()), Feeds: []Feed{feed}, BaseURL: "https://memberwatch.example"})
	must(t, err)
	c.waits, c.timeout = []time.Duration{0, 5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond}, 200*time.Millisecond
	must(t, c.start())
	t.Cleanup(c.Close)
	return c, feed
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for began := time.Now(); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > 10*time.Second {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

// Each receiver misbehaves once per notice in its own way; each must see every
// id, and do everything once.
func TestMisbehavingReceivers(t *testing.T) {
	var trap atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { trap.Add(1) }))
	defer elsewhere.Close()
	once := func(misbehave func(w http.ResponseWriter, r *http.Request)) *receiver {
		return newReceiver(func(w http.ResponseWriter, r *http.Request, _ string, seen int) {
			if seen == 1 {
				misbehave(w, r)
			}
		})
	}
	receivers := map[string]*receiver{
		"good":  newReceiver(accept),
		"fails": once(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }),
		"late":  once(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }),
		"sends-away": once(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}),
		"hangs-up": once(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
		"breaks-off": once(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write([]byte("br"))
			panic(http.ErrAbortHandler)
		}),
	}
	c, feed := real(t)
	for name, r := range receivers {
		server := httptest.NewUnstartedServer(r)
		server.Config.ErrorLog = nil
		server.Start()
		t.Cleanup(server.Close)
		e, err := c.CreateEndpoint(t.Context(), memberwatch.Endpoint{ID: memberwatch.EndpointID(name), URL: server.URL, AllowPrivate: true}, memberwatch.KeyRequest{}, true)
		must(t, err)
		r.trust(e.Keys...)
	}
	const notices = 6
	for i := range notices {
		feed.tell("n"+string(rune('a'+i)), "cases/"+string(rune('a'+i%2)))
	}
	for name, r := range receivers {
		eventually(t, name+" has everything", func() bool {
			done, err := c.Deliveries(t.Context(), memberwatch.EndpointID(name), memberwatch.DeliveryDelivered, 0, 100, nil)
			must(t, err)
			return len(done) == notices
		})
		want := 2 * notices
		if name == "good" {
			want = notices
		}
		if got := r.arrivals(t); len(got) != want || len(r.effects) != notices {
			t.Errorf("%s: %d arrivals and %d effects, want %d and %d", name, len(got), len(r.effects), want, notices)
		}
	}
	if n := trap.Load(); n != 0 {
		t.Errorf("%d redirects were followed", n)
	}
}

// The guard looks at addresses after names are resolved, so that no DNS answer
// gets around it.
func TestPrivateAddressesAreRefused(t *testing.T) {
	var reached atomic.Int32
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	must(t, err)
	c, feed := real(t)
	for id, host := range map[string]string{"by-address": "127.0.0.1", "by-name": "localhost", "mapped": "[::ffff:127.0.0.1]", "short": "127.1"} {
		_, err := c.CreateEndpoint(t.Context(), memberwatch.Endpoint{ID: memberwatch.EndpointID(id), URL: "https://" + host + ":" + port}, memberwatch.KeyRequest{}, true)
		must(t, err)
		a, err := c.Ping(t.Context(), memberwatch.EndpointID(id))
		if err != nil || !strings.Contains(a.Error, "is not public") && !strings.Contains(a.Error, "no such host") {
			t.Errorf("%s: ping %+v, %v", id, a, err)
		}
	}
	feed.tell("n1", "cases/1")
	eventually(t, "given up", func() bool {
		e, err := c.Endpoint(t.Context(), "by-name")
		must(t, err)
		return e.Disabled != ""
	})
	if n := reached.Load(); n != 0 {
		t.Errorf("reached %d times", n)
	}
}

func TestPublic(t *testing.T) {
	tests := map[string]bool{
		"8.8.8.8": true, "1.1.1.1": true, "2606:4700::1111": true, "2a00:1450:4001::1": true,
		"127.0.0.1": false, "127.255.255.254": false, "::1": false, "10.0.0.1": false, "172.16.0.1": false, "172.31.255.255": false, "192.168.1.1": false,
		"169.254.169.254": false, "fe80::1": false, "fe80::1%eth0": false, "fc00::1": false, "fd12::1": false, "fec0::1": false,
		"0.0.0.0": false, "::": false, "100.64.0.1": false, "192.0.0.8": false, "198.18.0.1": false, "224.0.0.1": false, "ff02::1": false,
		"240.0.0.1": false, "255.255.255.255": false, "192.0.2.1": false, "198.51.100.1": false, "203.0.113.1": false, "2001:db8::1": false,
		"::ffff:10.0.0.1": false, "::ffff:8.8.8.8": true, "::127.0.0.1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false, "2001::1": false,
	}
	for address, want := range tests {
		if got := public(netip.MustParseAddr(address)); got != want {
			t.Errorf("public(%s) = %v", address, got)
		}
	}
}

// A secret in a receiver's URL must not reach the log or the dead list.
func TestErrorsDoNotTellTheURL(t *testing.T) {
	c, _ := real(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	address := l.Addr().String()
	must(t, l.Close()) // now nobody is there
	_, err = c.CreateEndpoint(t.Context(), memberwatch.Endpoint{ID: "siem", URL: "http://" + address + "/in?token=hunter2", AllowPrivate: true}, memberwatch.KeyRequest{}, false)
	must(t, err)
	a, err := c.Ping(t.Context(), "siem")
	if err != nil || a.Error == "" || a.Status != 0 || strings.Contains(a.Error, "hunter2") {
		t.Errorf("ping: %+v, %v", a, err)
	}
}
