package nab

import "slices"

// Report is what a run of the benchmark found. Its JSON shape is stable.
type Report struct {
	Standard    float64 `json:"standard"`
	RewardLowFP float64 `json:"reward_low_fp"`
	RewardLowFN float64 `json:"reward_low_fn"`
	Threshold   float64 `json:"threshold"` // of the standard profile
	Origin      string  `json:"threshold_origin"`
	Windows     int     `json:"windows"`
	Found       int     `json:"found"`
	FalseRows   int     `json:"false_rows"`
	Rows        int     `json:"scored_rows"`
	Files       []Line  `json:"files"`
	LowFPAt     float64 `json:"reward_low_fp_threshold"`
	LowFNAt     float64 `json:"reward_low_fn_threshold"`
	Detections  Rows    `json:"detections"`
}

// Rows are row numbers by file.
type Rows map[string][]int

// Line is one file's part of a report.
type Line struct {
	Name      string  `json:"name"`
	Windows   int     `json:"windows"`
	Found     int     `json:"found"`
	FalseRows int     `json:"false_rows"`
	Most      float64 `json:"highest_score"`
}

// Origins of a threshold. One that was optimised has seen the labels: it says
// what a detector could reach, not what it reaches.
const (
	Fixed     = "fixed"
	Optimised = "optimised on the labels"
)

// report scores the detections at the thresholds of the three profiles.
func report(files []File, scores [][]float64, origin string, at [3]float64, detect func(threshold float64) [][]int) *Report {
	r := &Report{Origin: origin, Threshold: at[0], LowFPAt: at[1], LowFNAt: at[2], Detections: make(Rows)}
	var results [3]Result
	for i, p := range Profiles {
		results[i] = Score(files, detect(at[i]), p)
	}
	r.Standard, r.RewardLowFP, r.RewardLowFN = results[0].Score, results[1].Score, results[2].Score
	r.Found, r.FalseRows = results[0].Found, results[0].False
	detections := detect(at[0])
	for k := range files {
		f := &files[k]
		one := Score(files[k:k+1], detections[k:k+1], Profiles[0])
		from := f.Probation()
		r.Rows += len(f.Values) - from
		r.Windows += len(f.Windows)
		r.Files = append(r.Files, Line{Name: f.Name, Windows: len(f.Windows), Found: one.Found, FalseRows: one.False, Most: slices.Max(scores[k][from:])})
		r.Detections[f.Name] = append([]int{}, detections[k]...)
	}
	return r
}

// AtFixed reports on alarms at one threshold that was set before.
func AtFixed(files []File, scores [][]float64, threshold float64) *Report {
	return report(files, scores, Fixed, [3]float64{threshold, threshold, threshold}, func(at float64) [][]int {
		return Alarms(files, scores, at)
	})
}

// grid is how finely thresholds of alarms are tried, from 0.5 to 3 decades.
const grid = 0.05

// AtBest reports on alarms at the thresholds that suit each profile best.
func AtBest(files []File, scores [][]float64) *Report {
	var at [3]float64
	for i, p := range Profiles {
		at[i] = 3.0
		most := 0.0
		for threshold := 3.0; threshold >= 0.5; threshold -= grid {
			if r := Score(files, Alarms(files, scores, threshold), p); r.Score > most {
				at[i], most = threshold, r.Score
			}
		}
	}
	return report(files, scores, Optimised, at, func(threshold float64) [][]int { return Alarms(files, scores, threshold) })
}

// OfOthers reports on the published scores of another detector, whose every row
// at or above the threshold is a detection, at the thresholds that suit each
// profile best: so the benchmark's own table is made.
func OfOthers(files []File, scores [][]float64) *Report {
	var at [3]float64
	for i, p := range Profiles {
		at[i], _ = Best(files, scores, p)
	}
	return report(files, scores, Optimised, at, func(threshold float64) [][]int {
		rows := make([][]int, len(files))
		for k := range scores {
			for i, score := range scores[k] {
				if score >= threshold {
					rows[k] = append(rows[k], i)
				}
			}
		}
		return rows
	})
}
