package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
)

// source is a source in which one signal has changed.
type source memberwatch.Signal

func (s source) NextSignals(_ context.Context, after int64) ([]memberwatch.Signal, int64, error) {
	return []memberwatch.Signal{memberwatch.Signal(s)}, after + 1, nil
}

// A signal's first notice is its creation, however late it was first seen.
func TestSignalsBecomeNotices(t *testing.T) {
	open := memberwatch.Signal{ID: "s1", App: "crm", Opened: 1, Last: 2, Revision: 3, Severity: memberwatch.SeverityLow}
	ended := open
	ended.Ended, ended.Revision = 9, 5
	tests := map[string]struct {
		signal memberwatch.Signal
		known  bool
		want   string
	}{
		"opened":               {open, false, "[signal.created s1-created 1]"},
		"changed":              {open, true, "[signal.updated s1-3 2]"},
		"ended":                {ended, true, "[signal.closed s1-5 9]"},
		"ended before it told": {ended, false, "[signal.created s1-created 1 signal.closed s1-5 9]"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := Signals{Source: source(tt.signal), Known: func(string) (bool, error) { return tt.known, nil }}
			notices, through, err := f.Next(t.Context(), 4)
			must(t, err)
			var got []any
			for _, n := range notices {
				must(t, n.Validate())
				got = append(got, n.Type, n.ID, n.Time.UnixNano())
			}
			if s := fmt.Sprint(got); s != tt.want || through != 5 {
				t.Errorf("notices %s to place %d, want %s", s, through, tt.want)
			}
		})
	}
}

// outbox is what the review side has told so far.
type outbox []memberwatch.ReviewEvent

func (o outbox) NextEvents(_ context.Context, after int64) ([]memberwatch.ReviewEvent, error) {
	return o[after:], nil
}

// The ids of signals' notices are those of the other feed, so that changing the
// feed tells nothing twice.
func TestReviewEventsBecomeNotices(t *testing.T) {
	at := time.UnixMilli(1790000000123).UTC()
	signal, err := json.Marshal(memberwatch.Signal{ID: "s1", App: "crm", Opened: 1, Last: 2, Ended: 9, Revision: 5, Triage: memberwatch.Triage{State: memberwatch.TriageLinked, Case: "7"}})
	must(t, err)
	f := Reviews{Source: outbox{
		{Sequence: 1, Type: memberwatch.EventSignalCreated, Subject: "signals/s1", Time: at, Payload: signal},
		{Sequence: 2, Type: memberwatch.EventSignalUpdated, Subject: "signals/s1", Time: at, Payload: signal},
		{Sequence: 3, Type: memberwatch.EventSignalClosed, Subject: "signals/s1", Time: at, Payload: signal},
		{Sequence: 4, Type: memberwatch.EventCaseDecided, Subject: "cases/7", App: "crm", Time: at, Payload: []byte(`{"a":1}`)},
	}}
	notices, through, err := f.Next(t.Context(), 0)
	must(t, err)
	want := []string{
		"signal.created s1-created 1 true ", "signal.updated s1-5 2 true ", "signal.closed s1-5 9 true ",
		`case.decided review-4-1790000000123 1790000000123000000 false {"a":1}`,
	}
	if through != 4 || len(notices) != len(want) {
		t.Fatalf("%d notices to place %d", len(notices), through)
	}
	for i, n := range notices {
		must(t, n.Validate())
		if got := fmt.Sprint(n.Type, " ", n.ID, " ", n.Time.UnixNano(), " ", n.Signal != nil, " ", string(n.Data)); got != want[i] {
			t.Errorf("notice %d: %s, want %s", i, got, want[i])
		}
	}
	if url := (&Encoder{BaseURL: "https://m.example"}).verdictURL(&notices[0]); url != "https://m.example/cases/7/verdict" {
		t.Errorf("link to %s", url)
	}
}
