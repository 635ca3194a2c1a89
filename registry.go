package memberwatch

import (
	"fmt"
	"slices"
	"time"
)

// App is what the platform has declared about a third-party integration.
type App struct {
	ID          AppID       `json:"id"`
	Developer   DeveloperID `json:"developer,omitempty"`
	DisplayName string      `json:"display_name,omitempty"`
	Category    string      `json:"category,omitempty"` // apps of one category are peers
	Installs    int64       `json:"installs,omitempty"` // 0 when unknown
	Admins      int64       `json:"admins,omitempty"`   // 0 when unknown
	Purposes    []Purpose   `json:"purposes,omitempty"`
	Certified   time.Time   `json:"certify_time,omitzero"`              // zero when never
	Expires     time.Time   `json:"certification_expire_time,omitzero"` // zero when it does not
	Created     time.Time   `json:"create_time,omitzero"`
	Updated     time.Time   `json:"update_time,omitzero"`
}

// Purpose is a data class an app may read, with the certified reason.
type Purpose struct {
	Class   DataClass `json:"data_class"`
	Purpose string    `json:"purpose,omitempty"`
	Expires time.Time `json:"expire_time,omitzero"` // of the certification for this data class alone; zero: as the app's
}

// Validate checks a declared app.
func (a *App) Validate() error {
	switch {
	case a.ID == "" || len(a.ID) > MaxNameBytes:
		return invalidf("APP_INVALID", "app id %q must have 1 to %d bytes", a.ID, MaxNameBytes)
	case len(a.Developer) > MaxNameBytes || len(a.Category) > MaxNameBytes || len(a.DisplayName) > MaxNameBytes:
		return invalidf("APP_INVALID", "app %q has a text of more than %d bytes", a.ID, MaxNameBytes)
	case a.Installs < 0 || a.Admins < 0:
		return invalidf("APP_INVALID", "app %q has a negative number of installs or admins", a.ID)
	}
	for _, p := range a.Purposes {
		if p.Class == "" || len(p.Class) > MaxClassBytes {
			return invalidf("APP_INVALID", "app %q has a purpose without a data class", a.ID)
		}
	}
	return nil
}

// MayRead tells whether one of the app's purposes covers a data class.
func (a *App) MayRead(class DataClass) bool {
	for i := range a.Purposes {
		if a.Purposes[i].Class == class {
			return true
		}
	}
	return false
}

// CertifiedUntil returns when the app's certification for a data class ends: at
// the end of its purpose or of the app's own, whichever comes first. Zero: never.
func (a *App) CertifiedUntil(class DataClass) time.Time {
	until := a.Expires
	for i := range a.Purposes {
		if p := &a.Purposes[i]; p.Class == class && !p.Expires.IsZero() && (until.IsZero() || p.Expires.Before(until)) {
			until = p.Expires
		}
	}
	return until
}

// FirstExpiry returns the earliest end of the certifications of all data classes,
// zero for none.
func (a *App) FirstExpiry() time.Time {
	first := a.Expires
	for i := range a.Purposes {
		if until := a.CertifiedUntil(a.Purposes[i].Class); first.IsZero() || !until.IsZero() && until.Before(first) {
			first = until
		}
	}
	return first
}

// RestrictionID names a restriction.
type RestrictionID string

// Restriction says that a data class or endpoint may not be used, by some apps
// or by all, from a time on.
type Restriction struct {
	ID        RestrictionID `json:"id"`
	Class     DataClass     `json:"data_class,omitempty"` // empty: any
	Endpoint  string        `json:"endpoint,omitempty"`   // empty: any
	Apps      []AppID       `json:"apps,omitempty"`       // empty: all
	Exempt    []AppID       `json:"exempt_apps,omitempty"`
	Effective time.Time     `json:"effective_time"`
	Grace     time.Duration `json:"grace_nanos,omitempty"`
	Lifted    time.Time     `json:"lift_time,omitzero"` // zero while it stands
	Reason    string        `json:"reason,omitempty"`
	Revision  int64         `json:"revision"` // of the control change that recorded it
}

// Validate checks a restriction.
func (r *Restriction) Validate() error {
	switch {
	case r.ID == "" || len(r.ID) > MaxNameBytes:
		return invalidf("RESTRICTION_INVALID", "restriction id %q must have 1 to %d bytes", r.ID, MaxNameBytes)
	case r.Class == "" && r.Endpoint == "" && len(r.Apps) == 0:
		return invalidf("RESTRICTION_INVALID", "restriction %q restricts nothing: name a data class, an endpoint or apps", r.ID)
	case r.Effective.IsZero():
		return invalidf("RESTRICTION_INVALID", "restriction %q has no effective time", r.ID)
	case r.Grace < 0:
		return invalidf("RESTRICTION_INVALID", "restriction %q has a negative grace", r.ID)
	case !r.Lifted.IsZero() && r.Lifted.Before(r.Effective):
		return invalidf("RESTRICTION_INVALID", "restriction %q is lifted before it begins", r.ID)
	}
	return nil
}

// Covers tells whether the restriction speaks of this app at all.
func (r *Restriction) Covers(app AppID) bool {
	if slices.Contains(r.Exempt, app) {
		return false
	}
	return len(r.Apps) == 0 || slices.Contains(r.Apps, app)
}

// InForce tells whether access at event time t (nanoseconds since the epoch)
// breaks the restriction, the grace being over.
func (r *Restriction) InForce(t int64) bool {
	if t < r.Effective.Add(r.Grace).UnixNano() {
		return false
	}
	return r.Lifted.IsZero() || t < r.Lifted.UnixNano()
}

// MaxCanaries is how many members one declaration of canaries may list.
const MaxCanaries = 65_536

// Canaries are members whom the platform planted where no app has a reason to
// look. Whoever reads one did not come by it honestly.
type Canaries struct {
	Members   []MemberID
	Withdrawn bool // they are canaries no longer
}

// Validate checks a declaration of canaries.
func (c *Canaries) Validate() error {
	if n := len(c.Members); n == 0 || n > MaxCanaries {
		return invalidf("CANARIES_INVALID", "%d canaries are declared, it must be 1 to %d: declare more in several calls", n, MaxCanaries)
	}
	return nil
}

// Attestation says that a developer attests to have deleted, by a time, all
// member data that an app had obtained. What the app knows after it, it must
// have learnt after it.
type Attestation struct {
	App      AppID     `json:"app"`
	Time     time.Time `json:"attest_time"`    // by which everything was deleted
	Note     string    `json:"note,omitempty"` // who attested, where the document is
	Revision int64     `json:"revision"`       // of the control change that recorded it
}

// Validate checks an attestation.
func (a *Attestation) Validate() error {
	switch {
	case a.App == "" || len(a.App) > MaxNameBytes:
		return invalidf("ATTESTATION_INVALID", "app id %q must have 1 to %d bytes", a.App, MaxNameBytes)
	case a.Time.IsZero():
		return invalidf("ATTESTATION_INVALID", "attestation for app %q has no time", a.App)
	}
	return nil
}

// Change is one numbered control change: the platform declared something, and
// every partition applies it in the order of the revisions. Exactly one of the
// pointers is set.
type Change struct {
	Revision    int64 // from 1, without holes
	Time        time.Time
	By          Person // who declared it; kept by the audit log alone
	App         *App
	Restriction *Restriction
	Canaries    *Canaries
	Attestation *Attestation
	Exclusion   *Exclusion
	Tuning      *Tuning
}

func invalidf(reason, format string, args ...any) error {
	return &ReasonError{Kind: ErrInvalid, Reason: reason, Message: fmt.Sprintf(format, args...)}
}
