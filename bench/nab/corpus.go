package nab

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// File is one series with its labelled windows.
type File struct {
	Name    string // group/name.csv
	Times   []time.Time
	Values  []float64
	Windows []Window // in order
}

// Window is a labelled stretch of rows, both ends included.
type Window struct{ First, Last int }

// Probation is how many rows at the start of a file are not scored.
func (f *File) Probation() int { return min(len(f.Values)*15/100, 750) }

// timeLayout is how the benchmark writes instants; labels add microseconds,
// which parsing accepts.
const timeLayout = "2006-01-02 15:04:05"

// labelsFile is the name of the labels in a data folder or below labels.
const labelsFile = "combined_windows.json"

// Read reads a folder laid out like the benchmark's repository: series in
// data/GROUP/NAME.csv, labels in combined_windows.json beside data or in a
// folder labels. Files come in order of their names.
func Read(dir string) ([]File, error) {
	labels, err := readLabels(dir)
	if err != nil {
		return nil, err
	}
	files := make([]File, 0, len(labels))
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		f, err := readSeries(filepath.Join(dir, "data", filepath.FromSlash(name)), name)
		if err != nil {
			return nil, err
		}
		if err := f.label(labels[name]); err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// span is a label as written: two instants.
type span [2]string

func readLabels(dir string) (map[string][]span, error) {
	path := filepath.Join(dir, labelsFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		b, err = os.ReadFile(filepath.Join(dir, "labels", labelsFile))
	}
	if err != nil {
		return nil, fmt.Errorf("read labels of the benchmark: %w", err)
	}
	labels := make(map[string][]span)
	if err := json.Unmarshal(b, &labels); err != nil {
		return nil, fmt.Errorf("labels %q: %w", path, err)
	}
	if len(labels) == 0 {
		return nil, fmt.Errorf("labels %q name no series", path)
	}
	return labels, nil
}

func readSeries(path, name string) (File, error) {
	f := File{Name: name}
	err := eachRow(path, func(row []string) error {
		at, err := time.Parse(timeLayout, row[0])
		if err != nil {
			return fmt.Errorf("timestamp %q: write it as %s", row[0], timeLayout)
		}
		v, err := finite(row[1])
		if err != nil {
			return err
		}
		f.Times, f.Values = append(f.Times, at), append(f.Values, v)
		return nil
	})
	return f, err
}

// eachRow visits the rows below the heading of a CSV file; an error names file
// and line.
func eachRow(path string, visit func(row []string) error) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read series: %w", err)
	}
	defer file.Close() //nolint:errcheck // only read from
	r := csv.NewReader(file)
	r.ReuseRecord = true
	for line := 1; ; line++ {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil && len(row) < 2 {
			err = errors.New("a row has at least a timestamp and a value")
		}
		if err == nil && line > 1 {
			err = visit(row)
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", path, line, err)
		}
	}
}

func finite(s string) (float64, error) {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("%q is not a finite number", s)
	}
	return v, nil
}

// label finds the rows of the labels: the first row with each instant.
func (f *File) label(spans []span) error {
	for _, s := range spans {
		var rows [2]int
		for i, text := range s {
			at, err := time.Parse(timeLayout, text)
			if err != nil {
				return fmt.Errorf("label of %q: timestamp %q: write it as %s", f.Name, text, timeLayout)
			}
			rows[i] = slices.IndexFunc(f.Times, at.Equal)
			if rows[i] < 0 {
				return fmt.Errorf("label of %q: no row at %q", f.Name, text)
			}
		}
		if rows[1] <= rows[0] {
			return fmt.Errorf("label of %q: window from %q to %q has less than two rows", f.Name, s[0], s[1])
		}
		f.Windows = append(f.Windows, Window{First: rows[0], Last: rows[1]})
	}
	slices.SortFunc(f.Windows, func(a, b Window) int { return cmp.Compare(a.First, b.First) })
	return nil
}

// ReadScores reads what another detector published for the files, in the
// benchmark's own layout: GROUP/DETECTOR_NAME.csv with a column anomaly_score.
// The answer is parallel to files: one score for each row.
func ReadScores(dir string, files []File) ([][]float64, error) {
	detector := filepath.Base(filepath.Clean(dir))
	scores := make([][]float64, len(files))
	for i := range files {
		group, name, _ := strings.Cut(files[i].Name, "/")
		path := filepath.Join(dir, group, detector+"_"+name)
		err := eachRow(path, func(row []string) error {
			if len(row) < 3 {
				return errors.New("no third column with the anomaly score")
			}
			v, err := finite(row[2])
			scores[i] = append(scores[i], v)
			return err
		})
		if err != nil {
			return nil, err
		}
		if len(scores[i]) != len(files[i].Values) {
			return nil, fmt.Errorf("%q has %d scores for %d rows", path, len(scores[i]), len(files[i].Values))
		}
	}
	return scores, nil
}
