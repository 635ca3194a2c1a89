package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/bench/scenario"
	"github.com/memberwatch/memberwatch/monitor"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/wire"
)

// execute runs the demo alone and returns what it printed.
func execute(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, complaints bytes.Buffer
	root := &cobra.Command{Use: "memberwatch", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(newDemo())
	root.SetArgs(append([]string{"demo"}, args...))
	root.SetOut(&out)
	root.SetErr(&complaints)
	err = root.ExecuteContext(t.Context())
	return out.String(), complaints.String(), err
}

// TestDemo runs a small platform through the whole service and holds the
// answer against what must be found: rules leave nothing to chance, and bursts
// of this size stand out.
func TestDemo(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	stdout, stderr, err := execute(t, "--once", "--apps", "80", "--days", "30", "--until", "2025-04-01", "--format", "json", "--data-dir", dir)
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	var result demoResult
	decoder := json.NewDecoder(bytes.NewReader([]byte(stdout)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&result); err != nil || decoder.More() {
		t.Fatalf("standard output is not one object: %v\n%s", err, stdout)
	}
	kinds, scenarios := make(map[string]bool), make(map[string]bool)
	found := 0
	for _, p := range result.Planted {
		kinds[p.Kind], scenarios[p.Scenario] = true, true
		if p.FoundBy != "" {
			found++
		}
		if p.Scenario == "S01" && (p.FoundBy != string(memberwatch.KindRestricted) || p.DelayHours > 1) {
			t.Errorf("retained access of %s found by %q after %.1f hours", p.App, p.FoundBy, p.DelayHours)
		}
		if p.Scenario == "S04" && (p.FoundBy == "" || p.LeakedThen > p.Leaked) {
			t.Errorf("burst harvest of %s found by %q after %d of %d members", p.App, p.FoundBy, p.LeakedThen, p.Leaked)
		}
	}
	if len(kinds) < 5 || !scenarios["S01"] || !scenarios["S04"] {
		t.Errorf("only these kinds of abuse were planted: %v", slices.Sorted(maps.Keys(kinds)))
	}
	if found != result.Found || result.Found+result.Missed != len(result.Planted) {
		t.Errorf("found %d and missed %d of %d, but %d rows are found", result.Found, result.Missed, len(result.Planted), found)
	}
	verifies(t, dir)
	if _, _, err := execute(t, "--once", "--data-dir", dir); err == nil {
		t.Error("a directory with data in it was taken for a fresh one")
	}
}

// verifies makes everything again that the signals of a directory say, of whatever kind
// they are, after control changes and calibrations that came later.
func verifies(t *testing.T, dir string) {
	t.Helper()
	kinds, findings := make(map[memberwatch.Kind]bool), 0
	err := monitor.VerifyDirectory(dir, func(v memberwatch.Verification) error {
		for _, f := range v.Findings {
			kinds[f.Kind] = true
			findings++
		}
		if v.Result() != memberwatch.CheckVerified {
			t.Errorf("%+v", v)
		}
		return nil
	})
	if err != nil || len(kinds) < 6 || findings < 100 {
		t.Errorf("%d findings of kinds %v verified, error %v", findings, slices.Sorted(maps.Keys(kinds)), err)
	}
}

func TestDemoUsage(t *testing.T) {
	for name, args := range map[string][]string{
		"no apps":   {"--apps", "0"},
		"few apps":  {"--apps", "5"},
		"one day":   {"--days", "-3"},
		"future":    {"--until", "2999-01-01"},
		"directory": {"--data-dir", "demo_test.go"},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, _, err := execute(t, append(args, "--once")...)
			if err == nil || stdout != "" {
				t.Fatalf("error %v, output %q", err, stdout)
			}
			if message, hint := explain(err); name != "directory" && hint == "" && !isUsage(err) {
				t.Errorf("%q comes without a hint", message)
			}
		})
	}
}

func isUsage(err error) bool {
	_, ok := errors.AsType[*usageError](err)
	return ok
}

// TestCompare: a signal counts for an incident only if it names its app and
// opened after the first bad event.
func TestCompare(t *testing.T) {
	sim, err := scenario.New(scenario.Config{
		Seed: 2, Apps: 60, Days: 30, Members: 100_000, EventsPerDay: 1_000,
		Plant: []scenario.Planting{{Scenario: "S04", Rate: 0.1}, {Scenario: "B1"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var event memberwatch.Event
	for sim.Next(&event) {
	}
	abuse, benign := sim.Truth()[0], sim.Truth()[1]
	first := time.Unix(0, abuse.FirstEvent())
	signal := func(app memberwatch.AppID, opened time.Time) *pb.Signal {
		s := &pb.Signal{Kind: "volume-burst", OpenTime: timestamppb.New(opened)}
		if app != "" {
			s.App = wire.AppName(app)
		}
		return s
	}
	for name, test := range map[string]struct {
		signals              []*pb.Signal
		found, wrong, fleets int
	}{
		"none":           {nil, 0, 0, 0},
		"in time":        {[]*pb.Signal{signal(abuse.Apps[0], first.Add(time.Minute))}, 1, 0, 0},
		"twice":          {[]*pb.Signal{signal(abuse.Apps[0], first), signal(abuse.Apps[0], first.Add(time.Hour))}, 1, 0, 0},
		"too early":      {[]*pb.Signal{signal(abuse.Apps[0], first.Add(-time.Hour))}, 0, 1, 0},
		"too late":       {[]*pb.Signal{signal(abuse.Apps[0], abuse.End.AddDate(0, 0, 8))}, 0, 1, 0},
		"look-alike":     {[]*pb.Signal{signal(benign.Apps[0], benign.End)}, 0, 1, 0},
		"somebody":       {[]*pb.Signal{signal("app-none", first)}, 0, 1, 0},
		"the population": {[]*pb.Signal{signal("", first)}, 0, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := compare(sim.Truth(), test.signals)
			if r.Found != test.found || r.Missed != 1-test.found || r.False != test.wrong || r.Fleet != test.fleets {
				t.Errorf("found %d, missed %d, false %d, fleet %d", r.Found, r.Missed, r.False, r.Fleet)
			}
			if len(r.Planted) != 1 || len(r.LookAlikes) != 1 || len(r.Signals) != len(test.signals) {
				t.Errorf("%d planted, %d look-alikes, %d signals", len(r.Planted), len(r.LookAlikes), len(r.Signals))
			}
		})
	}
}

func TestDelay(t *testing.T) {
	for want, hours := range map[string]float64{"at once": 0, "37 min": 0.62, "25 h": 25.2, "20.2 days": 484} {
		if got := delay(hours); got != want {
			t.Errorf("%g hours are %q, want %q", hours, got, want)
		}
	}
}
