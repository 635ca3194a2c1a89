package memberwatch

import (
	"math"
	"slices"
	"time"
)

// Tuning says how evidence is decided. It replaces the tuning before it, and
// what the service was configured with, as a whole; evidence itself stays as it
// is. It is a control change: numbered, audited, and taken back by applying an
// earlier one again.
type Tuning struct {
	// Configured takes everything from the service's configuration: the other
	// fields mean nothing.
	Configured bool `json:"configured,omitempty"`
	// Budget is the number of app-days in which one false signal is accepted; 0:
	// as configured.
	Budget float64 `json:"budget_app_days,omitempty"`
	// Weights multiply the configured shares of features, by name. A feature that
	// is not named keeps its share.
	Weights map[string]float64 `json:"weights,omitempty"`
	// Shadow lists kinds that are scored and stored and raise nothing.
	Shadow []Kind `json:"shadow_kinds,omitempty"`
	// From is the event time from which windows that start are decided by it. It
	// lies after all events that had arrived, so that no window has two tunings
	// and a replay has the same.
	From     time.Time `json:"from_time"`
	Comment  string    `json:"comment,omitempty"`
	Revision int64     `json:"revision"` // of the control change that recorded it
}

// FeatureShare is a feature's part of the alert budget in each stream of
// evidence, as it is in force.
type FeatureShare struct {
	Feature         string
	Hour, Day, Slow float64
}

// TuningView is how evidence is decided now: what was applied last, written out
// with nothing left to the configuration, and what follows from it.
type TuningView struct {
	Tuning // Revision 0: as configured
	Shares []FeatureShare
}

// Bounds of a tuning's weights. A weight of nothing would need infinite
// evidence: a kind in shadow is what is meant.
const (
	MinWeight = 0.001
	MaxWeight = 1000
)

// Validate checks a tuning as far as no models are needed.
func (t *Tuning) Validate() error {
	if !(t.Budget >= 0) || math.IsInf(t.Budget, 0) {
		return invalidf("TUNING_INVALID", "a budget of %v app-days for a false signal must be above 0, or 0 for the configured one", t.Budget)
	}
	for feature, w := range t.Weights {
		if !(w >= MinWeight && w <= MaxWeight) {
			return invalidf("TUNING_INVALID", "weight %v of feature %q must be %v to %v: to silence a kind, put it in shadow", w, feature, MinWeight, MaxWeight)
		}
	}
	for _, kind := range t.Shadow {
		if !slices.Contains(Kinds(), kind) {
			return invalidf("TUNING_INVALID", "no kind of signal is called %q", kind)
		}
	}
	if len(t.Comment) > MaxCommentBytes {
		return invalidf("TUNING_INVALID", "a comment has %d bytes, at most %d are kept", len(t.Comment), MaxCommentBytes)
	}
	return nil
}
