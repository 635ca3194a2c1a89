package scenario

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
)

// everything plants every scenario of the shipped catalogue once, at a tenth of
// its rate.
func everything(t testing.TB) []Planting {
	t.Helper()
	c, err := DefaultCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	var plan []Planting
	for _, s := range c.Scenarios() {
		rate := 0.1
		if s.ID == "S02" || s.ID == "B3" {
			rate = 1 // they are few calls anyhow
		}
		plan = append(plan, Planting{Scenario: s.ID, Rate: rate})
	}
	return plan
}

func build(t testing.TB, c Config) *Simulator {
	t.Helper()
	sim, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return sim
}

// fingerprint mixes every field of every event that keep lets through.
func fingerprint(sim *Simulator, keep func(*memberwatch.Event) bool) (sum uint64, events int) {
	var e memberwatch.Event
	for sim.Next(&e) {
		if keep != nil && !keep(&e) {
			continue
		}
		events++
		for _, text := range []string{string(e.App), string(e.Developer), e.Endpoint, e.Group, e.Credential, e.Network} {
			sum = key(sum, textKey(text))
		}
		for _, class := range e.DataClasses {
			sum = key(sum, textKey(class))
		}
		for _, list := range [][]uint64{e.Disclosed, e.Requested, {uint64(e.Time), e.Records, e.Actor, uint64(e.Missed), uint64(e.Outcome)}} {
			for _, v := range list {
				sum = key(sum, v)
			}
		}
	}
	return sum, events
}

func TestSameSeedSameEvents(t *testing.T) {
	t.Parallel()
	config := Config{Seed: 7, Apps: 500, Days: 110, Members: 200_000, EventsPerDay: 2_000, Disorder: time.Minute, Plant: everything(t)}
	first, events := fingerprint(build(t, config), nil)
	again, _ := fingerprint(build(t, config), nil)
	config.Seed = 8
	other, _ := fingerprint(build(t, config), nil)
	if events < 200_000 {
		t.Errorf("only %d events", events)
	}
	if first != again {
		t.Error("the same configuration gave other events")
	}
	if first == other {
		t.Error("another seed gave the same events")
	}
}

// TestPlantingTouchesNobodyElse: what is planted in one app leaves the traffic
// of all others as it was.
func TestPlantingTouchesNobodyElse(t *testing.T) {
	t.Parallel()
	config := Config{Seed: 3, Apps: 60, Days: 40, Members: 100_000}
	config.Plant = []Planting{{Scenario: "S04"}, {Scenario: "S09"}, {Scenario: "B3"}}
	planted := build(t, config)
	var touched []memberwatch.AppID
	for _, i := range planted.Truth() {
		touched = append(touched, i.Apps...)
	}
	others := func(e *memberwatch.Event) bool { return !slices.Contains(touched, e.App) }
	with, events := fingerprint(planted, others)
	config.Plant = nil
	without, _ := fingerprint(build(t, config), others)
	if with != without || events == 0 {
		t.Errorf("planting changed the %d events of apps it does not befall", events)
	}
}

func TestOrder(t *testing.T) {
	t.Parallel()
	for name, disorder := range map[string]time.Duration{"in order": 0, "a minute": time.Minute} {
		t.Run(name, func(t *testing.T) {
			sim := build(t, Config{Seed: 1, Apps: 200, Days: 12, Members: 50_000, Disorder: disorder})
			var e memberwatch.Event
			var newest, worst int64
			for sim.Next(&e) {
				worst = max(worst, newest-e.Time)
				newest = max(newest, e.Time)
			}
			if worst > int64(disorder) || disorder > 0 && worst < int64(disorder)/2 {
				t.Errorf("events are up to %s behind the newest, want at most and about %s", time.Duration(worst), disorder)
			}
			if newest >= sim.End().UnixNano() {
				t.Errorf("newest event %d is not before the end", newest)
			}
		})
	}
}

