package scenario

import (
	"testing"

	"github.com/memberwatch/memberwatch"
)

func TestSmoke(t *testing.T) {
	var plan []Planting
	c, err := DefaultCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range c.Scenarios() {
		plan = append(plan, Planting{Scenario: s.ID})
	}
	sim, err := New(Config{Seed: 1, Apps: 600, Days: 120, Members: 500_000, Plant: plan})
	if err != nil {
		t.Fatal(err)
	}
	var e memberwatch.Event
	n, m := 0, 0
	for sim.Next(&e) {
		n++
		m += len(e.Disclosed)
	}
	t.Log(n, m)
	for _, i := range sim.Truth() {
		t.Log(i.Scenario, i.Kind, len(i.Apps), i.Start.Format("0102 15:04"), i.End.Format("0102 15:04"), i.Events(), i.Leaked(), i.Parameters)
	}
}

func BenchmarkNext(b *testing.B) {
	sim, err := New(Config{Seed: 1, Apps: 2000, Days: 3650})
	if err != nil {
		b.Fatal(err)
	}
	var e memberwatch.Event
	members := 0
	b.ReportAllocs()
	for b.Loop() {
		sim.Next(&e)
		members += len(e.Disclosed)
	}
	b.ReportMetric(float64(members)/float64(b.N), "members/op")
}
