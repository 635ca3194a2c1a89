package calibration

import (
	"time"

	"github.com/memberwatch/memberwatch"
)

// Set is a fleet of count series.
type Set struct {
	Name   string
	Scale  memberwatch.Scale // of the counts; hourly sets are summed to days too
	Start  time.Time         // of the first window, UTC by name: local hours count as they stand
	Series []Series
}

// Series is one entity's counts from the set's start on.
type Series struct {
	Name    string
	Stratum string
	Counts  []float64 // NaN: not counted
	Totals  []float64 // records behind the counts, when those are of users; nil: not known
}

// windows is the length of the longest series.
func (s *Set) windows() int {
	n := 0
	for i := range s.Series {
		n = max(n, len(s.Series[i].Counts))
	}
	return n
}

// perDay is how many windows a day has.
func (s *Set) perDay() int { return int(memberwatch.Day.Length() / s.Scale.Length()) }

// window is the i-th window at a scale.
func (s *Set) window(scale memberwatch.Scale, i int) memberwatch.Window {
	return memberwatch.Window{Scale: scale, Start: s.Start.UnixNano() + int64(i)*scale.Length()}
}
