package nab

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// devFiles reads the development files: from the folder that MEMBERWATCH_DATA
// names, or from shared/data beside the repository.
func devFiles(t *testing.T) []File {
	t.Helper()
	root := os.Getenv("MEMBERWATCH_DATA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "data")
	}
	dir := filepath.Join(root, "nab-dev")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no benchmark data in %s: name the folder that holds nab-dev in MEMBERWATCH_DATA", dir)
	}
	files, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestCheckValues scores simple detectors on the development files. The values
// come from an independent implementation of the formula.
func TestCheckValues(t *testing.T) {
	files := devFiles(t)
	inWindows := func(row func(w Window) int) func(f *File) []int {
		return func(f *File) (rows []int) {
			for _, w := range f.Windows {
				rows = append(rows, row(w))
			}
			return rows
		}
	}
	for _, c := range []struct {
		name         string
		detect       func(f *File) []int
		want         [3]float64
		found, wrong int
	}{
		{"none", func(*File) []int { return nil }, [3]float64{0, 0, 0}, 0, 0},
		{"first row of every window", inWindows(func(w Window) int { return w.First }), [3]float64{100, 100, 100}, 50, 0},
		{"middle of every window", inWindows(func(w Window) int { return (w.First + w.Last) / 2 }), [3]float64{93.1328, 93.1328, 95.4219}, 50, 0},
		{"last row of every window", inWindows(func(w Window) int { return w.Last }), [3]float64{51.0382, 51.0382, 67.3588}, 50, 0},
		{"first scored row", func(f *File) []int { return []int{f.Probation()} }, [3]float64{-3.85, -7.7, -2.5667}, 0, 35},
		{"last row", func(f *File) []int { return []int{len(f.Values) - 1} }, [3]float64{-2.6358, -6.2822, -1.0905}, 1, 34},
		{"every 288th row", func(f *File) (rows []int) {
			for i := 0; i < len(f.Values); i += 288 {
				rows = append(rows, i)
			}
			return rows
		}, [3]float64{19.2573, -15.1892, 32.1715}, 29, 320},
	} {
		t.Run(c.name, func(t *testing.T) {
			detections := make([][]int, len(files))
			for k := range files {
				detections[k] = c.detect(&files[k])
			}
			for i, p := range Profiles {
				got := Score(files, detections, p)
				if math.Abs(got.Score-c.want[i]) > 5e-5 || got.Found != c.found || got.False != c.wrong {
					t.Errorf("%s: %+v, want %.4f with %d windows and %d false rows", p.Name, got, c.want[i], c.found, c.wrong)
				}
			}
		})
	}
}

// small is a file of 100 rows with windows at 20-29 and 60-69.
func small() []File {
	f := File{Name: "hand/made.csv", Windows: []Window{{20, 29}, {60, 69}}}
	for i := range 100 {
		f.Times = append(f.Times, time.Unix(int64(i)*300, 0).UTC())
		f.Values = append(f.Values, float64(i))
	}
	return []File{f}
}

// TestScoreByHand follows the formula on one small file, by pocket calculator:
// s(-1) = 0.986614, s(-0.5) = 0.848284, s(1/9) = -0.270845.
func TestScoreByHand(t *testing.T) {
	for _, c := range []struct {
		name string
		rows []int
		want float64 // standard profile, of windows at -1 each and 1 each
	}{
		{"both at once", []int{20, 60}, 100},
		{"one", []int{20}, 50},
		{"the earliest row counts", []int{25, 20, 22}, 50},
		{"half way", []int{25}, 100 * (0.848284/0.986614 + 1) / 4},
		{"before all windows", []int{16}, 100 * -0.11 / 4},
		{"one behind a window", []int{30}, 100 * 0.11 * -0.270845 / 4},
		{"far behind a window", []int{58}, 100 * -0.11 / 4},
		{"every row counts outside", []int{15, 16, 17}, 100 * -0.33 / 4},
		{"probation does not count", []int{0, 14}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Score(small(), [][]int{c.rows}, Profiles[0]).Score; math.Abs(got-c.want) > 1e-4 {
				t.Errorf("score %.5f, want %.5f", got, c.want)
			}
		})
	}
}

