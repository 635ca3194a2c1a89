package detector

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/bench/cpu"
)

// BenchmarkObserve is the hot path: 20,000 apps, 10 members an event, skewed to
// a few apps as real traffic is. Half the members are few that an app reads over
// and over. Events come in batches, which have just been written to a buffer, as a
// decoder does; that is not counted. The states are written as often as a busy
// service does. As machines are shared, the processor's time counts, not the clock's.
func BenchmarkObserve(b *testing.B) {
	const apps, kept, batch = 20_000, 1 << 16, 1 << 10
	e := New(DefaultConfig())
	rng := rand.New(rand.NewPCG(1, 1))
	zipf := rand.NewZipf(rng, 1.1, 10, apps-1)
	states := make([]*State, apps)
	for i := range states {
		states[i] = NewState(memberwatch.AppID(fmt.Sprint("app-", i)), "")
	}
	events := make([]memberwatch.Event, kept)
	owner := make([]*State, kept)
	groups, classes := [7]string{}, []string{"profile_name", "profile_picture"}
	for i := range groups {
		groups[i] = fmt.Sprint("group-", i)
	}
	start := int64(1_767_571_200e9)
	for i := range events {
		app := int(zipf.Uint64())
		owner[i] = states[app]
		ev := memberwatch.Event{
			App: owner[i].App, Time: start + int64(i)*1e6, DataClasses: classes[:1+app%2],
			Group: groups[i%len(groups)], Actor: uint64(i%50) + 1, Endpoint: "/groups/members", Network: "AS64500", Credential: "token-1",
		}
		for range 5 {
			ev.Disclosed = append(ev.Disclosed, uint64(app)<<32|rng.Uint64N(100_000), uint64(app)<<32|rng.Uint64N(200))
		}
		events[i] = ev
	}
	for i := range events {
		e.Observe(owner[i], &events[i], false)
	}
	received, members, calls := make([]memberwatch.Event, batch), make([]uint64, 0, batch*10), make([]Call, batch)
	receive := func(from int) {
		members = members[:0]
		for i := range received {
			ev := &received[i]
			*ev = events[from+i]
			at := len(members)
			members = append(members, ev.Disclosed...)
			ev.Disclosed = members[at:]
			calls[i] = Call{State: owner[from+i], Event: ev}
		}
	}
	b.ReportAllocs()
	i, spent := 0, int64(0)
	for b.Loop() {
		if i&(batch-1) == 0 {
			receive(i & (kept - 1))
			began, _ := cpu.Time()
			if i&(1<<20-1) == 0 {
				for _, s := range states {
					e.Ledger(s)
					s.ResetLedger()
				}
			}
			e.ObserveAll(calls)
			ended, _ := cpu.Time()
			spent += ended - began
		}
		i++
	}
	b.ReportMetric(float64(spent)/float64((i+batch-1)/batch*batch), "cpu-ns/op")
}

// BenchmarkCloseHour closes hour after hour of 20,000 apps with a baseline. Each
// is closed at once after the one before, as in a running service; the days that
// end meanwhile are measured apart.
func BenchmarkCloseHour(b *testing.B) {
	const apps = 20_000
	e := New(DefaultConfig())
	start := int64(1_767_571_200e9)
	states, names := map[memberwatch.AppID]*State{}, make([]memberwatch.AppID, apps)
	for i := range names {
		names[i] = memberwatch.AppID(fmt.Sprint("app-", i))
		states[names[i]] = NewState(names[i], "")
	}
	rng := rand.New(rand.NewPCG(1, 1))
	ev := memberwatch.Event{DataClasses: []string{"c"}, Actor: 3}
	hour := func(h int) {
		for _, app := range names {
			ev.App, ev.Time, ev.Disclosed = app, start+int64(h)*3600e9, ev.Disclosed[:0]
			for range 1 + rng.IntN(20) {
				ev.Disclosed = append(ev.Disclosed, rng.Uint64())
			}
			e.Observe(states[app], &ev, false)
		}
	}
	var spent, closed [memberwatch.Scales]int64
	var closing []*State
	shut := func(h int) {
		for {
			began, _ := cpu.Time()
			w, due, ok := e.NextDue(start + int64(h+1)*3600e9)
			if !ok {
				return
			}
			closing = closing[:0]
			for _, app := range due {
				closing = append(closing, states[app])
			}
			e.CloseAll(closing, w)
			if tally := e.EndWindow(w); tally != nil {
				j := NewFleet(DefaultConfig()).Judge(tally)
				for _, app := range e.Pending(w) {
					e.Judge(states[app], &j)
				}
				e.EndJudgement(w)
			}
			ended, _ := cpu.Time()
			spent[w.Scale] += ended - began
			closed[w.Scale]++
		}
	}
	h := 0
	for ; h < 24*4; h += 4 { // four days, thinned
		hour(h)
		shut(h)
	}
	hour(h) // the hours that were left out are learnt with the next one
	shut(h)
	spent, closed = [memberwatch.Scales]int64{}, [memberwatch.Scales]int64{}
	for b.Loop() {
		b.StopTimer()
		h++
		hour(h)
		b.StartTimer()
		shut(h)
	}
	b.ReportMetric(float64(spent[memberwatch.Hour])/float64(closed[memberwatch.Hour])/1e6, "cpu-ms/hour")
	if n := closed[memberwatch.Day]; n > 0 {
		b.ReportMetric(float64(spent[memberwatch.Day])/float64(n)/1e6, "cpu-ms/day")
	}
}
