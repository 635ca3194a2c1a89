package trial

import (
	"math"
	"slices"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector"
)

// Unlimited is the budget of a rule: it leaves nothing to chance and is raised
// whatever the budget. It is a number, because JSON has no infinity.
const Unlimited = math.MaxFloat32

// Budget returns the strength of a signal in the currency of the budget: the
// number of app-days per false alert up to which its strongest finding would
// still be made. A larger one is stronger.
func Budget(s *memberwatch.Signal) float64 {
	c := detector.DefaultConfig()
	return FindingBudget(&c, &s.Strongest)
}

// FindingBudget returns the same for a finding made under a configuration: its
// return period times the share of the budget that its evidence has. An app
// without acting users has larger shares than the configuration says; as the
// finding was made, the budget at which it was made is the least that it is
// worth.
func FindingBudget(c *detector.Config, f *memberwatch.Finding) float64 {
	if f.ReturnPeriod <= 0 {
		return Unlimited
	}
	i := max(slices.IndexFunc(f.Factors, func(x memberwatch.Factor) bool { return x.ReturnPeriod == f.ReturnPeriod }), 0)
	if i == len(f.Factors) {
		return max(f.ReturnPeriod, c.Budget)
	}
	return max(f.ReturnPeriod*c.Share(f, &f.Factors[i]), c.Budget)
}
