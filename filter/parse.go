package filter

import (
	"slices"
	"strings"
)

// parser reads the grammar by recursive descent, one method for each of its rules.
type parser[T any] struct {
	scanner
	fields []Field[T]
	terms  int
}

// filter reads: [ expression ].
func (p *parser[T]) filter() (predicate[T], error) {
	if p.done() {
		return func(*T) bool { return true }, nil
	}
	match, err := p.expression(0)
	if err == nil && !p.done() {
		err = invalid(p.at, "unexpected %q", p.rest())
	}
	return match, err
}

// expression reads: factor { [ "AND" ] factor }.
func (p *parser[T]) expression(depth int) (predicate[T], error) {
	var factors []predicate[T]
	for {
		factor, err := p.factor(depth)
		if err != nil {
			return nil, err
		}
		factors = append(factors, factor)
		if !p.keyword("AND") && (p.done() || p.peek() == ')') {
			return all(factors), nil
		}
	}
}

// factor reads: term { "OR" term }.
func (p *parser[T]) factor(depth int) (predicate[T], error) {
	var terms []predicate[T]
	for {
		term, err := p.term(depth)
		if err != nil {
			return nil, err
		}
		terms = append(terms, term)
		if !p.keyword("OR") {
			return some(terms), nil
		}
	}
}

// term reads: [ "NOT" | "-" ] ( "(" expression ")" | comparison ).
func (p *parser[T]) term(depth int) (predicate[T], error) {
	if depth > MaxDepth {
		return nil, invalid(p.at, "nested deeper than %d", MaxDepth)
	}
	if p.keyword("NOT") || p.symbol("-") {
		term, err := p.term(depth + 1)
		if err != nil {
			return nil, err
		}
		return not(term), nil
	}
	if !p.symbol("(") {
		return p.comparison()
	}
	match, err := p.expression(depth + 1)
	if err == nil && !p.symbol(")") {
		err = invalid(p.at, "missing )")
	}
	return match, err
}

// comparison reads: field operator value.
func (p *parser[T]) comparison() (predicate[T], error) {
	if p.terms++; p.terms > MaxTerms {
		return nil, invalid(p.at, "more than %d comparisons", MaxTerms)
	}
	p.space()
	at := p.at
	name := p.name()
	if name == "" {
		return nil, invalid(at, "expected a field, found %q", p.rest())
	}
	i := slices.IndexFunc(p.fields, func(f Field[T]) bool { return f.name == name })
	if i < 0 {
		return nil, invalid(at, "unknown field %q, fields are %s", name, p.known())
	}
	op, ok := p.operator()
	if !ok {
		return nil, invalid(p.at, "expected one of %s after field %q, found %q", strings.Join(operators, " "), name, p.rest())
	}
	at = p.at
	value, err := p.value()
	if err != nil {
		return nil, err
	}
	match, problem := p.fields[i].compare(op, value)
	if problem != "" {
		return nil, invalid(at, "field %q: %s", name, problem)
	}
	return match, nil
}

func (p *parser[T]) known() string {
	var names []string
	for _, f := range p.fields {
		names = append(names, f.name)
	}
	return strings.Join(names, ", ")
}
