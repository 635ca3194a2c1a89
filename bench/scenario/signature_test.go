package scenario

import (
	"math"
	"slices"
	"testing"

	"github.com/memberwatch/memberwatch"
)

// trace is what a test keeps of one scenario's run.
type trace struct {
	sim      *Simulator
	incident *Incident
	own      []memberwatch.Event // the incident's, with their slices
	before   []memberwatch.Event // the same apps' earlier ones
}

// record runs one scenario and keeps what its apps do.
func record(t *testing.T, scenario string, days int) *trace {
	t.Helper()
	sim := build(t, Config{
		Seed: 21, Apps: 120, Days: days, Members: 500_000, EventsPerDay: 3_600,
		Plant: []Planting{{Scenario: scenario, Rate: 0.2}},
	})
	r := &trace{sim: sim, incident: sim.Truth()[0]}
	var e memberwatch.Event
	for sim.Next(&e) {
		mine := sim.Incident() == 0
		if !mine && (!slices.Contains(r.incident.Apps, e.App) || e.Time >= r.incident.Start.UnixNano()) {
			continue
		}
		kept := e
		kept.Disclosed, kept.Requested = slices.Clone(e.Disclosed), slices.Clone(e.Requested)
		if mine {
			r.own = append(r.own, kept)
		} else {
			r.before = append(r.before, kept)
		}
	}
	if len(r.own) == 0 {
		t.Fatal("the incident made no events")
	}
	return r
}

// distinct counts different values of events.
func distinct[K comparable](events []memberwatch.Event, of func(*memberwatch.Event) []K) map[K]int {
	seen := make(map[K]int)
	for i := range events {
		for _, k := range of(&events[i]) {
			seen[k]++
		}
	}
	return seen
}

func disclosed(e *memberwatch.Event) []uint64 { return e.Disclosed }
func classesOf(e *memberwatch.Event) []string { return e.DataClasses }
func groupOf(e *memberwatch.Event) []string   { return []string{e.Group} }
func network(e *memberwatch.Event) []string   { return []string{e.Network} }
func credential(e *memberwatch.Event) []string {
	return []string{e.Credential}
}
func appOf(e *memberwatch.Event) []memberwatch.AppID { return []memberwatch.AppID{e.App} }
func actorOf(e *memberwatch.Event) []uint64          { return []uint64{e.Actor} }

// shared returns the share of a's keys that b has too.
func shared[K comparable](a, b map[K]int) float64 {
	n := 0
	for k := range a {
		if b[k] > 0 {
			n++
		}
	}
	return float64(n) / float64(max(1, len(a)))
}

// readings counts disclosed members, repeated ones too.
func readings(events []memberwatch.Event) (n int) {
	for i := range events {
		n += len(events[i].Disclosed)
	}
	return n
}

