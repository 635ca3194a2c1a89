package monitor

import (
	"cmp"
	"context"
	"math/bits"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector"
	"github.com/memberwatch/memberwatch/detector/sketch"
	"github.com/memberwatch/memberwatch/store"
)

// QueryAccess answers who read what in a range of days, from the ledgers up to
// the newest checkpoint: one row per app and data class (or developer and data
// class), and all of them together. What is certain comes before what may be, and
// then most distinct members first. Members and groups are unions over the days,
// not sums.
func (m *Monitor) QueryAccess(ctx context.Context, q memberwatch.AccessQuery) ([]memberwatch.AccessRow, memberwatch.AccessRow, error) {
	if err := q.Validate(); err != nil {
		return nil, memberwatch.AccessRow{}, err
	}
	m.settle(ctx)
	gathered := make([]*access, len(m.store.Partitions))
	errs := make([]error, len(m.store.Partitions))
	var readers sync.WaitGroup
	var next atomic.Int32
	for range runtime.GOMAXPROCS(0) { // more readers would push each other's sums out of the caches
		readers.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(gathered); i = int(next.Add(1)) - 1 {
				if gathered[i], errs[i] = m.gather(ctx, m.store.Partitions[i], &q); errs[i] == nil {
					gathered[i].sum()
				}
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
	sure   []int32 // with one that is certain
	seen   days
	held   days
	group  uint64 // key of the group asked for
	total  tally  // all rows together
	room   []uint64
}

// days are the newest of the days that rows have named: rows come in the order
// of their first days.
type days struct {
	first int32
	set   uint8 // bit i: first+i
}

// note appends the new days of a row to a list.
func (d *days) note(list []int32, row *store.LedgerView) []int32 {
	for fresh := d.add(row); fresh != 0; fresh &= fresh - 1 {
		list = append(list, row.Day+int32(bits.TrailingZeros8(fresh)))
	}
	return list
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
	category  string
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
	least           sketch.Distinct // members that are sure, when AtMost
	seen, held      days
	apps            map[memberwatch.AppID]struct{}
}

func newAccess(q *memberwatch.AccessQuery) *access {
	return &access{query: q, byKey: make(map[accessKey]*tally), group: detector.GroupKey(q.Group)}
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
		o.wanted = (q.App == "" || q.App == o.app) && (q.Developer == "" || q.Developer == o.developer) &&
			(q.Category == "" || q.Category == o.category)
	}
	days := store.LedgerRange{Since: q.SinceDay, Until: q.UntilDay, Class: q.Class, AnyClass: q.Class == "", Daily: q.Narrow()}
	return a, p.Ledger(days, func(row *store.LedgerView) error {
		o := a.owners[string(row.App)]
		if o == nil || !o.wanted || q.AfterOnly && !row.After {
			return ctx.Err()
		}
		return a.add(o, row)
	})
}

// add takes in one row.
func (a *access) add(o *owner, row *store.LedgerView) error {
	held, exact, err := a.narrow(row)
	if err != nil || held == store.NotHeld {
		return err
	}
	t := a.tally(o, row.Class)
	if err := t.addSketches(row, exact && a.query.Endpoint != ""); err != nil {
		return err
	}
	t.add(row)
	t.row.AtMost = t.row.AtMost || !exact
	a.days = a.seen.note(a.days, row)
	if held == store.Holds {
		t.row.CertainDays += int32(bits.OnesCount8(t.held.add(row)))
		a.sure = a.held.note(a.sure, row)
	}
	return nil
}

// narrow leaves of a row what belongs to the endpoint or the group asked for, as
// far as it is known apart.
func (a *access) narrow(row *store.LedgerView) (held store.Held, exact bool, err error) {
	switch {
	case a.query.Endpoint != "":
		return row.By(a.query.Endpoint)
	case a.query.Group == "":
		return store.Holds, true, nil
	}
	found, err := sketch.FindBinary(row.Groups, a.group)
	row.Groups = nil // the one asked for is counted in the end
	switch found {
	case sketch.Present:
		return store.Holds, false, err
	case sketch.Possible:
		return store.MayHold, false, err
	default:
		return store.NotHeld, false, err
	}
}

// ownersIn returns developers and categories of a partition's apps: as declared,
// developers else as first seen.
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
		o.category = m.routes.categories[o.app]
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
		t.members.Lend(a.words())
		a.byKey[key] = t
	}
	if a.query.ByDeveloper {
		t.sees(o.app)
	}
	o.sums = append(o.sums, t)
	return t
}

