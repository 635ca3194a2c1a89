package server

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/memberwatch/memberwatch"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

// TestEveryCallHasItsRoles compares the table with the contract.
func TestEveryCallHasItsRoles(t *testing.T) {
	known := make(map[string]bool)
	protoregistry.GlobalFiles.RangeFilesByPackage("memberwatch.v1", func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				method := "/" + string(service.FullName()) + "/" + string(service.Methods().Get(j).Name())
				known[method] = true
				if len(permissions[method].roles) == 0 {
					t.Errorf("%s has no roles: add a line to permissions", method)
				}
			}
		}
		return true
	})
	for method := range permissions {
		if !known[method] {
			t.Errorf("%s has a line in permissions, but is no call of the contract", method)
		}
	}
	if len(known) < 40 {
		t.Errorf("only %d calls were found", len(known))
	}
}

// by returns a context that shows a token.
func by(ctx context.Context, token string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, TokenKey, bearer+token)
}

// token makes a token through the service.
func (s *system) token(t testing.TB, ctx context.Context, person string, roles ...pb.Role) (name, secret string) {
	t.Helper()
	m, err := pb.NewAdminServiceClient(s).CreateToken(ctx, &pb.CreateTokenRequest{Token: &pb.Token{Person: person, Roles: roles}})
	if err != nil {
		t.Fatal(err)
	}
	return m.GetToken().GetName(), m.GetSecret()
}

func TestTokensProveWhoCalls(t *testing.T) {
	s := start(t, Options{})
	admin, registry := pb.NewAdminServiceClient(s), pb.NewRegistryServiceClient(s)
	_, err := admin.CreateToken(as(t.Context(), "lea"), &pb.CreateTokenRequest{Token: &pb.Token{Person: "ana", Roles: []pb.Role{pb.Role_ROLE_REVIEWER}}})
	expect(t, err, codes.FailedPrecondition, "FIRST_TOKEN_NOT_ADMIN")
	if _, err := registry.ListApps(t.Context(), &pb.ListAppsRequest{}); err != nil {
		t.Errorf("without tokens: %v", err)
	}
	first, secret := s.token(t, as(t.Context(), "lea"), "lea", pb.Role_ROLE_ADMIN)
	lea := by(t.Context(), secret)
	_, secret = s.token(t, lea, "gw-1", pb.Role_ROLE_PRODUCER)
	gateway := by(t.Context(), secret)
	for name, test := range map[string]struct {
		ctx    context.Context
		code   codes.Code
		reason string
	}{
		"none":          {t.Context(), codes.Unauthenticated, "TOKEN_MISSING"},
		"a name":        {as(t.Context(), "lea"), codes.Unauthenticated, "TOKEN_MISSING"},
		"nonsense":      {by(t.Context(), "let me in"), codes.Unauthenticated, "TOKEN_UNKNOWN"},
		"a guess":       {by(t.Context(), "mwt_t1_guess"), codes.Unauthenticated, "TOKEN_UNKNOWN"},
		"of no token":   {by(t.Context(), "mwt_t99_guess"), codes.Unauthenticated, "TOKEN_UNKNOWN"},
		"another name":  {as(lea, "ana"), codes.PermissionDenied, "PERSON_NOT_PROVEN"},
		"another role":  {gateway, codes.PermissionDenied, "ROLE_MISSING"},
		"role and name": {as(lea, "lea"), codes.OK, ""},
		"role":          {lea, codes.OK, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := registry.ListApps(test.ctx, &pb.ListAppsRequest{})
			expect(t, err, test.code, test.reason)
		})
	}
	if _, err := healthpb.NewHealthClient(s).Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil {
		t.Errorf("health needs no token: %v", err)
	}
	stream, err := pb.NewIngestServiceClient(s).AppendEvents(lea)
	if err == nil {
		_, err = stream.Recv()
	}
	expect(t, err, codes.PermissionDenied, "ROLE_MISSING")
	_, err = admin.RevokeToken(lea, &pb.RevokeTokenRequest{Name: first})
	expect(t, err, codes.FailedPrecondition, "LAST_ADMIN")
}

