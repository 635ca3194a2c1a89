package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// moment is a flag that holds a point in time: RFC 3339, a date (its start in
// UTC), "now", or an age such as 60d, 12h or 90m before now.
type moment struct {
	time time.Time
	text string
}

// String returns the flag as it was given.
func (m *moment) String() string { return m.text }

// Type names the flag's kind in help texts.
func (m *moment) Type() string { return "time" }

// Set takes a point in time.
func (m *moment) Set(text string) error {
	t, err := parseMoment(text, time.Now())
	if err != nil {
		return err
	}
	m.time, m.text = t.UTC(), text
	return nil
}

// proto returns the time for the contract; nil when the flag was not given.
func (m *moment) proto() *timestamppb.Timestamp {
	if m.time.IsZero() {
		return nil
	}
	return timestamppb.New(m.time)
}

func parseMoment(text string, now time.Time) (time.Time, error) {
	if text == "now" {
		return now, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t, nil
	}
	age, err := parseDuration(text)
	if err != nil || age < 0 {
		return time.Time{}, fmt.Errorf("%q is no time: write 2026-01-31, 2026-01-31T12:00:00Z, now, or an age such as 60d or 12h", text)
	}
	return now.Add(-age), nil
}

// duration is a flag like time.Duration that also takes days.
type duration struct{ time.Duration }

// Type names the flag's kind in help texts.
func (d *duration) Type() string { return "duration" }

// Set takes a length of time such as 36h or 14d.
func (d *duration) Set(text string) (err error) {
	d.Duration, err = parseDuration(text)
	return err
}

// UnmarshalYAML reads a length of time from a config file as flags do.
func (d *duration) UnmarshalYAML(node ast.Node) error {
	if err := d.Set(node.GetToken().Value); err != nil {
		return &yaml.SyntaxError{Message: err.Error(), Token: node.GetToken()}
	}
	return nil
}

func parseDuration(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, fmt.Errorf("%q is no number of days", text)
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%q is no length of time: write 90s, 36h or 14d", text)
	}
	return d, nil
}
