package monitor_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/sketch"
	"github.com/memberwatch/memberwatch/monitor"
	"github.com/memberwatch/memberwatch/store"
)

var beginDay = int32(begin / memberwatch.Day.Length())

// reads makes an event on a day of members from..to.
func reads(app memberwatch.AppID, developer memberwatch.DeveloperID, day int, class string, from, to uint64) memberwatch.Event {
	e := memberwatch.Event{
		App: app, Developer: developer, Time: begin + int64(day)*memberwatch.Day.Length() + 1, DataClasses: []string{class}, Group: "g" + class,
	}
	for m := from; m < to; m++ {
		e.Disclosed = append(e.Disclosed, m*0x9e3779b97f4a7c15)
	}
	return e
}

func TestQueryAccessUnitesMembersOverDays(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	m := open(t, monitor.Options{Dir: dir, Partitions: 3})
	defer shut(t, m)
	restriction := memberwatch.Restriction{ID: "r", Class: "name", Effective: time.Unix(0, begin).AddDate(0, 0, 2)}
	if _, err := m.PutRestriction(t.Context(), restriction); err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.PutApp(t.Context(), memberwatch.App{ID: "solo", Developer: "late"}); err != nil {
		t.Fatal(err)
	}
	events := []memberwatch.Event{
		reads("crm", "acme", 0, "name", 0, 10), reads("tv", "acme", 0, "name", 5, 15), reads("solo", "", 0, "name", 0, 3),
		reads("crm", "acme", 1, "name", 0, 20), reads("crm", "acme", 1, "picture", 0, 4),
		reads("crm", "acme", 3, "name", 30, 40), reads("zzz", "", 3, "picture", 90, 95),
	}
	at := openStream(t, m, "gw")
	send(t, m, "gw", at.Epoch, 1, events)
	awaitCommitted(t, m, "gw", at.Epoch, int64(len(events)))
	from := func(since, until int32) memberwatch.AccessQuery {
		return memberwatch.AccessQuery{Class: "name", SinceDay: beginDay + since, UntilDay: beginDay + until}
	}
	with := func(q memberwatch.AccessQuery, change func(*memberwatch.AccessQuery)) memberwatch.AccessQuery {
		change(&q)
		return q
	}
	cases := []struct {
		name  string
		query memberwatch.AccessQuery
		want  []string // app, developer, class, calls, members, calls after, days, apps
		total string
	}{
		{"a class", from(0, 9), []string{"crm acme name 3 30 1 3 1", "tv acme name 1 10 0 1 1", "solo late name 1 3 0 1 1"}, "  name 5 30 1 3 3"},
		{"first day", from(0, 0), []string{"crm acme name 1 10 0 1 1", "tv acme name 1 10 0 1 1", "solo late name 1 3 0 1 1"}, "  name 3 15 0 1 3"},
		{"after the restriction", with(from(0, 9), func(q *memberwatch.AccessQuery) { q.AfterOnly = true }), []string{"crm acme name 1 10 1 1 1"}, "  name 1 10 1 1 1"},
		{"a declared developer", with(from(0, 9), func(q *memberwatch.AccessQuery) { q.Developer = "late" }), []string{"solo late name 1 3 0 1 1"}, "  name 1 3 0 1 1"},
		{"by developer", with(from(0, 1), func(q *memberwatch.AccessQuery) { q.ByDeveloper = true }), []string{" acme name 3 20 0 2 2", " late name 1 3 0 1 1"}, "  name 4 20 0 2 3"},
		{"every class of an app", with(from(0, 9), func(q *memberwatch.AccessQuery) { q.Class, q.App = "", "crm" }), []string{"crm acme name 3 30 1 3 1", "crm acme picture 1 4 0 1 1"}, "   4 30 1 3 1"},
		{"nothing", from(5, 9), nil, "  name 0 0 0 0 0"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			rows, total, err := m.QueryAccess(t.Context(), c.query)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for i := range rows {
				got = append(got, brief(&rows[i]))
			}
			if fmt.Sprint(got) != fmt.Sprint(c.want) || brief(&total) != c.total {
				t.Errorf("rows %q total %q\nwant %q total %q", got, brief(&total), c.want, c.total)
			}
		})
	}
	if _, _, err := m.QueryAccess(t.Context(), from(3, 2)); !errors.Is(err, memberwatch.ErrInvalid) {
		t.Errorf("a range backwards: %v", err)
	}
}

func brief(r *memberwatch.AccessRow) string {
	return fmt.Sprintf("%s %s %s %d %.0f %d %d %d", r.App, r.Developer, r.Class, r.Calls, r.Members.Value, r.CallsAfter, r.ActiveDays, r.Apps)
}

