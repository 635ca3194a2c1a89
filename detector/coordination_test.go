package detector

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/codec"
)

// deed is one app's reading of one member.
type deed struct {
	day, second int
	app         string
	member      uint64
}

// bystanders returns a day's bystanders: thirty apps that read twenty members each,
// of whom a few are everybody's.
func bystanders(day int) []deed {
	var all []deed
	for app := range 30 {
		for k := range 20 {
			h := hashName(fmt.Sprint("by", day, app, k))
			member := h % 100_000
			if k == 0 {
				member = 7 // viral
			}
			all = append(all, deed{day, int(h>>20) % 86_400, fmt.Sprint("by-", app), member})
		}
	}
	return all
}

// ring returns what apps do that read the same members a second after each other.
func ring(day, apps, members int) []deed {
	var all []deed
	for k := range members {
		h := hashName(fmt.Sprint("ring", day, k))
		for app := range apps {
			all = append(all, deed{day, int(h>>20)%86_000/600*600 + app, fmt.Sprint("ring-", app), h})
		}
	}
	return all
}

func TestCoordination(t *testing.T) {
	tests := map[string]struct {
		days  int
		deeds func(day int) []deed
		want  []string // apps named
	}{
		"nobody acts together": {90, bystanders, nil},
		"five apps on three members a day": {
			20, func(day int) []deed { return append(bystanders(day), ring(day, 5, 3)...) },
			[]string{"ring-0", "ring-1", "ring-2", "ring-3", "ring-4"},
		},
		"three apps may be one": {20, func(day int) []deed { return append(bystanders(day), ring(day, 3, 3)...) }, nil},
		"four apps, a minute apart over a full ten minutes": {20, func(day int) []deed {
			all := ring(day, 4, 3)
			for i := range all {
				all[i].second = all[i].second/600*600 + 570 + i%4*60
			}
			return append(bystanders(day), all...)
		}, []string{"ring-0", "ring-1", "ring-2", "ring-3"}},
		"one member over and over": {40, func(day int) []deed {
			all := ring(day, 8, 3)
			for i := range all {
				all[i].member = 99
			}
			return append(bystanders(day), all...)
		}, nil},
		"everybody reads what is new": {40, func(day int) []deed { return ring(day, mostTogether+1, 10) }, nil},
		"the same members, each at a time of its own": {40, func(day int) []deed {
			all := ring(day, 8, 3)
			for i := range all {
				all[i].second = int(hashName(all[i].app)>>20) % 86_400
			}
			return append(bystanders(day), all...)
		}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			start := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC).UnixNano()
			fleet := NewFleet(DefaultConfig())
			var named []memberwatch.AppID
			signals := 0
			for day := range tt.days {
				at := memberwatch.WindowAt(memberwatch.Day, start+int64(day)*dayLength)
				windows := map[string]*touches{}
				for _, d := range tt.deeds(day) {
					if windows[d.app] == nil {
						windows[d.app] = new(touches)
					}
					windows[d.app].add(&memberwatch.Event{Time: at.Start + int64(d.second)*int64(time.Second), Disclosed: []uint64{d.member}})
				}
				tally := newTally(at)
				for app, ts := range windows {
					tally.touch(memberwatch.AppID(app), *ts)
				}
				fleet.Judge(tally)
				fleet = reloaded(t, fleet)
				for _, u := range fleet.TakeUpdates() {
					if u.Signal.Revision == 1 {
						signals++
					}
					named = u.Signal.Apps
				}
			}
			if fmt.Sprint(named) != fmt.Sprint(tt.want) || signals > 1 {
				t.Errorf("%d signals, naming %v; want %v", signals, named, tt.want)
			}
		})
	}
}

// reloaded returns the fleet as it is after a restart, with its updates.
func reloaded(t *testing.T, fleet *Fleet) *Fleet {
	t.Helper()
	b, err := fleet.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	restored := NewFleet(fleet.cfg)
	restored.tunings = fleet.tunings // the shell tells it again
	if err := restored.UnmarshalBinary(b); err != nil {
		t.Fatal(err)
	}
	restored.updates = fleet.updates
	return restored
}

func TestTouchesDoNotKnowTheirOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) memberwatch.Event {
			return memberwatch.Event{Time: rapid.Int64Range(0, dayLength).Draw(t, "time"), Disclosed: rapid.SliceOfN(rapid.Uint64(), 0, 5).Draw(t, "members")}
		}), 0, 80).Draw(t, "events")
		var one, other touches
		for i := range events {
			one.add(&events[i])
			other.add(&events[len(events)-1-i])
		}
		other.add(&memberwatch.Event{Disclosed: make([]uint64, touchFew+1)}) // a list of many is no deed
		if !slices.Equal(one, other) || !slices.IsSorted(one) || len(one) > keepTouches {
			t.Fatalf("got %v and %v", one, other)
		}
		e := codec.NewEncoder(nil, 1)
		one.encode(e)
		b, err := e.Finish()
		if err != nil {
			t.Fatal(err)
		}
		var read touches
		if read.decode(codec.NewDecoder(b, 1, "touches")); !slices.Equal(one, read) {
			t.Fatalf("wrote %v, read %v", one, read)
		}
	})
}
