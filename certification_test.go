package memberwatch_test

import (
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
)

func TestCertificationsEndByDataClass(t *testing.T) {
	early, late := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	never := time.Time{}
	for name, test := range map[string]struct {
		app, class          time.Time
		until, other, first time.Time // of the class, of another one, of all
	}{
		"never":                  {never, never, never, never, never},
		"the app's":              {late, never, late, late, late},
		"its own":                {never, late, late, never, late},
		"its own, earlier":       {late, early, early, late, early},
		"its own, after the app": {early, late, early, early, early},
	} {
		t.Run(name, func(t *testing.T) {
			app := memberwatch.App{Expires: test.app, Purposes: []memberwatch.Purpose{{Class: "profile_name"}, {Class: "group_membership", Expires: test.class}}}
			if until, other := app.CertifiedUntil("group_membership"), app.CertifiedUntil("profile_name"); until != test.until || other != test.other {
				t.Errorf("until %v, the other until %v", until, other)
			}
			if first := app.FirstExpiry(); first != test.first {
				t.Errorf("first %v, want %v", first, test.first)
			}
		})
	}
}
