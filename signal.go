package memberwatch

import (
	"slices"
	"time"
)

// SignalID names a signal. It is derived from app, kind and first window, so
// that a replay derives the same one.
type SignalID string

// Kind is what sort of behaviour a signal speaks of.
type Kind string

// Kinds of signals.
const (
	// KindRestricted is access after a restriction took effect.
	KindRestricted Kind = "access-after-restriction"
	// KindUncertified is a read of a data class outside the app's certified
	// purposes.
	KindUncertified Kind = "uncertified-class"
	// KindExpired is a read after the app's certification has expired.
	KindExpired Kind = "certification-expired"
	// KindCanary is a canary disclosed to an app or asked for by it.
	KindCanary Kind = "canary-read"
	// KindImpossible is an app that asks for members whom it cannot know, having
	// attested that it deleted them.
	KindImpossible Kind = "impossible-knowledge"
	// KindFirstSeen is reading from a place never called from, for a thing never
	// asked for, on the same calls.
	KindFirstSeen Kind = "first-seen"
	// KindVolumeBurst is far more members or records in one window than expected.
	KindVolumeBurst Kind = "volume-burst"
	// KindVolumeSlow is a lasting rise of members or records.
	KindVolumeSlow Kind = "volume-rise"
	// KindPerActorBurst is far more members per acting user than expected.
	KindPerActorBurst Kind = "per-actor-burst"
	// KindPerActorSlow is a lasting rise of members per acting user.
	KindPerActorSlow Kind = "per-actor-rise"
	// KindNovelty is far more never-before-seen members than expected.
	KindNovelty Kind = "new-members"
	// KindBreadth is far more groups than expected.
	KindBreadth Kind = "group-breadth"
	// KindUnattended is far more records than expected that are read for no acting
	// user.
	KindUnattended Kind = "unattended-reads"
	// KindEnumeration is far more missed look-ups than expected.
	KindEnumeration Kind = "enumeration"
	// KindDenials is far more refused calls than expected.
	KindDenials Kind = "denials"
	// KindClassShift is an app that moves to other data classes.
	KindClassShift Kind = "class-shift"
	// KindMetronome is an app that calls like a clock, day and night.
	KindMetronome Kind = "metronome"
	// KindDisplaced is volume that a restriction took and that comes back by another
	// data class, endpoint or app of the same developer.
	KindDisplaced Kind = "displacement"
	// KindDormant is a long-silent app that wakes up.
	KindDormant Kind = "dormant-wake"
	// KindColdStart is a new app that reads far more than its peers did at its age.
	KindColdStart Kind = "cold-start"
	// KindCohort is a number of new apps of one shape that the fleet's past does not
	// know, which share out the members between them.
	KindCohort Kind = "cohort"
	// KindCoordination is a group of apps that read the same members within minutes
	// of each other, again and again.
	KindCoordination Kind = "coordination"
	// KindNetwork is what apps of several developers that lately came to one network
	// read together, far more than was expected of each.
	KindNetwork Kind = "shared-network"
	// KindFleet is the whole population moving at once. It accuses nobody.
	KindFleet Kind = "fleet-shift"
)

// disclosures are the kinds that measure how many people an app reads about.
var disclosures = []Kind{
	KindVolumeBurst, KindVolumeSlow, KindPerActorBurst, KindPerActorSlow, KindNovelty, KindBreadth, KindUnattended, KindColdStart,
}

// Joins tells whether findings of a kind belong to an open signal of another:
// kinds that measure how many people an app reads about share one.
func (k Kind) Joins(open Kind) bool {
	return k == open || slices.Contains(disclosures, k) && slices.Contains(disclosures, open)
}

// Kinds returns all kinds of signals.
func Kinds() []Kind {
	return []Kind{
		KindRestricted, KindUncertified, KindExpired, KindCanary, KindImpossible, KindFirstSeen, KindVolumeBurst, KindVolumeSlow,
		KindPerActorBurst, KindPerActorSlow, KindNovelty, KindBreadth, KindUnattended, KindEnumeration, KindDenials, KindClassShift, KindMetronome,
		KindDormant, KindColdStart, KindFleet, KindCohort, KindCoordination, KindDisplaced,
		KindNetwork,
	}
}

// Severity ranks signals for people.
type Severity uint8

// Severities, rising.
const (
	SeverityUnspecified Severity = iota
	SeverityLow
	SeverityMedium
	SeverityHigh
	SeverityCritical
)

// String returns the severity in capitals, as in the contract.
func (s Severity) String() string {
	switch s {
	case SeverityLow:
		return "LOW"
	case SeverityMedium:
		return "MEDIUM"
	case SeverityHigh:
		return "HIGH"
	case SeverityCritical:
		return "CRITICAL"
	default:
		return "UNSPECIFIED"
	}
}

// Learning says how far a baseline can be trusted.
type Learning uint8

// Learning states.
const (
	LearningUnspecified Learning = iota
	LearningYoung                // too few days of its own seen
	LearningReady                // rests on enough of the app's own days
	LearningStale                // silent so long that it may not hold
)

// Scale is the length of a window.
type Scale uint8

// Scales.
const (
	Hour Scale = iota
	Day
	Scales // how many there are
)

