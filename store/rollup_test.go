package store_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/store"
)

// unite stands in for a sketch's union: the set of the bytes.
func unite(stored, delta []byte) ([]byte, error) {
	union := slices.Concat(stored, delta)
	slices.Sort(union)
	return slices.Compact(union), nil
}

// sums gathers a range by class, app and after: calls, days and members.
func sums(t *testing.T, p *store.Partition, r store.LedgerRange) (all map[string]string, rows int) {
	t.Helper()
	type sum struct {
		calls   uint64
		days    []int32
		members []byte
	}
	gathered := make(map[string]*sum)
	last := int32(-1 << 31)
	err := p.Ledger(r, func(v *store.LedgerView) error {
		if v.Day < last || v.Day < r.Since {
			t.Errorf("day %d came after day %d, since %d", v.Day, last, r.Since)
		}
		last = v.Day
		rows++
		name := fmt.Sprintf("%s/%s/%t", v.Class, v.App, v.After)
		s := gathered[name]
		if s == nil {
			s = &sum{}
			gathered[name] = s
		}
		s.calls += v.Calls
		for i := range int32(7) {
			if v.Days>>i&1 == 1 {
				s.days = append(s.days, v.Day+i)
			}
		}
		s.members, _ = unite(s.members, v.Members)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	all = make(map[string]string)
	for name, s := range gathered {
		all[name] = fmt.Sprint(s.calls, s.days, string(s.members))
	}
	return all, rows
}

// TestWeeksAnswerLikeTheirDays writes the same rows, late ones too, into a
// partition that rolls up its weeks and one that does not, and asks both.
func TestWeeksAnswerLikeTheirDays(t *testing.T) {
	s, err := store.Open(t.TempDir(), store.Options{Partitions: 2, MergeSketch: unite})
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, s)
	r := rand.New(rand.NewPCG(1, 1))
	const first, days, apps = int32(19_000), int32(60), 300
	for day := first; day < first+days; day++ {
		if day >= first+21 && day < first+36 {
			continue // two weeks and more of silence
		}
		var rows []memberwatch.LedgerRow
		for range 900 {
			at := day
			if r.IntN(20) == 0 {
				at -= r.Int32N(30)
			}
			rows = append(rows, memberwatch.LedgerRow{
				LedgerKey: memberwatch.LedgerKey{
					Day: at, Class: []memberwatch.DataClass{"", "name", "names"}[r.IntN(3)],
					App: memberwatch.AppID(fmt.Sprint("app-", r.IntN(apps))), After: r.IntN(5) == 0,
				},
				Calls: 1, Members: []byte{byte(r.IntN(200))},
			})
		}
		for i, part := range slices.Collect(slices.Chunk(rows, 300)) { // some commits end in the middle of a week
			for p, below := range []int32{day - int32(i), 0} {
				commit(t, s.Partitions[p], store.PartitionCommit{Ledger: slices.Clone(part), RollUpBelow: below})
			}
		}
	}
	for range 200 {
		ask := store.LedgerRange{Since: first - 40 + r.Int32N(days+40), AnyClass: r.IntN(2) == 0, Class: "name"}
		ask.Until = ask.Since + r.Int32N(days+40)
		got, fewer := sums(t, s.Partitions[0], ask)
		want, more := sums(t, s.Partitions[1], ask)
		if len(got) != len(want) {
			t.Fatalf("%+v: %d sums, want %d", ask, len(got), len(want))
		}
		for name := range want {
			if got[name] != want[name] {
				t.Fatalf("%+v: %s is %s, want %s", ask, name, got[name], want[name])
			}
		}
		if ask.Since <= first && ask.Until >= first+50 && fewer > more*2/3 {
			t.Errorf("%+v: %d rows read, %d without weeks", ask, fewer, more)
		}
	}
}
