package monitor_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/monitor"
)

// plan is one way to bring a stream into a monitor.
type plan struct {
	options  monitor.Options
	batch    func(r *rand.Rand) int // events in the next batch
	overlap  bool                   // also send batches again, and prefixes that are known
	crash    float64                // probability of a crash after a batch
	restart  float64                // probability of an orderly restart after a batch
	change   int64                  // after so many events a restriction is put; 0: none
	maxProcs int
}

// play streams all events of one producer and returns the dump of the directory.
func (p plan) play(t *testing.T, seed uint64, events []memberwatch.Event) string {
	t.Helper()
	if p.maxProcs > 0 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(p.maxProcs))
	}
	r := rand.New(rand.NewPCG(seed, 1))
	p.options.Dir = filepath.Join(t.TempDir(), "data")
	if p.options.Partitions == 0 {
		p.options.Partitions = 3
	}
	m := open(t, p.options)
	restrict(t, m, "r-1", "group_membership", begin+9*memberwatch.Day.Length())
	at := openStream(t, m, "gw")
	for next := at.Next; next <= int64(len(events)); {
		n := min(int64(p.batch(r)), int64(len(events))-next+1)
		if next <= p.change {
			n = min(n, p.change-next+1)
		}
		base := next
		if p.overlap && r.IntN(3) == 0 {
			base = max(1, base-r.Int64N(50))
		}
		send(t, m, "gw", at.Epoch, base, events[base-1:next+n-1])
		if p.overlap && r.IntN(4) == 0 {
			send(t, m, "gw", at.Epoch, base, events[base-1:next+n-1])
		}
		next += n
		if next == p.change+1 {
			awaitCommitted(t, m, "gw", at.Epoch, p.change)
			restrict(t, m, "r-2", "profile_name", events[p.change].Time)
			tuning := memberwatch.Tuning{Budget: 700, Shadow: []memberwatch.Kind{memberwatch.KindNovelty}}
			if _, err := m.PutTuning(t.Context(), tuning, 0); err != nil {
				t.Fatal(err)
			}
		}
		crash := r.Float64() < p.crash
		if crash || r.Float64() < p.restart {
			if crash {
				time.Sleep(time.Duration(r.IntN(30)) * time.Millisecond)
				die(t, m)
			} else {
				shut(t, m)
			}
			m = open(t, p.options)
			at = openStream(t, m, "gw")
			if at.Next > next {
				t.Fatalf("next sequence is %d, only %d were sent", at.Next, next-1)
			}
			next = at.Next
		}
	}
	awaitCommitted(t, m, "gw", at.Epoch, int64(len(events)))
	complete(t, m, "gw", at.Epoch, int64(len(events))+1, events[len(events)-1].Time+3*memberwatch.Day.Length())
	shut(t, m)
	return dump(t, p.options.Dir)
}

