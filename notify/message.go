package notify

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/notify/ocsf"
)

// MaxBody is the largest body of a message in bytes. Standard Webhooks asks for
// less than 20 kB.
const MaxBody = 20_000

// contentType is that of a CloudEvent in structured mode.
const contentType = "application/cloudevents+json; charset=utf-8"

// typePrefix begins the types of our CloudEvents.
const typePrefix = "dev.memberwatch."

// Message is a CloudEvent 1.0. Type, timestamp and data at its top make it a
// body of Standard Webhooks, too.
type Message struct {
	SpecVersion     string          `json:"specversion"`
	ID              string          `json:"id"`
	Source          string          `json:"source"`
	Type            string          `json:"type"`
	Subject         string          `json:"subject"`
	Time            string          `json:"time"`
	Timestamp       string          `json:"timestamp"`
	DataContentType string          `json:"datacontenttype"`
	DataSchema      string          `json:"dataschema,omitempty"`
	Sequence        string          `json:"sequence,omitempty"`
	PartitionKey    string          `json:"partitionkey,omitempty"`
	Data            json.RawMessage `json:"data"`
}

// Thin is the data of a thin message: names, and where to go.
type Thin struct {
	Name string `json:"name"`
	App  string `json:"app,omitempty"`
	URL  string `json:"url"`
}

// Full is the data of a full message that is not about a signal.
type Full struct {
	Thin
	Resource json.RawMessage `json:"resource,omitempty"`
}

// Encoder turns notices into messages.
type Encoder struct {
	// BaseURL is where people find this service, without a slash at its end.
	BaseURL string
	// Version is this program's version; it may be empty.
	Version string
}

// Encode returns the message for a notice. It has the same bytes whenever the
// notice is told again. A full message that would be too large is thin instead:
// its receiver can still ask.
func (e *Encoder) Encode(n *memberwatch.Notice, payload memberwatch.Payload) ([]byte, error) {
	thin := Thin{Name: n.Subject, URL: e.verdictURL(n)}
	if n.App != "" {
		thin.App = "apps/" + string(n.App)
	}
	if payload == memberwatch.PayloadFull {
		body, err := e.full(n, thin)
		if err != nil || len(body) < MaxBody {
			return body, err
		}
	}
	return e.wrap(n, "", thin)
}

func (e *Encoder) full(n *memberwatch.Notice, thin Thin) ([]byte, error) {
	if n.Signal != nil {
		return e.wrap(n, ocsf.Schema, e.Finding(n))
	}
	return e.wrap(n, "", Full{Thin: thin, Resource: n.Data})
}

// wrap puts data into its envelope.
func (e *Encoder) wrap(n *memberwatch.Notice, dataSchema string, inside any) ([]byte, error) {
	encoded, err := json.Marshal(inside)
	if err != nil {
		return nil, fmt.Errorf("encode notice %q: %w", n.ID, err)
	}
	at := n.Time.UTC().Format(time.RFC3339Nano)
	m := Message{
		SpecVersion: "1.0", ID: n.ID, Source: e.BaseURL, Type: typePrefix + n.Type, Subject: n.Subject,
		Time: at, Timestamp: at, DataContentType: "application/json", DataSchema: dataSchema, Data: encoded,
	}
	if n.Sequence > 0 {
		m.Sequence = fmt.Sprintf("%020d", n.Sequence)
	}
	if n.App != "" {
		m.PartitionKey = "apps/" + string(n.App)
	}
	body, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode notice %q: %w", n.ID, err)
	}
	return body, nil
}

// Finding returns the OCSF finding for a notice about a signal.
func (e *Encoder) Finding(n *memberwatch.Notice) ocsf.Finding {
	activity := ocsf.Update
	switch n.Type {
	case memberwatch.NoticeSignalCreated:
		activity = ocsf.Create
	case memberwatch.NoticeSignalClosed:
		activity = ocsf.Close
	}
	return ocsf.Encode(n.Signal, ocsf.Change{
		Activity: activity, UID: n.ID, Time: n.Time.UnixNano(), ProductVersion: e.Version,
		SignalURL: e.BaseURL + "/" + n.Subject, VerdictURL: e.verdictURL(n),
	})
}

// verdictURL leads to the form on which a reviewer says what it was: that of the
// case that a notice is about, or whose signal it is about; without a case, that
// of the signal. Other subjects have a page, but no verdict.
func (e *Encoder) verdictURL(n *memberwatch.Notice) string {
	collection, rest, _ := strings.Cut(n.Subject, "/")
	id, _, _ := strings.Cut(rest, "/")
	if n.Signal != nil && n.Signal.Triage.Case != "" {
		collection, id = "cases", string(n.Signal.Triage.Case)
	}
	if collection != "signals" && collection != "cases" {
		return e.BaseURL + "/" + n.Subject
	}
	return e.BaseURL + "/" + collection + "/" + id + "/verdict"
}