// String returns hour or day.
func (s Scale) String() string {
	if s == Hour {
		return "hour"
	}
	return "day"
}

// Length returns the scale's length in nanoseconds.
func (s Scale) Length() int64 {
	if s == Hour {
		return int64(time.Hour)
	}
	return 24 * int64(time.Hour)
}

// Window is a stretch of event time, aligned to UTC.
type Window struct {
	Scale Scale
	Start int64 // nanoseconds since the epoch
}

// WindowAt returns the window of a scale that holds event time t.
func WindowAt(scale Scale, t int64) Window {
	length := scale.Length()
	start := t / length * length
	if start > t {
		start -= length
	}
	return Window{Scale: scale, Start: start}
}

// End returns the first instant after the window, nanoseconds since the epoch.
func (w Window) End() int64 { return w.Start + w.Scale.Length() }

// Estimate is a count with its 95 % interval.
type Estimate struct {
	Value, Low, High float64
}

// Stream is the kind of evidence behind a finding.
type Stream uint8

// Streams of evidence.
const (
	StreamRule  Stream = iota // no statistics: it happened or it did not
	StreamBurst               // one window far outside what was expected
	StreamSlow                // many windows a little outside
)

// String returns rule, burst or slow.
func (s Stream) String() string {
	switch s {
	case StreamBurst:
		return "burst"
	case StreamSlow:
		return "slow"
	default:
		return "rule"
	}
}

// Factor is one reason for a finding. The shares of a finding's factors sum
// to 1.
type Factor struct {
	Feature      string
	Observed     float64
	Expected     float64
	Low, High    float64 // central 95 % of what was expected
	P            float64 // calibrated p-value; 0 for rules
	ReturnPeriod float64 // in app-days; 0 for rules
	Share        float64
	Text         string
	// Peers is the part of the like values of like apps that lie below the
	// observed one; 0: there are too few to tell.
	Peers float64
}

// Influence is a part of a window without which it would have been ordinary,
// found by taking it away: an endpoint, say, through which it all came.
type Influence struct {
	Dimension string  // endpoint, data_class, network or credential
	Name      string  // such as /members
	Share     float64 // its part of what the strongest factor counts
	Without   float64 // what that factor would have observed without it
	P         float64 // calibrated p-value of that
	Text      string
}

// Basis is what a finding rests on.
type Basis struct {
	App          AppID // empty: none in particular
	Developer    DeveloperID
	Model        string // version of the models; empty: unknown
	Calibration  int64  // day number of the newest fleet history used; 0: shipped default
	Control      int64  // newest control change applied
	Learning     Learning
	LearningDays int32
}

// Finding is one detector's statement about one window or event.
type Finding struct {
	Kind         Kind
	Number       int64 // within its signal, from 1
	Window       Window
	Time         int64 // event time at which it was raised
	Stream       Stream
	Sentence     string
	ReturnPeriod float64  // in app-days; 0 for rules
	FleetFactor  float64  // by what p-values were multiplied: above 1 the whole fleet moved, below 1 it was calm
	Provisional  bool     // the window is still open, the fleet's part unknown
	Members      Estimate // distinct members disclosed; records that name nobody count each for one in its upper end
	Factors      []Factor
	Caveats      []string
	Influences   []Influence
	Restriction  RestrictionID
	Severity     Severity
	Basis        Basis
	// Record is all that the finding follows from, opaque but to the detector,
	// which can make the finding again from it alone. A signal's Strongest has
	// none: its record is kept with the finding itself.
	Record []byte `json:",omitempty"`
}

// Signal is an app's run of findings of one kind: what a reviewer sees. Without an
// app it is about all of a developer's apps together, without either about the
// whole fleet.
type Signal struct {
	ID          SignalID
	App         AppID
	Developer   DeveloperID
	Apps        []AppID // that one of the fleet names, in order; possibly not all it is about
	Network     string  // that one of the fleet is about, as events name it
	Kind        Kind
	Severity    Severity
	Sentence    string
	Opened      int64 // event time of the first finding
	Last        int64 // event time of the newest finding
	Ended       int64 // event time of its end; 0 while open
	Occurrences int64
	Revision    int64 // updates so far, from 1
	Strongest   Finding
	// About tells the signals of a kind about one app apart: the restriction or the data
	// class. Empty where the kind has neither.
	About string `json:",omitempty"`
	// Exposed is how many members were disclosed at least while it went on: the most of a
	// window, or those of its first and the new ones of the days after it. Where records
	// do not name their members it counts the records of a window. It is what the bound of
	// an expectation is held against.
	Exposed      float64 `json:",omitempty"`
	Learning     Learning
	LearningDays int32
	Model        string
	Calibration  int64 // day number of the newest fleet history used; 0: shipped default
	Control      int64 // newest control revision applied
	Shadow       bool  `json:",omitempty"` // its kind was in shadow: stored, and nobody is asked to look
	// Triage is what reviewers did with it. The detector knows nothing of it.
	Triage Triage
}

// Update is one change of a signal, numbered by Signal.Revision. Finding is the
// newest finding, nil when the update only ends the signal.
type Update struct {
	Signal  Signal
	Finding *Finding
}

// Open tells whether the signal still runs.
func (s *Signal) Open() bool { return s.Ended == 0 }
