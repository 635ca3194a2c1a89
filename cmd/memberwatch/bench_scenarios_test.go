package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/memberwatch/memberwatch/bench/trial"
)

// bench runs a bench command alone and returns what it printed.
func bench(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, complaints bytes.Buffer
	root := &cobra.Command{Use: "memberwatch", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(newBench())
	root.SetArgs(append([]string{"bench"}, args...))
	root.SetOut(&out)
	root.SetErr(&complaints)
	err = root.ExecuteContext(t.Context())
	return out.String(), complaints.String(), err
}

// TestBenchScenarios: the whole service behind gRPC says what the monitor in
// this process says, with declarations of every kind among the events.
func TestBenchScenarios(t *testing.T) {
	t.Parallel()
	args := []string{
		"scenarios", "--only", "S01,S04,S15,S18,S19,B2,B12", "--apps", "60", "--days", "40", "--seeds", "1", "--rate", "0.1", "--format", "json",
	}
	direct, _, err := bench(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	whole, _, err := bench(t, append(args, "--through", "grpc")...)
	if err != nil {
		t.Fatal(err)
	}
	if direct != whole {
		t.Errorf("through the monitor:\n%s\nthrough gRPC:\n%s", direct, whole)
	}
	var r trial.Result
	if err := json.Unmarshal([]byte(direct), &r); err != nil {
		t.Fatal(err)
	}
	// The attestation of S18 is declared; at this rate no call comes after it, and the result says so.
	if len(r.Scenarios) != 4 || len(r.Warnings) != 1 || len(r.LookAlikes) != 2 || r.AppWeeks == 0 {
		t.Errorf("%d scenarios, warnings %q, %d look-alikes, %g app-weeks", len(r.Scenarios), r.Warnings, len(r.LookAlikes), r.AppWeeks)
	}
}

func TestBenchScenariosFloors(t *testing.T) {
	t.Parallel()
	args := []string{"scenarios", "--only", "S04", "--apps", "30", "--days", "24", "--seeds", "1"}
	table, stderr, err := bench(t, append(args, "--rate", "1", "--floor-recall", "S04=1")...)
	if err != nil || !strings.Contains(table, "burst-harvest") || !strings.Contains(stderr, "seeds 1 to 1") {
		t.Errorf("error %v\n%s%s", err, table, stderr)
	}
	if _, _, err = bench(t, append(args, "--rate", "0.0002", "--floor-recall", "S04@0.0002=1")...); err == nil || isUsage(err) {
		t.Errorf("a missed floor: %v", err)
	}
	for _, bad := range [][]string{
		{"--only", "S99"},
		{"--rate", "0"},
		{"--rate", "x"},
		{"--floor-recall", "S04"},
		{"--floor-recall", "S04=2"},
		{"--only", "S04", "--floor-recall", "S05=0.5"},
		{"--floor-met", "S99=0.5"},
		{"--floor-recall", "B2=0.5"},
		{"--rate", "1", "--floor-recall", "S04@0.3=0.5"},
		{"--include", "nowhere.json"},
		{"--scenarios", "nowhere"},
		{"--apps", "0"},
		{"--through", "post"},
	} {
		if _, _, err := bench(t, append([]string{"scenarios"}, bad...)...); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
