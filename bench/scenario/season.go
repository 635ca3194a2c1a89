package scenario

// hoursPerWeek is the length of a season.
const hoursPerWeek = 168

// season holds the relative activity of each hour of the week, Monday 00:00
// local time first. Its mean is 1.
type season [hoursPerWeek]float64

// curve names the shape of a category's ordinary day.
type curve int

const (
	office  curve = iota // people at desks
	evening              // leisure
	commute              // two peaks, morning and evening
	nightly              // machines that run while people sleep
)

// days holds the relative activity of each hour of a day by curve. The figures
// are ours, shaped after published diurnal curves of web traffic: a trough at
// about four, a plateau in office hours, a peak at about nine in the evening.
var days = [...][24]float64{
	office:  {2, 1, 1, 1, 1, 2, 4, 7, 11, 14, 15, 14, 12, 13, 14, 14, 13, 11, 8, 6, 5, 4, 3, 2},
	evening: {7, 4, 2, 1, 1, 1, 2, 3, 4, 5, 6, 6, 7, 7, 7, 8, 9, 11, 13, 15, 16, 16, 14, 11},
	commute: {2, 1, 1, 1, 1, 4, 9, 14, 13, 10, 8, 8, 9, 9, 8, 8, 9, 12, 13, 12, 11, 9, 6, 4},
	nightly: {10, 14, 16, 16, 12, 8, 6, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 6, 8},
}

// newSeason lays a curve over a week whose Saturday and Sunday have the given
// level relative to working days.
func newSeason(c curve, weekend float64) *season {
	var s season
	var sum float64
	for h := range s {
		s[h] = days[c][h%24]
		if h >= 5*24 {
			s[h] *= weekend
		}
		sum += s[h]
	}
	for h := range s {
		s[h] *= hoursPerWeek / sum
	}
	return &s
}
