package store_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/store"
	bolt "go.etcd.io/bbolt"
	"golang.org/x/mod/sumdb/tlog"
)

// writeAudit appends n entries.
func writeAudit(t *testing.T, s *store.Store, n int) {
	t.Helper()
	for i := range n {
		err := s.Platform.Review(func(r *store.Review) error {
			_, err := r.Audit(memberwatch.AuditEntry{Time: time.Unix(int64(i), 0).UTC(), Person: "ana", Action: "case.note", Subject: fmt.Sprintf("cases/c%d", i%3)},
				map[string]int{"n": i})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestAuditProofs(t *testing.T) {
	s := openStore(t, t.TempDir())
	writeAudit(t, s, 11)
	old, err := s.Platform.AuditHead(5)
	if err != nil {
		t.Fatal(err)
	}
	for n := range int64(11) {
		head, leaf, proof, err := s.Platform.AuditInclusion(-1, n)
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckRecord(nodes(proof), head.Size, tlog.Hash(head.Root), n, tlog.RecordHash(leaf)); err != nil {
			t.Errorf("entry %d: %v", n, err)
		}
		leaf[len(leaf)/2] ^= 1
		if tlog.CheckRecord(nodes(proof), head.Size, tlog.Hash(head.Root), n, tlog.RecordHash(leaf)) == nil {
			t.Errorf("entry %d is proven although a bit of it was flipped", n)
		}
	}
	head, proof, err := s.Platform.AuditConsistency(5, -1)
	if err != nil {
		t.Fatal(err)
	}
	if err := tlog.CheckTree(nodes(proof), head.Size, tlog.Hash(head.Root), old.Size, tlog.Hash(old.Root)); err != nil {
		t.Error(err)
	}
	entries, err := s.Platform.AuditOf("cases/c1", 1, 2)
	if err != nil || len(entries) != 2 || entries[0].Number != 4 || string(entries[1].Detail) != `{"n":7}` {
		t.Errorf("history of c1 after entry 1: %+v, %v", entries, err)
	}
	// Entries about c1, one at a time.
	found, calls := 0, 0
	for from, more := int64(0), true; more; calls++ {
		leaves, next, err := s.Platform.AuditEntries(from, 1, func(e *memberwatch.AuditEntry) bool { return e.Subject == "cases/c1" })
		if err != nil {
			t.Fatal(err)
		}
		found += len(leaves)
		from, more = next, next > 0
	}
	if all, err := s.Platform.AuditOf("cases/c1", -1, 100); err != nil || found != len(all) {
		t.Errorf("%d of %d entries about c1 came in %d calls, error %v", found, len(all), calls, err)
	}
	for old, size := range map[int64]int64{12: -1, 1 << 40: -1, 5: 3, 0: 3, -1: 3} {
		if _, _, err := s.Platform.AuditConsistency(old, size); err == nil {
			t.Errorf("a checkpoint of %d entries is consistent with a log of %d, the newest of 11", old, size)
		}
	}
}

func nodes(proof []memberwatch.AuditHash) []tlog.Hash {
	var list []tlog.Hash
	for _, hash := range proof {
		list = append(list, tlog.Hash(hash))
	}
	return list
}

// TestAuditNoticesDamage flips a bit of a leaf in the file.
func TestAuditNoticesDamage(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	writeAudit(t, s, 4)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := bolt.Open(filepath.Join(dir, store.PlatformFile), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		key, value := tx.Bucket([]byte("audit")).Cursor().First()
		changed := append([]byte(nil), value...)
		changed[20] ^= 1
		return tx.Bucket([]byte("audit")).Put(append([]byte(nil), key...), changed)
	})
	if err != nil || db.Close() != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir)
	if leaves, _, err := s.Platform.AuditEntries(0, 10, nil); err == nil {
		t.Errorf("a damaged log is read without complaint: %q", leaves)
	}
}

// TestReviewEvents checks the outbox: in order, without holes, all or nothing.
func TestReviewEvents(t *testing.T) {
	s := openStore(t, t.TempDir())
	failed := fmt.Errorf("no")
	for i := range 6 {
		err := s.Platform.Review(func(r *store.Review) error {
			e := memberwatch.ReviewEvent{Type: memberwatch.EventCaseCreated, Subject: "cases/c1", App: "crm", Time: time.Unix(1, 0).UTC()}
			if err := r.Emit(e, memberwatch.Case{ID: "c1", App: "crm"}); err != nil || i != 3 {
				return err
			}
			return failed // as if what it tells of could not be written
		})
		if err != nil && i != 3 {
			t.Fatal(err)
		}
	}
	events, err := s.Platform.ReviewEvents(2, 10)
	if err != nil || len(events) != 3 || events[0].Sequence != 3 || events[2].Sequence != 5 || events[0].App != "crm" {
		t.Fatalf("events after 2: %+v, %v", events, err)
	}
	if err := s.Platform.DropReviewEvents(4); err != nil {
		t.Fatal(err)
	}
	if events, err := s.Platform.ReviewEvents(0, 10); err != nil || len(events) != 1 || events[0].Sequence != 5 {
		t.Errorf("events after dropping 4: %+v, %v", events, err)
	}
	if place, err := s.Platform.ReviewPlace(); err != nil || place != 5 {
		t.Errorf("place %d, %v", place, err)
	}
}
