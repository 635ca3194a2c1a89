package detector

import (
	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/series"
)

// streamID is one of the roads by which evidence reaches a signal; it is also
// the kind of predictive behind a p-value, so calibration cells carry it.
type streamID uint8

const (
	hourBurst streamID = iota // hour windows against all the past
	dayBurst                  // day windows against all the past
	daySlow                   // day windows against the past at least 14 days old
	streams
)

// perDay is how many windows of the stream an app can have in a day.
func (s streamID) perDay() float64 {
	if s == hourBurst {
		return 24
	}
	return 1
}

// burstOf is the burst stream of a scale.
func burstOf(scale memberwatch.Scale) streamID {
	if scale == memberwatch.Hour {
		return hourBurst
	}
	return dayBurst
}

// streamsOf are the streams of a scale.
func streamsOf(scale memberwatch.Scale) []streamID {
	if scale == memberwatch.Hour {
		return hourStreams
	}
	return dayStreams
}

var (
	hourStreams = []streamID{hourBurst}
	dayStreams  = []streamID{dayBurst, daySlow}
)

// shapes by stream. Hours have a slot for each hour of day, apart for weekends:
// 48 slots learn in days where 168 need months. What an app did in the same hour
// a week ago is expected of it again, so that a weekly job alerts once at most.
var shapes = [streams]series.Shape{
	hourBurst: {Fast: 1.0 / 24, Slow: 1.0 / 168, Spread: 1.0 / 60, Slot: 1.0 / 4, Season: 1.0 / 8, Slots: 48, Steps: series.CountSteps, Prior: 4, Week: 168},
	dayBurst:  {Fast: 1.0 / 7, Slow: 1.0 / 28, Spread: 1.0 / 60, Slot: 1.0 / 4, Season: 1.0 / 8, Slots: 7, Steps: series.CountSteps, Echoes: 7, Prior: 4},
	daySlow:   {Fast: 1.0 / 7, Slow: 1.0 / 28, Spread: 1.0 / 60, Slot: 1.0 / 4, Season: 1.0 / 8, Slots: 7, Steps: series.CountSteps, Echoes: 7, Prior: 4, Lag: 14},
}

// matureAfter is after how many windows learnt an expectation of a stream is mature: the
// memory of the slow level. 0: it has no ranks of its own.
var matureAfter = [streams]uint32{dayBurst: 28, daySlow: 28}

// seriesOf returns the expectation behind a stream of evidence.
func (s *State) seriesOf(stream streamID, f Feature) *series.Series {
	switch stream {
	case hourBurst:
		return &s.hour[f]
	case dayBurst:
		return &s.day[f]
	default:
		return &s.slow[f]
	}
}

// outlooks are what the series of hours expect of one window, as far as somebody has
// asked. Days are learnt after exclusions, which may change what is expected.
type outlooks struct {
	known uint32 // set of features
	all   [Features]series.Outlook
	mid   [Features]float64 // see series.Series.Center
}

// put keeps an expectation and its center; nil keeps nothing.
func (o *outlooks) put(stream streamID, f Feature, p *series.Outlook, mid float64) {
	if o != nil && stream == hourBurst {
		o.known |= 1 << f
		o.all[f], o.mid[f] = *p, mid
	}
}

// of returns an expectation that was put, or nil.
func (o *outlooks) of(stream streamID, f Feature) *series.Outlook {
	if o == nil || stream != hourBurst || o.known&(1<<f) == 0 {
		return nil
	}
	return &o.all[f]
}
