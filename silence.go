package memberwatch

import (
	"math"
	"slices"
	"strconv"
	"time"
)

// SilenceID names a silence: s and its number, such as s3.
type SilenceID string

// SilenceNumber returns the number in a silence's id, and false when it is not
// one of ours.
func (id SilenceID) SilenceNumber() (int64, bool) { return numberAfter("s", string(id)) }

// NewSilenceID returns the id of the n-th silence.
func NewSilenceID(n int64) SilenceID { return SilenceID("s" + strconv.FormatInt(n, 10)) }

// MaxSilence is the longest a silence may last: what is longer is a decision
// about the app, not about its signals.
const MaxSilence = 90 * day

// ExpiryWarning is how long before its end a silence is announced to expire.
const ExpiryWarning = 3 * day

// Silence hides signals from the queue for a time. They are still scored,
// stored, counted and exported. With a bound it is an expectation: a signal that
// exposes more members, or more records where they are not named, is not hidden but
// comes back as REGRESSED.
type Silence struct {
	ID       SilenceID `json:"id"`
	Match    Matcher   `json:"match"`
	Start    time.Time `json:"start_time"`
	End      time.Time `json:"end_time"`
	Author   Person    `json:"author"`
	Comment  string    `json:"comment"`
	Bound    float64   `json:"bound,omitempty"` // members exposed that are still expected; 0: any number
	Case     CaseID    `json:"case,omitempty"`  // whose verdict EXPECTED made it; empty: made by hand
	Created  time.Time `json:"create_time"`
	Ended    time.Time `json:"ended_time,omitzero"`     // ended early; zero: it was not
	Hidden   int64     `json:"hidden"`                  // signals it has hidden
	Warned   bool      `json:"end_announced,omitempty"` // its end was announced
	Revision int64     `json:"revision"`
}

// Matcher chooses signals. Empty fields match any, but not all may be empty.
type Matcher struct {
	App       AppID       `json:"app,omitempty"`
	Developer DeveloperID `json:"developer,omitempty"`
	Kind      Kind        `json:"kind,omitempty"`
	About     string      `json:"about,omitempty"` // the restriction or data class, of a kind that has one
	// MaxSeverity leaves more severe signals through; unspecified: none is.
	MaxSeverity Severity `json:"max_severity,omitempty"`
}

// Matches tells whether the matcher speaks of a signal.
func (m *Matcher) Matches(s *Signal) bool {
	return (m.App == "" || m.App == s.App) && (m.Developer == "" || m.Developer == s.Developer) &&
		(m.Kind == "" || m.Kind == s.Kind) && (m.About == "" || m.About == s.About) &&
		(m.MaxSeverity == SeverityUnspecified || s.Severity <= m.MaxSeverity)
}

// Validate checks a silence that a person wants.
func (s *Silence) Validate() error {
	m := &s.Match
	switch {
	case m.App == "" && m.Developer == "":
		return invalidf("SILENCE_INVALID", "a silence needs an app or a developer: one for all of them would hide an incident")
	case len(m.App) > MaxNameBytes || len(m.Developer) > MaxNameBytes || len(m.Kind) > MaxNameBytes || len(m.About) > MaxNameBytes:
		return invalidf("SILENCE_INVALID", "a silence has a name of more than %d bytes", MaxNameBytes)
	case m.Kind != "" && !slices.Contains(Kinds(), m.Kind):
		return invalidf("SILENCE_INVALID", "no kind of signal is called %q: a silence of it would hide nothing", m.Kind)
	case m.About != "" && m.Kind != KindRestricted && m.Kind != KindUncertified:
		return invalidf("SILENCE_INVALID", "signals of kind %q are not about %q: only %s and %s have a restriction or data class", m.Kind, m.About, KindRestricted, KindUncertified)
	case s.Start.IsZero() || s.End.IsZero() || !s.End.After(s.Start):
		return invalidf("SILENCE_INVALID", "a silence needs a start and a later end")
	case s.End.Sub(s.Start) > MaxSilence:
		return invalidf("SILENCE_INVALID", "a silence lasts at most %d days: renew it then, with a new look", MaxSilence/day)
	case s.Author == "":
		return invalidf("SILENCE_INVALID", "a silence needs an author")
	case s.Comment == "" || len(s.Comment) > MaxCommentBytes:
		return invalidf("SILENCE_INVALID", "a silence needs a comment of at most %d bytes: say why", MaxCommentBytes)
	case !(s.Bound >= 0) || math.IsInf(s.Bound, 0): // NaN is neither
		return invalidf("SILENCE_INVALID", "a bound of %v members makes no sense", s.Bound)
	}
	return nil
}

// Active tells whether the silence hides anything at a time.
func (s *Silence) Active(now time.Time) bool {
	return s.Ended.IsZero() && !now.Before(s.Start) && now.Before(s.End)
}

// Expiring tells whether its end should be announced.
func (s *Silence) Expiring(now time.Time) bool {
	return s.Active(now) && !s.Warned && !now.Before(s.End.Add(-ExpiryWarning))
}

// Hides tells whether the silence, which matches and is active, hides a signal;
// if it does not, the signal went above its bound.
func (s *Silence) Hides(signal *Signal) bool {
	return s.Bound == 0 || signal.Exposed <= s.Bound
}
