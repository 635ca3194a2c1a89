package memberwatch

// Verification says what came of making a signal's findings again from the
// records they are stored with.
type Verification struct {
	Signal SignalID
	// Evidence is SHA-256 over the stored record of the signal and those of its
	// kept findings, in hexadecimal.
	Evidence string
	Findings []FindingCheck // of the kept findings, oldest first
	Problems []string       // what of the signal itself its findings do not lead to
}

// FindingCheck says what came of one finding.
type FindingCheck struct {
	Number int64
	Kind   Kind
	Result CheckResult
	Detail string // why it is not verified
}

// CheckResult is what came of making something again.
type CheckResult uint8

// Results, from good to bad.
const (
	CheckVerified     CheckResult = iota // the same bytes
	CheckUnverifiable                    // another version of the models made it, or it has no record
	CheckDiffers                         // other bytes: somebody changed what is stored
)

// String returns the result in capitals, as in the contract.
func (r CheckResult) String() string {
	switch r {
	case CheckVerified:
		return "VERIFIED"
	case CheckUnverifiable:
		return "UNVERIFIABLE"
	default:
		return "DIFFERS"
	}
}

// Result returns the worst of all.
func (v *Verification) Result() CheckResult {
	worst := CheckVerified
	for i := range v.Findings {
		worst = max(worst, v.Findings[i].Result)
	}
	if len(v.Problems) > 0 {
		worst = CheckDiffers
	}
	return worst
}
