package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/bench/scenario"
	"github.com/memberwatch/memberwatch/bench/tune"
	"github.com/memberwatch/memberwatch/monitor"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/wire"
)

// platform writes a small platform's events and the labels of its apps.
func platform(t *testing.T) (events, labels string) {
	t.Helper()
	sim, err := scenario.New(scenario.Config{
		Seed: 5, Apps: 50, Days: 24, Members: 50_000, EventsPerDay: 1_500, Rest: 1,
		Plant: []scenario.Planting{{Scenario: "S04", Rate: 0.02, Count: 3}, {Scenario: "S08", Rate: 0.02}},
	})
	if err != nil {
		t.Fatal(err)
	}
	events, labels = filepath.Join(t.TempDir(), "events.ndjson"), filepath.Join(t.TempDir(), "labels.csv")
	f, err := os.Create(events)
	if err != nil {
		t.Fatal(err)
	}
	out := bufio.NewWriter(f)
	var event memberwatch.Event
	for sim.Next(&event) {
		var m pb.AccessEvent
		wire.EncodeEvent(&m, &event)
		line, err := protojson.Marshal(&m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := out.Write(append(line, '\n')); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	text.WriteString("app,label\n*,benign\n")
	for _, i := range sim.Truth() {
		fmt.Fprintf(&text, "%s,abuse\n", i.Apps[0])
	}
	writeFile(t, labels, text.String())
	return events, labels
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestBenchTune: what is proposed for a file can be given to serve, and a
// running service's own evidence leads to a proposal, too.
func TestBenchTune(t *testing.T) {
	t.Parallel()
	events, labels := platform(t)
	fragment := filepath.Join(t.TempDir(), "fragment.yaml")
	stdout, _, err := bench(t, "tune", "--events", events, "--labels", labels, "--budget", "1/week", "--fragment", fragment, "--format", "json")
	if err != nil {
		t.Fatal(err)
	}
	var r tune.Proposal
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatal(err)
	}
	if r.Before.Cases != 4 || r.Before.Found < 3 || len(r.Curve) < 2 {
		t.Errorf("before %+v, a curve of %d points", r.Before, len(r.Curve))
	}
	if r.Chosen != nil {
		written, err := os.ReadFile(fragment)
		if err != nil {
			t.Fatal(err)
		}
		c := defaultConfig()
		if err := decodeYAML(fragment, written, &c); err != nil || c.Budget != r.Chosen.Budget {
			t.Errorf("serve reads the fragment as budget %g, %v:\n%s", c.Budget, err, written)
		}
	}
	s, err := startService(t.Context(), serviceOptions{listen: "127.0.0.1:0", monitor: monitor.Options{Dir: t.TempDir(), NoSync: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.stop(t.Context()) //nolint:errcheck // the test is over
	var out bytes.Buffer
	if status := run(t.Context(), []string{"replay", "--server", s.address, events}, nil, &out, &out); status != exitOK {
		t.Fatal(out.String())
	}
	if err := s.monitor.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	table, _, err := bench(t, "tune", "--from", s.address, "--labels", labels, "--budget", "20/day")
	if err != nil || !strings.Contains(table, "budget: 1400") {
		t.Errorf("from a service: %v\n%s", err, table)
	}
	tried, err := s.monitor.TryTuning(t.Context(), memberwatch.Tuning{Budget: 14_000}, 28)
	if err != nil || tried.Raised == 0 || tried.Now.Signals == 0 || tried.Then.Signals >= tried.Now.Signals || len(tried.Come) > 0 {
		t.Errorf("of %d raised, the tuning in force comes to %d and a stricter one to %d, %d come; %v",
			tried.Raised, tried.Now.Signals, tried.Then.Signals, len(tried.Come), err)
	}
	unchanged, err := s.monitor.TryTuning(t.Context(), memberwatch.Tuning{}, 28)
	if err != nil || len(unchanged.Gone)+len(unchanged.Come) > 0 || unchanged.Now.Signals != unchanged.Then.Signals {
		t.Errorf("without a change: %+v, %v", unchanged, err)
	}
	strict := fmt.Sprintf("%g/day", tried.Now.PerDay/2)
	table, stderr, err := bench(t, "tune", "--from", s.address, "--budget", strict, "--apply")
	if err != nil || !strings.Contains(table, "on the other half") {
		t.Errorf("from a service without labels: %v\n%s", err, table)
	}
	if v, err := s.monitor.Tuning(t.Context()); err != nil || v.Revision == 0 || !strings.HasPrefix(v.Comment, "bench tune: ") || !strings.Contains(stderr, "applied as tuning") {
		t.Errorf("applied was %+v, %v; said was %q", v, err, stderr)
	}
}

func TestBenchTuneBadInput(t *testing.T) {
	dir := t.TempDir()
	path := func(name, text string) string {
		writeFile(t, filepath.Join(dir, name), text)
		return filepath.Join(dir, name)
	}
	good := "app,time,members\na,2024-01-01T00:00:00Z,m\nb,2024-01-01T00:01:00Z,m\n"
	everybody := path("everybody.csv", "app,label\n*,benign\n")
	for name, test := range map[string]struct{ events, labels, want string }{
		"unlabelled":   {path("good.csv", good), path("some.csv", "app,label\na,abuse\n"), `good.csv:3: app "b" has no label in`},
		"unknown app":  {path("good.csv", good), path("other.csv", "app,label\n*,benign\nz,abuse\n"), `other.csv:3: app "z" made no events`},
		"empty events": {path("empty.csv", ""), everybody, "empty.csv:1: empty file"},
		"empty labels": {path("good.csv", good), path("none.csv", ""), "none.csv:1: empty file"},
		"broken row":   {path("broken.csv", good+"c,when,m\n"), everybody, "broken.csv:4:"},
		"broken label": {path("good.csv", good), path("maybe.csv", "app,label\na,maybe\n"), `maybe.csv:2: label "maybe"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := bench(t, "tune", "--events", test.events, "--labels", test.labels, "--budget", "5/day")
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
	for _, budget := range []string{"5", "5/hour", "-1/day", "many/day"} {
		if _, err := perDay(budget); err == nil {
			t.Errorf("budget %q was taken", budget)
		}
	}
}
