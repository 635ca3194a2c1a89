package filter

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Field is a field by which values of type T can be filtered. Make one with Text, Name, Enum, Number, Bool or Time.
type Field[T any] struct {
	name string
	// compare returns the predicate for an operator and a value, or says what is wrong with them.
	compare func(op string, v value) (match predicate[T], problem string)
}

// Text returns a field of text. It is equal to a value where all of it is; * in the value stands for any text, also for
// none. The operator : looks for the value inside the text, in any case of letters, and :* asks for text at all. < and
// its like go by bytes.
func Text[T any](name string, read func(*T) string) Field[T] { return Name(name, "", read) }

// Name returns a field of text that holds an id, which values may also write as a resource name: with the collection
// apps/, the values crm and apps/crm are the same.
func Name[T any](name, collection string, read func(*T) string) Field[T] {
	return Field[T]{name, func(op string, v value) (predicate[T], string) {
		v.pieces = slices.Clone(v.pieces)
		v.pieces[0] = strings.TrimPrefix(v.pieces[0], collection)
		switch op {
		case "=":
			return func(t *T) bool { return v.covers(read(t)) }, ""
		case "!=":
			return func(t *T) bool { return !v.covers(read(t)) }, ""
		case ":":
			return contains(v, read)
		}
		if len(v.pieces) > 1 {
			return nil, fmt.Sprintf("%s takes no wildcard", op)
		}
		return ordered(op, v.pieces[0], read), ""
	}}
}

// Enum returns a field with named values, lowest first; read returns the place of the value in names. A value may also
// carry the prefix that it has in the contract: HIGH and SEVERITY_HIGH are the same in a field severity.
func Enum[T any](name string, names []string, read func(*T) int) Field[T] {
	prefix := strings.ToUpper(name) + "_"
	return Field[T]{name, func(op string, v value) (predicate[T], string) {
		place := slices.Index(names, strings.TrimPrefix(v.String(), prefix))
		if place < 0 {
			return nil, fmt.Sprintf("unknown value %q, values are %s", v, strings.Join(names, ", "))
		}
		return ordered(op, place, read), ""
	}}
}

// Number returns a field with a number.
func Number[T any](name string, read func(*T) float64) Field[T] {
	return Field[T]{name, func(op string, v value) (predicate[T], string) {
		n, err := strconv.ParseFloat(v.String(), 64)
		if err != nil || n != n {
			return nil, fmt.Sprintf("%q is not a number", v)
		}
		return ordered(op, n, read), ""
	}}
}

// Bool returns a field that is true or false.
func Bool[T any](name string, read func(*T) bool) Field[T] {
	return Field[T]{name, func(op string, v value) (predicate[T], string) {
		want := v.String() == "true"
		switch {
		case !want && v.String() != "false":
			return nil, fmt.Sprintf("%q is neither true nor false", v)
		case op == "=" || op == ":":
			return func(t *T) bool { return read(t) == want }, ""
		case op == "!=":
			return func(t *T) bool { return read(t) != want }, ""
		}
		return nil, fmt.Sprintf("%s does not apply to true and false", op)
	}}
}

// Time returns a field with a time, in nanoseconds since the epoch. Values are written in RFC 3339, or as a date, which
// means its first instant in UTC.
func Time[T any](name string, read func(*T) int64) Field[T] {
	return Field[T]{name, func(op string, v value) (predicate[T], string) {
		at, err := time.Parse(time.RFC3339, v.String())
		if err != nil {
			at, err = time.Parse(time.DateOnly, v.String())
		}
		if err != nil || at.Year() < 1678 || at.Year() > 2261 { // the years that 64 bits of nanoseconds can hold
			return nil, fmt.Sprintf("%q is not a time: write it as 2026-03-01T15:04:05Z or 2026-03-01", v)
		}
		return ordered(op, at.UnixNano(), read), ""
	}}
}

// ordered compares what has an order.
func ordered[T any, V cmp.Ordered](op string, want V, read func(*T) V) predicate[T] {
	switch op {
	case "!=":
		return func(t *T) bool { return read(t) != want }
	case "<":
		return func(t *T) bool { return read(t) < want }
	case "<=":
		return func(t *T) bool { return read(t) <= want }
	case ">":
		return func(t *T) bool { return read(t) > want }
	case ">=":
		return func(t *T) bool { return read(t) >= want }
	default: // = and :
		return func(t *T) bool { return read(t) == want }
	}
}

// contains looks for a value inside text.
func contains[T any](v value, read func(*T) string) (predicate[T], string) {
	if v.String() == "*" {
		return func(t *T) bool { return read(t) != "" }, ""
	}
	if len(v.pieces) > 1 {
		return nil, ": takes no wildcard but * alone"
	}
	want := v.pieces[0]
	return func(t *T) bool { return containsFold(read(t), want) }, ""
}

// containsFold tells whether part lies in text in any case. It compares at each rune and allocates nothing.
func containsFold(text, part string) bool {
	if part == "" {
		return true
	}
	for i := range text {
		if end := i + len(part); end <= len(text) && strings.EqualFold(text[i:end], part) {
			return true
		}
	}
	return false
}

// covers tells whether text is the value, its wildcards filled in.
func (v value) covers(text string) bool {
	last := len(v.pieces) - 1
	if last == 0 {
		return text == v.pieces[0]
	}
	rest, ok := strings.CutPrefix(text, v.pieces[0])
	if !ok {
		return false
	}
	for _, piece := range v.pieces[1:last] {
		if _, rest, ok = strings.Cut(rest, piece); !ok { // the leftmost place leaves most for the rest
			return false
		}
	}
	return strings.HasSuffix(rest, v.pieces[last])
}
