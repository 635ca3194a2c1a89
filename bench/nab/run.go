package nab

import (
	"github.com/memberwatch/memberwatch/detector/series"
)

// Threshold is the one threshold for every series, in decades of the return
// period: fixed before anything is scored. Source: the project's recipe.
const Threshold = 1.11

// Scores runs the detector's model of a lone series over every file, each from a
// fresh state.
func Scores(files []File) [][]float64 {
	scores := make([][]float64, len(files))
	for k := range files {
		var s series.Lone
		scores[k] = make([]float64, len(files[k].Values))
		for i, v := range files[k].Values {
			scores[k][i] = s.Score(files[k].Times[i], v)
		}
	}
	return scores
}

// Alarms returns the rows at which an alarm begins.
func Alarms(files []File, scores [][]float64, threshold float64) [][]int {
	rows := make([][]int, len(scores))
	for k := range scores {
		alarm := series.Alarm{Threshold: threshold}
		for i, score := range scores[k] {
			if alarm.Next(score) {
				rows[k] = append(rows[k], i)
			}
		}
	}
	return rows
}
