package store_test

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/store"
	bolt "go.etcd.io/bbolt"
)

// sum is what rows of one class, app and after come to.
type sum struct {
	calls, records        uint64
	days, certain         []int32
	members, sure, groups []byte
	inexact               bool
}

func (s *sum) add(v *store.LedgerView, held store.Held, exact bool) {
	s.calls, s.records, s.inexact = s.calls+v.Calls, s.records+v.Records, s.inexact || !exact
	for set := v.Days; set != 0; set &= set - 1 {
		day := v.Day + int32(bits.TrailingZeros64(set))
		if s.days = append(s.days, day); held == store.Holds {
			s.certain = append(s.certain, day)
		}
	}
	s.members, s.sure, s.groups = append(s.members, v.Members...), append(s.sure, v.Sure...), append(s.groups, v.Groups...)
}

func (s *sum) String() string {
	members, _ := uniteWords(s.members, nil)
	sure, _ := uniteWords(s.sure, nil)
	groups, _ := uniteWords(s.groups, nil)
	slices.Sort(s.days)
	slices.Sort(s.certain)
	return fmt.Sprintf("%d calls, %d records, days %d, certain %d, inexact %t, members %x, sure %x, groups %x",
		s.calls, s.records, s.days, s.certain, s.inexact, members, sure, groups)
}

// sums gathers a range by class, app and after, of one endpoint or of all. Some
// rows are wanted finer than they come.
func sums(t *testing.T, p *store.Partition, r store.LedgerRange, endpoint string, finer func(v *store.LedgerView) bool) (all map[string]string, rows int) {
	t.Helper()
	gathered := make(map[string]*sum)
	err := p.Ledger(r, func(v *store.LedgerView) (bool, error) {
		rows++
		held, exact := store.Holds, true
		if bits.OnesCount64(v.Days) > 1 && finer(v) {
			return true, nil
		}
		if endpoint != "" {
			var err error
			if held, exact, err = v.By(endpoint); err != nil || held == store.NotHeld || held == store.Unclear {
				return held == store.Unclear, err
			}
		}
		name := fmt.Sprintf("%s/%s/%t", v.Class, v.App, v.After)
		if gathered[name] == nil {
			gathered[name] = &sum{}
		}
		gathered[name].add(v, held, exact)
		return false, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	all = make(map[string]string)
	for name, s := range gathered {
		all[name] = s.String()
	}
	return all, rows
}

const firstDay = int32(19_000)

// someRows are rows of a day, some of them late, of apps with one endpoint, some,
// and more than rows tell apart.
func someRows(r *rand.Rand, day int32, n int) (rows []memberwatch.LedgerRow) {
	for range n {
		app, at := r.IntN(30), day
		if r.IntN(20) == 0 {
			at -= r.Int32N(30)
		}
		row := memberwatch.LedgerRow{
			LedgerKey: memberwatch.LedgerKey{
				Day: at, Class: []memberwatch.DataClass{"", "name", "names"}[r.IntN(3)],
				App: memberwatch.AppID(fmt.Sprint("app-", app)), After: r.IntN(5) == 0,
			},
			Endpoint: fmt.Sprintf("/e/%02d", r.IntN([]int{1, 2, 4, 40}[app%4])), Calls: 1, Records: 2,
			Groups: binary.BigEndian.AppendUint64(nil, r.Uint64N(9)),
		}
		if row.Rest = r.IntN(400) == 0; row.Rest {
			row.Endpoint = ""
		}
		for range r.IntN(2 + app%5*20) { // of some, too many for a part
			row.Members, _ = uniteWords(row.Members, binary.BigEndian.AppendUint64(nil, r.Uint64N(500)))
		}
		rows = append(rows, row)
	}
	return rows
}

// TestSpansAnswerLikeTheirDays writes the same rows, late ones too, into a
// partition that rolls up its days and one that does not, and asks both.
func TestSpansAnswerLikeTheirDays(t *testing.T) {
	s, err := store.Open(t.TempDir(), store.Options{Partitions: 2, MergeSketch: uniteWords, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, s)
	r := rand.New(rand.NewPCG(1, 1))
	const days = 100
	for day := firstDay; day < firstDay+days; day++ {
		if day >= firstDay+21 && day < firstDay+36 {
			continue // two weeks of silence
		}
		rows := someRows(r, day, 90)
		for i, part := range slices.Collect(slices.Chunk(rows, 45)) {
			commit(t, s.Partitions[0], store.PartitionCommit{Ledger: slices.Clone(part), RollUpBelow: day - day%10 - int32(i)})
			commit(t, s.Partitions[1], store.PartitionCommit{Ledger: part})
		}
	}
	for range 100 {
		ask := store.LedgerRange{Since: firstDay - 40 + r.Int32N(days+40), AnyClass: r.IntN(2) == 0, Class: "name"}
		ask.Until = ask.Since + r.Int32N(days+40)
		endpoint := []string{"", "/e/00", "/e/01", "/e/20", "/none"}[r.IntN(5)]
		whole := r.IntN(2) == 0
		got, fewer := sums(t, s.Partitions[0], ask, endpoint, func(*store.LedgerView) bool { return !whole && r.IntN(2) == 0 })
		want, more := sums(t, s.Partitions[1], ask, endpoint, nil)
		if len(got) != len(want) {
			t.Fatalf("%+v: %d sums, want %d", ask, len(got), len(want))
		}
		for name := range want {
			if got[name] != want[name] {
				t.Fatalf("%+v %q: %s is %s, want %s", ask, endpoint, name, got[name], want[name])
			}
		}
		if ask.Since <= firstDay && ask.Until >= firstDay+80 && endpoint == "" && whole && fewer > more/2 {
			t.Errorf("%+v: %d rows read, %d without spans", ask, fewer, more)
		}
	}
}

// TestDamagedSpansAreMadeAnew damages spans, adds late rows to them and makes
// longer ones of them.
func TestDamagedSpansAreMadeAnew(t *testing.T) {
	dir := t.TempDir()
	s, err := store.Open(dir, store.Options{Partitions: 1, MergeSketch: uniteWords})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(2, 2))
	var rows []memberwatch.LedgerRow
	for day := firstDay - firstDay%64; day < firstDay-firstDay%64+6; day++ {
		rows = append(rows, someRows(r, day, 50)...)
	}
	commit(t, s.Partitions[0], store.PartitionCommit{Ledger: rows, RollUpBelow: firstDay - firstDay%64 + 4})
	closeStore(t, s)
	damage(t, filepath.Join(dir, store.PartitionFile(0)), "days-4")
	if s, err = store.Open(dir, store.Options{MergeSketch: uniteWords}); err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, s)
	for range 3 { // as much at a time as there are late ones
		commit(t, s.Partitions[0], store.PartitionCommit{Ledger: rows, RollUpBelow: firstDay + 64})
	}
	none := func(*store.LedgerView) bool { return false }
	got, fewer := sums(t, s.Partitions[0], store.LedgerRange{Until: firstDay + 99, AnyClass: true}, "", none)
	want, more := sums(t, s.Partitions[0], store.LedgerRange{Until: firstDay + 99, AnyClass: true}, "", func(*store.LedgerView) bool { return true })
	if fewer >= more || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%d rows: %v\n%d rows: %v", fewer, got, more, want)
	}
}

