package monitor

import (
	"math/bits"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/sketch"
	"github.com/memberwatch/memberwatch/store"
)

// tally sums ledger rows of a question.
type tally struct {
	row             memberwatch.AccessRow
	members, groups sketch.Distinct
	least           sketch.Distinct // members that are sure, when AtMost; else all are
	days, sure      daySet
	last            *owner // of the newest row
}

// reset empties the sum and keeps its memory.
func (t *tally) reset() {
	t.row, t.last = memberwatch.AccessRow{}, nil
	t.members.Reset()
	t.groups.Reset()
	t.least.Reset()
	t.days, t.sure = t.days[:0], t.sure[:0]
}

// add takes in what a row holds, for sure or perhaps. Rows of an app come one after
// the other.
func (t *tally) add(o *owner, row *store.LedgerView, sure, exact bool) error {
	t.doubt(!exact)
	if err := t.addSketches(row); err != nil {
		return err
	}
	r := &t.row
	first, last := row.Day+int32(bits.TrailingZeros64(row.Days)), row.Day+int32(bits.Len64(row.Days))-1
	if r.Apps == 0 {
		r.FirstDay, r.LastDay = first, last
	}
	if t.last != o {
		t.last = o
		r.Apps++
	}
	r.FirstDay, r.LastDay = min(r.FirstDay, first), max(r.LastDay, last)
	r.Calls += row.Calls
	r.Records += row.Records
	r.Denials += row.Denials
	if row.After {
		r.CallsAfter += row.Calls
	}
	t.days.add(row.Day, row.Days)
	if sure {
		t.sure.add(row.Day, row.Days)
	}
	return nil
}

// doubt notes that what comes next is not all sure: until then all members were.
func (t *tally) doubt(comes bool) {
	if comes && !t.row.AtMost {
		t.row.AtMost = true
		t.least.Merge(&t.members)
	}
}

// addSketches unites members and groups, and members that are sure with the least.
func (t *tally) addSketches(row *store.LedgerView) error {
	if len(row.Members) > 0 {
		if err := t.members.MergeBinary(row.Members); err != nil {
			return err
		}
	}
	if len(row.Sure) > 0 && t.row.AtMost {
		if err := t.least.MergeBinary(row.Sure); err != nil {
			return err
		}
	}
	if len(row.Groups) > 0 {
		return t.groups.MergeBinary(row.Groups)
	}
	return nil
}

// join adds what other apps or another partition came to.
func (t *tally) join(o *tally) {
	r, s := &t.row, &o.row
	if s.Apps == 0 {
		return
	}
	if r.Apps == 0 {
		r.FirstDay, r.LastDay = s.FirstDay, s.LastDay
	}
	r.FirstDay, r.LastDay = min(r.FirstDay, s.FirstDay), max(r.LastDay, s.LastDay)
	r.Apps += s.Apps
	r.Calls += s.Calls
	r.Records += s.Records
	r.Denials += s.Denials
	r.CallsAfter += s.CallsAfter
	t.doubt(s.AtMost)
	t.members.Merge(&o.members)
	t.groups.Merge(&o.groups)
	switch {
	case s.AtMost:
		t.least.Merge(&o.least)
	case r.AtMost:
		t.least.Merge(&o.members)
	}
	t.days.join(o.days)
	t.sure.join(o.sure)
}

func (t *tally) answer(q *memberwatch.AccessQuery) memberwatch.AccessRow {
	r := t.row
	r.ActiveDays, r.CertainDays = t.days.count(), t.sure.count()
	r.Members, r.Groups = estimate(&t.members), estimate(&t.groups)
	if r.AtMost {
		r.Members.Low, _ = t.least.Interval()
	}
	if q.Group != "" && r.Apps > 0 {
		r.Groups = memberwatch.Estimate{Value: 1, Low: 1, High: 1}
	}
	return r
}

func estimate(d *sketch.Distinct) memberwatch.Estimate {
	low, high := d.Interval()
	return memberwatch.Estimate{Value: d.Estimate(), Low: low, High: high}
}
