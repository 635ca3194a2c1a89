package memberwatch

import "fmt"

// LedgerRow is what one app read of one data class on one UTC day, by one
// endpoint of the platform's API. Rows of one key merge: counts add, sketches
// unite, so rows may be written piecemeal; the parts by endpoint stay apart.
type LedgerRow struct {
	LedgerKey
	Endpoint string
	Rest     bool // it came by endpoints that are not told apart; Endpoint is empty
	Calls    uint64
	Records  uint64
	Denials  uint64
	Late     uint64 // events that came after their window had closed
	Members  []byte // an encoded distinct sketch
	Groups   []byte // an encoded distinct sketch
}

// RowEndpoints is how many endpoints a ledger row tells apart, those first in the
// order of their names: apps use few, unless names hold ids.
const RowEndpoints = 16

// LedgerKey names a ledger row.
type LedgerKey struct {
	Day   int32 // days since the epoch, UTC
	Class DataClass
	App   AppID
	// After is true for access that broke a restriction.
	After bool
}

// AccessQuery chooses ledger rows. At most one of Endpoint and Group is set.
type AccessQuery struct {
	Class       DataClass // empty: every class
	Endpoint    string    // of the platform's API; empty: every one
	Group       string    // empty: every group
	App         AppID
	Developer   DeveloperID
	Category    string // as declared; empty: every category
	SinceDay    int32  // first day, days since the epoch
	UntilDay    int32  // last day, inclusive
	AfterOnly   bool   // only access that broke a restriction
	ByDeveloper bool
}

// Narrow tells whether the query asks for a part of ledger rows.
func (q *AccessQuery) Narrow() bool { return q.Endpoint != "" || q.Group != "" }

// Validate checks a query.
func (q *AccessQuery) Validate() error {
	switch {
	case q.UntilDay < q.SinceDay:
		return &ReasonError{
			Kind: ErrInvalid, Reason: "RANGE_INVALID", Message: fmt.Sprintf("until lies %d days before since", q.SinceDay-q.UntilDay),
			Hint: "swap the two", Metadata: map[string]string{"field": "until"},
		}
	case q.Endpoint != "" && q.Group != "":
		return &ReasonError{
			Kind: ErrInvalid, Reason: "QUERY_INVALID", Message: fmt.Sprintf("endpoint %q and group %q cannot be asked for together", q.Endpoint, q.Group),
			Hint: "the ledger does not know which group was read by which endpoint: ask twice", Metadata: map[string]string{"field": "group"},
		}
	}
	return nil
}

// AccessRow is what one app (or developer) read in the range of a query.
//
// Of an endpoint or a group the ledger may know only that a row holds it among
// others, or may hold it. Then AtMost is true, and what stands here is what it was
// at most: calls, records and members of the rows that may hold it, with
// Members.Low what it was at least.
type AccessRow struct {
	App         AppID
	Developer   DeveloperID
	Class       DataClass
	Calls       uint64
	Records     uint64
	Denials     uint64
	CallsAfter  uint64 // calls that broke a restriction
	Members     Estimate
	Groups      Estimate
	FirstDay    int32
	LastDay     int32
	ActiveDays  int32
	CertainDays int32 // those of the active days that are sure; without endpoint and group all are
	AtMost      bool
	Apps        int32
}
