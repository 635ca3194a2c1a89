package memberwatch

// LedgerRow is what one app read of one data class on one UTC day. Rows of one
// key merge: counts add, sketches unite, so rows may be written piecemeal.
type LedgerRow struct {
	LedgerKey
	Calls   uint64
	Records uint64
	Denials uint64
	Late    uint64 // events that came after their window had closed
	Members []byte // an encoded distinct sketch
	Groups  []byte // an encoded distinct sketch
}

// LedgerKey names a ledger row.
type LedgerKey struct {
	Day   int32 // days since the epoch, UTC
	Class DataClass
	App   AppID
	// After is true for access that broke a restriction.
	After bool
}

// AccessQuery chooses ledger rows.
type AccessQuery struct {
	Class       DataClass // empty: every class
	App         AppID
	Developer   DeveloperID
	SinceDay    int32 // first day, days since the epoch
	UntilDay    int32 // last day, inclusive
	AfterOnly   bool  // only access that broke a restriction
	ByDeveloper bool
}

// AccessRow is what one app (or developer) read in the range of a query.
type AccessRow struct {
	App        AppID
	Developer  DeveloperID
	Class      DataClass
	Calls      uint64
	Records    uint64
	Denials    uint64
	CallsAfter uint64 // calls that broke a restriction
	Members    Estimate
	Groups     Estimate
	FirstDay   int32
	LastDay    int32
	ActiveDays int32
	Apps       int32
}
