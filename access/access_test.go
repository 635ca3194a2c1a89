package access_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/access"
	"github.com/memberwatch/memberwatch/store"
)

// open returns the tokens of a fresh data directory, and the directory's files.
func open(t *testing.T) (*access.Service, *store.Store) {
	t.Helper()
	files, err := store.Open(t.TempDir(), store.Options{Partitions: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := files.Close(); err != nil {
			t.Error(err)
		}
	})
	return access.Open(files.Platform), files
}

func reason(err error) string {
	e, _ := errors.AsType[*memberwatch.ReasonError](err)
	if e == nil {
		return fmt.Sprint(err)
	}
	return e.Reason
}

func TestMakeRefuses(t *testing.T) {
	s, _ := open(t)
	roles := []memberwatch.Role{memberwatch.RoleAdmin}
	for name, test := range map[string]struct {
		want   memberwatch.Token
		reason string
	}{
		"no person":      {memberwatch.Token{Roles: roles}, "PERSON_INVALID"},
		"memberwatch":    {memberwatch.Token{Person: memberwatch.System, Roles: roles}, "PERSON_INVALID"},
		"no ASCII":       {memberwatch.Token{Person: "Zoë", Roles: roles}, "PERSON_INVALID"},
		"no role":        {memberwatch.Token{Person: "ana"}, "ROLES_INVALID"},
		"unknown role":   {memberwatch.Token{Person: "ana", Roles: []memberwatch.Role{99}}, "ROLES_INVALID"},
		"a role twice":   {memberwatch.Token{Person: "ana", Roles: []memberwatch.Role{5, 5}}, "ROLES_INVALID"},
		"expired":        {memberwatch.Token{Person: "ana", Roles: roles, Expires: time.Now().Add(-time.Hour)}, "EXPIRY_INVALID"},
		"first no admin": {memberwatch.Token{Person: "ana", Roles: []memberwatch.Role{memberwatch.RoleLead}}, "FIRST_TOKEN_NOT_ADMIN"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := s.Make(t.Context(), "root", test.want); reason(err) != test.reason {
				t.Errorf("error %v, want %s", err, test.reason)
			}
		})
	}
	if proves, err := s.Proves(t.Context()); proves || err != nil {
		t.Errorf("nobody has a token, but it proves: %v, %v", proves, err)
	}
}

func TestTokensLiveAndDie(t *testing.T) {
	s, files := open(t)
	_, root, err := s.Make(t.Context(), "root", memberwatch.Token{Person: "root", Roles: []memberwatch.Role{memberwatch.RoleAdmin}})
	if err != nil {
		t.Fatal(err)
	}
	made, text, err := s.Make(t.Context(), "root", memberwatch.Token{
		Person: "ana", Roles: []memberwatch.Role{memberwatch.RoleAuditor, memberwatch.RoleReviewer}, Expires: time.Now().Add(200 * time.Millisecond),
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Identify(t.Context(), text)
	if err != nil || c.Person != "ana" || c.Token != made.ID || !c.HasAny([]memberwatch.Role{memberwatch.RoleReviewer}) || c.HasAny([]memberwatch.Role{memberwatch.RoleLead}) {
		t.Errorf("identified %+v: %v", c, err)
	}
	for name, bad := range map[string]string{
		"another secret": memberwatch.FormatToken(made.ID, strings.Repeat("A", 43)), "another's secret": strings.Replace(root, "_t1_", "_t2_", 1),
		"no token": "ana", "empty": "", "shortened": text[:len(text)-1],
	} {
		if _, err := s.Identify(t.Context(), bad); !errors.Is(err, memberwatch.ErrUnidentified) || reason(err) != "TOKEN_UNKNOWN" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for range 3 { // one line for all
		if err := s.ComeIn(t.Context(), c, "unix:"); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := files.Platform.AuditOf("people/ana", -1, 10)
	if err != nil || len(entries) != 1 || entries[0].Action != "login" || entries[0].Person != "ana" {
		t.Errorf("log of the visit: %+v: %v", entries, err)
	}
	time.Sleep(time.Until(made.Expires))
	if _, err := s.Identify(t.Context(), text); reason(err) != "TOKEN_UNKNOWN" {
		t.Errorf("expired, but %v", err)
	}
	if _, err := s.Revoke(t.Context(), "root", "t1", "leaves"); reason(err) != "LAST_ADMIN" {
		t.Errorf("the last admin: %v", err)
	}
	second, text, err := s.Make(t.Context(), "root", memberwatch.Token{Person: "lea", Roles: []memberwatch.Role{memberwatch.RoleAdmin}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Revoke(t.Context(), "root", second.ID, "a mistake"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Identify(t.Context(), text); reason(err) != "TOKEN_UNKNOWN" {
		t.Errorf("revoked, but %v", err)
	}
	if proves, err := s.Proves(t.Context()); !proves || err != nil {
		t.Errorf("fell open: %v, %v", proves, err)
	}
	list, err := s.Tokens(t.Context(), 0, 10, nil)
	if err != nil || len(list) != 3 || list[1].Used.IsZero() {
		t.Errorf("tokens: %+v: %v", list, err)
	}
	dump := fmt.Sprintf("%+v", list)
	if strings.Contains(dump, strings.Split(root, "_")[2]) {
		t.Error("the secret is kept")
	}
}
