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
	// Met is the share of incidents that meet their target, named likewise.
	Met map[string]float64
	// MaxFalse is the most false alerts in 200 app-weeks; 0: any number.
	MaxFalse float64
}

// CheckFloors returns an error for a floor of what the plan does not measure.
func (p Plan) CheckFloors(f Floors) error {
	p = p.WithDefaults()
	chosen, _, err := p.choose()
	if err != nil {
		return err
	}
	measured := make(map[string]bool)
	for _, s := range chosen {
		for _, rate := range p.Rates {
			measured[fmt.Sprintf("%s@%g", s.ID, rate)] = s.Abuse
			if rate == 1 {
				measured[s.ID] = s.Abuse
			}
		}
	}
	for _, floors := range []map[string]float64{f.Recall, f.Met} {
		for _, key := range slices.Sorted(maps.Keys(floors)) {
			if !measured[key] {
				return fmt.Errorf("%s has a floor of %g and is not measured: floors are for scenarios of abuse that are planted, at one of the rates (1 if not named)", key, floors[key])
			}
		}
	}
	return nil
}

// Missed returns a sentence for each floor that the result misses.
func (r *Result) Missed(f Floors) []string {
	missed := r.below(f.Recall, "recall", func(row *Row) (float64, int) { return row.Recall, row.Found })
	missed = append(missed, r.below(f.Met, "share that meets its target", func(row *Row) (float64, int) {
		if row.Aim == nil {
			return 0, 0
		}
		return row.Met, int(row.Met*float64(row.Runs) + 0.5)
	})...)
	if f.MaxFalse > 0 && r.FalseAlerts > f.MaxFalse {
		missed = append(missed, fmt.Sprintf("%.2f false alerts in 200 app-weeks are more than %.2f", r.FalseAlerts, f.MaxFalse))
	}
	return missed
}

// below holds one share of each row against floors.
func (r *Result) below(floors map[string]float64, what string, of func(*Row) (share float64, count int)) []string {
	var missed []string
	for _, key := range slices.Sorted(maps.Keys(floors)) {
		floor, known := floors[key], false
		for i := range r.Scenarios {
			row := &r.Scenarios[i]
			name := fmt.Sprintf("%s@%g", row.ID, row.Rate)
			if key != name && (key != row.ID || row.Rate != 1) {
				continue
			}
			known = true
			if share, count := of(row); share < floor {
				missed = append(missed, fmt.Sprintf("%s of %s is %.2f (%d of %d), its floor %.2f", what, name, share, count, row.Runs, floor))
			}
		}
		if !known {
			missed = append(missed, fmt.Sprintf("%s of %s has a floor of %.2f and was not measured", what, key, floor))
		}
	}
	return missed
}
