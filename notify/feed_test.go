package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
)

// outbox is what the review side has told so far.
type outbox []memberwatch.ReviewEvent

func (o outbox) NextEvents(_ context.Context, after int64) ([]memberwatch.ReviewEvent, error) {
	return o[after:], nil
}

// A signal's notice is in event time and named by its revision, so that another
// run over the same events gives the same one; a verdict on it is as its time.
func TestReviewEventsBecomeNotices(t *testing.T) {
	at := time.UnixMilli(1790000000123).UTC()
	signal, err := json.Marshal(memberwatch.Signal{ID: "s1", App: "crm", Opened: 1, Last: 2, Ended: 9, Revision: 5, Triage: memberwatch.Triage{State: memberwatch.TriageLinked, Case: "7"}})
	must(t, err)
	f := Reviews{Source: outbox{
		{Sequence: 1, Type: memberwatch.EventSignalCreated, Subject: "signals/s1", Time: at, Payload: signal},
		{Sequence: 2, Type: memberwatch.EventSignalUpdated, Subject: "signals/s1", Time: at, Payload: signal},
		{Sequence: 3, Type: memberwatch.EventSignalClosed, Subject: "signals/s1", Time: at, Payload: signal},
		{Sequence: 4, Type: memberwatch.EventCaseDecided, Subject: "cases/7", App: "crm", Time: at, Payload: []byte(`{"a":1}`)},
		{Sequence: 5, Type: memberwatch.EventSignalJudged, Subject: "signals/s1", Time: at, Payload: signal},
	}}
	f.Drop = func(int64) error { t.Error("dropped what was not journalled"); return nil }
	notices, through, err := f.Next(t.Context(), 0)
	must(t, err)
	want := []string{
		"signal.created s1-created 1 true ", "signal.updated s1-5 2 true ", "signal.closed s1-5 9 true ",
		`case.decided review-4-1790000000123 1790000000123000000 false {"a":1}`,
		"signal.judged s1-judged-5-1790000000123 1790000000123000000 true ",
	}
	if through != 5 || len(notices) != len(want) {
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

// Only what the journal has, the place says so, may leave the outbox.
func TestJournalledEventsAreDropped(t *testing.T) {
	var dropped []int64
	f := Reviews{Source: make(outbox, 3*dropEvery), Drop: func(through int64) error { dropped = append(dropped, through); return nil }}
	for _, place := range []int64{0, 10, dropEvery + 3, dropEvery + 4, 2*dropEvery + 3} {
		_, _, err := f.Next(t.Context(), place)
		must(t, err)
	}
	if want := []int64{dropEvery + 3, 2*dropEvery + 3}; !slices.Equal(dropped, want) {
		t.Errorf("dropped up to %v, want %v", dropped, want)
	}
}
