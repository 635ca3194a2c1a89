package store

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	"pgregory.net/rapid"
)

func anyNotice(t *rapid.T) memberwatch.Notice {
	n := memberwatch.Notice{
		Sequence: rapid.Int64().Draw(t, "sequence"), ID: anyText(t), Type: anyText(t), Subject: anyText(t),
		App: memberwatch.AppID(anyText(t)), Severity: memberwatch.Severity(rapid.IntRange(0, 4).Draw(t, "severity")),
		Time: anyTime(t), Recorded: anyTime(t),
	}
	if rapid.Bool().Draw(t, "signal") {
		n.Signal = new(anyUpdate(t).Signal)
		n.Signal.Triage = memberwatch.Triage{
			State: memberwatch.TriageLinked, Case: memberwatch.CaseID(anyText(t)), Silence: memberwatch.SilenceID(anyText(t)), Reason: anyText(t),
			By: memberwatch.Person(anyText(t)), Time: anyTime(t), Seen: rapid.Int64().Draw(t, "seen"), SeenOpen: rapid.Bool().Draw(t, "seen open"),
		}
	} else if data := anyText(t); data != "" {
		n.Data = []byte(data)
	}
	return n
}

func anyEndpoint(t *rapid.T) memberwatch.Endpoint {
	e := memberwatch.Endpoint{
		ID: memberwatch.EndpointID(anyText(t)), URL: anyText(t), MinSeverity: memberwatch.SeverityHigh,
		Payload: memberwatch.Payload(rapid.IntRange(0, 1).Draw(t, "payload")), AllowPrivate: rapid.Bool().Draw(t, "private"),
		Silenced: rapid.Bool().Draw(t, "silenced"),
		Disabled: anyText(t), DisabledAt: anyTime(t), Created: anyTime(t), Updated: anyTime(t), Revision: rapid.Int64().Draw(t, "revision"),
	}
	for range rapid.IntRange(0, 2).Draw(t, "keys") {
		e.Types = append(e.Types, anyText(t))
		e.Keys = append(e.Keys, memberwatch.Key{Secret: anyText(t), Public: anyText(t), Created: anyTime(t), Expires: anyTime(t)})
	}
	return e
}

func anyDelivery(t *rapid.T) memberwatch.Delivery {
	return memberwatch.Delivery{
		Endpoint: memberwatch.EndpointID(anyText(t)), Sequence: rapid.Int64().Draw(t, "sequence"), Notice: anyText(t), Type: anyText(t),
		Subject: anyText(t), State: memberwatch.DeliveryDead, Attempts: rapid.IntRange(0, 99).Draw(t, "attempts"),
		Next: anyTime(t), Last: anyTime(t), Status: rapid.IntRange(0, 999).Draw(t, "status"), Error: anyText(t),
	}
}

func TestDeliveryRecordsReadBackAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		notice := anyNotice(t)
		if got, err := decodeNotice(encodeNotice(&notice)); err != nil || !reflect.DeepEqual(got, notice) {
			t.Fatalf("notice: %v\n got %+v\nwant %+v", err, got, notice)
		}
		endpoint := anyEndpoint(t)
		if got, err := decodeEndpoint(encodeEndpoint(&endpoint)); err != nil || !reflect.DeepEqual(got, endpoint) {
			t.Fatalf("endpoint: %v\n got %+v\nwant %+v", err, got, endpoint)
		}
		delivery := anyDelivery(t)
		if got, err := decodeDelivery(encodeDelivery(&delivery)); err != nil || !reflect.DeepEqual(got, delivery) {
			t.Fatalf("delivery: %v\n got %+v\nwant %+v", err, got, delivery)
		}
	})
}

func FuzzDecodeDelivery(f *testing.F) {
	f.Add(encodeNotice(&memberwatch.Notice{Sequence: 4, ID: "s1-created", Type: "signal.created", Signal: &memberwatch.Signal{ID: "s1"}, Time: time.Unix(9, 9)}))
	f.Add(encodeNotice(&memberwatch.Notice{ID: "c", Data: []byte(`{"a":1}`)}))
	f.Add(encodeEndpoint(&memberwatch.Endpoint{ID: "siem", URL: "https://siem.example", Types: []string{"signal.*"}, Keys: []memberwatch.Key{{Secret: "whsec_"}}}))
	f.Add(encodeDelivery(&memberwatch.Delivery{Endpoint: "siem", Sequence: 7, Attempts: 3, Status: 503, Error: "busy"}))
	f.Fuzz(func(t *testing.T, record []byte) {
		check := func(what string, again []byte, err error) {
			if err == nil && !bytes.Equal(again, record) {
				t.Errorf("%s: %x reads as %x", what, record, again)
			}
			if err != nil && !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: %v is not ErrCorrupt", what, err)
			}
		}
		n, err := decodeNotice(record)
		check("notice", encodeNotice(&n), err)
		e, err := decodeEndpoint(record)
		check("endpoint", encodeEndpoint(&e), err)
		d, err := decodeDelivery(record)
		check("delivery", encodeDelivery(&d), err)
	})
}
