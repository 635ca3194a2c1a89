package series

// Alarm turns scores into alarms: one for each stretch above the threshold, and
// none until the score has been below it for quietValues in a row. A long
// incident is one alarm, not one for each value. The zero value is armed.
type Alarm struct {
	Threshold float64 // in the unit of the scores
	silent    bool
	quiet     int
}

// quietValues re-arm an alarm.
const quietValues = 30

// Next takes the next score and tells whether an alarm begins with it.
func (a *Alarm) Next(score float64) bool {
	if score >= a.Threshold {
		begins := !a.silent
		a.silent, a.quiet = true, 0
		return begins
	}
	if a.quiet++; a.quiet >= quietValues {
		a.silent, a.quiet = false, 0
	}
	return false
}
