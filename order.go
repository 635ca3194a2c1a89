package memberwatch

import "math"

// Order is how a list is sorted. Its zero value is the usual one: what was opened
// last comes first.
type Order struct {
	By        OrderField
	Ascending bool
}

// OrderField is what a list can be sorted by. What is equal in it comes in the order
// of opening, in the same direction.
type OrderField uint8

// Fields that lists are sorted by.
const (
	ByOpening  OrderField = iota // signals and cases: when they were opened
	BySeverity                   // signals and cases
	ByEvidence                   // signals: how rarely chance does so; rules leave nothing to it
	ByLast                       // signals: the newest finding
	ByDue                        // cases: the clock that runs; those without one come last
	ByUpdate                     // cases: the newest decision
)

// Rank returns a signal's rank in a list by a field: the higher, the later in an
// ascending list. It is 0 for fields that signals are not sorted by.
func (s *Signal) Rank(by OrderField) uint64 {
	switch by {
	case ByOpening:
		return rankOf(s.Opened)
	case BySeverity:
		return uint64(s.Severity)
	case ByEvidence:
		if s.Strongest.Stream == StreamRule {
			return math.MaxUint64
		}
		return math.Float64bits(max(s.Strongest.ReturnPeriod, 0)) // of floats from 0 on the bits have the order of the values
	case ByLast:
		return rankOf(s.Last)
	default:
		return 0
	}
}

// Rank returns a case's rank in a list by a field, as for signals.
func (c *Case) Rank(by OrderField) uint64 {
	switch by {
	case ByOpening:
		return rankOf(c.Created.UnixNano())
	case BySeverity:
		return uint64(c.Severity)
	case ByDue:
		if due := c.NextDue(); !due.IsZero() {
			return rankOf(due.UnixNano())
		}
		return math.MaxUint64
	case ByUpdate:
		return rankOf(c.Updated.UnixNano())
	default:
		return 0
	}
}

// rankOf maps times, also those before the epoch, to ranks in the same order.
func rankOf(nanos int64) uint64 { return uint64(nanos) ^ 1<<63 }
