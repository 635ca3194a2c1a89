// Package filter selects from lists by the filter language of AIP-160 (https://google.aip.dev/160): comparisons of
// fields with values, joined by AND, OR, NOT and parentheses. It knows the language and nothing of what is listed; who
// lists something names its fields, each with a function that reads it.
//
// As in the AIP, OR binds tighter than AND, terms side by side are joined like AND, and - is short for NOT:
//
//	severity >= HIGH AND kind = "volume-*" OR app = crm
//
// means a severity of HIGH or more and, with it, a volume kind or the app crm. Calls to functions, traversal of nested
// fields and bare values without a field are left out.
package filter

import (
	"fmt"
	"strconv"

	"github.com/memberwatch/memberwatch"
)

// Bounds of a filter: what people write stays far below, and no filter costs much to parse or to match.
const (
	// MaxBytes is the longest text of a filter.
	MaxBytes = 4096
	// MaxTerms is the largest number of comparisons.
	MaxTerms = 64
	// MaxDepth is the deepest nesting of parentheses and negations.
	MaxDepth = 16
)

// Filter is a parsed filter over values of type T. It is safe for concurrent use.
type Filter[T any] struct{ match predicate[T] }

// predicate decides over one value.
type predicate[T any] func(*T) bool

// Match tells whether a value passes the filter. It allocates nothing.
func (f *Filter[T]) Match(v *T) bool { return f.match(v) }

// Parse reads a filter over the given fields. An empty text lets everything pass. An error is a *memberwatch.ReasonError
// of kind memberwatch.ErrInvalid that says where the text is wrong and what is known instead.
func Parse[T any](text string, fields []Field[T]) (*Filter[T], error) {
	if len(text) > MaxBytes {
		return nil, invalid(0, "filter has %d bytes, the limit is %d", len(text), MaxBytes)
	}
	p := parser[T]{scanner: scanner{text: text}, fields: fields}
	match, err := p.filter()
	if err != nil {
		return nil, err
	}
	return &Filter[T]{match: match}, nil
}

func all[T any](terms []predicate[T]) predicate[T] {
	if len(terms) == 1 {
		return terms[0]
	}
	return func(v *T) bool {
		for _, term := range terms {
			if !term(v) {
				return false
			}
		}
		return true
	}
}

func some[T any](terms []predicate[T]) predicate[T] {
	if len(terms) == 1 {
		return terms[0]
	}
	return func(v *T) bool {
		for _, term := range terms {
			if term(v) {
				return true
			}
		}
		return false
	}
}

func not[T any](term predicate[T]) predicate[T] {
	return func(v *T) bool { return !term(v) }
}

// invalid says what is wrong at a byte of the text, counted from 0.
func invalid(at int, format string, args ...any) error {
	return &memberwatch.ReasonError{
		Kind:     memberwatch.ErrInvalid,
		Reason:   "FILTER_INVALID",
		Message:  fmt.Sprintf("filter, at byte %d: ", at) + fmt.Sprintf(format, args...),
		Hint:     `write filters such as: state = OPEN AND severity >= HIGH`,
		Metadata: map[string]string{"position": strconv.Itoa(at)},
	}
}
