package trial

import (
	"math"

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
	for i := range f.Factors {
		if factor := &f.Factors[i]; factor.ReturnPeriod == f.ReturnPeriod {
			return max(f.ReturnPeriod*Share(c, factor, f.Window.Scale), c.Budget)
		}
	}
	return max(f.ReturnPeriod, c.Budget)
}

// Share returns the share of the budget that the evidence of a factor has, 1 if
// the configuration gives it none of its own.
func Share(c *detector.Config, factor *memberwatch.Factor, scale memberwatch.Scale) float64 {
	for f := range detector.Features {
		if f.String() != factor.Feature {
			continue
		}
		share := c.Share(f, scale, scale == memberwatch.Day && !burst(factor))
		if share > 0 {
			return share
		}
	}
	return 1
}

// burst tells a factor of one day from one of many: its return period follows
// from its p-value alone. Contracts carry both, and not the stream.
func burst(factor *memberwatch.Factor) bool {
	const longest = 1e9 // beyond it, the detector gives no figure
	return math.Abs(min(1/factor.P, longest)-factor.ReturnPeriod) <= 1e-6*factor.ReturnPeriod
}
