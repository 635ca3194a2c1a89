package monitor

import (
	"math"
	"reflect"
	"testing"

	"github.com/memberwatch/memberwatch"
	"pgregory.net/rapid"
)

// told is what an entry tells about one event.
type told struct {
	event    memberwatch.Event
	late     bool
	revision int64
}

func eventOf(t *rapid.T) memberwatch.Event {
	name := rapid.StringN(0, 40, memberwatch.MaxNameBytes)
	members := rapid.SliceOfN(rapid.Uint64(), 0, 12)
	return memberwatch.Event{
		App: memberwatch.AppID(name.Draw(t, "app")), Time: rapid.Int64().Draw(t, "time"), Endpoint: name.Draw(t, "endpoint"),
		DataClasses: rapid.SliceOfN(rapid.StringN(0, 9, -1), 0, memberwatch.MaxEventClasses).Draw(t, "classes"),
		Group:       name.Draw(t, "group"), Disclosed: members.Draw(t, "disclosed"), Requested: members.Draw(t, "requested"),
		Missed: rapid.Uint32().Draw(t, "missed"), Records: rapid.Uint64().Draw(t, "records"), Actor: rapid.Uint64().Draw(t, "actor"),
		Credential: name.Draw(t, "credential"), Network: name.Draw(t, "network"),
		Outcome: memberwatch.Outcome(rapid.ByteRange(0, byte(memberwatch.OutcomeError)).Draw(t, "outcome")),
	}
}

func TestAJournalTellsEventsAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var j journal
		var want, got []told
		for range rapid.IntRange(1, 5).Draw(t, "events") {
			x := told{eventOf(t), rapid.Bool().Draw(t, "late"), rapid.Int64Range(0, math.MaxInt64).Draw(t, "revision")}
			j.add(&x.event, x.late, x.revision)
			want = append(want, x)
		}
		revision := int64(-1)
		err := replay(j.take(nil), func(r int64) { revision = r }, func(ev *memberwatch.Event, late bool) error {
			kept := *ev
			kept.DataClasses = append([]string{}, ev.DataClasses...)
			kept.Disclosed, kept.Requested = append([]uint64{}, ev.Disclosed...), append([]uint64{}, ev.Requested...)
			got = append(got, told{kept, late, revision})
			return nil
		})
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("error %v, told\n%+v, want\n%+v", err, got, want)
		}
	})
}

// A damaged entry gives an error or other events, never a panic or much memory.
func FuzzReplay(f *testing.F) {
	var j journal
	j.add(&memberwatch.Event{App: "a", DataClasses: []string{"c"}, Disclosed: []uint64{1, 2}, Requested: []uint64{3}}, true, 7)
	f.Add(j.entry)
	f.Add([]byte{0, 0x80, 0x80})
	f.Fuzz(func(t *testing.T, entry []byte) {
		_ = replay(entry, func(revision int64) {
			if revision < 0 {
				t.Errorf("revision %d", revision)
			}
		}, func(ev *memberwatch.Event, _ bool) error {
			if 8*(len(ev.Disclosed)+len(ev.Requested)) > len(entry) || ev.Outcome > memberwatch.OutcomeError {
				t.Errorf("%+v from %d bytes", ev, len(entry))
			}
			return nil
		})
	})
}
