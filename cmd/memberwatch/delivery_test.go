package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/client"
	"github.com/memberwatch/memberwatch/notify"
	"github.com/memberwatch/memberwatch/notify/ocsf"
)

// TestDeliveryScripts runs the program against receivers of the test's own.
func TestDeliveryScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/delivery",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "ready": ready, "receiver": receiver, "received": received, "until": until, "ocsfcheck": ocsfCheck,
		},
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("TMPDIR", e.WorkDir)
			config := "webhooks:\n  base_url: https://memberwatch.example\n  file: {path: " + filepath.Join(e.WorkDir, "notices.jsonl") + "}\n"
			return os.WriteFile(filepath.Join(e.WorkDir, "serve.yaml"), []byte(config), 0o600)
		},
	})
}

// receiver serves an endpoint until the script ends: receiver NAME [STATUS]. Its
// URL is in $NAME; what comes and verifies with the key in NAME.key is appended
// to NAME.jsonl. With a STATUS it answers that while the file NAME.down exists.
func receiver(ts *testscript.TestScript, _ bool, args []string) {
	name, down, failure := args[0], ts.MkAbs(args[0]+".down"), http.StatusOK
	if len(args) > 1 {
		failure = atoi(ts, args[1])
	}
	var mu sync.Mutex
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if _, err := os.Stat(down); err == nil {
			w.WriteHeader(failure)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		key, err := os.ReadFile(ts.MkAbs(name + ".key"))
		if err == nil {
			_, err = notify.Verify(strings.Fields(string(key)), r.Header, body, time.Now())
		}
		if err != nil {
			body = fmt.Appendf(nil, "refused: %v", err)
			w.WriteHeader(http.StatusForbidden)
		}
		f, err := os.OpenFile(ts.MkAbs(name+".jsonl"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err == nil {
			_, err = f.Write(append(body, '\n'))
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	ts.Defer(server.Close)
	ts.Setenv(name, server.URL)
}

func atoi(ts *testscript.TestScript, arg string) int {
	n, err := strconv.Atoi(arg)
	ts.Check(err)
	return n
}

// received waits until a file has a text so often: received FILE COUNT TEXT.
func received(ts *testscript.TestScript, _ bool, args []string) {
	want, got := atoi(ts, args[1]), 0
	for began := time.Now(); time.Since(began) < 20*time.Second; time.Sleep(10 * time.Millisecond) {
		b, _ := os.ReadFile(ts.MkAbs(args[0]))
		if got = bytes.Count(b, []byte(args[2])); got == want {
			return
		}
	}
	ts.Fatalf("%s has %q %d times, want %d:\n%s", args[0], args[2], got, want, ts.ReadFile(args[0]))
}

// until repeats a program until its output has a text: until TEXT PROGRAM [ARG...].
func until(ts *testscript.TestScript, _ bool, args []string) {
	for began := time.Now(); time.Since(began) < 20*time.Second; time.Sleep(20 * time.Millisecond) {
		ts.Check(ts.Exec(args[1], args[2:]...))
		if strings.Contains(ts.ReadFile("stdout"), args[0]) {
			return
		}
	}
	ts.Fatalf("%v never says %q", args[1:], args[0])
}

// ocsfCheck checks that each line of a file is a sound finding.
func ocsfCheck(ts *testscript.TestScript, _ bool, args []string) {
	lines := 0
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		ts.Check(ocsf.Check([]byte(line)))
		lines++
	}
	if lines == 0 {
		ts.Fatalf("%s is empty", args[0])
	}
}

// TestDeliverySurvivesKills kills a service with SIGKILL again and again while it
// delivers. In the end the receiver has seen every signal from its creation on.
func TestDeliverySurvivesKills(t *testing.T) {
	t.Parallel()
	const apps, kills = 40, 6
	var mu sync.Mutex
	order := make(map[string][]string) // by subject: types in order of their first arrival
	seen, arrivals := make(map[string]bool), 0
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var m notify.Message
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			return
		}
		mu.Lock()
		if arrivals++; !seen[m.ID] {
			seen[m.ID] = true
			order[m.Subject] = append(order[m.Subject], m.Type)
		}
		mu.Unlock()
		time.Sleep(60 * time.Millisecond) // time enough to be killed before the answer
	}))
	defer server.Close()
	v := &victim{dir: filepath.Join(t.TempDir(), "data"), address: freeAddress(t)}
	v.deliver(t)
	defer func() { v.kill() }()
	v.do(t, "restrict", "--class", "group_membership", "--from", "2026-03-10", "--id", "groups")
	v.do(t, "webhooks", "add", "siem", server.URL, "--allow-private", "--types", "signal.*")
	c, err := client.New(client.Options{Target: v.address, Producer: "gw-1"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	at := time.Date(2026, 3, 12, 0, 0, 0, 0, time.UTC)
	for i := range apps {
		for n := range 3 {
			ev := memberwatch.Event{
				App: memberwatch.AppID(fmt.Sprintf("app-%02d", i)), Time: at.Add(time.Duration(i*3+n) * time.Minute).UnixNano(),
				Endpoint: "members.get", DataClasses: []string{"group_membership"}, Disclosed: []uint64{uint64(i)}, Actor: 1,
			}
			if err := c.Append(ctx, ev); err != nil {
				t.Fatal(err)
			}
		}
		if i%(apps/kills) == 3 {
			time.Sleep(time.Duration(250+30*i) * time.Millisecond)
			v.kill()
			v.deliver(t)
		}
	}
	if err := c.Close(ctx); err != nil {
		t.Fatal(err)
	}
	complete := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(order) >= apps
	}
	for began := time.Now(); !complete() && time.Since(began) < 20*time.Second; {
		time.Sleep(20 * time.Millisecond)
	}
	v.stop(t)
	mu.Lock()
	defer mu.Unlock()
	if len(order) != apps {
		t.Errorf("the receiver saw %d signals, want %d", len(order), apps)
	}
	for subject, types := range order {
		if types[0] != "dev.memberwatch.signal.created" {
			t.Errorf("%s began with %s", subject, types[0])
		}
	}
	t.Logf("%d messages, %d of them for the first time, %d signals, %d kills", arrivals, len(seen), len(order), kills)
}

// deliver starts the service with a config that lets it deliver.
func (v *victim) deliver(t *testing.T) {
	t.Helper()
	config := v.dir + ".yaml"
	if err := os.WriteFile(config, []byte("webhooks:\n  base_url: https://memberwatch.example\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	v.process = exec.Command("memberwatch", "serve", "--data-dir", v.dir, "--listen", v.address, "--config", config)
	v.process.Stderr = &v.stderr
	if err := v.process.Start(); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.Dial("tcp", v.address)
		if err == nil {
			_ = conn.Close()
			return
		}
		if time.Since(began) > 20*time.Second {
			t.Fatalf("the service did not start: %v\n%s", err, &v.stderr)
		}
	}
}

// do runs a command against the service.
func (v *victim) do(t *testing.T, args ...string) {
	t.Helper()
	var stderr strings.Builder
	if status := run(t.Context(), append(args, "--server", v.address), nil, io.Discard, &stderr); status != exitOK {
		t.Fatalf("%v: status %d\n%s", args, status, &stderr)
	}
}
