package memberwatch

import "context"

// Person names who acts: a reviewer, a service, or System. A [Token] proves the
// name; without tokens it is what the caller claims, and the service answers its
// own machine only.
type Person string

// System is memberwatch itself, where it acts by a rule and nobody asked.
const System Person = "memberwatch"

// MaxPersonBytes bounds the name of a person.
const MaxPersonBytes = 128

// Valid tells whether a caller can have the name: 1 to MaxPersonBytes printable
// ASCII letters, as headers can carry them, and not that of System.
func (p Person) Valid() bool {
	for i := range len(p) {
		if p[i] < ' ' || p[i] > '~' {
			return false
		}
	}
	return p != "" && len(p) <= MaxPersonBytes && p != System
}

// personKey is the key of the acting person in a context.
type personKey struct{}

// WithPerson returns a context in which a person acts.
func WithPerson(ctx context.Context, p Person) context.Context {
	return context.WithValue(ctx, personKey{}, p)
}

// PersonIn returns who acts in a context, empty when nobody said.
func PersonIn(ctx context.Context) Person {
	p, _ := ctx.Value(personKey{}).(Person)
	return p
}
