package scenario

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// Range is a number in a scenario file: either fixed, such as 7, or drawn anew
// for each incident, such as 20..2000. A range whose ends are ten or more times
// apart is drawn evenly on a logarithmic scale, others evenly.
type Range struct {
	Low, High float64
	place
}

// Period is a length of time in a scenario file, such as 90m, 36h, 41d or 2w,
// or a range of them, such as 1h..72h, drawn like a Range.
type Period struct {
	Low, High time.Duration
	place
}

// place is where in its file a value stands; the zero place means that the
// file does not give the value.
type place struct{ line, column int }

// Given tells whether the file gives the value.
func (p place) Given() bool { return p.given() }

func (p place) given() bool { return p.line > 0 }

func placeOf(node ast.Node) place {
	at := node.GetToken().Position
	return place{line: at.Line, column: at.Column}
}

// valueError is a value that cannot be read, with its place.
type valueError struct {
	place
	message string
}

func (e *valueError) Error() string { return e.message }

// UnmarshalYAML reads a number or a range of numbers.
func (r *Range) UnmarshalYAML(node ast.Node) error {
	r.place = placeOf(node)
	text := node.String()
	low, high := ends(text)
	var err error
	if r.Low, err = number(low); err == nil {
		r.High, err = number(high)
	}
	if err != nil {
		return &valueError{r.place, fmt.Sprintf("%q is no number and no range such as 20..2000", text)}
	}
	if r.Low > r.High || r.Low < 0 {
		return &valueError{r.place, fmt.Sprintf("range %q must rise and not be negative", text)}
	}
	return nil
}

// UnmarshalYAML reads a length of time or a range of them.
func (p *Period) UnmarshalYAML(node ast.Node) error {
	p.place = placeOf(node)
	text := node.String()
	low, high := ends(text)
	var err error
	if p.Low, err = period(low); err == nil {
		p.High, err = period(high)
	}
	if err != nil {
		return &valueError{p.place, fmt.Sprintf("%q is no length of time such as 90m, 36h, 41d, 2w or 1h..72h", text)}
	}
	if p.Low > p.High || p.Low < 0 {
		return &valueError{p.place, fmt.Sprintf("period %q must rise and not be negative", text)}
	}
	return nil
}

func ends(text string) (low, high string) {
	low, high, isRange := strings.Cut(text, "..")
	if !isRange {
		return low, low
	}
	return low, high
}

func number(text string) (float64, error) {
	v, err := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64)
	if err == nil && (math.IsNaN(v) || math.IsInf(v, 0)) {
		return 0, strconv.ErrRange
	}
	return v, err
}

// period reads a duration in Go's notation, extended by d and w.
func period(text string) (time.Duration, error) {
	for suffix, unit := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		if count, ok := strings.CutSuffix(text, suffix); ok {
			v, err := number(count)
			return time.Duration(v * float64(unit)), err
		}
	}
	return time.ParseDuration(text)
}

// draw returns a value of the range.
func (r Range) draw(d *dice) float64 {
	u := d.float()
	if r.Low > 0 && r.High >= 10*r.Low {
		return r.Low * math.Pow(r.High/r.Low, u)
	}
	return r.Low + u*(r.High-r.Low)
}

// or returns the range, or a fixed value when the file gives none.
func (r Range) or(value float64) Range {
	if r.given() {
		return r
	}
	return Range{Low: value, High: value}
}

// draw returns a length of the period, in whole minutes when it has any.
func (p Period) draw(d *dice) time.Duration {
	drawn := time.Duration(Range{Low: float64(p.Low), High: float64(p.High)}.draw(d))
	if drawn > time.Minute {
		return drawn.Truncate(time.Minute)
	}
	return drawn
}
