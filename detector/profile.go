package detector

import "math"

// Evenness over the hours of the day. People sleep; a machine that harvests does
// not.
//
//	D = sum over hours of p_h ln(24 p_h),  v = 1/(D + 0.01)
//
// D is the divergence of the day's calls from calls spread evenly; v runs from
// below 1 for an app of office hours to 100 for a clock. It is a feature with a
// series of its own, so an app that has always worked around the clock is compared
// with that. Assumption: an app's users keep their hours. It lies for an app that
// wins users on other continents, and for few calls, whose chance clumps look
// like hours: v then stays low, on the safe side.
// Source: I11 and I16 of the catalogue; Kullback and Leibler, "On information and
// sufficiency", 1951.

// hoursPerDay is the number of hours in a profile.
const hoursPerDay = 24

// fewestProfiled is the number of calls in a day below which hours say nothing.
const fewestProfiled = 100

// evenness returns v for the calls of a day by hour.
func evenness(hours *[hoursPerDay]uint32) (v, calls float64) {
	for _, n := range hours {
		calls += float64(n)
	}
	if calls < fewestProfiled {
		return 0, 0
	}
	divergence := 0.0
	for _, n := range hours {
		if n > 0 {
			p := float64(n) / calls
			divergence += float64(p * math.Log(hoursPerDay*p))
		}
	}
	return 1 / (max(divergence, 0) + 0.01), calls
}