func TestAppsAreThoseDeclaredAndThoseSeen(t *testing.T) {
	m := open(t, monitor.Options{Dir: filepath.Join(t.TempDir(), "data"), Partitions: 3})
	defer shut(t, m)
	for _, id := range []memberwatch.AppID{"c-declared", "b-both"} {
		if _, _, err := m.PutApp(t.Context(), memberwatch.App{ID: id, Category: "crm"}); err != nil {
			t.Fatal(err)
		}
	}
	at := openStream(t, m, "gw")
	send(t, m, "gw", at.Epoch, 1, []memberwatch.Event{eventAt("a-seen", 5), eventAt("b-both", 9), eventAt("b-both", 7)})
	awaitCommitted(t, m, "gw", at.Epoch, 3)
	apps, err := m.Apps(t.Context(), "", 10, nil)
	if err != nil || len(apps) != 3 || apps[0].ID != "a-seen" || apps[0].Declared || apps[1].Events != 2 || !apps[1].Declared || apps[2].Events != 0 {
		t.Errorf("apps %+v, %v", apps, err)
	}
	if page, err := m.Apps(t.Context(), "a-seen", 1, nil); err != nil || len(page) != 1 || page[0].ID != "b-both" {
		t.Errorf("page %+v, %v", page, err)
	}
	declared := func(v *memberwatch.AppView) bool { return v.Declared }
	if page, err := m.Apps(t.Context(), "", 10, declared); err != nil || len(page) != 2 {
		t.Errorf("declared %+v, %v", page, err)
	}
	if v, err := m.App(t.Context(), "b-both"); err != nil || v.Category != "crm" || v.FirstEvent != begin+7 || v.LastEvent != begin+9 {
		t.Errorf("app %+v, %v", v, err)
	}
	if _, err := m.App(t.Context(), "none"); !errors.Is(err, memberwatch.ErrNotFound) {
		t.Errorf("no app: %v", err)
	}
	if s := m.Stats(t.Context()); len(s.UnknownClasses) != 1 || s.UnknownClasses[0] != (memberwatch.Count{Name: "profile_name", Count: 3}) {
		t.Errorf("unknown classes %+v", s.UnknownClasses)
	}
}

func TestNextSignalsWaitsForAChange(t *testing.T) {
	m := open(t, monitor.Options{Dir: filepath.Join(t.TempDir(), "data"), Partitions: 2})
	defer shut(t, m)
	if _, err := m.PutRestriction(t.Context(), memberwatch.Restriction{ID: "r", Class: "profile_name", Effective: time.Unix(0, begin)}); err != nil {
		t.Fatal(err)
	}
	place, err := m.SignalPlace(t.Context())
	if err != nil || place != 0 {
		t.Fatalf("place %d, %v", place, err)
	}
	type answer struct {
		signals []memberwatch.Signal
		place   int64
		err     error
	}
	answers := make(chan answer)
	go func() {
		signals, place, err := m.NextSignals(context.Background(), 0)
		answers <- answer{signals, place, err}
	}()
	at := openStream(t, m, "gw")
	send(t, m, "gw", at.Epoch, 1, []memberwatch.Event{eventAt("app", time.Hour)})
	got := <-answers
	if got.err != nil || len(got.signals) != 1 || got.signals[0].Kind != memberwatch.KindRestricted || got.place < 1 {
		t.Fatalf("answer %+v", got)
	}
	if findings, err := m.Findings(t.Context(), got.signals[0].ID); err != nil || len(findings) != 1 {
		t.Errorf("findings %+v, %v", findings, err)
	}
	if page, next, err := m.Signals(t.Context(), memberwatch.Order{}, "", 5, nil); err != nil || next != "" || len(page) != 1 {
		t.Errorf("signals %+v, %q, %v", page, next, err)
	}
	if _, _, err := m.NextSignals(t.Context(), got.place+1); reason(err) != "RESUME_EXPIRED" {
		t.Errorf("a place from elsewhere: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, _, err := m.NextSignals(ctx, got.place); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("nothing happened: %v", err)
	}
}

// BenchmarkLookBack asks who read a data class in 60 days on which each of
// 10,000 apps read it, 20 members a day.
func BenchmarkLookBack(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "data")
	fillLedger(b, dir)
	m := open(b, monitor.Options{Dir: dir})
	defer shut(b, m)
	for b.Loop() {
		rows, _, err := m.QueryAccess(b.Context(), memberwatch.AccessQuery{Class: "name", SinceDay: beginDay, UntilDay: beginDay + 59})
		if err != nil || len(rows) != 10_000 {
			b.Fatalf("%d rows, %v", len(rows), err)
		}
	}
}

func fillLedger(b *testing.B, dir string) {
	files, err := store.Open(dir, store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	for p, partition := range files.Partitions {
		for day := range int32(60) {
			var c store.PartitionCommit
			for i := p; i < 10_000; i += len(files.Partitions) {
				app := memberwatch.AppID(fmt.Sprintf("app-%05d", i))
				if day == 0 {
					c.Apps = append(c.Apps, store.AppOwner{App: app})
				}
				var members sketch.Distinct
				for range 20 {
					members.Insert(r.Uint64())
				}
				encoded, _ := members.AppendBinary(nil)
				c.Ledger = append(c.Ledger, memberwatch.LedgerRow{
					LedgerKey: memberwatch.LedgerKey{Day: beginDay + day, Class: "name", App: app}, Calls: 1, Members: encoded,
				})
			}
			if _, err := partition.Commit(&c); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := files.Close(); err != nil {
		b.Fatal(err)
	}
}
