package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/store"
	bolt "go.etcd.io/bbolt"
)

// join stands in for a sketch's union: the bytes one after the other.
func join(stored, delta []byte) ([]byte, error) { return slices.Concat(stored, delta), nil }

func openStore(t *testing.T, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(dir, store.Options{Partitions: 2, MergeSketch: join, LockTimeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closeStore(t *testing.T, s *store.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func commit(t *testing.T, p *store.Partition, c store.PartitionCommit) store.Committed {
	t.Helper()
	done, err := p.Commit(&c)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func TestOpenRefusesWhatItMustNotTouch(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	_, err := store.Open(dir, store.Options{LockTimeout: 20 * time.Millisecond})
	expectReason(t, err, memberwatch.ErrUnavailable, "DATA_DIRECTORY_LOCKED", dir)
	closeStore(t, s)
	_, err = store.Open(dir, store.Options{Partitions: 3})
	expectReason(t, err, memberwatch.ErrInvalid, "PARTITIONS_MISMATCH", "has 2 partitions, 3 asked for")
	_, err = store.Open(dir, store.Options{Partitions: -1})
	expectReason(t, err, memberwatch.ErrInvalid, "PARTITIONS_INVALID", "-1")
	s, err = store.Open(dir, store.Options{})
	if err != nil || len(s.Partitions) != 2 {
		t.Fatalf("reopened: %v", err)
	}
	closeStore(t, s)
	if err := os.Remove(filepath.Join(dir, store.PartitionFile(1))); err != nil {
		t.Fatal(err)
	}
	_, err = store.Open(dir, store.Options{})
	expectReason(t, err, memberwatch.ErrInvalid, "DATA_FILE_MISSING", "partition-001.db")
}

func expectReason(t *testing.T, err, kind error, reason, text string) {
	t.Helper()
	r, ok := errors.AsType[*memberwatch.ReasonError](err)
	if !ok || !errors.Is(err, kind) || r.Reason != reason || !strings.Contains(err.Error(), text) {
		t.Errorf("error %v, want reason %s and %q", err, reason, text)
	}
}

func TestACommitIsRecoveredWhole(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	hour := memberwatch.Window{Scale: memberwatch.Hour, Start: 23 * memberwatch.Hour.Length()}
	day := memberwatch.Window{Scale: memberwatch.Day}
	want := store.Recovered{
		Progress: store.Progress{Closed: 1, Judged: 2, Applied: 3, Late: 4, Lost: 5},
		Marks:    []store.Mark{{Producer: "a", Sequence: 6, Newest: 7, Live: true}, {Producer: "b", Sequence: 8}},
		Tallies:  []store.Tally{{Window: hour, Value: []byte("h")}, {Window: day, Value: []byte("d")}},
		Classes:  []memberwatch.Count{{Name: "", Count: 1}, {Name: "group_membership", Count: 9}},
		Engine:   []byte("engine"), OutboxLast: 1,
	}
	commit(t, s.Partitions[1], store.PartitionCommit{
		Progress: want.Progress, Marks: want.Marks, Tallies: []store.Tally{want.Tallies[1], want.Tallies[0]}, Classes: want.Classes,
		Engine: want.Engine, Outbox: []memberwatch.Update{{Signal: memberwatch.Signal{ID: "s"}}},
		Apps: []store.AppOwner{{App: "crm", Developer: "acme"}, {App: "cold"}}, Routes: []store.Route{{App: "crm", Partition: 1}},
		States: []store.StatePart{{App: "crm", Part: 0, Value: []byte("hot")}, {App: "crm", Part: 2, Value: []byte("history")}},
	})
	closeStore(t, s)
	s = openStore(t, dir)
	defer closeStore(t, s)
	p := s.Partitions[1]
	got, err := p.Recover()
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("recovered %v, %v\nwant %v", got, err, want)
	}
	state, ok, err := p.State("crm")
	if err != nil || !ok || state.Developer != "acme" || string(state.Parts[0]) != "hot" || state.Parts[1] != nil || string(state.Parts[2]) != "history" {
		t.Errorf("state %+v, %v, %v", state, ok, err)
	}
	commit(t, p, store.PartitionCommit{States: []store.StatePart{{App: "crm", Part: 0}}, TalliesDone: hour.End()})
	if hot, err := p.HotApps("", 10); err != nil || len(hot) != 0 {
		t.Errorf("hot apps %v, %v: an empty part must go", hot, err)
	}
	if got, _ := p.Recover(); len(got.Tallies) != 0 {
		t.Errorf("tallies %v were judged", got.Tallies)
	}
	if ids, err := p.AppIDs("", 10); err != nil || !slices.Equal(ids, []memberwatch.AppID{"cold", "crm"}) {
		t.Errorf("apps %v, %v", ids, err)
	}
	if ids, err := p.AppIDs("cold", 10); err != nil || !slices.Equal(ids, []memberwatch.AppID{"crm"}) {
		t.Errorf("apps after cold: %v, %v", ids, err)
	}
}

func row(day int32, class memberwatch.DataClass, app memberwatch.AppID, after bool, calls uint64, members string) memberwatch.LedgerRow {
	return memberwatch.LedgerRow{
		LedgerKey: memberwatch.LedgerKey{Day: day, Class: class, App: app, After: after}, Calls: calls, Members: []byte(members),
	}
}

func ledger(t *testing.T, p *store.Partition, r store.LedgerRange) []string {
	t.Helper()
	var rows []string
	err := p.Ledger(r, func(v *store.LedgerView) (finer bool, err error) {
		rows = append(rows, fmt.Sprintf("%d %s %s %v %d %s", v.Day, v.Class, v.App, v.After, v.Calls, v.Members))
		return false, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestLedgerRowsMergeAndAreChosenByDayAndClass(t *testing.T) {
	s := openStore(t, t.TempDir())
	defer closeStore(t, s)
	p := s.Partitions[0]
	commit(t, p, store.PartitionCommit{Ledger: []memberwatch.LedgerRow{
		row(3, "name", "x", false, 1, "a"), row(1, "group", "x", false, 2, "b"), row(1, "group_x", "x", false, 4, "c"), row(-1, "name", "y", true, 5, ""),
	}})
	commit(t, p, store.PartitionCommit{Ledger: []memberwatch.LedgerRow{
		row(3, "name", "x", false, 10, "z"), row(3, "name", "x", true, 20, "q"), row(1, "group", "x", false, 1, ""), row(9, "name", "w", false, 1, ""),
	}})
	all := []string{"9 name w false 1 ", "3 name x false 11 az", "3 name x true 20 q", "-1 name y true 5 ", "1 group x false 3 b", "1 group_x x false 4 c"}
	cases := []struct {
		name  string
		query store.LedgerRange
		want  []string
	}{
		{"everything", store.LedgerRange{Since: -5, Until: 1 << 30, AnyClass: true}, all},
		{"days", store.LedgerRange{Since: 1, Until: 3, AnyClass: true}, []string{all[1], all[2], all[4], all[5]}},
		{"a class", store.LedgerRange{Since: -5, Until: 1 << 30, Class: "name"}, all[:4]},
		{"a class that begins another", store.LedgerRange{Since: 0, Until: 5, Class: "group"}, all[4:5]},
		{"no such class", store.LedgerRange{Since: 0, Until: 5, Class: "hobbies"}, nil},
		{"no such days", store.LedgerRange{Since: 20, Until: 30, AnyClass: true}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := ledger(t, p, c.query); !slices.Equal(got, c.want) {
				t.Errorf("rows %q, want %q", got, c.want)
			}
		})
	}
	commit(t, p, store.PartitionCommit{LedgerFrom: 3})
	if got := ledger(t, p, cases[0].query); !slices.Equal(got, all[:3]) {
		t.Errorf("after expiry %q, want %q", got, all[:3])
	}
}

// Damage in one record must neither stop the partition nor vanish.
func TestDamagedRecordsAreSetAside(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	first := store.PartitionCommit{
		Apps: []store.AppOwner{{App: "crm"}}, States: []store.StatePart{{App: "crm", Part: 1, Value: []byte("baseline")}},
		Ledger: []memberwatch.LedgerRow{row(3, "name", "crm", false, 1, "a")},
	}
	commit(t, s.Partitions[0], first)
	closeStore(t, s)
	damage(t, filepath.Join(dir, store.PartitionFile(0)), "state-1", "ledger")
	s = openStore(t, dir)
	if _, _, err := s.Partitions[0].State("crm"); !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), `partition-000.db: bucket "state-1": key "crm"`) {
		t.Errorf("damaged state: %v", err)
	}
	second := first
	second.SetAside = []memberwatch.AppID{"crm"}
	if done := commit(t, s.Partitions[0], second); done.Damaged != 1 {
		t.Errorf("%d damaged ledger rows, want 1", done.Damaged)
	}
	if state, _, err := s.Partitions[0].State("crm"); err != nil || string(state.Parts[1]) != "baseline" {
		t.Errorf("new state %q, %v", state.Parts[1], err)
	}
	if got := ledger(t, s.Partitions[0], store.LedgerRange{Until: 9, AnyClass: true}); !slices.Equal(got, []string{"3 name crm false 1 a"}) {
		t.Errorf("ledger begins anew with %q", got)
	}
	closeStore(t, s)
	if n := count(t, filepath.Join(dir, store.PartitionFile(0)), "damaged"); n != 2 {
		t.Errorf("%d records set aside, want 2", n)
	}
}

// damage flips a bit in every value of some buckets.
func damage(t *testing.T, path string, buckets ...string) {
	t.Helper()
	rewrite(t, path, func(tx *bolt.Tx) error {
		for _, name := range buckets {
			cursor := tx.Bucket([]byte(name)).Cursor()
			for k, v := cursor.First(); k != nil; k, v = cursor.Next() {
				v = bytes.Clone(v)
				v[len(v)/2] ^= 1
				if err := tx.Bucket([]byte(name)).Put(bytes.Clone(k), v); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func count(t *testing.T, path, bucket string) (n int) {
	t.Helper()
	rewrite(t, path, func(tx *bolt.Tx) error {
		n = tx.Bucket([]byte(bucket)).Stats().KeyN
		return nil
	})
	return n
}

func rewrite(t *testing.T, path string, change func(tx *bolt.Tx) error) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(change), db.Close()); err != nil {
		t.Fatal(err)
	}
}
