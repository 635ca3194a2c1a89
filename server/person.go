package server

import (
	"context"
	"fmt"
	"strings"
	"unicode"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/memberwatch/memberwatch"
)

// PersonKey is the metadata that names who makes a call. Nothing proves it: the
// service answers this machine only, and whoever reaches it is trusted.
const PersonKey = "memberwatch-person"

// withPerson returns the call's context with the person that its metadata names.
func withPerson(ctx context.Context) (context.Context, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	names := md.Get(PersonKey)
	if len(names) == 0 {
		return ctx, nil
	}
	name := names[len(names)-1]
	strange := strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) })
	if name == "" || len(name) > memberwatch.MaxPersonBytes || strange || name == string(memberwatch.System) {
		return nil, &memberwatch.ReasonError{
			Kind: memberwatch.ErrInvalid, Reason: "PERSON_INVALID", Message: fmt.Sprintf("%q cannot be the name of a person", name),
			Hint: fmt.Sprintf("send 1 to %d printable bytes other than %q as metadata %s", memberwatch.MaxPersonBytes, memberwatch.System, PersonKey),
		}
	}
	return memberwatch.WithPerson(ctx, memberwatch.Person(name)), nil
}

// personStream is a stream whose context names the person.
type personStream struct {
	grpc.ServerStream
	ctx context.Context
}

// Context returns the context with the person.
func (s personStream) Context() context.Context { return s.ctx }