// TestWeeksOfOlderVersionsAreDropped opens a directory whose ledger was rolled up
// by weeks.
func TestWeeksOfOlderVersionsAreDropped(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	commit(t, s.Partitions[0], store.PartitionCommit{Ledger: []memberwatch.LedgerRow{row(3, "name", "crm", false, 1, "a")}})
	closeStore(t, s)
	rewrite(t, filepath.Join(dir, store.PartitionFile(0)), func(tx *bolt.Tx) error {
		weeks, err := tx.CreateBucket([]byte("weeks"))
		if err != nil {
			return err
		}
		if err := weeks.Put([]byte("k"), []byte("v")); err != nil {
			return err
		}
		return tx.Bucket([]byte("meta")).Put([]byte("roll-up"), []byte("x"))
	})
	s = openStore(t, dir)
	if got := ledger(t, s.Partitions[0], store.LedgerRange{Until: 9, AnyClass: true}); !slices.Equal(got, []string{"3 name crm false 1 a"}) {
		t.Errorf("rows %q", got)
	}
	closeStore(t, s)
	rewrite(t, filepath.Join(dir, store.PartitionFile(0)), func(tx *bolt.Tx) error {
		if tx.Bucket([]byte("weeks")) != nil || tx.Bucket([]byte("meta")).Get([]byte("roll-up")) != nil {
			t.Error("weeks are still there")
		}
		return nil
	})
}
