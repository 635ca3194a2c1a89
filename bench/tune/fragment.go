package tune

import (
	"fmt"
	"strings"

	"github.com/memberwatch/memberwatch"
)

// reason words what speaks for the choice and against it.
func (r *Proposal) reason() {
	say := func(format string, args ...any) { r.Reasons = append(r.Reasons, fmt.Sprintf(format, args...)) }
	if r.Chosen == nil {
		say("no single change brings the alerts down to %.3g a day: rules are raised whatever the budget", r.Wanted)
		return
	}
	say("%.2f alerts a day instead of %.2f; %d of %d labelled abuses found instead of %d",
		r.Chosen.AlertsPerDay, r.Before.AlertsPerDay, r.Chosen.Found, r.Chosen.Cases, r.Before.Found)
	say("chosen on one half of the apps (%.2f alerts a day, recall %.2f), checked on the other (%.2f alerts a day, recall %.2f)",
		r.Train.AlertsPerDay, r.Train.Recall, r.Test.AlertsPerDay, r.Test.Recall)
	if r.Test.AlertsPerDay > r.Wanted {
		say("the other half stays above the wanted number: take a longer recording")
	}
	if r.Chosen.Cases < 10 {
		say("%d labelled abuses say little about recall: its 95 %% interval is %.2f to %.2f", r.Chosen.Cases, r.Chosen.RecallLow, r.Chosen.RecallHigh)
	}
}

// describe words a change.
func (s Setting) describe() string {
	switch {
	case s.Shadow != "":
		return fmt.Sprintf("not raising %s", s.Shadow)
	case s.Feature != "":
		return fmt.Sprintf("%g of its share for %s", s.Weight, s.Feature)
	default:
		return fmt.Sprintf("a budget of %g app-days", s.Budget)
	}
}

// Describe words the change that a point is about.
func (p *Point) Describe() string { return p.describe() }

// Fragment returns the lines of a configuration file for serve --config that
// make the chosen change, with the reasons as comments; empty without a choice.
func (r *Proposal) Fragment() string {
	if r.Chosen == nil {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# For at most %.3g alerts a day:\n", r.Wanted)
	for _, reason := range r.Reasons {
		fmt.Fprintf(&b, "# - %s\n", reason)
	}
	switch c := &r.Chosen.Setting; {
	case c.Shadow != "":
		fmt.Fprintf(&b, "shadow: [%s]\n", c.Shadow)
	case c.Feature != "":
		fmt.Fprintf(&b, "weights:\n  %s: %g\n", c.Feature, c.Weight)
	default:
		fmt.Fprintf(&b, "budget: %g\n", c.Budget)
	}
	return b.String()
}

// Apply makes the setting's change to a tuning.
func (s *Setting) Apply(t *memberwatch.Tuning) {
	switch {
	case s.Shadow != "":
		t.Shadow = append(t.Shadow, s.Shadow)
	case s.Feature != "":
		if t.Weights == nil {
			t.Weights = make(map[string]float64)
		}
		factor := 1.0
		if f, ok := t.Weights[s.Feature]; ok {
			factor = f
		}
		t.Weights[s.Feature] = factor * s.Weight
	default:
		t.Budget = s.Budget
	}
}
