package monitor

import (
	"cmp"
	"context"
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
				gathered[i], errs[i] = m.gather(ctx, m.store.Partitions[i], &q)
			}
		})
	}
	readers.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, memberwatch.AccessRow{}, err
		}
	}
	rows, total := answer(&q, gathered)
	return rows, total, nil
}

// access gathers rows of a query from one partition. Ledger rows come by class and
// app, so of apps one sum is enough; those of developers are kept to the end.
type access struct {
	query      *memberwatch.AccessQuery
	group      uint64 // key of the group asked for
	owners     map[string]*owner
	app        tally // of the app and class at hand
	developers map[developerKey]*tally
	rows       []memberwatch.AccessRow // in the order of the answer
	total      tally                   // all rows together
	apps       int32
}

// owner is an app of the partition.
type owner struct {
	app       memberwatch.AppID
	developer memberwatch.DeveloperID
	category  string
	wanted    bool
	found     bool // with a row
}

// developerKey is what a row of a developer sums.
type developerKey struct {
	developer memberwatch.DeveloperID
	class     memberwatch.DataClass
}

// gather walks one partition's ledger.
func (m *Monitor) gather(ctx context.Context, p *store.Partition, q *memberwatch.AccessQuery) (*access, error) {
	owners, err := m.ownersIn(p, q)
	if err != nil {
		return nil, err
	}
	a := &access{query: q, group: detector.GroupKey(q.Group), owners: owners, developers: make(map[developerKey]*tally)}
	var at *owner // of the row at hand
	chosen := store.LedgerRange{
		Since: q.SinceDay, Until: q.UntilDay, Class: q.Class, AnyClass: q.Class == "",
		Wanted: func(app []byte, after bool) bool {
			at = owners[string(app)]
			return at != nil && at.wanted && (after || !q.AfterOnly)
		},
	}
	err = p.Ledger(chosen, func(row *store.LedgerView) (finer bool, err error) {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		return a.add(at, row)
	})
	if err != nil {
		return nil, err
	}
	a.close(&a.app)
	for _, t := range a.developers {
		t.members.Estimate() // counts, while other partitions are still read
		a.total.join(t)
	}
	slices.SortFunc(a.rows, compareRows)
	return a, nil
}

// ownersIn returns developers and categories of a partition's apps: as declared,
// developers else as first seen.
func (m *Monitor) ownersIn(p *store.Partition, q *memberwatch.AccessQuery) (map[string]*owner, error) {
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
		o.wanted = (q.App == "" || q.App == o.app) && (q.Developer == "" || q.Developer == o.developer) &&
			(q.Category == "" || q.Category == o.category)
	}
	return owners, err
}

// add takes in one row, or says that it takes finer ones to tell.
func (a *access) add(o *owner, row *store.LedgerView) (finer bool, err error) {
	held, exact, err := a.narrow(row)
	if err != nil || held == store.NotHeld || held == store.Unclear {
		return held == store.Unclear, err
	}
	if !o.found {
		o.found = true
		a.apps++
	}
	return false, a.tally(o, row.Class).add(o, row, held == store.Holds, exact)
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
	switch {
	case err != nil || found == sketch.Absent:
		return store.NotHeld, false, err
	case row.Days&(row.Days-1) != 0: // several, and the group on some of them
		return store.Unclear, false, nil
	case found == sketch.Present:
		return store.Holds, false, nil
	default:
		return store.MayHold, false, nil
	}
}

// tally returns the sum that a row of an app and data class belongs to.
func (a *access) tally(o *owner, class []byte) *tally {
	if !a.query.ByDeveloper {
		if t := &a.app; t.row.App != o.app || string(t.row.Class) != string(class) {
			a.close(t)
			t.reset()
			t.row.App, t.row.Developer, t.row.Class = o.app, o.developer, memberwatch.DataClass(class)
		}
		return &a.app
	}
	key := developerKey{developer: o.developer, class: memberwatch.DataClass(class)}
	if key.developer == "" {
		key.developer = memberwatch.DeveloperID(o.app) // an app without a developer stands for itself
	}
	t := a.developers[key]
	if t == nil {
		t = &tally{row: memberwatch.AccessRow{Developer: key.developer, Class: key.class}}
		a.developers[key] = t
	}
	return t
}

// close makes a row of an app's sum, to which nothing will be added.
func (a *access) close(t *tally) {
	if t.row.Apps > 0 {
		a.rows = append(a.rows, t.answer(a.query))
		a.total.join(t)
	}
}

// answer puts together what was gathered. A developer's apps may live in several
// partitions if its name became known late.
func answer(q *memberwatch.AccessQuery, gathered []*access) ([]memberwatch.AccessRow, memberwatch.AccessRow) {
	all := &access{query: q, developers: make(map[developerKey]*tally)}
	lists := make([][]memberwatch.AccessRow, 0, len(gathered)+1)
	for _, part := range gathered {
		for key, t := range part.developers {
			if mine := all.developers[key]; mine != nil {
				mine.join(t)
			} else {
				all.developers[key] = t
			}
		}
		lists = append(lists, part.rows)
		all.total.join(&part.total)
		all.apps += part.apps
	}
	for _, t := range all.developers {
		all.rows = append(all.rows, t.answer(q))
	}
	slices.SortFunc(all.rows, compareRows)
	total := all.total.answer(q)
	total.Apps, total.Class = all.apps, q.Class
	return mergeRows(append(lists, all.rows)), total
}

// mergeRows makes one list of several in order.
func mergeRows(lists [][]memberwatch.AccessRow) []memberwatch.AccessRow {
	n := 0
	for _, list := range lists {
		n += len(list)
	}
	merged := make([]memberwatch.AccessRow, 0, n)
	for len(merged) < n {
		first := -1
		for i, list := range lists {
			if len(list) > 0 && (first < 0 || compareRows(list[0], lists[first][0]) < 0) {
				first = i
			}
		}
		merged = append(merged, lists[first][0])
		lists[first] = lists[first][1:]
	}
	return merged
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
