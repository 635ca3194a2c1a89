package ocsf_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/notify/ocsf"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden files anew")

// harvest is a signal as the detectors raise it: one day far above the rest.
func harvest() memberwatch.Signal {
	day := time.Date(2026, 9, 21, 0, 0, 0, 0, time.UTC)
	return memberwatch.Signal{
		ID: "s5m2c0qj8t3e1k", App: "quizfun", Developer: "funlabs", Kind: memberwatch.KindPerActorBurst, Severity: memberwatch.SeverityHigh,
		Sentence: "quizfun read 48,213 distinct members for 12 users on 2026-09-21; 1,100 to 3,900 were expected",
		Opened:   day.Add(24 * time.Hour).UnixNano(), Last: day.Add(48 * time.Hour).UnixNano(), Occurrences: 2, Revision: 2,
		Strongest: memberwatch.Finding{
			Kind: memberwatch.KindPerActorBurst, Number: 1, Window: memberwatch.Window{Scale: memberwatch.Day, Start: day.UnixNano()},
			Stream: memberwatch.StreamBurst, ReturnPeriod: 4380, FleetFactor: 1, Members: memberwatch.Estimate{Value: 48213, Low: 47600, High: 48830},
			Factors: []memberwatch.Factor{
				{Feature: "reach_per_actor", Observed: 4017.75, Expected: 190.4, Low: 92.25, High: 325, P: 2e-9, ReturnPeriod: 4380, Share: 0.75},
				{Feature: "records", Observed: 51200, Expected: 2400, Low: 1150, High: 4010, P: 1e-5, ReturnPeriod: 210, Share: 0.25},
			},
		},
		Learning: memberwatch.LearningReady, LearningDays: 112, Model: "1", Calibration: 20716, Control: 7,
	}
}

// ended is a signal of a rule: no statistics, and an end.
func ended() memberwatch.Signal {
	s := harvest()
	s.Kind, s.Severity, s.Sentence = memberwatch.KindRestricted, memberwatch.SeverityCritical, "quizfun read group_membership after it was restricted"
	s.Strongest.Stream, s.Strongest.ReturnPeriod, s.Strongest.Restriction = memberwatch.StreamRule, 0, "groups-2026"
	s.Strongest.Factors = []memberwatch.Factor{{Feature: "records", Observed: 12, Share: 1, Text: "12 records after the restriction"}}
	s.Ended, s.Revision = s.Last+int64(72*time.Hour), 3
	return s
}

// fleet is a signal about everybody at once.
func fleet() memberwatch.Signal {
	s := harvest()
	s.App, s.Developer, s.Kind, s.Severity = "", "", memberwatch.KindFleet, memberwatch.SeverityLow
	s.Strongest.Caveats = []string{"the day is not over"}
	return s
}

func change(a ocsf.Activity, uid string, at int64) ocsf.Change {
	return ocsf.Change{
		Activity: a, UID: uid, Time: at, ProductVersion: "0.1.0",
		SignalURL: "https://memberwatch.example/signals/s5m2c0qj8t3e1k", VerdictURL: "https://memberwatch.example/signals/s5m2c0qj8t3e1k/verdict",
	}
}

// golden are the examples that the documentation shows.
func golden() map[string]ocsf.Finding {
	created, closed, shift := harvest(), ended(), fleet()
	return map[string]ocsf.Finding{
		"create.json": ocsf.Encode(&created, change(ocsf.Create, "s5m2c0qj8t3e1k-created", created.Opened)),
		"update.json": ocsf.Encode(&created, change(ocsf.Update, "s5m2c0qj8t3e1k-2", created.Last)),
		"close.json":  ocsf.Encode(&closed, change(ocsf.Close, "s5m2c0qj8t3e1k-3", closed.Ended)),
		"fleet.json":  ocsf.Encode(&shift, change(ocsf.Create, "s5m2c0qj8t3e1k-created", shift.Opened)),
	}
}

func TestGolden(t *testing.T) {
	for name, finding := range golden() {
		t.Run(name, func(t *testing.T) {
			got, err := json.MarshalIndent(finding, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			file := filepath.Join("testdata", name)
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s differs; go test ./notify/ocsf -update, and look at the difference", file)
			}
			if err := ocsf.Check(got); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		})
	}
}

