package monitor

import (
	"context"
	"math/bits"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/sketch"
	"github.com/memberwatch/memberwatch/store"
)

// QueryAccess answers who read what in a range of days, from the ledgers up to
// the newest checkpoint: one row per app and data class (or developer and data
// class), by distinct members, most first, and all of them together. Members
// and groups are unions over the days, not sums.
func (m *Monitor) QueryAccess(ctx context.Context, q memberwatch.AccessQuery) ([]memberwatch.AccessRow, memberwatch.AccessRow, error) {
	if q.UntilDay < q.SinceDay {
		return nil, memberwatch.AccessRow{}, &memberwatch.ReasonError{
			Kind: memberwatch.ErrInvalid, Reason: "RANGE_INVALID", Message: "the range of days ends before it begins", Hint: "set until after since",
		}
	}
	m.settle(ctx)
	gathered := make([]*access, len(m.store.Partitions))
	errs := make([]error, len(m.store.Partitions))
	var readers sync.WaitGroup
	var next atomic.Int32
	for range runtime.GOMAXPROCS(0) { // more readers would push each other's sums out of the caches
		readers.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(gathered); i = int(next.Add(1)) - 1 {
				gathered[i], errs[i] = m.gather(ctx, m.store.Partitions[i], &q)
			}
		})
	}
	readers.Wait()
	all := newAccess(&q)
	for i, part := range gathered {
		if errs[i] != nil {
			return nil, memberwatch.AccessRow{}, errs[i]
		}
		all.join(part)
	}
	rows, total := all.rows()
	return rows, total, nil
}

// access gathers rows of a query.
type access struct {
	query  *memberwatch.AccessQuery
	owners map[string]*owner
	byKey  map[accessKey]*tally
	days   []int32 // with any row
	seen   days
}

// days are the newest of the days that rows have named: rows come in the order
// of their first days.
type days struct {
	first int32
	set   uint8 // bit i: first+i
}

// add takes in the days of a row and returns those that are new, as a set.
func (d *days) add(row *store.LedgerView) uint8 {
	if row.Day != d.first {
		d.first, d.set = row.Day, 0
	}
	fresh := row.Days &^ d.set
	d.set |= fresh
	return fresh
}

// owner is an app of the partition. It remembers its sums, so that a ledger row
// costs one look-up.
type owner struct {
	app       memberwatch.AppID
	developer memberwatch.DeveloperID
	wanted    bool
	sums      []*tally // by class, few
}

// accessKey is what one row of the answer sums.
type accessKey struct {
	app       memberwatch.AppID
	developer memberwatch.DeveloperID
	class     memberwatch.DataClass
}

// tally sums ledger rows.
type tally struct {
	row             memberwatch.AccessRow
	members, groups sketch.Distinct
	seen            days
	apps            map[memberwatch.AppID]struct{}
}

func newAccess(q *memberwatch.AccessQuery) *access {
	return &access{query: q, byKey: make(map[accessKey]*tally)}
}

// gather walks one partition's ledger.
func (m *Monitor) gather(ctx context.Context, p *store.Partition, q *memberwatch.AccessQuery) (*access, error) {
	owners, err := m.ownersIn(p)
	if err != nil {
		return nil, err
	}
	a := newAccess(q)
	a.owners = owners
	for _, o := range owners {
		o.wanted = (q.App == "" || q.App == o.app) && (q.Developer == "" || q.Developer == o.developer)
	}
	days := store.LedgerRange{Since: q.SinceDay, Until: q.UntilDay, Class: q.Class, AnyClass: q.Class == ""}
	return a, p.Ledger(days, func(row *store.LedgerView) error {
		o := a.owners[string(row.App)]
		if o == nil || !o.wanted || q.AfterOnly && !row.After {
			return ctx.Err()
		}
		t := a.tally(o, row.Class)
		if err := t.addSketches(row); err != nil {
			return err
		}
		t.add(row)
		for fresh := a.seen.add(row); fresh != 0; fresh &= fresh - 1 {
			a.days = append(a.days, row.Day+int32(bits.TrailingZeros8(fresh)))
		}
		return nil
	})
}

// ownersIn returns the developers of a partition's apps: as declared, else as
// first seen.
func (m *Monitor) ownersIn(p *store.Partition) (map[string]*owner, error) {
	owners := make(map[string]*owner)
	err := p.Owners(func(app memberwatch.AppID, developer memberwatch.DeveloperID) {
		owners[string(app)] = &owner{app: app, developer: developer}
	})
	m.routes.mu.RLock()
	defer m.routes.mu.RUnlock()
	for _, o := range owners {
		if declared, ok := m.routes.developers[o.app]; ok {
			o.developer = declared
		}
	}
	return owners, err
}

