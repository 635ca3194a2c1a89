package trial

import (
	"fmt"
	"maps"
	"slices"
)

// Floors are what a result must reach.
type Floors struct {
	// Recall by scenario, or by scenario and rate such as "S04@0.3"; a
	// scenario alone means its rate 1.
	Recall map[string]float64
	// MaxFalse is the most false alerts in 200 app-weeks; 0: any number.
	MaxFalse float64
}

// Missed returns a sentence for each floor that the result misses.
func (r *Result) Missed(f Floors) []string {
	var missed []string
	for _, key := range slices.Sorted(maps.Keys(f.Recall)) {
		floor, known := f.Recall[key], false
		for _, row := range r.Scenarios {
			name := fmt.Sprintf("%s@%g", row.ID, row.Rate)
			if key != name && (key != row.ID || row.Rate != 1) {
				continue
			}
			known = true
			if row.Recall < floor {
				missed = append(missed, fmt.Sprintf("recall of %s is %.2f (%d of %d), its floor %.2f", name, row.Recall, row.Found, row.Runs, floor))
			}
		}
		if !known {
			missed = append(missed, fmt.Sprintf("recall of %s has a floor of %.2f and was not measured", key, floor))
		}
	}
	if f.MaxFalse > 0 && r.FalseAlerts > f.MaxFalse {
		missed = append(missed, fmt.Sprintf("%.2f false alerts in 200 app-weeks are more than %.2f", r.FalseAlerts, f.MaxFalse))
	}
	return missed
}
