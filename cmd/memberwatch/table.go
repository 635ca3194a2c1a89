package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

// table is text in columns for people, made to be read at 100 columns.
type table struct {
	columns []column
	rows    []row
}

// column is a heading and on which side its cells end.
type column struct {
	name  string
	right bool
}

// row is one line of cells and perhaps a sentence below it.
type row struct {
	cells []string
	note  string
}

// left and right make columns.
func left(name string) column  { return column{name: name} }
func right(name string) column { return column{name: name, right: true} }

// add appends a line.
func (t *table) add(cells ...string) { t.rows = append(t.rows, row{cells: cells}) }

// addNoted appends a line with a sentence below.
func (t *table) addNoted(note string, cells ...string) {
	t.rows = append(t.rows, row{cells: cells, note: note})
}

// writeTo prints the table; a table without rows prints nothing.
func (t *table) writeTo(w io.Writer) error {
	if len(t.rows) == 0 {
		return nil
	}
	head := row{}
	for _, c := range t.columns {
		head.cells = append(head.cells, c.name)
	}
	all := append([]row{head}, t.rows...)
	widths := make([]int, len(t.columns))
	for _, r := range all {
		for i, cell := range r.cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, r := range all {
		b.WriteString(t.line(r.cells, widths))
		if r.note != "" {
			b.WriteString(indent(r.note, "    "))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// line aligns one line of cells.
func (t *table) line(cells []string, widths []int) string {
	var b strings.Builder
	for i, cell := range cells {
		if i > 0 {
			b.WriteString("  ")
		}
		pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
		if t.columns[i].right {
			b.WriteString(pad + cell)
		} else {
			b.WriteString(cell + pad)
		}
	}
	return strings.TrimRight(b.String(), " ") + "\n"
}

// pageWidth is how many columns text for people takes.
const pageWidth = 100

// indent breaks a text into lines of at most pageWidth columns, each behind a margin.
func indent(text, margin string) string {
	var b strings.Builder
	line := margin
	for word := range strings.FieldsSeq(text) {
		if line != margin && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > pageWidth {
			b.WriteString(line + "\n")
			line = margin
		}
		if line != margin {
			line += " "
		}
		line += word
	}
	return b.String() + line + "\n"
}

// number writes an integer with thousands separators.
func number[T int | int32 | int64 | uint64](n T) string {
	digits := strconv.FormatInt(int64(n), 10)
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// decimal writes a quantity: whole from 10 on, with one place below.
func decimal(x float64) string {
	if x = math.Round(10*x) / 10; math.Abs(x) >= 10 || x == math.Trunc(x) {
		return number(int64(math.Round(x)))
	}
	return strconv.FormatFloat(x, 'f', 1, 64)
}

// estimate writes a count, with its interval unless it is exact.
func estimate(e *pb.Estimate) string {
	if e.GetLow() == e.GetHigh() {
		return decimal(e.GetValue())
	}
	return fmt.Sprintf("%s (%s-%s)", decimal(e.GetValue()), decimal(e.GetLow()), decimal(e.GetHigh()))
}

// instant writes a time in UTC, or a dash for none.
func instant(t *timestamppb.Timestamp) string {
	if t == nil {
		return "-"
	}
	return t.AsTime().UTC().Format(time.RFC3339)
}

// date writes the UTC day of a time, or a dash for none.
func date(t *timestamppb.Timestamp) string {
	if t == nil {
		return "-"
	}
	return t.AsTime().UTC().Format(time.DateOnly)
}

// dash stands in for an empty text.
func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// byteSize writes a number of bytes with a unit.
func byteSize(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	default:
		return fmt.Sprintf("%d B", n)
	}
}
