package detector

import (
	"math"
	"slices"
	"strings"

	"github.com/memberwatch/memberwatch"
)

// Names of factors that are no features of a window compared with its own past.
const (
	sinceBirth     = "reach_since_birth"
	ofNewApps      = "reach_of_new_apps"
	firstDayPrefix = "first_day_"
)

// Share is the part of the budget that the evidence behind a factor of a finding has:
// it was told since its return period is at least the budget over that. 1 where there is none.
// An app without acting users has larger shares than the configuration says.
func (c *Config) Share(f *memberwatch.Finding, x *memberwatch.Factor) float64 {
	switch {
	case f.Kind == memberwatch.KindFirstSeen:
		return c.FirstSeen * c.budgetPart(false)
	case f.Kind == memberwatch.KindCohort || f.Kind == memberwatch.KindCoordination || f.Kind == memberwatch.KindNetwork:
		return fleetWeight
	case x.Feature == sinceBirth:
		return coldWeight
	case strings.HasPrefix(x.Feature, ofNewApps):
		return newbornWeight
	case strings.HasPrefix(x.Feature, firstDayPrefix):
		return firstWeight
	}
	of := Feature(max(slices.Index(featureNames[:], x.Feature), 0))
	if of.String() != x.Feature {
		return 1
	}
	stream := burstOf(f.Window.Scale)
	if stream == dayBurst && !ofOneDay(x) {
		stream = daySlow
	}
	joint := f.Basis.App == "" && f.Basis.Developer != ""
	if share := c.part(of, stream, true, joint); share > 0 {
		return share
	}
	return 1
}

// ofOneDay tells a factor of one day from one of many: its return period follows from
// its p-value alone.
func ofOneDay(x *memberwatch.Factor) bool {
	return math.Abs(periodOf(x.P, dayBurst)-x.ReturnPeriod) <= 1e-6*x.ReturnPeriod
}
