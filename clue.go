package memberwatch

// Clue is what one feature of one closed window was worth, kept so that other
// ways to decide can be tried on it later: how rare it was, whether or not it
// raised anything.
type Clue struct {
	App       AppID // empty: all apps of the developer together
	Developer DeveloperID
	Window    Window
	Kind      Kind
	Feature   string
	Period    float64 // return period in app-days
	Share     float64 // of the budget, before the feature's factor; it is a hit when the product of all three reaches the budget
}

// ClueReach is how far below the budget clues are kept: from a twentieth of it on.
const ClueReach = 20

// Trial is a tuning held against the clues of the last days.
type Trial struct {
	From, To int64 // event times of the windows it rests on
	Days     float64
	// Raised is what was raised in fact.
	Raised int
	Now    TrialOutcome // under the tuning in force
	Then   TrialOutcome // under the other one
	// Gone are signals that would not have been raised, Come those that would
	// have been raised besides; at most MaxTrialSignals each.
	Gone, Come []TrialSignal
}

// MaxTrialSignals bounds the examples of a trial.
const MaxTrialSignals = 100

// TrialOutcome says what a tuning comes to.
type TrialOutcome struct {
	Signals  int
	PerDay   float64
	Kinds    []Count // by kind
	Verdicts []Count // by the verdict of the case that has such a signal; NONE without
	// Precision is the share of ABUSE among the signals with a verdict of ABUSE,
	// EXPECTED or BENIGN; 0 when there is none.
	Precision float64
}

// TrialSignal is a signal as it would be.
type TrialSignal struct {
	App       AppID
	Developer DeveloperID
	Kind      Kind
	Opened    int64
	Last      int64
	Verdict   string // of the case that has such a signal; empty without
}
