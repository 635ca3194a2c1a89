package notify_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/notify"
	"github.com/memberwatch/memberwatch/notify/ocsf"
)

var update = flag.Bool("update", false, "write the golden files anew")

var encoder = notify.Encoder{BaseURL: "https://memberwatch.example", Version: "0.1.0"}

// opened is a notice of a signal, as the journal holds it.
func opened() memberwatch.Notice {
	at := time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC)
	return memberwatch.Notice{
		Sequence: 42, ID: "s5m2c0qj8t3e1k-created", Type: memberwatch.NoticeSignalCreated, Subject: "signals/s5m2c0qj8t3e1k",
		App: "quizfun", Severity: memberwatch.SeverityCritical, Time: at,
		Signal: &memberwatch.Signal{
			ID: "s5m2c0qj8t3e1k", App: "quizfun", Developer: "funlabs", Kind: memberwatch.KindRestricted, Severity: memberwatch.SeverityCritical,
			Sentence: "quizfun read 12 member records of group_membership after it was restricted",
			Opened:   at.UnixNano(), Last: at.UnixNano(), Occurrences: 1, Revision: 1, Learning: memberwatch.LearningReady, LearningDays: 40, Model: "1",
			Strongest: memberwatch.Finding{
				Kind: memberwatch.KindRestricted, Number: 1, Time: at.UnixNano(), Window: memberwatch.WindowAt(memberwatch.Hour, at.UnixNano()),
				Stream: memberwatch.StreamRule, Restriction: "groups-2026", Members: memberwatch.Estimate{Value: 12, Low: 12, High: 12},
				Factors: []memberwatch.Factor{{Feature: "records", Observed: 12, Share: 1, Text: "12 records after the restriction"}},
			},
		},
	}
}

func decided() memberwatch.Notice {
	return memberwatch.Notice{
		Sequence: 43, ID: "case-7-decided-3", Type: "case.decided", Subject: "cases/7", App: "quizfun", Severity: memberwatch.SeverityCritical,
		Time: time.Date(2026, 9, 22, 9, 0, 0, 0, time.UTC), Data: []byte(`{"verdict":"ABUSE","reason":"harvesting"}`),
	}
}

func TestGoldenMessages(t *testing.T) {
	signal, review := opened(), decided()
	ping := memberwatch.Notice{ID: "ping-1", Type: memberwatch.NoticePing, Subject: "endpoints/siem", Time: review.Time}
	tests := map[string]struct {
		notice  *memberwatch.Notice
		payload memberwatch.Payload
		link    string
	}{
		"signal-thin.json": {&signal, memberwatch.PayloadThin, "https://memberwatch.example/signals/s5m2c0qj8t3e1k/verdict"},
		"signal-full.json": {&signal, memberwatch.PayloadFull, "https://memberwatch.example/signals/s5m2c0qj8t3e1k/verdict"},
		"case-thin.json":   {&review, memberwatch.PayloadThin, "https://memberwatch.example/cases/7/verdict"},
		"case-full.json":   {&review, memberwatch.PayloadFull, "https://memberwatch.example/cases/7/verdict"},
		"ping.json":        {&ping, memberwatch.PayloadFull, "https://memberwatch.example/endpoints/siem"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			body, err := encoder.Encode(tt.notice, tt.payload)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(body), `"`+tt.link+`"`) {
				t.Errorf("no link to %s", tt.link)
			}
			checkEnvelope(t, body)
			golden(t, name, body)
		})
	}
}

// golden compares a message with the file that the documentation shows.
func golden(t *testing.T, name string, body []byte) {
	t.Helper()
	var got bytes.Buffer
	if err := json.Indent(&got, body, "", "  "); err != nil {
		t.Fatal(err)
	}
	got.WriteByte('\n')
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%s differs; go test ./notify -update, and look at the difference", file)
	}
}

// checkEnvelope holds a message against what CloudEvents 1.0 and Standard Webhooks 1.0.0 require.
func checkEnvelope(t *testing.T, body []byte) {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		t.Fatal(err)
	}
	text := func(name string) (s string) {
		if err := json.Unmarshal(members[name], &s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		return s
	}
	for name := range members {
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			t.Errorf("attribute %q has more than lower-case letters and digits", name)
		}
	}
	if text("specversion") != "1.0" || text("id") == "" || text("source") == "" || !strings.HasPrefix(text("type"), "dev.memberwatch.") {
		t.Errorf("context attributes: %s", body)
	}
	if _, err := time.Parse(time.RFC3339, text("time")); err != nil || text("timestamp") != text("time") {
		t.Errorf("time %s, timestamp %s: %v", members["time"], members["timestamp"], err)
	}
	if data := members["data"]; len(data) == 0 || data[0] != '{' {
		t.Errorf("data is no object: %s", data)
	}
	if members["dataschema"] != nil {
		if text("dataschema") != ocsf.Schema {
			t.Errorf("data schema %s", members["dataschema"])
		}
		if err := ocsf.Check(members["data"]); err != nil {
			t.Errorf("data: %v", err)
		}
	}
}

// A message that does not fit is thin: better the names than nothing.
func TestLargeMessageIsThin(t *testing.T) {
	n := opened()
	for range 200 {
		n.Signal.Strongest.Caveats = append(n.Signal.Strongest.Caveats, strings.Repeat("a long caveat ", 10))
	}
	full, err := encoder.Encode(&n, memberwatch.PayloadFull)
	if err != nil {
		t.Fatal(err)
	}
	thin, err := encoder.Encode(&n, memberwatch.PayloadThin)
	if err != nil {
		t.Fatal(err)
	}
	if len(full) >= notify.MaxBody || !bytes.Equal(full, thin) {
		t.Errorf("full message of %d bytes is not the thin one", len(full))
	}
}
