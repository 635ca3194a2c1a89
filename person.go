package memberwatch

import "context"

// Person names who acts on the review side: a reviewer as the caller gives it,
// or System. Nothing proves the name yet: the service answers this machine only.
type Person string

// System is memberwatch itself, where it acts by a rule and nobody asked.
const System Person = "memberwatch"

// MaxPersonBytes bounds the name of a person.
const MaxPersonBytes = 128

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
