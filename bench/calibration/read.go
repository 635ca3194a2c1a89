package calibration

import (
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/memberwatch/memberwatch"
)

// Read returns the sets of a folder. It knows three layouts by their files:
// daily_PERIOD_unique.csv.gz (a column for each series, with
// daily_PERIOD_packages.csv naming strata and daily_PERIOD_total.csv.gz the
// records behind the users), hourly.csv.gz (a column for each series) and
// events.csv.gz with columns t and app (a row for each event).
func Read(dir string) ([]Set, error) {
	daily, err := filepath.Glob(filepath.Join(dir, "daily_*_unique.csv.gz"))
	if err != nil {
		return nil, fmt.Errorf("read counts: %w", err)
	}
	slices.Sort(daily)
	var sets []Set
	for _, path := range daily {
		set, err := readDaily(dir, path)
		if err != nil {
			return nil, err
		}
		sets = append(sets, set)
	}
	name := filepath.Base(filepath.Clean(dir))
	switch {
	case len(sets) > 0:
		return sets, nil
	case exists(filepath.Join(dir, "hourly.csv.gz")):
		set, err := readMatrix(filepath.Join(dir, "hourly.csv.gz"), name, memberwatch.Hour)
		return []Set{set}, err
	case exists(filepath.Join(dir, "events.csv.gz")):
		set, err := readEvents(filepath.Join(dir, "events.csv.gz"), name)
		return []Set{set}, err
	default:
		if _, err := os.Stat(dir); err != nil {
			return nil, fmt.Errorf("read counts: folder %q: %w", dir, err)
		}
		return nil, fmt.Errorf("folder %q holds no daily_*_unique.csv.gz, hourly.csv.gz or events.csv.gz", dir)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// readDaily reads counts of users, the total behind them, and the strata.
func readDaily(dir, path string) (Set, error) {
	period := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), "daily_"), "_unique.csv.gz")
	set, err := readMatrix(path, filepath.Base(filepath.Clean(dir))+" "+period, memberwatch.Day)
	if err != nil {
		return set, err
	}
	strata := make(map[string]string)
	err = eachRow(filepath.Join(dir, "daily_"+period+"_packages.csv"), func(_ int, head, row []string) error {
		at := slices.Index(head, "stratum")
		if at < 0 {
			return errors.New("no column stratum")
		}
		strata[row[0]] = row[at]
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return set, err
	}
	for i := range set.Series {
		set.Series[i].Stratum = strata[set.Series[i].Name]
	}
	total := filepath.Join(dir, "daily_"+period+"_total.csv.gz")
	if !exists(total) {
		return set, nil
	}
	return set, addTotals(&set, total)
}

// addTotals adds the records behind the counts of users.
func addTotals(set *Set, path string) error {
	totals, err := readMatrix(path, set.Name, set.Scale)
	if err != nil {
		return err
	}
	byName := make(map[string][]float64)
	for _, s := range totals.Series {
		byName[s.Name] = s.Counts
	}
	for i := range set.Series {
		s := &set.Series[i]
		if len(byName[s.Name]) == len(s.Counts) {
			s.Totals = byName[s.Name]
		}
	}
	return nil
}

// layouts of instants in the data.
var layouts = []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"}

func parseTime(text string) (time.Time, error) {
	for _, layout := range layouts {
		if t, err := time.Parse(layout, strings.TrimSuffix(text, "Z")); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("time %q: write it as %s", text, layouts[0])
}

// readMatrix reads a time column and a column of counts for each series. A row
// that repeats an hour (clocks set back) adds to it; a missing one stays empty.
func readMatrix(path, name string, scale memberwatch.Scale) (Set, error) {
	set := Set{Name: name, Scale: scale}
	err := eachRow(path, func(_ int, head, row []string) error {
		at, err := parseTime(row[0])
		if err != nil {
			return err
		}
		if set.Series == nil {
			set.Start = at.Truncate(24 * time.Hour)
			for _, series := range head[1:] {
				set.Series = append(set.Series, Series{Name: series})
			}
		}
		i := int(at.Sub(set.Start).Nanoseconds() / scale.Length())
		if i < 0 {
			return fmt.Errorf("time %q lies before the first row's day", row[0])
		}
		for k, text := range row[1:] {
			if text == "" {
				continue
			}
			v, err := strconv.ParseFloat(text, 64)
			if err != nil || !(v >= 0) || math.IsInf(v, 0) {
				return fmt.Errorf("%q is not a count", text)
			}
			set.Series[k].add(i, v)
		}
		return nil
	})
	set.pad()
	return set, err
}

// readEvents counts a row for each event by app and hour.
func readEvents(path, name string) (Set, error) {
	set := Set{Name: name, Scale: memberwatch.Hour}
	places := make(map[string]int)
	err := eachRow(path, func(_ int, head, row []string) error {
		t, app := slices.Index(head, "t"), slices.Index(head, "app")
		if t < 0 || app < 0 {
			return errors.New("no columns t and app")
		}
		at, err := parseTime(row[t])
		if err != nil {
			return err
		}
		if set.Series == nil {
			set.Start = at.Truncate(24 * time.Hour)
		}
		k, known := places[row[app]]
		if !known {
			k = len(set.Series)
			places[strings.Clone(row[app])] = k
			set.Series = append(set.Series, Series{Name: strings.Clone(row[app])})
		}
		i := int(at.Sub(set.Start) / time.Hour)
		if i < 0 {
			return fmt.Errorf("time %q lies before the first row's day", row[t])
		}
		set.Series[k].add(i, 1)
		return nil
	})
	set.pad()
	for k := range set.Series { // an hour without an event is a zero
		for i, v := range set.Series[k].Counts {
			if math.IsNaN(v) {
				set.Series[k].Counts[i] = 0
			}
		}
	}
	return set, err
}

// add counts v in the i-th window.
func (s *Series) add(i int, v float64) {
	for len(s.Counts) <= i {
		s.Counts = append(s.Counts, math.NaN())
	}
	if math.IsNaN(s.Counts[i]) {
		s.Counts[i] = 0
	}
	s.Counts[i] += v
}

// pad makes all series equally long, to whole days.
func (s *Set) pad() {
	n := (s.windows() + s.perDay() - 1) / s.perDay() * s.perDay()
	for k := range s.Series {
		for len(s.Series[k].Counts) < n {
			s.Series[k].Counts = append(s.Series[k].Counts, math.NaN())
		}
	}
}

// eachRow visits the rows below the heading of a CSV file, unpacked if its name
// says so; an error names file and line.
func eachRow(path string, visit func(line int, head, row []string) error) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read counts: %w", err)
	}
	defer file.Close() //nolint:errcheck // only read from
	var in io.Reader = file
	if strings.HasSuffix(path, ".gz") {
		if in, err = gzip.NewReader(file); errors.Is(err, io.EOF) {
			return fmt.Errorf("%s:1: empty file: expected a header and rows", path)
		} else if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	r := csv.NewReader(in)
	r.ReuseRecord = true
	var head []string
	for line := 1; ; line++ {
		row, err := r.Read()
		if errors.Is(err, io.EOF) && line <= 2 {
			return fmt.Errorf("%s:%d: no row: expected a header and rows", path, line)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil && line == 1 {
			head = slices.Clone(row)
			continue
		}
		if err == nil {
			err = visit(line, head, row)
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", path, line, err)
		}
	}
}
