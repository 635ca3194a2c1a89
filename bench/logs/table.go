package logs

import (
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// row is one line of a table. Its methods note the first thing that is wrong.
type row struct {
	file   string
	line   int
	header []string
	cells  []string
	err    error
}

// read calls each for every row of a CSV file, which may be compressed. An error
// names file and line.
func read(path string, each func(r *row) error) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read from
	var in io.Reader = f
	if filepath.Ext(path) == ".gz" {
		if in, err = gzip.NewReader(f); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	table := csv.NewReader(in)
	table.ReuseRecord = true
	header, err := table.Read()
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%s:1: empty file: expected a header", path)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	r := row{file: path, header: slices.Clone(header)}
	for {
		if r.cells, err = table.Read(); errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		r.line, _ = table.FieldPos(0)
		if err := each(&r); err != nil {
			return err
		}
		if r.err != nil {
			return r.err
		}
	}
	if r.line == 0 {
		return fmt.Errorf("%s:2: no rows below the header", path)
	}
	return nil
}

// text returns a cell.
func (r *row) text(column string) string {
	i := slices.Index(r.header, column)
	if i < 0 {
		r.fail(column, "there is no such column, only %s", strings.Join(r.header, ", "))
		return ""
	}
	return r.cells[i]
}

// number returns a cell that holds a whole number.
func (r *row) number(column string) uint64 {
	text := r.text(column)
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		r.fail(column, "%q is no whole number", text)
	}
	return n
}

// time returns a cell that holds a time, in nanoseconds since the epoch. Times
// without a zone count as UTC.
func (r *row) time(column, layout string) int64 {
	text := r.text(column)
	t, err := time.Parse(layout, text)
	if err != nil {
		r.fail(column, "%q is no time like %s", text, layout)
		return 0
	}
	return t.UnixNano()
}

func (r *row) fail(column, format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%s:%d: column %q: %s", r.file, r.line, column, fmt.Sprintf(format, args...))
	}
}

// hash turns an id into a member's hash: a bijection of 64 bits (the finaliser
// of SplitMix64, Steele, Lea and Flood 2014), so that no two ids meet.
func hash(id uint64) uint64 {
	id += 0x9e3779b97f4a7c15
	id = (id ^ id>>30) * 0xbf58476d1ce4e5b9
	id = (id ^ id>>27) * 0x94d049bb133111eb
	return id ^ id>>31
}