// TestEventsAreValid holds every event of every scenario against the contract.
func TestEventsAreValid(t *testing.T) {
	t.Parallel()
	sim := build(t, Config{Seed: 5, Apps: 500, Days: 110, Members: 200_000, EventsPerDay: 2_000, Plant: everything(t)})
	declared := make(map[memberwatch.AppID]time.Time)
	for i, change := range sim.Declarations() {
		if change.Revision != int64(i)+1 {
			t.Fatalf("declaration %d has revision %d", i, change.Revision)
		}
		var err error
		switch {
		case change.App != nil:
			err = change.App.Validate()
			if _, known := declared[change.App.ID]; !known {
				declared[change.App.ID] = change.Time
			}
		case change.Canaries != nil:
			err = change.Canaries.Validate()
		case change.Attestation != nil:
			err = change.Attestation.Validate()
		default:
			err = change.Restriction.Validate()
		}
		if err != nil {
			t.Error(err)
		}
	}
	var e memberwatch.Event
	for sim.Next(&e) {
		if err := e.Validate(sim.End().UnixNano()); err != nil {
			t.Fatal(err)
		}
		if at, ok := declared[e.App]; !ok || e.Time < at.UnixNano() {
			t.Fatalf("app %q calls at %d, before it is declared (%v)", e.App, e.Time, at)
		}
		if len(e.Requested) > 0 && len(e.Requested) != len(e.Disclosed)+int(e.Missed) {
			t.Fatalf("%d ids asked for, %d disclosed, %d missed", len(e.Requested), len(e.Disclosed), e.Missed)
		}
	}
}

// TestMemoryDoesNotGrow compares the heap early and late in a run.
func TestMemoryDoesNotGrow(t *testing.T) {
	sim := build(t, Config{Seed: 2, Apps: 200, Days: 300, Members: 100_000, EventsPerDay: 2_000})
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	until := func(days int64) {
		var e memberwatch.Event
		for sim.Next(&e) && e.Time < sim.start+days*day {
		}
	}
	until(30)
	early := heap()
	until(290)
	if late := heap(); late > early+early/10+100_000 {
		t.Errorf("heap grew from %d bytes on day 30 to %d on day 290", early, late)
	}
	runtime.KeepAlive(sim)
}

func TestConfigErrors(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		config Config
		want   string
	}{
		"days":        {Config{Days: -1}, "simulate a platform: days is -1, must be 1 to 3650"},
		"members":     {Config{Members: 3}, "simulate a platform: members is 3, must be 1000 to 4294967296"},
		"disorder":    {Config{Disorder: 2 * time.Hour}, "simulate a platform: disorder is 2h0m0s, must be 0 to 1h"},
		"rate":        {Config{Plant: []Planting{{Scenario: "S04", Rate: -1}}}, `plant "S04": rate -1 must be positive`},
		"short run":   {Config{Days: 60, Plant: []Planting{{Scenario: "S11"}}}, `plant "S11": a dormant app needs a run of at least 98 days, not 60`},
		"too few":     {Config{Apps: 3, Plant: []Planting{{Scenario: "S16"}, {Scenario: "S16"}, {Scenario: "S16"}, {Scenario: "S16"}}}, "simulate more apps or plant less"},
		"no scenario": {Config{Plant: []Planting{{Scenario: "S99"}}}, `plant "S99": no such scenario; there are B1, B2, `},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(test.config)
			checkError(t, err, test.want)
		})
	}
}

func BenchmarkNext(b *testing.B) {
	sim := build(b, Config{Seed: 1, Days: 3650})
	var e memberwatch.Event
	members := 0
	b.ReportAllocs()
	for b.Loop() {
		if !sim.Next(&e) {
			b.Fatal("the run is over")
		}
		members += len(e.Disclosed)
	}
	b.ReportMetric(float64(members)/float64(b.N), "members/op")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
