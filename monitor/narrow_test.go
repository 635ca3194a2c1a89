package monitor_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/monitor"
)

// truth is what an app did by one endpoint, or to one group, counted from the
// events themselves.
type truth struct {
	calls   uint64
	members map[uint64]bool
	days    map[int64]bool
}

// TestQueryAccessByEndpointAndGroup lets apps with few, many and very many
// endpoints and groups read through many checkpoints, and holds every answer to
// the events: what is said to be exact is, bounds hold, and no app is missing.
func TestQueryAccessByEndpointAndGroup(t *testing.T) {
	m := open(t, monitor.Options{Dir: filepath.Join(t.TempDir(), "data"), Partitions: 2, CheckpointInterval: time.Millisecond})
	defer shut(t, m)
	names := map[memberwatch.AppID]int{"one": 1, "few": 5, "many": 60, "more": 400}
	r := rand.New(rand.NewPCG(3, 4))
	byEndpoint, byGroup := make(map[string]*truth), make(map[string]*truth)
	note := func(all map[string]*truth, app memberwatch.AppID, name string, e *memberwatch.Event) {
		key := string(app) + name
		if all[key] == nil {
			all[key] = &truth{members: make(map[uint64]bool), days: make(map[int64]bool)}
		}
		all[key].calls++
		all[key].days[e.Time/memberwatch.Day.Length()] = true
		for _, member := range e.Disclosed {
			all[key].members[member] = true
		}
	}
	var events []memberwatch.Event
	for i := range 4000 {
		app := []memberwatch.AppID{"one", "few", "many", "more"}[r.IntN(4)]
		name := r.IntN(names[app])
		e := memberwatch.Event{
			App: app, Time: begin + int64(i)*int64(time.Minute), Endpoint: fmt.Sprintf("/e/%03d", name),
			DataClasses: []string{"name"}, Group: fmt.Sprint("group ", r.IntN(names[app])),
		}
		for range 1 + r.IntN(3) {
			e.Disclosed = append(e.Disclosed, r.Uint64N(uint64(200*(name%3+1)))*0x9e3779b97f4a7c15)
		}
		note(byEndpoint, app, e.Endpoint, &e)
		note(byGroup, app, e.Group, &e)
		events = append(events, e)
	}
	at := openStream(t, m, "gw")
	for from := 0; from < len(events); from += 100 {
		send(t, m, "gw", at.Epoch, int64(from)+1, events[from:from+100])
		awaitCommitted(t, m, "gw", at.Epoch, int64(from)+100)
	}
	exact := 0
	check := func(name string, q memberwatch.AccessQuery, all map[string]*truth) {
		q.SinceDay, q.UntilDay = beginDay, beginDay+9
		rows, _, err := m.QueryAccess(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		found := make(map[memberwatch.AppID]bool)
		for i := range rows {
			row := &rows[i]
			found[row.App] = true
			want := all[string(row.App)+name]
			if want == nil {
				if row.CertainDays > 0 {
					t.Errorf("%s: %s never did", name, row.App)
				}
				continue
			}
			reach := float64(len(want.members))
			switch {
			case row.AtMost && (row.Calls < want.calls || row.Members.High < reach || row.Members.Low > reach*1.05):
				t.Errorf("%s: bounds of %+v miss %d calls, %.0f members", name, *row, want.calls, reach)
			case !row.AtMost && (row.Calls != want.calls || row.Members.Low > reach || row.Members.High < reach):
				t.Errorf("%s: %+v, want %d calls, %.0f members", name, *row, want.calls, reach)
			case !row.AtMost:
				exact++
			}
			if days := int32(len(want.days)); row.CertainDays > days || row.ActiveDays < days || !row.AtMost && row.CertainDays != days {
				t.Errorf("%s: %d to %d days of %s, want %d", name, row.CertainDays, row.ActiveDays, row.App, days)
			}
		}
		for app := range names {
			if all[string(app)+name] != nil && !found[app] {
				t.Errorf("%s: %s is missing", name, app)
			}
		}
	}
	for i := range 400 {
		endpoint, group := fmt.Sprintf("/e/%03d", i), fmt.Sprint("group ", i)
		check(endpoint, memberwatch.AccessQuery{Endpoint: endpoint}, byEndpoint)
		check(group, memberwatch.AccessQuery{Group: group}, byGroup)
	}
	if exact < 8 {
		t.Errorf("%d answers are exact, few and one alone have 6 endpoints and many and more keep some", exact)
	}
}