// roomSums is for how many sums memory is taken at once: one by one they are many.
const roomSums = 64

// words returns memory for one sum of members.
func (a *access) words() []uint64 {
	const n = sketch.WordsAtMost
	if len(a.room) < n {
		a.room = make([]uint64, n*max(min(len(a.byKey), roomSums), 1))
	}
	words := a.room[:n:n]
	a.room = a.room[n:]
	return words
}

// sum adds all sums of a partition, and counts each while other partitions are
// still read.
func (a *access) sum() {
	for _, t := range a.byKey {
		t.members.Estimate()
		a.total.join(t)
	}
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

// addSketches unites members and groups; sure members also with the least.
func (t *tally) addSketches(row *store.LedgerView, sure bool) error {
	if len(row.Members) > 0 {
		if err := t.members.MergeBinary(row.Members); err != nil {
			return err
		}
		if sure {
			if err := t.least.MergeBinary(row.Members); err != nil {
				return err
			}
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
	a.total.join(&part.total)
	a.days, a.sure = append(a.days, part.days...), append(a.sure, part.sure...)
}

func (t *tally) join(o *tally) {
	r, s := &t.row, &o.row
	r.Calls += s.Calls
	r.Records += s.Records
	r.Denials += s.Denials
	r.CallsAfter += s.CallsAfter
	if r.ActiveDays == 0 {
		r.FirstDay = s.FirstDay
	}
	if s.ActiveDays > 0 {
		r.FirstDay, r.LastDay = min(r.FirstDay, s.FirstDay), max(r.LastDay, s.LastDay)
	}
	r.ActiveDays, r.CertainDays = max(r.ActiveDays, s.ActiveDays), max(r.CertainDays, s.CertainDays)
	r.AtMost = r.AtMost || s.AtMost
	for app := range o.apps {
		t.sees(app)
	}
	t.members.Merge(&o.members)
	t.groups.Merge(&o.groups)
	t.least.Merge(&o.least)
}

// rows returns the answer.
func (a *access) rows() ([]memberwatch.AccessRow, memberwatch.AccessRow) {
	rows := make([]memberwatch.AccessRow, 0, len(a.byKey))
	apps := make(map[memberwatch.AppID]struct{})
	for _, t := range a.byKey {
		t.row.Apps = int32(max(len(t.apps), 1))
		t.estimate(a.query)
		rows = append(rows, t.row)
		if t.row.App != "" {
			apps[t.row.App] = struct{}{}
		}
		for app := range t.apps {
			apps[app] = struct{}{}
		}
	}
	total := &a.total
	total.estimate(a.query)
	total.row.ActiveDays, total.row.CertainDays = distinctDays(a.days), distinctDays(a.sure)
	total.row.Apps, total.row.Class = int32(len(apps)), a.query.Class
	slices.SortFunc(rows, compareRows)
	return rows, total.row
}

// estimate reads the sketches off.
func (t *tally) estimate(q *memberwatch.AccessQuery) {
	t.row.Members, t.row.Groups = estimate(&t.members), estimate(&t.groups)
	if t.row.AtMost {
		t.row.Members.Low, _ = t.least.Interval()
	}
	if q.Group != "" && t.row.ActiveDays > 0 {
		t.row.Groups = memberwatch.Estimate{Value: 1, Low: 1, High: 1}
	}
}

func distinctDays(days []int32) int32 {
	slices.Sort(days)
	return int32(len(slices.Compact(days)))
}

// compareRows puts what is certain first, then most members.
func compareRows(x, y memberwatch.AccessRow) int {
	switch {
	case (x.CertainDays > 0) != (y.CertainDays > 0):
		if x.CertainDays > 0 {
			return -1
		}
		return 1
	case x.Members.Value != y.Members.Value:
		return cmp.Compare(y.Members.Value, x.Members.Value)
	}
	return cmp.Or(cmp.Compare(x.App, y.App), cmp.Compare(x.Developer, y.Developer), cmp.Compare(x.Class, y.Class))
}

func estimate(d *sketch.Distinct) memberwatch.Estimate {
	low, high := d.Interval()
	return memberwatch.Estimate{Value: d.Estimate(), Low: low, High: high}
}
