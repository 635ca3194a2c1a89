package store

import (
	"reflect"
	"slices"
	"testing"

	"github.com/memberwatch/memberwatch"
)

// TestClues: what is written comes back in order of time, a window written again
// replaces itself, and what is older than the ledger goes.
func TestClues(t *testing.T) {
	s, err := Open(t.TempDir(), Options{Partitions: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close() //nolint:errcheck // the test is over
	day := memberwatch.Day.Length()
	clue := func(app memberwatch.AppID, start int64, feature string) memberwatch.Clue {
		return memberwatch.Clue{
			App: app, Developer: "d", Window: memberwatch.Window{Scale: memberwatch.Day, Start: start}, Kind: memberwatch.KindVolumeBurst,
			Feature: feature, Period: 12.5, Share: 0.25,
		}
	}
	all := []memberwatch.Clue{clue("a", 2*day, "reach"), clue("a", 2*day, "records"), clue("", 2*day, "reach"), clue("a", 3*day, "reach")}
	for range 2 {
		if _, err := s.Partitions[0].Commit(&PartitionCommit{Clues: slices.Clone(all)}); err != nil {
			t.Fatal(err)
		}
	}
	read := func(from int64) (list []memberwatch.Clue) {
		err := s.Partitions[0].Clues(from, func(c memberwatch.Clue) error {
			list = append(list, c)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	if got := read(0); !reflect.DeepEqual(got, all) {
		t.Errorf("got %+v", got)
	}
	if got := read(3 * day); !reflect.DeepEqual(got, all[3:]) {
		t.Errorf("from day 3: %+v", got)
	}
	if _, err := s.Partitions[0].Commit(&PartitionCommit{LedgerFrom: 3}); err != nil {
		t.Fatal(err)
	}
	if got := read(0); !reflect.DeepEqual(got, all[3:]) {
		t.Errorf("after day 2 expired: %+v", got)
	}
}

func FuzzDecodeClues(f *testing.F) {
	key := clueKey(&memberwatch.Clue{App: "a"})
	f.Add(key, sealBytes([]byte{0, 0}))
	f.Add([]byte("short"), sealBytes([]byte{1, 'd', 1}))
	f.Fuzz(func(_ *testing.T, key, record []byte) {
		_, _ = decodeClues(key, record) // must not panic
	})
}