// TestVerdicts holds what receivers learn of a review.
func TestVerdicts(t *testing.T) {
	for verdict, want := range map[memberwatch.Verdict]string{
		memberwatch.VerdictUnspecified: "Unknown, In Progress, alert", memberwatch.VerdictAbuse: "True Positive, Resolved",
		memberwatch.VerdictExpected: "Benign, Suppressed", memberwatch.VerdictBenign: "False Positive, Suppressed",
		memberwatch.VerdictInconclusive: "Insufficient Data, Resolved", memberwatch.VerdictDuplicate: "Duplicate, Archived",
	} {
		s := harvest()
		s.Triage = memberwatch.Triage{State: memberwatch.TriageLinked, Case: "c1", Verdict: verdict}
		f := ocsf.Encode(&s, change(ocsf.Update, "u", s.Last))
		got := f.Verdict + ", " + f.Status
		if f.IsAlert {
			got += ", alert"
		}
		if got != want {
			t.Errorf("%v: %s, want %s", verdict, got, want)
		}
		line, err := json.Marshal(f)
		if err == nil {
			err = ocsf.Check(line)
		}
		if err != nil {
			t.Errorf("%v: %v", verdict, err)
		}
	}
}

// TestUIDStays holds what receivers join the changes of a signal by.
func TestUIDStays(t *testing.T) {
	all := golden()
	for _, name := range []string{"update.json", "close.json"} {
		if got, want := all[name].Info.UID, all["create.json"].Info.UID; got != want {
			t.Errorf("%s has finding_info.uid %q, create.json %q", name, got, want)
		}
	}
}

// TestBrokenCopiesFail breaks a good finding in every way that the checker is for.
func TestBrokenCopiesFail(t *testing.T) {
	set := func(value any) func(map[string]any, string) { return func(m map[string]any, k string) { m[k] = value } }
	remove := func(m map[string]any, k string) { delete(m, k) }
	tests := map[string]struct {
		path string // in the finding; numbers index lists
		edit func(map[string]any, string)
		want string
	}{
		"required attribute missing":        {"severity_id", remove, "severity_id: is required"},
		"required object missing":           {"finding_info", remove, "finding_info: is required"},
		"required attribute deep inside":    {"anomaly_analyses.0.anomalies.0.observation_parameter", remove, "anomaly_analyses[0].anomalies[0].observation_parameter: is required"},
		"required text empty":               {"finding_info.uid", set(""), "finding_info.uid: is required, and empty"},
		"required list empty":               {"anomaly_analyses.1.anomalies", set([]any{}), "anomaly_analyses[1].anomalies: is required, and empty"},
		"neither name nor uid":              {"metadata.product.name", remove, "metadata.product: needs one of [name uid]"},
		"unknown attribute":                 {"score", set(1), "score: is no attribute of detection_finding"},
		"unknown attribute deep inside":     {"finding_info.analytic.score", set(1), "finding_info.analytic.score: is no attribute of analytic"},
		"value not in the enum":             {"severity_id", set(9), "severity_id: is 9, which the enum does not have"},
		"caption contradicts the value":     {"severity", set("Low"), `severity_id: is 4, that is "High", but severity says "Low"`},
		"other without saying what":         {"status", remove, ""},
		"another class":                     {"class_uid", set(2005), "class_uid: is 2005"},
		"type that is not class * 100":      {"type_uid", set(200402), "type_uid: is 200402"},
		"text where a number is due":        {"severity_id", set("4"), "severity_id: is 4, which is no whole number"},
		"number where a text is due":        {"anomaly_analyses.0.anomalies.0.observations.0.value", set(4018), "observations[0].value: is 4018, which is no text"},
		"fraction where a whole one is due": {"count", set(1.5), "count: is 1.5, which is no whole number"},
		"seconds where millis are due":      {"time", set(1790000000), "time: is 1790000000, which is no time in milliseconds"},
		"nanos where millis are due":        {"finding_info.created_time", set(int64(1790000000000000000)), "finding_info.created_time: is 1790000000000000000"},
		"text where a flag is due":          {"is_alert", set("true"), "is_alert: is true, neither true nor false"},
		"object where a list is due":        {"resources", set(map[string]any{"uid": "apps/x"}), "resources: is no list"},
		"list where an object is due":       {"metadata.product", set([]any{}), "metadata.product: is no object"},
		"relative url":                      {"finding_info.src_url", set("/signals/x"), "finding_info.src_url: is \"/signals/x\""},
		"profile not declared":              {"metadata.profiles", remove, "verdict_id: needs profile \"incident\""},
		"another version":                   {"metadata.version", set("1.7.0"), "metadata.version: is 1.7.0"},
	}
	good, err := json.Marshal(golden()["create.json"])
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var copied map[string]any
			if err := json.Unmarshal(good, &copied); err != nil {
				t.Fatal(err)
			}
			if name == "other without saying what" {
				copied["status_id"], tt.want = 99, "status_id: is Other, so status must say what it is"
			}
			edit(t, copied, tt.path, tt.edit)
			broken, err := json.Marshal(copied)
			if err != nil {
				t.Fatal(err)
			}
			if err := ocsf.Check(broken); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("check: %v, want %q", err, tt.want)
			}
		})
	}
	for _, text := range []string{"", "[]", "null", `{"time":1}{}`} {
		if ocsf.Check([]byte(text)) == nil {
			t.Errorf("check of %q passes", text)
		}
	}
}

