package server

import (
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/memberwatch/memberwatch"
)

// Metadata of a call that says who makes it.
const (
	// PersonKey names the person. Nothing proves it, so it only counts where no token was ever made.
	PersonKey = "memberwatch-person"
	// TokenKey holds "Bearer " and a token, which proves the person.
	TokenKey = "authorization"
)

// bearer begins what TokenKey holds.
const bearer = "Bearer "

// Access knows who may call.
type Access interface {
	// Proves tells whether callers must prove who they are.
	Proves(ctx context.Context) (bool, error)
	// Identify returns whose a token is.
	Identify(ctx context.Context, token string) (memberwatch.Caller, error)
	// ComeIn writes down that a caller came in from an address, if that is news.
	ComeIn(ctx context.Context, c memberwatch.Caller, from string) error
	// Make makes a token in a person's name and returns it with the text for its bearer.
	Make(ctx context.Context, by memberwatch.Person, want memberwatch.Token) (memberwatch.Token, string, error)
	// Revoke ends a token.
	Revoke(ctx context.Context, by memberwatch.Person, id memberwatch.TokenID, comment string) (memberwatch.Token, error)
	// Tokens returns up to limit tokens that match and come before a number, the newest first.
	Tokens(ctx context.Context, before int64, limit int, match func(*memberwatch.Token) bool) ([]memberwatch.Token, error)
}

// admit returns the call's context with the person who makes it, or says why the call is refused.
func (s *Server) admit(ctx context.Context, method string, request any) (context.Context, error) {
	if strings.HasPrefix(method, "/"+healthpb.Health_ServiceDesc.ServiceName+"/") {
		return ctx, nil // load balancers have no names
	}
	caller, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	inContract := strings.HasPrefix(method, "/memberwatch.")
	if roles := rolesFor(method, request); caller.Proven() && inContract && !caller.HasAny(roles) {
		err := denied(caller, method, roles)
		s.options.Log.Warn("call refused", "person", caller.Person, "token", caller.Token, "method", method)
		return nil, err
	}
	if s.options.Access != nil {
		// With a full disk people must still see what is wrong: what gives evidence away has a line of its own, without
		// which it is refused.
		if err := s.options.Access.ComeIn(ctx, caller, remote(ctx)); err != nil {
			s.options.Log.Warn("login not written down yet", "person", caller.Person, "error", err)
		}
	}
	if caller.Person == "" {
		return ctx, nil
	}
	return memberwatch.WithPerson(ctx, caller.Person), nil
}

// caller returns who makes a call: whom a token proves, or where no token was ever made, whom the metadata names.
func (s *Server) caller(ctx context.Context) (c memberwatch.Caller, err error) {
	claimed, err := claimedPerson(ctx)
	if err != nil {
		return c, err
	}
	token, given := strings.CutPrefix(newest(ctx, TokenKey), bearer)
	proves := false
	if s.options.Access != nil {
		if proves, err = s.options.Access.Proves(ctx); err != nil {
			return c, err
		}
	}
	switch {
	case !proves:
		return memberwatch.Caller{Person: claimed}, nil
	case !given:
		return c, &memberwatch.ReasonError{
			Kind: memberwatch.ErrUnidentified, Reason: "TOKEN_MISSING", Message: "this service needs a token",
			Hint: "send it as metadata authorization: Bearer mwt_..., on the command line by --token-file or MEMBERWATCH_TOKEN",
		}
	}
	if c, err = s.options.Access.Identify(ctx, token); err != nil {
		return c, err
	}
	if claimed != "" && claimed != c.Person {
		return c, &memberwatch.ReasonError{
			Kind: memberwatch.ErrDenied, Reason: "PERSON_NOT_PROVEN", Message: fmt.Sprintf("the token is of %q and does not prove %q", c.Person, claimed),
			Hint: "leave the name out: the token says it",
		}
	}
	return c, nil
}

// claimedPerson returns the person that the metadata names, nobody if it names none.
func claimedPerson(ctx context.Context) (memberwatch.Person, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	names := md.Get(PersonKey)
	if len(names) == 0 {
		return "", nil
	}
	name := memberwatch.Person(names[len(names)-1])
	if !name.Valid() {
		return "", &memberwatch.ReasonError{
			Kind: memberwatch.ErrInvalid, Reason: "PERSON_INVALID", Message: fmt.Sprintf("%q cannot be the name of a person", name),
			Hint: fmt.Sprintf("send 1 to %d printable ASCII letters other than %q as metadata %s", memberwatch.MaxPersonBytes, memberwatch.System, PersonKey),
		}
	}
	return name, nil
}

// newest returns the last value of a key in the call's metadata.
func newest(ctx context.Context, key string) string {
	md, _ := metadata.FromIncomingContext(ctx)
	values := md.Get(key)
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

// remote returns where a call comes from.
func remote(ctx context.Context) string {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return ""
	}
	return p.Addr.Network() + ":" + p.Addr.String()
}

func denied(c memberwatch.Caller, method string, roles []memberwatch.Role) error {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = r.String()
	}
	need := strings.Join(names, ", ")
	return &memberwatch.ReasonError{
		Kind: memberwatch.ErrDenied, Reason: "ROLE_MISSING", Message: fmt.Sprintf("%q may not call %s", c.Person, method[strings.LastIndexByte(method, '/')+1:]),
		Hint:     "it needs one of the roles " + need,
		Metadata: map[string]string{"method": method, "roles": need, "person": string(c.Person)},
	}
}

// stream is a stream whose context names the person, and ends when the token does.
type stream struct {
	grpc.ServerStream
	ctx context.Context
}

// Context returns the context with the person.
func (s stream) Context() context.Context { return s.ctx }

// watchToken cancels a stream when its caller would not be let in any more. It returns when the context ends.
func (s *Server) watchToken(ctx context.Context, method string, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(s.options.Recheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if _, err := s.admit(ctx, method, nil); err != nil {
				cancel(err)
				return
			}
		}
	}
}