// TestSignatures checks that each scenario shows what its file says gives it
// away, and that each look-alike differs where its file says so.
func TestSignatures(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		scenario string
		what     string
		holds    func(*trace) bool
	}{
		{"S03", "members are new and nobody acts", func(r *trace) bool {
			return len(distinct(r.own, actorOf)) == 1 && shared(distinct(r.own, disclosed), distinct(r.before, disclosed)) < 0.2
		}},
		{"S05", "hours differ by chance only", func(r *trace) bool {
			hours := make([]float64, 24)
			for i := range r.own {
				hours[r.own[i].Time%day/hour]++
			}
			return slices.Max(hours) < 1.3*slices.Min(hours)
		}},
		{"S06", "the last week is far above the first", func(r *trace) bool {
			early, late := 0, 0
			for i := range r.own {
				switch at := r.own[i].Time; {
				case at < r.incident.Start.UnixNano()+7*day:
					early += len(r.own[i].Disclosed)
				case at > r.incident.End.UnixNano()-7*day:
					late += len(r.own[i].Disclosed)
				}
			}
			return late > 2*early
		}},
		{"S07", "most ids exist, none comes twice", func(r *trace) bool {
			seen := distinct(r.own, func(e *memberwatch.Event) []uint64 { return e.Requested })
			return len(seen) == asked(r.own) && float64(missed(r.own)) < 0.4*float64(len(seen))
		}},
		{"S08", "nearly all ids miss", func(r *trace) bool { return float64(missed(r.own)) > 0.94*float64(asked(r.own)) }},
		{"S09", "a hundred members and more for each installer", func(r *trace) bool {
			return readings(r.own) > 90*len(distinct(r.own, actorOf)) && len(distinct(r.own, actorOf)) > 50
		}},
		{"S10", "network and endpoint are new", func(r *trace) bool {
			return shared(distinct(r.own, network), distinct(r.before, network)) == 0 && r.own[0].Endpoint == "/bulk/users:export"
		}},
		{"S11", "90 days of silence come first", func(r *trace) bool {
			return len(r.before) > 0 && r.own[0].Time-r.before[len(r.before)-1].Time > 89*day
		}},
		{"S12", "apps of one developer read different members", func(r *trace) bool {
			return len(r.incident.Developers) == 1 && len(distinct(r.own, appOf)) >= 3 && len(distinct(r.own[:500], disclosed)) == readings(r.own[:500])
		}},
		{"S13", "hundreds of identities, no member twice", func(r *trace) bool {
			return len(distinct(r.own, appOf)) > 300 && len(distinct(r.own, disclosed)) == readings(r.own)
		}},
		{"S14", "gaps hardly vary", func(r *trace) bool { return variation(r.own) < 0.05 }},
		{"S15", "another class than the restricted one", func(r *trace) bool {
			return r.incident.Restriction != "" && distinct(r.own, classesOf)[classFriends] == 0
		}},
		{"S16", "names on activity reads, which had none", func(r *trace) bool {
			named := func(events []memberwatch.Event) (n int) {
				for i := range events {
					if events[i].Endpoint == "/groups/{id}/feed" && slices.Contains(events[i].DataClasses, classPicture) {
						n++
					}
				}
				return n
			}
			return named(r.before) == 0 && named(r.own) > 0
		}},
		{"S17", "groups are not its own", func(r *trace) bool {
			return shared(distinct(r.own, groupOf), distinct(r.before, groupOf)) < 0.1
		}},
		{"S18", "ids were not disclosed since the attestation", func(r *trace) bool {
			return asked(r.own) > 0 && r.own[0].Time > r.incident.Start.UnixNano()
		}},
		{"S19", "canaries are read", func(r *trace) bool {
			touched := distinct(r.own, disclosed)
			return slices.ContainsFunc(r.incident.Canaries, func(m memberwatch.MemberID) bool { return touched[uint64(m)] > 0 })
		}},
		{"S21", "events come late", func(r *trace) bool {
			newest, late := int64(0), 0
			for i := range r.own {
				if r.own[i].Time < newest-6*hour {
					late++
				}
				newest = max(newest, r.own[i].Time)
			}
			return late > len(r.own)/3
		}},
		{"B2", "one group, nobody twice", func(r *trace) bool {
			return len(distinct(r.own, groupOf)) == 1 && len(distinct(r.own, disclosed)) == readings(r.own)
		}},
		{"B2", "its admin acts in the group, and something is posted", func(r *trace) bool {
			return len(distinct(r.own, actorOf)) == 1 && shared(distinct(r.own, actorOf), distinct(r.before, actorOf)) == 0 && posts(r.own) > 0
		}},
		{"B3", "all members are known", func(r *trace) bool {
			again := slices.DeleteFunc(slices.Clone(r.own), func(e memberwatch.Event) bool { return e.Time < r.incident.Start.UnixNano()+2*hour })
			return len(distinct(again, disclosed)) > 0 && shared(distinct(again, disclosed), distinct(r.before, disclosed)) == 1
		}},
		{"B7", "new groups have new people, old ones theirs", func(r *trace) bool {
			ordinary := slices.DeleteFunc(slices.Clone(r.own), func(e memberwatch.Event) bool { return e.Time < r.incident.Start.UnixNano()+2*day || e.Group == "" })
			run := func(events []memberwatch.Event) map[string]map[uint64]bool {
				by := make(map[string]map[uint64]bool)
				for i := range events {
					if by[events[i].Group] == nil {
						by[events[i].Group] = make(map[uint64]bool)
					}
					by[events[i].Group][events[i].Actor] = true
				}
				return by
			}
			old, known := run(r.before), distinct(r.before, actorOf)
			fresh, strange := 0, 0
			for group, actors := range run(ordinary) {
				if old[group] != nil {
					continue
				}
				for actor := range actors {
					if fresh++; known[actor] > 0 {
						strange++
					}
				}
			}
			return fresh > 10 && strange*4 < fresh && posts(r.own) > 0
		}},
		{"B6", "few members, again and again", func(r *trace) bool { return len(distinct(r.own, disclosed))*20 < readings(r.own) }},
		{"B8", "network is new, members are known", func(r *trace) bool {
			return shared(distinct(r.own, network), distinct(r.before, network)) == 0 && shared(distinct(r.own, disclosed), distinct(r.before, disclosed)) > 0.3
		}},
		{"B9", "credential is new, network is not", func(r *trace) bool {
			return shared(distinct(r.own, credential), distinct(r.before, credential)) == 0 && shared(distinct(r.own, network), distinct(r.before, network)) == 1
		}},
		{"B13", "few test members", func(r *trace) bool { return len(distinct(r.own, disclosed)) <= 500+len(distinct(r.before, disclosed)) }},
		{"B14", "errors, and nobody disclosed by them", func(r *trace) bool {
			failed := 0
			for i := range r.own {
				if r.own[i].Outcome == memberwatch.OutcomeError {
					failed++
				}
			}
			return failed > len(r.own)/2 && readings(r.own) < len(r.own)
		}},
	} {
		t.Run(test.scenario, func(t *testing.T) {
			days := 50
			if test.scenario == "S11" {
				days = 120
			}
			r := record(t, test.scenario, days)
			if !test.holds(r) {
				t.Errorf("%s: does not hold for %v (%d events, %d before)", test.what, r.incident.Parameters, len(r.own), len(r.before))
			}
		})
	}
}

func asked(events []memberwatch.Event) (n int) {
	for i := range events {
		n += len(events[i].Requested)
	}
	return n
}

// posts counts calls about a group that disclose nobody.
func posts(events []memberwatch.Event) (n int) {
	for i := range events {
		if e := &events[i]; e.Group != "" && len(e.Disclosed) == 0 && len(e.DataClasses) == 0 {
			n++
		}
	}
	return n
}

func missed(events []memberwatch.Event) (n int) {
	for i := range events {
		n += int(events[i].Missed)
	}
	return n
}

// variation returns the coefficient of variation of the gaps.
func variation(events []memberwatch.Event) float64 {
	var sum, square, n float64
	for i := 1; i < len(events); i++ {
		gap := float64(events[i].Time - events[i-1].Time)
		sum, square, n = sum+gap, square+gap*gap, n+1
	}
	return math.Sqrt(square/n-sum/n*sum/n) / (sum / n)
}
