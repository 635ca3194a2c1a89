package memberwatch

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Notice is one thing that happened which others are told about: a signal was
// opened, a case decided. Notices are journalled in one order, each once, and
// every endpoint gets those that it takes.
type Notice struct {
	// Sequence is its place in the journal, from 1.
	Sequence int64
	// ID is the same however often the notice is delivered. It has letters,
	// digits, dashes and underscores only, and derives from what happened, so
	// that a feed that reports it twice gives the same one.
	ID string
	// Type says what happened, such as signal.created.
	Type string
	// Subject is the resource name of what it happened to, such as signals/abc.
	// Notices of one subject are delivered in order.
	Subject string
	// App is whom it concerns; empty for none.
	App AppID
	// Severity is that of the subject; SeverityUnspecified for none.
	Severity Severity
	// Time is when it happened: event time where the subject lives in it.
	Time time.Time
	// Recorded is when it was journalled.
	Recorded time.Time
	// Signal is the signal as it was then, for notices about signals.
	Signal *Signal
	// Data is a JSON object with the facts, for notices about anything else.
	Data []byte
}

// Types of notices that delivery itself makes or tells apart. The review side's
// are those of its events.
const (
	NoticeSignalCreated    = string(EventSignalCreated)
	NoticeSignalClosed     = string(EventSignalClosed)
	NoticeEndpointDisabled = "endpoint.disabled"
	NoticePing             = "ping"
)

// noticeID is what may be in the id of a notice: it is a header of HTTP, and a
// dot would end it where it is signed.
var noticeID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

// Validate checks a notice of a feed.
func (n *Notice) Validate() error {
	switch {
	case !noticeID.MatchString(n.ID):
		return invalidf("NOTICE_INVALID", "notice id %q must be 1 to 128 letters, digits, dashes and underscores", n.ID)
	case n.Type == "" || n.Subject == "" || n.Time.IsZero():
		return invalidf("NOTICE_INVALID", "notice %q lacks a type, a subject or a time", n.ID)
	}
	return nil
}

// EndpointID names an endpoint.
type EndpointID string

// Payload says how much a message holds.
type Payload uint8

// Payloads.
const (
	PayloadThin Payload = iota // names and a link: who wants more asks, and leaves a trace
	PayloadFull                // everything, for systems that cannot ask
)

// Key signs messages to an endpoint: a secret of Standard Webhooks, whsec_ for
// v1 or whsk_ for v1a.
type Key struct {
	Secret  string
	Public  string // whpk_, for v1a; empty for v1
	Created time.Time
	Expires time.Time // zero for the newest
}

// Verification returns what a receiver verifies with.
func (k *Key) Verification() string {
	if k.Public != "" {
		return k.Public
	}
	return k.Secret
}

// Endpoint is a webhook that notices are delivered to.
type Endpoint struct {
	ID  EndpointID
	URL string
	// Types are the types of notices it takes, such as signal.created or
	// signal.*; empty takes all.
	Types []string
	// MinSeverity leaves out notices whose subject has a lower severity.
	MinSeverity Severity
	Payload     Payload
	// Silenced lets it have notices of signals that a silence hides, too.
	Silenced bool
	// AllowPrivate lets it be on a private, loopback or link-local address, and
	// without TLS.
	AllowPrivate bool
	// Keys sign each message, the newest first.
	Keys []Key
	// Disabled says why nothing is delivered to it; empty while something is.
	Disabled   string
	DisabledAt time.Time
	Created    time.Time
	Updated    time.Time
	// Revision counts changes, from 1.
	Revision int64
}

var endpointID = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)

// Validate checks an endpoint.
func (e *Endpoint) Validate() error {
	if !endpointID.MatchString(string(e.ID)) {
		return invalidf("ENDPOINT_INVALID", "endpoint id %q must be 1 to 63 lower-case letters, digits and dashes, beginning with a letter", e.ID)
	}
	u, err := url.Parse(e.URL)
	switch {
	case err != nil:
		return invalidf("ENDPOINT_INVALID", "endpoint %q has a url that does not parse: %v", e.ID, err)
	case u.Hostname() == "" || u.User != nil || u.Fragment != "" || len(e.URL) > MaxNameBytes*8:
		return invalidf("ENDPOINT_INVALID", "endpoint %q needs a url with a host, without user and fragment, not %q", e.ID, u.Redacted())
	case u.Scheme != "https" && (u.Scheme != "http" || !e.AllowPrivate):
		return invalidf("ENDPOINT_INVALID", "endpoint %q needs an https url, not %q; http is for private addresses that it allows", e.ID, e.URL)
	}
	for _, t := range e.Types {
		if strings.Trim(t, "abcdefghijklmnopqrstuvwxyz_.*") != "" || t == "" || strings.Contains(strings.TrimSuffix(t, "*"), "*") {
			return invalidf("ENDPOINT_INVALID", "endpoint %q takes %q, which is no type such as signal.created or signal.*", e.ID, t)
		}
	}
	return nil
}

// Takes tells whether the endpoint wants a notice.
func (e *Endpoint) Takes(n *Notice) bool {
	if n.Severity != SeverityUnspecified && n.Severity < e.MinSeverity {
		return false
	}
	if n.Signal != nil && n.Signal.Triage.State == TriageSilenced && !e.Silenced {
		return false
	}
	return len(e.Types) == 0 || slices.ContainsFunc(e.Types, func(t string) bool {
		prefix, all := strings.CutSuffix(t, "*")
		return t == n.Type || all && strings.HasPrefix(n.Type, prefix)
	})
}

// DeliveryState says how far a delivery has come.
type DeliveryState uint8

// States of deliveries.
const (
	DeliveryWaiting   DeliveryState = iota // to be tried, at once or later
	DeliveryDelivered                      // the endpoint took it
	DeliveryDead                           // given up; it can be replayed
	DeliveryStates                         // how many there are
)

// Delivery is one notice on its way to one endpoint.
type Delivery struct {
	Endpoint EndpointID
	Sequence int64 // of the notice
	Notice   string
	Type     string
	Subject  string
	State    DeliveryState
	Attempts int       // made so far, since the last replay
	Next     time.Time // when it is tried again; zero: at once
	Last     time.Time // when it was tried last
	Status   int       // HTTP status of the last attempt; 0 when there was no answer
	Error    string    // why the last attempt failed
}

// NewDelivery returns the delivery of a notice to an endpoint, not tried yet.
func NewDelivery(to EndpointID, n *Notice) Delivery {
	return Delivery{Endpoint: to, Sequence: n.Sequence, Notice: n.ID, Type: n.Type, Subject: n.Subject}
}

// KeyRequest says which key an endpoint shall have.
type KeyRequest struct {
	// Secret is the key itself; empty to have one made.
	Secret string
	// Asymmetric asks for an ed25519 key (v1a) rather than a shared secret (v1).
	Asymmetric bool
}

// EndpointStatus says how an endpoint fares.
type EndpointStatus struct {
	Endpoint
	Waiting, Dead int // deliveries, at most 10,000 are counted
}

// Attempt is what came of one try to deliver.
type Attempt struct {
	Status  int           // HTTP status; 0 when there was no answer
	Error   string        // why it failed; empty when it did not
	Elapsed time.Duration // from dialing to the answer
}
