package detector

import "math"

// The shipped default calibration: the surprises that real counts exceed with
// probability 5 %, 1 %, 0.1 % and 0.01 %, by stream and size. Between
// them log10 p is linear in the surprise, beyond the last it falls by a decade
// for every slope of surprise.
//
// The jump has a table of its own.
//
// Measured with this package's own expectations on the daily downloads of 1,201
// CRAN packages (2013-14 and 2019-21, the larger of the two) and, for hours, on
// 16 pedestrian counters in Melbourne (2012-15); real growth and real events are
// in them. It lies for platforms whose apps behave otherwise, which is why a
// fleet's own ranks replace it within days.
var priorReach = [measures][streams][sizes][4]float64{
	bySurprise: {
		hourBurst: {
			{1.09, 1.60, 2.10, 2.50},
			{1.09, 1.42, 1.95, 2.41},
			{1.10, 1.59, 2.07, 2.51},
			{1.19, 1.78, 2.48, 2.93},
			{1.03, 1.74, 2.45, 2.92},
			{0.76, 1.32, 1.94, 2.42},
		},
		dayBurst: {
			{1.30, 1.86, 2.35, 2.52},
			{0.94, 1.36, 1.71, 1.92},
			{0.81, 1.20, 1.58, 1.89},
			{0.86, 1.27, 1.81, 2.48},
			{0.91, 1.36, 2.11, 3.06},
			{0.87, 1.30, 2.35, 3.31},
		},
		daySlow: {
			{1.56, 2.18, 2.56, 2.76},
			{0.95, 1.38, 1.71, 2.10},
			{0.83, 1.12, 1.75, 2.21},
			{0.92, 1.44, 2.04, 3.02},
			{1.05, 1.63, 2.52, 4.03},
			{1.07, 1.69, 3.03, 3.93},
		},
	},
	byJump: {hourBurst: {
		{1.29, 1.78, 4.07, 5.00},
		{1.29, 1.78, 4.07, 5.00},
		{1.02, 1.57, 3.66, 4.66},
		{0.81, 1.41, 3.20, 4.23},
		{0.61, 1.18, 2.35, 3.37},
		{0.38, 0.74, 1.28, 2.14},
	}, dayBurst: {
		{1.54, 2.51, 2.91, 3.36},
		{1.19, 1.89, 2.44, 2.88},
		{0.81, 1.32, 1.92, 2.28},
		{0.59, 0.97, 1.54, 2.35},
		{0.40, 0.69, 1.42, 2.74},
		{0.30, 0.56, 1.06, 2.23},
	}, daySlow: {
		{1.79, 2.49, 3.04, 3.45},
		{1.19, 1.89, 2.44, 3.54},
		{0.81, 1.32, 1.92, 2.80},
		{0.59, 1.04, 1.70, 3.21},
		{0.46, 0.80, 1.60, 3.78},
		{0.30, 0.60, 1.29, 2.71},
	}},
}

// priorLevels are ln of the probabilities that the table's columns stand for.
var priorLevels = [4]float64{math.Log(0.05), math.Log(1e-2), math.Log(1e-3), math.Log(1e-4)}

// priorSlope is the least reach of a measure that a further decade of rarity
// costs beyond the table; the last decade's own step counts if it is larger.
const priorSlope = 0.6

// priorP returns the default p-value of a surprise in a cell.
func priorP(id int, s float64) float64 {
	size := id % sizes // strata are whole numbers of sizes
	stream := id / (int(Features) * strata) % int(streams)
	m := id / (int(Features) * strata * int(streams))
	row := &priorReach[m][stream][size]
	if s <= row[0] { // from p = 1 at no surprise
		return math.Exp(priorLevels[0] * max(s, 0) / row[0])
	}
	for i := 1; i < len(row); i++ {
		if s <= row[i] {
			part := (s - row[i-1]) / (row[i] - row[i-1])
			return math.Exp(priorLevels[i-1] + float64(part*(priorLevels[i]-priorLevels[i-1])))
		}
	}
	last := len(row) - 1
	slope := max(row[last]-row[last-1], priorSlope)
	return max(math.Exp(priorLevels[last]-float64(math.Ln10*(s-row[last])/slope)), 1e-300)
}