// TestTheSecondPersonIsProven shows that neither a name nor a second token of one person lets an app be stopped.
func TestTheSecondPersonIsProven(t *testing.T) {
	s := start(t, Options{})
	_, secret := s.token(t, as(t.Context(), "root"), "root", pb.Role_ROLE_ADMIN)
	root := by(t.Context(), secret)
	tokens := make(map[string]context.Context)
	for _, who := range []struct {
		key, person string
		role        pb.Role
	}{
		{"ana", "ana", pb.Role_ROLE_LEAD},
		{"ana again", "ana", pb.Role_ROLE_LEAD},
		{"ben", "ben", pb.Role_ROLE_LEAD},
		{"cleo", "cleo", pb.Role_ROLE_REVIEWER},
		{"gate", "gate", pb.Role_ROLE_PLATFORM},
	} {
		_, secret := s.token(t, root, who.person, who.role)
		tokens[who.key] = by(t.Context(), secret)
	}
	cases := pb.NewCaseServiceClient(s)
	opened, err := cases.OpenCase(tokens["ana"], &pb.OpenCaseRequest{App: "apps/quizfun", Title: "a look"})
	if err != nil {
		t.Fatal(err)
	}
	name := opened.GetCase().GetName()
	verdict := &pb.Decision{Action: pb.Action_ACTION_DECIDE, Verdict: pb.Verdict_VERDICT_ABUSE, Reason: "harvesting", Comment: "seen"}
	for _, d := range []*pb.Decision{{Action: pb.Action_ACTION_CLAIM}, verdict} {
		if _, err := cases.DecideCase(tokens["ana"], &pb.DecideCaseRequest{Name: name, Decision: d}); err != nil {
			t.Fatal(err)
		}
	}
	m, err := cases.ProposeRemediation(tokens["ana"], &pb.ProposeRemediationRequest{Case: name, Kind: pb.Remediation_KIND_RESTRICT_APP})
	if err != nil {
		t.Fatal(err)
	}
	take := func(who string, move pb.Move) error {
		_, err := cases.AdvanceRemediation(tokens[who], &pb.AdvanceRemediationRequest{Name: m.GetRemediation().GetName(), Move: move})
		return err
	}
	expect(t, take("ana", pb.Move_MOVE_APPROVE), codes.FailedPrecondition, "SECOND_PERSON_NEEDED")
	expect(t, take("ana again", pb.Move_MOVE_APPROVE), codes.FailedPrecondition, "SECOND_PERSON_NEEDED")
	expect(t, take("cleo", pb.Move_MOVE_APPROVE), codes.PermissionDenied, "ROLE_MISSING")
	expect(t, take("gate", pb.Move_MOVE_APPROVE), codes.PermissionDenied, "ROLE_MISSING")
	expect(t, take("ben", pb.Move_MOVE_APPROVE), codes.OK, "")
	expect(t, take("gate", pb.Move_MOVE_ACKNOWLEDGE), codes.OK, "")
	expect(t, take("gate", pb.Move_MOVE_VERIFY), codes.PermissionDenied, "ROLE_MISSING")
	list, err := pb.NewAdminServiceClient(s).ListAuditEntries(root, &pb.ListAuditEntriesRequest{PageSize: 1000})
	if err != nil {
		t.Fatal(err)
	}
	logins := make(map[string]int)
	for _, leaf := range list.GetEntries() {
		e, err := memberwatch.ParseAuditEntry(leaf)
		if err != nil {
			t.Fatal(err)
		}
		if e.Action == "login" && strings.Contains(string(e.Detail), `"proven":true`) {
			logins[string(e.Person)]++
		}
	}
	if logins["ana"] != 2 || logins["gate"] != 1 || logins["cleo"] != 0 {
		t.Errorf("logins, one for each token: %v", logins)
	}
}

// TestOthersReachOnlyWhatIsSafe asks for both: TLS, and tokens.
func TestOthersReachOnlyWhatIsSafe(t *testing.T) {
	s := start(t, Options{})
	outside := &net.TCPAddr{IP: net.IPv4zero, Port: 7443}
	reach := func(secured *tls.Config) error {
		o := Options{TLS: secured, Access: s.server.options.Access}
		other := New(s.monitor, o)
		defer func() {
			if err := other.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
		}()
		return other.CheckReach(t.Context(), outside)
	}
	expect(t, toStatus(reach(nil)).Err(), codes.InvalidArgument, "ADDRESS_NOT_LOCAL")
	expect(t, toStatus(reach(&tls.Config{})).Err(), codes.InvalidArgument, "TOKENS_MISSING")
	s.token(t, as(t.Context(), "root"), "root", pb.Role_ROLE_ADMIN)
	expect(t, toStatus(reach(nil)).Err(), codes.InvalidArgument, "ADDRESS_NOT_LOCAL")
	if err := reach(&tls.Config{}); err != nil {
		t.Errorf("with both: %v", err)
	}
}

// TestARevokedTokenEndsItsStreams lets one be revoked while it reads.
func TestARevokedTokenEndsItsStreams(t *testing.T) {
	s := start(t, Options{Recheck: 10 * time.Millisecond, Bookmark: time.Hour})
	_, secret := s.token(t, as(t.Context(), "root"), "root", pb.Role_ROLE_ADMIN)
	root := by(t.Context(), secret)
	name, secret := s.token(t, root, "ana", pb.Role_ROLE_AUDITOR)
	feed, err := pb.NewSignalServiceClient(s).WatchSignals(by(t.Context(), secret), &pb.WatchSignalsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := feed.Recv(); err != nil { // the bookmark after the snapshot
		t.Fatal(err)
	}
	if _, err := pb.NewAdminServiceClient(s).RevokeToken(root, &pb.RevokeTokenRequest{Name: name, Comment: "left"}); err != nil {
		t.Fatal(err)
	}
	_, err = feed.Recv()
	expect(t, err, codes.Unauthenticated, "TOKEN_UNKNOWN")
	_, err = pb.NewAdminServiceClient(s).RevokeToken(root, &pb.RevokeTokenRequest{Name: name})
	expect(t, err, codes.FailedPrecondition, "TOKEN_REVOKED")
}
