package nab

import (
	"cmp"
	"math"
	"slices"
)

// The benchmark's score. A window that is found earns most at its left edge,
// the more the earlier; a missed one costs; a detection outside costs the more
// the farther it lies behind the window before it.
//
//	s(y) = 2/(1 + exp(5 y)) - 1, -1 for y > 3
//	inside a window of width w:  A_TP s(-(r-i+1)/w) / s(-1), the best row counts
//	outside:                     A_FP s((i-r)/(w-1)), before the first window -A_FP
//	normalised = 100 (score - null)/(perfect - null)
//
// null finds nothing, perfect finds each window at its first row and nothing
// else. Source: Lavin and Ahmad, "Evaluating real-time anomaly detection
// algorithms: the Numenta Anomaly Benchmark", 2015, with the behaviour of the
// published scorer where the paper leaves room (probation, ties, row indices).

// Profile is what the benchmark lets a detection be worth.
type Profile struct {
	Name       string
	TP, FN, FP float64
}

// Profiles are the benchmark's three, the standard one first.
var Profiles = [3]Profile{
	{Name: "standard", TP: 1, FN: 1, FP: 0.11},
	{Name: "reward_low_fp", TP: 1, FN: 1, FP: 0.22},
	{Name: "reward_low_fn", TP: 1, FN: 2, FP: 0.11},
}

// Result is the score of a set of detections under one profile.
type Result struct {
	Score float64 // 0 finds nothing, 100 is perfect
	Found int     // windows
	False int     // rows detected outside of windows
}

// sigmoid is the benchmark's discount of a position relative to a window.
func sigmoid(y float64) float64 {
	if y > 3 {
		return -1
	}
	return 2/(1+math.Exp(5*y)) - 1
}

// tally adds up detections of one corpus under one profile.
type tally struct {
	profile Profile
	raw     float64
	windows int
	found   int
	wrong   int
}

func newTally(files []File, p Profile) *tally {
	t := &tally{profile: p}
	for i := range files {
		t.windows += len(files[i].Windows)
	}
	t.raw = -p.FN * float64(t.windows) // each found window takes its part back
	return t
}

// row is what the detection of one row is worth: in a window, or outside.
func (p Profile) row(f *File, i int) (value float64, window int) {
	window = -1
	for k, w := range f.Windows {
		if i < w.First {
			break
		}
		if i <= w.Last {
			y := -float64(w.Last-i+1) / float64(w.Last-w.First+1)
			return p.TP * sigmoid(y) / sigmoid(-1), k
		}
		window = k
	}
	if window < 0 {
		return -p.FP, -1
	}
	w := f.Windows[window]
	return p.FP * sigmoid(float64(i-w.Last)/float64(w.Last-w.First)), -1
}

func (t *tally) result() Result {
	null := -t.profile.FN * float64(t.windows)
	perfect := t.profile.TP * float64(t.windows)
	r := Result{Found: t.found, False: t.wrong}
	if t.windows > 0 {
		r.Score = 100 * (t.raw - null) / (perfect - null)
	}
	return r
}

// Score scores detections, given as rows for each file. Rows of the probation
// do not count.
func Score(files []File, detections [][]int, p Profile) Result {
	t := newTally(files, p)
	for k := range files {
		best := make(map[int]float64)
		for _, i := range detections[k] {
			if i < files[k].Probation() {
				continue
			}
			value, window := p.row(&files[k], i)
			if window < 0 {
				t.raw += value
				t.wrong++
				continue
			}
			if old, seen := best[window]; !seen || value > old {
				best[window] = value
			}
		}
		t.found += len(best)
		for w := range files[k].Windows { // in order: the sum must not depend on a map's
			if value, seen := best[w]; seen {
				t.raw += value + p.FN
			}
		}
	}
	return t.result()
}

// Best returns the threshold on scores that the benchmark would choose after
// seeing the labels, and what it earns: the highest score, at the highest
// threshold on ties. Every row at or above a threshold is a detection.
func Best(files []File, scores [][]float64, p Profile) (threshold float64, best Result) {
	type row struct {
		score   float64
		file, i int
	}
	var rows []row
	for k := range files {
		for i := files[k].Probation(); i < len(files[k].Values); i++ {
			rows = append(rows, row{scores[k][i], k, i})
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(b.score, a.score) })
	t := newTally(files, p)
	type key struct{ file, window int }
	earned := make(map[key]float64)
	threshold, best = math.MaxFloat64, t.result() // no row reaches it
	for n, r := range rows {
		value, window := p.row(&files[r.file], r.i)
		if window < 0 {
			t.raw += value
			t.wrong++
		} else if old, seen := earned[key{r.file, window}]; !seen || value > old {
			if !seen {
				t.found++
				old = -p.FN
			}
			t.raw += value - old
			earned[key{r.file, window}] = value
		}
		if n+1 < len(rows) && rows[n+1].score == r.score {
			continue
		}
		if now := t.result(); now.Score > best.Score {
			threshold, best = r.score, now
		}
	}
	return threshold, best
}
