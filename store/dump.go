package store

import (
	"bufio"
	"fmt"
	"io"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
)

// Dump writes the lasting outcome in a data directory as text, one line for
// each key: file, bucket, key, value in hexadecimal, in the order of the keys.
// Two directories that saw the same events and control changes dump the same
// bytes, however the events were batched and however often the service died in
// between. Left out is what may differ then: epochs, marks of liveness, cursors
// of outbox and feed, the triage beside signals, wall-clock times of declarations, the fleet's working
// papers, and how far the ledger has been rolled up. No process may have the directory open for writing.
func Dump(dir string, w io.Writer) error {
	out := bufio.NewWriter(w)
	n, err := dumpPlatform(dir, out)
	if err != nil {
		return err
	}
	for i := range n {
		buckets := append([][]byte{bucketMeta, bucketApps, bucketLedger, bucketClasses, bucketClues}, bucketStates[:]...)
		if err := dumpFile(dir, PartitionFile(i), buckets, out); err != nil {
			return err
		}
	}
	return out.Flush()
}

func dumpPlatform(dir string, out io.Writer) (partitions int, err error) {
	err = dumpFile(dir, PlatformFile, [][]byte{bucketMeta, bucketSignals, bucketFindings, bucketOpen, bucketShadow}, out)
	if err != nil {
		return 0, err
	}
	db, err := openReadOnly(dir, PlatformFile)
	if err != nil {
		return 0, err
	}
	defer db.Close() //nolint:errcheck // only read
	return checkDirectory(db, dir, 0)
}

func openReadOnly(dir, name string) (*bolt.DB, error) {
	db, err := bolt.Open(filepath.Join(dir, name), 0o600, &bolt.Options{ReadOnly: true, Timeout: DefaultLockTimeout})
	if err != nil {
		return nil, openError(dir, name, err)
	}
	return db, nil
}

func dumpFile(dir, name string, buckets [][]byte, out io.Writer) error {
	db, err := openReadOnly(dir, name)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // only read
	return db.View(func(tx *bolt.Tx) error {
		for _, bucket := range buckets {
			if tx.Bucket(bucket) == nil {
				return fmt.Errorf("%s: %w: no bucket %q", name, ErrCorrupt, bucket)
			}
			err := tx.Bucket(bucket).ForEach(func(key, value []byte) error {
				if string(bucket) == string(bucketMeta) && (string(key) == string(keyFleet) || string(key) == string(keyRollUp)) {
					return nil
				}
				_, err := fmt.Fprintf(out, "%s %s %q %x\n", name, bucket, key, value)
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}