// die stops a monitor as a crash would: nothing is committed that was not.
func die(t *testing.T, m *monitor.Monitor) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := m.Close(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func restrict(t *testing.T, m *monitor.Monitor, id memberwatch.RestrictionID, class memberwatch.DataClass, from int64) {
	t.Helper()
	_, err := m.PutRestriction(t.Context(), memberwatch.Restriction{
		ID: id, Class: class, Effective: time.Unix(0, from), Exempt: []memberwatch.AppID{"app-01"},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func openStream(t testing.TB, m *monitor.Monitor, id memberwatch.ProducerID) memberwatch.Position {
	t.Helper()
	at, err := m.OpenProducer(t.Context(), id, "test")
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func send(t testing.TB, m *monitor.Monitor, id memberwatch.ProducerID, epoch, base int64, events []memberwatch.Event) {
	t.Helper()
	released := 0
	err := m.Append(t.Context(), id, epoch, &memberwatch.Batch{Base: base, Events: events, Release: func() { released++ }})
	if err != nil {
		t.Fatal(err)
	}
}

// complete says that a producer has sent everything up to an event time.
func complete(t *testing.T, m *monitor.Monitor, id memberwatch.ProducerID, epoch, base, until int64) {
	t.Helper()
	if err := m.Append(t.Context(), id, epoch, &memberwatch.Batch{Base: base, Complete: until}); err != nil {
		t.Fatal(err)
	}
}

func awaitCommitted(t testing.TB, m *monitor.Monitor, id memberwatch.ProducerID, epoch, last int64) {
	t.Helper()
	for committed := int64(0); committed < last; {
		var err error
		if committed, err = m.WaitCommitted(t.Context(), id, epoch, committed); err != nil {
			t.Fatal(err)
		}
	}
}

func constant(n int) func(*rand.Rand) int { return func(*rand.Rand) int { return n } }

func TestEveryWayLeadsToTheSameBytes(t *testing.T) {
	events := platform(3, 15)
	undisturbed := plan{batch: constant(1000)}.play(t, 1, events)
	if n := strings.Count(undisturbed, "platform.db signals "); n < 2 {
		t.Fatalf("%d signals: the stream is too tame to test anything", n)
	}
	quick := monitor.Options{CheckpointInterval: 3 * time.Millisecond}
	plans := map[string]plan{
		"again":            {batch: constant(1000)},
		"small batches":    {batch: constant(7)},
		"one large batch":  {batch: constant(1 << 30)},
		"random batches":   {batch: func(r *rand.Rand) int { return 1 + r.IntN(900) }, options: quick},
		"overlaps":         {batch: func(r *rand.Rand) int { return 1 + r.IntN(300) }, overlap: true, options: quick},
		"one processor":    {batch: constant(100), maxProcs: 1, options: quick},
		"many processors":  {batch: constant(100), maxProcs: 16, options: quick},
		"orderly restarts": {batch: constant(500), restart: 0.3, options: quick},
		"more crashes":     {batch: func(r *rand.Rand) int { return 1 + r.IntN(2000) }, crash: 0.5, options: quick},
		"crashes":          {batch: func(r *rand.Rand) int { return 1 + r.IntN(900) }, crash: 0.4, options: quick},
		"cold apps":        {batch: constant(50), options: monitor.Options{MaxResident: 1, CheckpointInterval: time.Millisecond}},
		"cold and crashing": {
			batch: constant(300), crash: 0.1, overlap: true,
			options: monitor.Options{MaxResident: 1, CheckpointInterval: time.Millisecond},
		},
	}
	for name, p := range plans {
		t.Run(name, func(t *testing.T) {
			if got := p.play(t, 2, events); got != undisturbed {
				t.Error(firstDifference(undisturbed, got))
			}
		})
	}
}

// Within an hour checkpoints write events, not states, and a restart applies them
// again: also across a change of what is declared, with signals among them, and
// when only some of the apps fit into memory.
func TestEventsOfTheHourAreAppliedAgain(t *testing.T) {
	events := platform(3, 10)
	r := rand.New(rand.NewPCG(5, 5))
	start := begin + 10*24*int64(time.Hour)
	for i := range 6000 {
		e := access(r, start, r.IntN(12))
		e.Time = start + int64(i)*int64(500*time.Millisecond)
		events = append(events, e)
	}
	quick := monitor.Options{CheckpointInterval: 2 * time.Millisecond}
	large := func(r *rand.Rand) int { return 1 + r.IntN(700) }
	change := int64(len(events) - 4000)
	undisturbed := plan{batch: constant(1 << 30), change: change}.play(t, 1, events)
	for name, p := range map[string]plan{
		"crashes":  {batch: large, crash: 0.6, options: quick},
		"restarts": {batch: large, restart: 0.5, options: quick},
		"cold":     {batch: constant(100), crash: 0.2, overlap: true, options: monitor.Options{MaxResident: 6, CheckpointInterval: time.Millisecond}},
	} {
		t.Run(name, func(t *testing.T) {
			p.change = change
			if got := p.play(t, 2, events); got != undisturbed {
				t.Error(firstDifference(undisturbed, got))
			}
		})
	}
}

func firstDifference(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	differ, first := 0, ""
	for i := range min(len(a), len(b)) {
		if a[i] == b[i] {
			continue
		}
		if differ++; first == "" {
			first = fmt.Sprintf("-%.300s\n+%.300s", a[i], b[i])
		}
	}
	return fmt.Sprintf("%d of %d lines differ (%d now), first:\n%s", differ, len(a), len(b), first)
}

// platform makes the events of a small platform: 12 apps over some days, two of
// which go astray towards the end.
func platform(seed uint64, days int) []memberwatch.Event {
	r := rand.New(rand.NewPCG(seed, 9))
	var events []memberwatch.Event
	for h := range days * 24 {
		start := begin + int64(h)*int64(time.Hour)
		var inHour []memberwatch.Event
		for app := range 12 {
			n := 1 + r.IntN(3)
			if app == 5 && h >= days*24-100 && h < days*24-90 {
				n = 60
			}
			for range n {
				inHour = append(inHour, access(r, start, app))
			}
		}
		if h%50 == 49 { // a straggler
			inHour = append(inHour, access(r, start-5*int64(time.Hour), r.IntN(12)))
		}
		for i := range inHour {
			j := r.IntN(i + 1)
			inHour[i], inHour[j] = inHour[j], inHour[i]
		}
		events = append(events, inHour...)
	}
	return events
}

func access(r *rand.Rand, start int64, app int) memberwatch.Event {
	e := memberwatch.Event{
		App: memberwatch.AppID(fmt.Sprintf("app-%02d", app)), Developer: memberwatch.DeveloperID(fmt.Sprintf("dev-%d", app/3)),
		Time: start + r.Int64N(int64(time.Hour)), DataClasses: []string{"profile_name"}, Group: fmt.Sprintf("g%d", r.IntN(9)),
		Actor: 1 + r.Uint64N(5), Endpoint: "/groups/members",
	}
	if app < 3 {
		e.DataClasses = append(e.DataClasses, "group_membership")
	}
	for range 5 + r.IntN(10) {
		e.Disclosed = append(e.Disclosed, r.Uint64N(5000)*0x9e3779b97f4a7c15)
	}
	return e
}
