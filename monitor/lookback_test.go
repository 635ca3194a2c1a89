package monitor_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/monitor"
)

// answerFrom says from the events what QueryAccess must: as long as members are
// few, it is exact.
func answerFrom(events []memberwatch.Event, restricted int64, q *memberwatch.AccessQuery) (rows []string, total string) {
	type sum struct {
		row                         memberwatch.AccessRow
		members, groups, days, apps map[any]bool
	}
	sums := make(map[memberwatch.AccessRow]*sum)
	var all []*sum
	for i := range events {
		e := &events[i]
		class, day := e.DataClasses[0], int32(e.Time/memberwatch.Day.Length())
		after := class == "name" && e.Time >= restricted
		if day < q.SinceDay || day > q.UntilDay || q.Class != "" && q.Class != memberwatch.DataClass(class) || q.AfterOnly && !after ||
			q.App != "" && q.App != e.App || q.Developer != "" && q.Developer != e.Developer || q.Endpoint != "" && q.Endpoint != e.Endpoint {
			continue
		}
		key := memberwatch.AccessRow{App: e.App, Developer: e.Developer, Class: memberwatch.DataClass(class)}
		if q.ByDeveloper {
			key.App = ""
		}
		for _, key := range []memberwatch.AccessRow{key, {Class: q.Class, LastDay: 1}} { // a row, and the total
			s := sums[key]
			if s == nil {
				s = &sum{row: key, members: make(map[any]bool), groups: make(map[any]bool), days: make(map[any]bool), apps: make(map[any]bool)}
				s.row.FirstDay = day
				sums[key] = s
				all = append(all, s)
			}
			s.row.Calls++
			if after {
				s.row.CallsAfter++
			}
			s.row.FirstDay, s.row.LastDay = min(s.row.FirstDay, day), max(s.row.LastDay, day)
			s.days[day], s.groups[e.Group], s.apps[e.App] = true, true, true
			for _, m := range e.Disclosed {
				s.members[m] = true
			}
		}
	}
	for _, s := range all {
		s.row.Members.Value, s.row.Groups.Value, s.row.ActiveDays, s.row.Apps = float64(len(s.members)), float64(len(s.groups)), int32(len(s.days)), int32(len(s.apps))
	}
	slices.SortFunc(all, func(a, b *sum) int {
		return cmp.Or(cmp.Compare(b.row.Members.Value, a.row.Members.Value), cmp.Compare(a.row.App, b.row.App), cmp.Compare(a.row.Developer, b.row.Developer), cmp.Compare(a.row.Class, b.row.Class))
	})
	for _, s := range all {
		if s == sums[memberwatch.AccessRow{Class: q.Class, LastDay: 1}] {
			total = accessText(&s.row)
		} else {
			rows = append(rows, accessText(&s.row))
		}
	}
	return rows, total
}

func accessText(r *memberwatch.AccessRow) string {
	return fmt.Sprintf("%s %s %s: %d calls, %d after, %.0f members, days %d-%d %d, %d apps", r.App, r.Developer, r.Class,
		r.Calls, r.CallsAfter, r.Members.Value, r.FirstDay-beginDay, r.LastDay-beginDay, r.ActiveDays, r.Apps)
}

// TestQueryAccessIsWhatTheEventsSay asks over many ranges of days, of which the
// ledger has united most, and adds up the events themselves.
func TestQueryAccessIsWhatTheEventsSay(t *testing.T) {
	m := open(t, monitor.Options{Dir: filepath.Join(t.TempDir(), "data"), Partitions: 3, CheckpointInterval: time.Millisecond})
	defer shut(t, m)
	restricted := begin + 30*memberwatch.Day.Length()
	if _, err := m.PutRestriction(t.Context(), memberwatch.Restriction{ID: "r", Class: "name", Effective: time.Unix(0, restricted)}); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 6))
	var events []memberwatch.Event
	for i := range 1500 {
		app := r.IntN(12)
		events = append(events, memberwatch.Event{
			App: memberwatch.AppID(fmt.Sprint("app-", app)), Developer: memberwatch.DeveloperID(fmt.Sprint("dev-", app/3)),
			Time: begin + int64(i)*int64(40*time.Minute), Endpoint: fmt.Sprint("/", app, "/", r.IntN(2)), Group: fmt.Sprint(r.IntN(5)),
			DataClasses: []string{[]string{"name", "picture"}[r.IntN(2)]},
			Disclosed:   []uint64{uint64(app%2*60+r.IntN(60)) * 0x9e3779b97f4a7c15},
		})
	}
	at := openStream(t, m, "gw")
	for from := 0; from < len(events); from += 100 {
		send(t, m, "gw", at.Epoch, int64(from)+1, events[from:from+100])
		awaitCommitted(t, m, "gw", at.Epoch, int64(from)+100)
	}
	for i := range 200 {
		q := memberwatch.AccessQuery{SinceDay: beginDay - 3 + r.Int32N(45), AfterOnly: r.IntN(4) == 0, ByDeveloper: r.IntN(4) == 0}
		q.UntilDay = q.SinceDay + r.Int32N(50)
		switch i % 6 {
		case 0:
			q.Class = "picture"
		case 1:
			q.Endpoint = fmt.Sprint("/", r.IntN(12), "/", r.IntN(3))
		case 2:
			q.App = memberwatch.AppID(fmt.Sprint("app-", r.IntN(13)))
		case 3:
			q.Developer = memberwatch.DeveloperID(fmt.Sprint("dev-", r.IntN(5)))
		}
		rows, total, err := m.QueryAccess(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		want, wantTotal := answerFrom(events, restricted, &q)
		var got []string
		for i := range rows {
			if rows[i].CertainDays != rows[i].ActiveDays || rows[i].AtMost {
				t.Errorf("%+v: %+v is not certain", q, rows[i])
			}
			got = append(got, accessText(&rows[i]))
		}
		if !slices.Equal(got, want) || len(want) > 0 && accessText(&total) != wantTotal {
			t.Fatalf("%+v: rows\n%q total %q, want\n%q total %q", q, got, accessText(&total), want, wantTotal)
		}
	}
}
