package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/monitor"
	"github.com/memberwatch/memberwatch/review"
	"github.com/memberwatch/memberwatch/server"
	"github.com/memberwatch/memberwatch/store"
)

// TestAuditVerifyFindsTampering lets somebody with write access to the files
// change what a person decided, each time with more care. To verify is to read the
// log, which is an entry itself: it stands where a removed one stood.
func TestAuditVerifyFindsTampering(t *testing.T) {
	for name, c := range map[string]struct {
		tamper func(tx *bolt.Tx) error
		plain  string // what verify says, empty: it is fooled
		since  string // what verify says with a checkpoint kept elsewhere
	}{
		"untouched":       {func(*bolt.Tx) error { return nil }, "", ""},
		"one bit":         {flipBit, "corrupt record", "corrupt record"},
		"good checksum":   {rewriteLeaf, "one was changed", "one was changed"},
		"the whole tree":  {rewriteTree, "", "one was changed since"},
		"the last entry":  {dropLast, "calls itself", "calls itself"},
		"the end, neatly": {dropLastNeatly, "", "one was changed since"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			since := decideSix(t, dir)
			db, err := bolt.Open(filepath.Join(dir, store.PlatformFile), 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := db.Update(c.tamper); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			got, gotSince := verifyIn(t, dir, checkpoint{}), verifyIn(t, dir, since)
			if !says(got, c.plain) || !says(gotSince, c.since) {
				t.Errorf("verify: %v, want %q; since the checkpoint: %v, want %q", got, c.plain, gotSince, c.since)
			}
		})
	}
}

func says(err error, want string) bool {
	if want == "" {
		return err == nil
	}
	return err != nil && strings.Contains(err.Error(), want)
}

// decideSix writes six entries and returns the checkpoint after them.
func decideSix(t *testing.T, dir string) checkpoint {
	t.Helper()
	files, err := store.Open(dir, store.Options{Partitions: 1})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		err := files.Platform.Review(func(r *store.Review) error {
			_, err := r.Audit(memberwatch.AuditEntry{Time: time.Unix(int64(i), 0).UTC(), Person: "ana", Action: "case.note", Subject: "cases/c1"}, map[string]string{"comment": "guilty"})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	head, err := files.Platform.AuditHead(-1)
	if err != nil {
		t.Fatal(err)
	}
	if err := files.Close(); err != nil {
		t.Fatal(err)
	}
	var c checkpoint
	if err := c.Set(fmt.Sprintf("%d:%s", head.Size, base64.StdEncoding.EncodeToString(head.Root[:]))); err != nil {
		t.Fatal(err)
	}
	return c
}

// verifyIn serves a directory and verifies its log.
func verifyIn(t *testing.T, dir string, since checkpoint) error {
	t.Helper()
	s, err := startService(t.Context(), serviceOptions{
		listen: "unix:" + filepath.Join(t.TempDir(), "s"), monitor: monitor.Options{Dir: dir}, review: review.Options{}, server: server.Options{},
	})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := dial(t.Context(), s.address)
	if err != nil {
		t.Fatal(err)
	}
	verdict := verifyAudit(t.Context(), conn, since, io.Discard, io.Discard)
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	if err := s.stop(t.Context()); err != nil {
		t.Error(err)
	}
	return verdict
}

var auditLog, auditNodes = []byte("audit"), []byte("audit-tree")

func key(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

func flipBit(tx *bolt.Tx) error {
	record := bytes.Clone(tx.Bucket(auditLog).Get(key(2)))
	record[30] ^= 1
	return tx.Bucket(auditLog).Put(key(2), record)
}

// rewriteLeaf changes a word and the record's checksum with it.
func rewriteLeaf(tx *bolt.Tx) error {
	record := bytes.Replace(tx.Bucket(auditLog).Get(key(2)), []byte("guilty"), []byte("honest"), 1)
	record = record[:len(record)-4]
	record = binary.LittleEndian.AppendUint32(record, crc32.Checksum(record, crc32.MakeTable(crc32.Castagnoli)))
	return tx.Bucket(auditLog).Put(key(2), record)
}

// rewriteTree changes a word and computes the whole tree anew.
func rewriteTree(tx *bolt.Tx) error {
	if err := rewriteLeaf(tx); err != nil {
		return err
	}
	tree := &auditTree{}
	for n := range int64(6) {
		record := tx.Bucket(auditLog).Get(key(n))
		if err := tree.add(record[1 : len(record)-4]); err != nil {
			return err
		}
	}
	for i, hash := range tree.hashes {
		if err := tx.Bucket(auditNodes).Put(key(int64(i)), hash[:]); err != nil {
			return err
		}
	}
	return nil
}

// TestAuditVerifyFindsChangedRecords changes a case and leaves the log as it is.
func TestAuditVerifyFindsChangedRecords(t *testing.T) {
	dir := t.TempDir()
	files, err := store.Open(dir, store.Options{Partitions: 1})
	if err != nil {
		t.Fatal(err)
	}
	err = files.Platform.Review(func(r *store.Review) error {
		d := memberwatch.Decision{Action: memberwatch.ActionOpen, By: "ana", Time: time.Unix(9, 0).UTC(), App: "crm", Severity: memberwatch.SeverityHigh}
		id, err := r.NewCaseID()
		if err != nil {
			return err
		}
		c, err := memberwatch.NewCase(id, &d)
		if err != nil {
			return err
		}
		if _, err := r.Audit(memberwatch.AuditEntry{Time: d.Time, Person: d.By, Action: "case.open", Subject: "cases/c1"}, d); err != nil {
			return err
		}
		c.Severity = memberwatch.SeverityLow // nobody decided that
		return r.PutCase(&c)
	})
	if err := errors.Join(err, files.Close()); err != nil {
		t.Fatal(err)
	}
	if err := verifyIn(t, dir, checkpoint{}); !says(err, "it does not lead to cases/c1") {
		t.Errorf("verify: %v", err)
	}
}

func dropLast(tx *bolt.Tx) error { return tx.Bucket(auditLog).Delete(key(5)) }

// dropLastNeatly also takes the entry out of the tree and the count.
func dropLastNeatly(tx *bolt.Tx) error {
	if err := dropLast(tx); err != nil {
		return err
	}
	for i := tlog.StoredHashIndex(0, 5); i <= tlog.StoredHashIndex(0, 6); i++ {
		if err := tx.Bucket(auditNodes).Delete(key(i)); err != nil {
			return err
		}
	}
	return tx.Bucket(auditLog).SetSequence(5)
}
