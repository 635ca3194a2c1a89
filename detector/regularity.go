package detector

import (
	"time"

	"github.com/memberwatch/memberwatch/detector/codec"
)

// Regularity of calls within the hour. People and queues clump; a loop that sleeps
// between calls to stay at a quota does not.
//
//	X    sum over the day's hours and the six parts of each of (n - m)^2/m, n the
//	     calls of a part and m the mean of the hour's parts
//	D    X/(5 hours): 1 for independent calls, 0 for a clock, more for clumps
//	v    10/(D + 0.05): about 10 for independent calls, 200 for a clock
//
// D is the index of dispersion. It needs counts only, so the order of arrival cannot
// matter, and it takes each hour beside itself, so it is no sign of regularity that
// an app works around the clock, nor against it that it does not: that is evenness.
// v is a feature with a series of its own, so an app with a timer is compared with
// its timer. Assumption: an app's calls clump as they always did. It lies for a loop
// under a much larger traffic of its own, where D is one less the loop's part, for
// pauses of more than ten minutes, and for hours of few calls, which do not count.
// Source: I16 of the catalogue; Fisher, "The significance of deviations from
// expectation in a Poisson series", 1950.

// hourParts is the number of parts of an hour whose calls are counted.
const hourParts = 6

// partLength is that of a part, ten minutes.
const partLength = int64(time.Hour) / hourParts

// Limits of regularity. Ours: a mean of one call to a part, below which the chi-square law
// fits X badly, and twenty degrees of freedom, with which D of independent calls is within a third
// of 1.
const (
	fewestInHour  = 6 // calls, below which an hour says nothing
	fewestRegular = 4 // such hours in a day
)

// partAt is the part of an hour at an event time.
func (w *window) partAt(t int64) int { return int((t - w.Start) * hourParts / w.Scale.Length()) }

// unevenness sums what the hours of a day say of their parts.
type unevenness struct {
	sum   float64 // X
	hours uint32
}

// add takes in a closed hour.
func (u *unevenness) add(parts *[hourParts]uint32) {
	calls := uint64(0)
	for _, n := range parts {
		calls += uint64(n)
	}
	if calls < fewestInHour {
		return
	}
	mean := float64(calls) / hourParts
	for _, n := range parts {
		off := float64(n) - mean
		u.sum += float64(off * off / mean)
	}
	u.hours++
}

// regularity returns v and the number of hours behind it, 0 when they are few.
func (u *unevenness) regularity() (v, hours float64) {
	if u.hours < fewestRegular {
		return 0, 0
	}
	d := u.sum / float64((hourParts-1)*u.hours)
	return 10 / (d + 0.05), float64(u.hours)
}

func (u *unevenness) encode(e *codec.Encoder) {
	e.F64(u.sum)
	e.Uint(uint64(u.hours))
}

func (u *unevenness) decode(d *codec.Decoder) { u.sum, u.hours = d.F64(), uint32(d.Uint()) }

func (w *window) encodeParts(e *codec.Encoder) {
	for _, n := range w.parts {
		e.Uint(uint64(n))
	}
}

func (w *window) decodeParts(d *codec.Decoder) {
	for i := range w.parts {
		w.parts[i] = uint32(d.Uint())
	}
}
