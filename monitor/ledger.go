package monitor

import (
	"context"
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
	days   []int32 // with any row, rising
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
	var members, groups sketch.Distinct
	days := store.LedgerRange{Since: q.SinceDay, Until: q.UntilDay, Class: q.Class, AnyClass: q.Class == ""}
	return a, p.Ledger(days, func(row *store.LedgerView) error {
		o := a.owners[string(row.App)]
		if o == nil || !o.wanted || q.AfterOnly && !row.After {
			return ctx.Err()
		}
		t := a.tally(o, row.Class)
		if err := t.addSketches(row, &members, &groups); err != nil {
			return err
		}
		t.add(row)
		if n := len(a.days); n == 0 || a.days[n-1] != row.Day {
			a.days = append(a.days, row.Day)
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
	if r.ActiveDays == 0 {
		r.FirstDay = row.Day
	}
	if r.ActiveDays == 0 || row.Day != r.LastDay {
		r.ActiveDays++
	}
	r.LastDay = row.Day
	r.Calls += row.Calls
	r.Records += row.Records
	r.Denials += row.Denials
	if row.After {
		r.CallsAfter += row.Calls
	}
}

func (t *tally) addSketches(row *store.LedgerView, members, groups *sketch.Distinct) error {
	if len(row.Members) > 0 {
		if err := members.UnmarshalBinary(row.Members); err != nil {
			return err
		}
		t.members.Merge(members)
	}
	if len(row.Groups) > 0 {
		if err := groups.UnmarshalBinary(row.Groups); err != nil {
			return err
		}
		t.groups.Merge(groups)
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