// TestBest finds the threshold between a window's row and a false one, and
// agrees with Score at it.
func TestBest(t *testing.T) {
	files := small()
	scores := [][]float64{make([]float64, 100)}
	scores[0][20], scores[0][45], scores[0][61], scores[0][5] = 0.9, 0.5, 0.6, 1 // row 5 is probation
	threshold, best := Best(files, scores, Profiles[0])
	if threshold != 0.6 || best.Found != 2 || best.False != 0 {
		t.Errorf("threshold %v with %+v, want 0.6 with 2 windows", threshold, best)
	}
	if same := Score(files, [][]int{{20, 61}}, Profiles[0]); math.Abs(same.Score-best.Score) > 1e-9 {
		t.Errorf("best %.6f, the same rows score %.6f", best.Score, same.Score)
	}
	if threshold, best := Best(files, [][]float64{make([]float64, 100)}, Profiles[1]); best.Score > 0 || best.Found != 0 || threshold != math.MaxFloat64 {
		t.Errorf("equal scores everywhere: %v, %+v, want no detection", threshold, best)
	}
}

// TestYardstick holds the model of a lone series to what was promised of it: one setting
// and one threshold for every series.
func TestYardstick(t *testing.T) {
	files := devFiles(t)
	r := AtFixed(files, Scores(files), Threshold)
	if r.Standard < 77 {
		t.Errorf("standard profile %.2f, want at least 77", r.Standard)
	}
	if most := 0.3e-3 * float64(r.Rows); float64(r.FalseRows) > most {
		t.Errorf("%d false rows, want at most %.0f", r.FalseRows, most)
	}
	for _, f := range r.Files {
		if strings.HasPrefix(f.Name, "artificialNoAnomaly/") && f.FalseRows > 0 {
			t.Errorf("%s has %d alarms and no anomaly", f.Name, f.FalseRows)
		}
		if strings.HasSuffix(f.Name, "/art_flatline.csv") && f.Most != 0 {
			t.Errorf("%s scores %v, want 0", f.Name, f.Most)
		}
	}
	if best := AtBest(files, Scores(files)); best.Standard < r.Standard || best.Origin == r.Origin {
		t.Errorf("optimised %.2f (%s), fixed %.2f", best.Standard, best.Origin, r.Standard)
	}
}

// TestReadErrors: what is wrong with a folder is named with file and line.
func TestReadErrors(t *testing.T) {
	const rows = "timestamp,value\n2014-04-01 00:00:00,1\n2014-04-01 00:05:00,2\n2014-04-01 00:10:00,3\n"
	const label = `{"g/a.csv": [["2014-04-01 00:00:00.000000", "2014-04-01 00:10:00.000000"]]}`
	for _, c := range []struct{ name, series, labels, want string }{
		{"fine", rows, label, ""},
		{"no labels", rows, "", "combined_windows.json"},
		{"broken labels", rows, "{", "combined_windows.json"},
		{"empty labels", rows, "{}", "name no series"},
		{"no series", "", label, "a.csv"},
		{"broken value", rows + "2014-04-01 00:15:00,high\n", label, `a.csv:5: "high" is not a finite number`},
		{"broken time", rows + "noon,4\n", label, `a.csv:5: timestamp "noon"`},
		{"short row", rows + "2014-04-01 00:15:00\n", label, "a.csv:5"},
		{"label off the rows", rows, `{"g/a.csv": [["2014-04-01 00:01:00", "2014-04-01 00:10:00"]]}`, "no row at"},
		{"empty window", rows, `{"g/a.csv": [["2014-04-01 00:05:00", "2014-04-01 00:05:00"]]}`, "less than two rows"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			write := func(name, text string) {
				if text == "" {
					return
				}
				path := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			write("data/g/a.csv", c.series)
			write("combined_windows.json", c.labels)
			_, err := Read(dir)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// TestReadScores reads another detector's files in the benchmark's layout.
func TestReadScores(t *testing.T) {
	files := small()
	dir := filepath.Join(t.TempDir(), "other")
	if err := os.MkdirAll(filepath.Join(dir, "hand"), 0o755); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("timestamp,value,anomaly_score,label\n")
	for i := range 100 {
		score := 0.0
		if i == 20 || i == 60 {
			score = 0.9
		}
		fmt.Fprintf(&b, "2014-04-01 00:00:00,%d,%v,0\n", i, score)
	}
	if err := os.WriteFile(filepath.Join(dir, "hand", "other_made.csv"), []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	scores, err := ReadScores(dir, files)
	if err != nil {
		t.Fatal(err)
	}
	if r := OfOthers(files, scores); r.Standard != 100 || r.Threshold != 0.9 || r.Origin != Optimised {
		t.Errorf("%+v, want 100 at 0.9", r)
	}
	if _, err := ReadScores(t.TempDir(), files); err == nil {
		t.Error("no error for a folder without scores")
	}
}
