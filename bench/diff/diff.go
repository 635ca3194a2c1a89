// Package diff holds two results of a benchmark against each other and says
// which differences are more than noise.
//
// It knows JSON with figures in it, and statistics. It must not know which
// benchmark made them.
package diff

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Samples are the figures of one file, by name: one value for each result in it.
// A name is the path of keys; items of lists go by what names them, such as their
// id, kind, rate or budget, else by their position.
type Samples struct {
	Names  []string // in the order of the file
	Values map[string][]float64
}

// Read reads the results of a file: one or several JSON objects, one after the
// other or in a list. The error says where the file is broken.
func Read(file string, r io.Reader) (*Samples, error) {
	s := &Samples{Values: make(map[string][]float64)}
	decoder := json.NewDecoder(r)
	results := 0
	for {
		var result any
		if err := decoder.Decode(&result); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("%s: byte %d: %w", file, decoder.InputOffset(), err)
		}
		list, ok := result.([]any)
		if !ok {
			list = []any{result}
		}
		for _, one := range list {
			if _, ok := one.(map[string]any); !ok {
				return nil, fmt.Errorf("%s: byte %d: a result must be an object", file, decoder.InputOffset())
			}
			s.gather("", one)
			results++
		}
	}
	if results == 0 {
		return nil, fmt.Errorf("%s: holds no result", file)
	}
	return s, nil
}

// gather takes in all figures below a value.
func (s *Samples) gather(name string, value any) {
	switch value := value.(type) {
	case float64:
		if s.Values[name] == nil {
			s.Names = append(s.Names, name)
		}
		s.Values[name] = append(s.Values[name], value)
	case map[string]any:
		for _, key := range sortedKeys(value) {
			s.gather(under(name, key), value[key])
		}
	case []any:
		taken := make(map[string]bool)
		for i, item := range value {
			own := label(item, i)
			if taken[own] { // else two items would pass for two samples of one
				own += "," + strconv.Itoa(i)
			}
			taken[own] = true
			s.gather(under(name, own), item)
		}
	}
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func under(name, key string) string {
	if name == "" {
		return key
	}
	return name + "." + key
}

// label names an item of a list by all that tells it from the others.
func label(item any, i int) string {
	object, _ := item.(map[string]any)
	var words []string
	for _, key := range []string{"id", "set", "name", "stratum", "app", "kind", "about", "apps", "rate", "budget_app_days", "app_days"} {
		switch v := object[key].(type) {
		case string:
			words = append(words, v)
		case float64:
			words = append(words, key+"="+strconv.FormatFloat(v, 'g', -1, 64))
		}
	}
	if len(words) == 0 {
		return strconv.Itoa(i)
	}
	return strings.Join(words, ",")
}

// Row compares one figure.
type Row struct {
	Name     string  `json:"name"`
	Old      Summary `json:"old"`
	New      Summary `json:"new"`
	Change   float64 `json:"change_percent"` // of the medians; 0 when the old one is 0
	P        float64 `json:"p"`              // that both come from one source; 1 when nothing can be said
	Differs  bool    `json:"differs"`
	Measured string  `json:"by"` // what Differs rests on: samples, intervals or nothing
}

// Summary is a figure's median with its interval.
type Summary struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	N      int     `json:"n"`
}

// level is the p-value from which on a difference counts.
const level = 0.05

// Files compares the figures that both files have, in the order of the old one.
func Files(before, after *Samples) []Row {
	var rows []Row
	for _, name := range before.Names {
		if after.Values[name] == nil || isBound(before, name) {
			continue
		}
		rows = append(rows, row(before, after, name))
	}
	return rows
}

// isBound tells whether a figure is the low or high end of another's interval.
func isBound(s *Samples, name string) bool {
	for _, end := range []string{"_low", "_high"} {
		if base, ok := strings.CutSuffix(name, end); ok && s.Values[base] != nil {
			return true
		}
	}
	return false
}

func row(before, after *Samples, name string) Row {
	a, b := before.Values[name], after.Values[name]
	r := Row{Name: name, Old: summarize(before, name), New: summarize(after, name), P: 1, Measured: "nothing"}
	if r.Old.Median != 0 {
		r.Change = 100 * (r.New.Median - r.Old.Median) / math.Abs(r.Old.Median)
	}
	switch {
	case len(a) >= 4 && len(b) >= 4:
		r.Measured, r.P = "samples", rankSum(a, b)
		r.Differs = r.P < level
	case before.Values[name+"_low"] != nil && after.Values[name+"_low"] != nil:
		r.Measured = "intervals"
		r.Differs = r.Old.High < r.New.Low || r.New.High < r.Old.Low
	}
	return r
}

// summarize takes the interval that the result states, else that of the median
// over the samples.
func summarize(s *Samples, name string) Summary {
	values := slices.Sorted(slices.Values(s.Values[name]))
	m := Summary{Median: median(values), N: len(values)}
	low, high := s.Values[name+"_low"], s.Values[name+"_high"]
	if len(low) > 0 && len(high) > 0 {
		m.Low, m.High = median(slices.Sorted(slices.Values(low))), median(slices.Sorted(slices.Values(high)))
		return m
	}
	i := medianRank(len(values))
	m.Low, m.High = values[i], values[len(values)-1-i]
	return m
}

func median(sorted []float64) float64 {
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}
