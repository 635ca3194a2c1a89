package store_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/store"
	bolt "go.etcd.io/bbolt"
)

// uniteWords stands in for a sketch's union: the set of 8-byte words.
func uniteWords(stored, delta []byte) ([]byte, error) {
	words := slices.Collect(slices.Chunk(slices.Concat(stored, delta), 8))
	slices.SortFunc(words, bytes.Compare)
	return slices.Concat(slices.CompactFunc(words, bytes.Equal)...), nil
}

// TestPartsDoNotDependOnTheOrder writes the same rows of one app and day in other
// orders and commits, and compares what is stored.
func TestPartsDoNotDependOnTheOrder(t *testing.T) {
	for _, endpoints := range []int{1, 2, memberwatch.RowEndpoints, memberwatch.RowEndpoints + 1, 50} {
		r := rand.New(rand.NewPCG(1, uint64(endpoints)))
		var rows []memberwatch.LedgerRow
		for i := range 300 {
			// Each endpoint reads another number of members: some have too many.
			at := r.IntN(endpoints)
			member := binary.BigEndian.AppendUint64(nil, uint64(r.IntN(1+20*at)))
			rows = append(rows, memberwatch.LedgerRow{
				LedgerKey: memberwatch.LedgerKey{Day: 3, Class: "name", App: "crm"}, Endpoint: fmt.Sprintf("/e/%02d", at),
				Calls: uint64(i), Records: 1, Members: member,
			})
		}
		var want string
		for round := range 6 {
			dir := t.TempDir()
			s, err := store.Open(dir, store.Options{Partitions: 1, MergeSketch: uniteWords, NoSync: true})
			if err != nil {
				t.Fatal(err)
			}
			for part := range slices.Chunk(rows, 1+r.IntN(50)) {
				commit(t, s.Partitions[0], store.PartitionCommit{Ledger: slices.Clone(part)})
			}
			var shares, sum string
			var calls uint64
			for i := range endpoints {
				for _, row := range by(t, s.Partitions[0], fmt.Sprintf("/e/%02d", i)) {
					shares += fmt.Sprintln(i, row.held, row.exact, row.calls, len(row.members)/8)
					if row.held == store.Holds {
						calls += row.calls
					}
				}
			}
			if endpoints <= memberwatch.RowEndpoints && calls != 300*299/2 {
				t.Errorf("%d endpoints have %d calls, want %d", endpoints, calls, 300*299/2)
			}
			closeStore(t, s)
			rewrite(t, filepath.Join(dir, store.PartitionFile(0)), func(tx *bolt.Tx) error {
				return tx.Bucket([]byte("ledger")).ForEach(func(k, v []byte) error {
					sum += fmt.Sprintf("%x %x\n", k, v)
					return nil
				})
			})
			if want == "" {
				want = shares + sum
			}
			if shares+sum != want {
				t.Fatalf("%d endpoints, round %d:\n%s\nwant\n%s", endpoints, round, shares+sum, want)
			}
			r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		}
	}
}

type share struct {
	held    store.Held
	exact   bool
	calls   uint64
	members []byte
}

// by asks every row for an endpoint and returns what is held.
func by(t *testing.T, p *store.Partition, endpoint string) (held []share) {
	t.Helper()
	err := p.Ledger(store.LedgerRange{Until: 9, AnyClass: true}, func(v *store.LedgerView) (finer bool, _ error) {
		h, exact, err := v.By(endpoint)
		if h != store.NotHeld {
			held = append(held, share{h, exact, v.Calls, slices.Clone(v.Members)})
		}
		return false, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return held
}

// TestRowsOfVersion1AreRead writes ledger rows as the first releases did, adds to
// one, and asks for endpoints.
func TestRowsOfVersion1AreRead(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	added := row(3, "name", "crm", false, 4, "b")
	added.Endpoint = "/members"
	commit(t, s.Partitions[0], store.PartitionCommit{Ledger: []memberwatch.LedgerRow{added, row(4, "name", "crm", false, 1, "z")}})
	closeStore(t, s)
	rewrite(t, filepath.Join(dir, store.PartitionFile(0)), func(tx *bolt.Tx) error {
		rows := tx.Bucket([]byte("ledger"))
		for k, _ := rows.Cursor().First(); k != nil; k, _ = rows.Cursor().Seek(append(slices.Clone(k), 0)) {
			old := []byte{1, 5, 6, 7, 0, 1, 'a', 0} // version, calls, records, denials, late, members, groups
			old = binary.LittleEndian.AppendUint32(old, crc32.Checksum(old, crc32.MakeTable(crc32.Castagnoli)))
			if err := rows.Put(slices.Clone(k), old); err != nil {
				return err
			}
		}
		return nil
	})
	s = openStore(t, dir)
	defer closeStore(t, s)
	p := s.Partitions[0]
	if got := ledger(t, p, store.LedgerRange{Until: 9, AnyClass: true}); !slices.Equal(got, []string{"3 name crm false 5 a", "4 name crm false 5 a"}) {
		t.Errorf("rows %q", got)
	}
	commit(t, p, store.PartitionCommit{Ledger: []memberwatch.LedgerRow{added}})
	for endpoint, want := range map[string]string{
		"/members": fmt.Sprint([]share{{store.Holds, true, 4, []byte("b")}, {store.MayHold, false, 5, []byte("a")}}),
		"/other":   fmt.Sprint([]share{{store.MayHold, false, 5, []byte("a")}, {store.MayHold, false, 5, []byte("a")}}),
	} {
		if got := fmt.Sprint(by(t, p, endpoint)); got != want {
			t.Errorf("%s: %s, want %s", endpoint, got, want)
		}
	}
}