// tally returns the sum that a row of an app and data class belongs to.
func (a *access) tally(o *owner, class []byte) *tally {
	for _, t := range o.sums {
		if string(t.row.Class) == string(class) {
			return t
		}
	}
	key := accessKey{app: o.app, developer: o.developer, class: memberwatch.DataClass(class)}
	if a.query.ByDeveloper {
		key.app = ""
		if key.developer == "" {
			key.developer = memberwatch.DeveloperID(o.app) // an app without a developer stands for itself
		}
	}
	t := a.byKey[key]
	if t == nil {
		t = &tally{row: memberwatch.AccessRow{App: key.app, Developer: key.developer, Class: key.class}}
		a.byKey[key] = t
	}
	if a.query.ByDeveloper {
		t.sees(o.app)
	}
	o.sums = append(o.sums, t)
	return t
}

func (t *tally) sees(app memberwatch.AppID) {
	if t.apps == nil {
		t.apps = make(map[memberwatch.AppID]struct{})
	}
	t.apps[app] = struct{}{}
}

// add sums the counts of one row. Rows come in the order of days.
func (t *tally) add(row *store.LedgerView) {
	r := &t.row
	first, last := row.Day+int32(bits.TrailingZeros8(row.Days)), row.Day+int32(bits.Len8(row.Days))-1
	if r.ActiveDays == 0 {
		r.FirstDay, r.LastDay = first, last
	}
	r.FirstDay, r.LastDay = min(r.FirstDay, first), max(r.LastDay, last)
	r.ActiveDays += int32(bits.OnesCount8(t.seen.add(row)))
	r.Calls += row.Calls
	r.Records += row.Records
	r.Denials += row.Denials
	if row.After {
		r.CallsAfter += row.Calls
	}
}

func (t *tally) addSketches(row *store.LedgerView) error {
	if len(row.Members) > 0 {
		if err := t.members.MergeBinary(row.Members); err != nil {
			return err
		}
	}
	if len(row.Groups) > 0 {
		return t.groups.MergeBinary(row.Groups)
	}
	return nil
}

// join adds another partition's rows. A developer's apps may live in several
// partitions if its name became known late.
func (a *access) join(part *access) {
	for key, t := range part.byKey {
		mine := a.byKey[key]
		if mine == nil {
			a.byKey[key] = t
			continue
		}
		mine.join(t)
	}
	a.days = append(a.days, part.days...)
}

func (t *tally) join(o *tally) {
	r, s := &t.row, &o.row
	r.Calls += s.Calls
	r.Records += s.Records
	r.Denials += s.Denials
	r.CallsAfter += s.CallsAfter
	r.FirstDay, r.LastDay = min(r.FirstDay, s.FirstDay), max(r.LastDay, s.LastDay)
	r.ActiveDays = max(r.ActiveDays, s.ActiveDays)
	for app := range o.apps {
		t.sees(app)
	}
	t.members.Merge(&o.members)
	t.groups.Merge(&o.groups)
}

// rows returns the answer.
func (a *access) rows() ([]memberwatch.AccessRow, memberwatch.AccessRow) {
	var total tally
	rows := make([]memberwatch.AccessRow, 0, len(a.byKey))
	apps := make(map[memberwatch.AppID]struct{})
	for _, t := range a.byKey {
		t.row.Members, t.row.Groups, t.row.Apps = estimate(&t.members), estimate(&t.groups), int32(max(len(t.apps), 1))
		rows = append(rows, t.row)
		if t.row.App != "" {
			apps[t.row.App] = struct{}{}
		}
		for app := range t.apps {
			apps[app] = struct{}{}
		}
		if total.row.ActiveDays == 0 {
			total.row.FirstDay = t.row.FirstDay
		}
		total.join(t)
	}
	total.row.Members, total.row.Groups = estimate(&total.members), estimate(&total.groups)
	slices.Sort(a.days)
	total.row.ActiveDays = int32(len(slices.Compact(a.days)))
	total.row.Apps, total.row.Class = int32(len(apps)), a.query.Class
	slices.SortFunc(rows, func(x, y memberwatch.AccessRow) int {
		switch {
		case x.Members.Value > y.Members.Value:
			return -1
		case x.Members.Value < y.Members.Value:
			return 1
		}
		return strings.Compare(string(x.App)+"\x00"+string(x.Developer)+"\x00"+string(x.Class), string(y.App)+"\x00"+string(y.Developer)+"\x00"+string(y.Class))
	})
	return rows, total.row
}

func estimate(d *sketch.Distinct) memberwatch.Estimate {
	low, high := d.Interval()
	return memberwatch.Estimate{Value: d.Estimate(), Low: low, High: high}
}