// edit walks to the parent of a path and changes its last member.
func edit(t *testing.T, at any, path string, change func(map[string]any, string)) {
	t.Helper()
	first, rest, more := strings.Cut(path, ".")
	switch v := at.(type) {
	case map[string]any:
		if !more {
			change(v, first)
			return
		}
		edit(t, v[first], rest, change)
	case []any:
		var i int
		if _, err := fmt.Sscan(first, &i); err != nil {
			t.Fatal(err)
		}
		edit(t, v[i], rest, change)
	default:
		t.Fatalf("nothing at %q", path)
	}
}

// TestEverySignalEncodes finds signals whose finding the schema would refuse.
func TestEverySignalEncodes(t *testing.T) {
	after1973 := rapid.Int64Range(int64(4*365*24*time.Hour), int64(200*365*24*time.Hour))
	number := rapid.OneOf(rapid.Float64(), rapid.Just(math.Inf(1)), rapid.Just(math.NaN()), rapid.Just(0.0))
	rapid.Check(t, func(t *rapid.T) {
		s := memberwatch.Signal{
			ID: "s1", App: memberwatch.AppID(rapid.String().Draw(t, "app")), Kind: memberwatch.Kind(rapid.StringMatching(`[a-z-]{0,9}`).Draw(t, "kind")),
			Severity: memberwatch.Severity(rapid.IntRange(0, 4).Draw(t, "severity")), Sentence: rapid.String().Draw(t, "sentence"),
			Opened: after1973.Draw(t, "opened"), Last: after1973.Draw(t, "last"), Occurrences: rapid.Int64Min(0).Draw(t, "occurrences"),
			Strongest: memberwatch.Finding{
				Window: memberwatch.WindowAt(memberwatch.Hour, after1973.Draw(t, "window")), Stream: memberwatch.Stream(rapid.IntRange(0, 2).Draw(t, "stream")),
				ReturnPeriod: number.Draw(t, "period"), Members: memberwatch.Estimate{Value: number.Draw(t, "members")},
				Factors: []memberwatch.Factor{{Feature: "reach", Observed: number.Draw(t, "observed"), Low: number.Draw(t, "low"), High: number.Draw(t, "high")}},
			},
		}
		s.Triage.State = memberwatch.TriageState(rapid.IntRange(0, 4).Draw(t, "triage"))
		if rapid.Bool().Draw(t, "ended") {
			s.Ended = s.Last
		}
		b, err := json.Marshal(ocsf.Encode(&s, change(ocsf.Activity(rapid.IntRange(1, 3).Draw(t, "activity")), "s1-1", s.Last)))
		if err != nil {
			t.Fatal(err)
		}
		if err := ocsf.Check(b); err != nil {
			t.Fatalf("%s\n%v", b, err)
		}
	})
}
