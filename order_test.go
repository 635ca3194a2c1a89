package memberwatch_test

import (
	"cmp"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
)

// TestRanks sorts by rank and wants the order in which the cases are written.
func TestRanks(t *testing.T) {
	burst := func(period float64) memberwatch.Signal {
		return memberwatch.Signal{Strongest: memberwatch.Finding{Stream: memberwatch.StreamBurst, ReturnPeriod: period}}
	}
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	signals := map[string]struct {
		by   memberwatch.OrderField
		list []memberwatch.Signal
	}{
		"severity": {memberwatch.BySeverity, []memberwatch.Signal{{Severity: memberwatch.SeverityLow}, {Severity: memberwatch.SeverityCritical}}},
		"opening":  {memberwatch.ByOpening, []memberwatch.Signal{{Opened: -5}, {Opened: 0}, {Opened: 7}}},
		"last":     {memberwatch.ByLast, []memberwatch.Signal{{Last: -5}, {Last: 0}, {Last: 7}}},
		"evidence": {memberwatch.ByEvidence, []memberwatch.Signal{
			burst(0), burst(0.5), burst(1400), burst(1e300), burst(math.Inf(1)), {Strongest: memberwatch.Finding{Stream: memberwatch.StreamRule}},
		}},
	}
	for name, tc := range signals {
		t.Run("signals by "+name, func(t *testing.T) {
			rank := func(a, b memberwatch.Signal) int { return cmp.Compare(a.Rank(tc.by), b.Rank(tc.by)) }
			for i := range tc.list[1:] {
				if rank(tc.list[i], tc.list[i+1]) >= 0 {
					t.Errorf("%d is not before %d", i, i+1)
				}
			}
		})
	}
	due := func(state memberwatch.CaseState, days int) memberwatch.Case {
		return memberwatch.Case{State: state, Due: memberwatch.Clocks{Acknowledge: at.AddDate(0, 0, days), Decide: at.AddDate(0, 0, 10+days)}}
	}
	list := []memberwatch.Case{due(memberwatch.CaseNew, 1), due(memberwatch.CaseNew, 2), due(memberwatch.CaseInReview, 1), due(memberwatch.CaseClosed, 0)}
	if !slices.IsSortedFunc(list, func(a, b memberwatch.Case) int {
		return cmp.Compare(a.Rank(memberwatch.ByDue), b.Rank(memberwatch.ByDue))
	}) {
		t.Error("cases are not in the order of the clocks that run")
	}
}
