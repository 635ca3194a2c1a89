package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/memberwatch/memberwatch"
	bolt "go.etcd.io/bbolt"
)

// Snapshot is a data directory as it was at one moment between two commits: what
// a crash at that moment would have left. It must be closed; until then the files
// keep every page that it needs, and those that must grow beyond what is mapped
// wait.
type Snapshot struct {
	txs []*bolt.Tx
}

// Snapshot takes a snapshot. For a moment nobody can write.
func (s *Store) Snapshot() (*Snapshot, error) {
	var writers []*bolt.Tx
	defer func() {
		for _, w := range writers {
			_ = w.Rollback() // nothing was written
		}
	}()
	dbs := s.databases()
	for _, db := range dbs { // the writers' locks, so that no commit is under way in any file
		w, err := db.Begin(true)
		if err != nil {
			return nil, fmt.Errorf("snapshot of %s: %w", db.Path(), err)
		}
		writers = append(writers, w)
	}
	n := new(Snapshot)
	for _, db := range dbs {
		tx, err := db.Begin(false)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("snapshot of %s: %w", db.Path(), err), n.Close())
		}
		n.txs = append(n.txs, tx)
	}
	return n, nil
}

// databases lists the files, platform.db last: without it a directory is none.
func (s *Store) databases() []*bolt.DB {
	var dbs []*bolt.DB
	for _, p := range s.Partitions {
		dbs = append(dbs, p.db)
	}
	return append(dbs, s.Platform.db)
}

// Copy writes each file to what open returns for its name and size, platform.db
// last.
func (n *Snapshot) Copy(open func(name string, bytes int64) (io.Writer, error)) error {
	for _, tx := range n.txs {
		name := filepath.Base(tx.DB().Path())
		w, err := open(name, tx.Size())
		if err == nil {
			_, err = tx.WriteTo(w)
		}
		if err != nil {
			return fmt.Errorf("copy %s: %w", name, err)
		}
	}
	return nil
}

// Close lets go of the snapshot.
func (n *Snapshot) Close() error {
	var errs []error
	for _, tx := range n.txs {
		errs = append(errs, tx.Rollback())
	}
	return errors.Join(errs...)
}

// OpenReadOnly opens an existing data directory that nobody serves, without
// changing it.
func OpenReadOnly(dir string) (*Store, error) {
	if _, err := os.Stat(filepath.Join(dir, PlatformFile)); err != nil {
		return nil, &memberwatch.ReasonError{
			Kind: memberwatch.ErrNotFound, Reason: "DATA_DIRECTORY_NOT_FOUND",
			Message: fmt.Sprintf("%q is no data directory: %v", dir, err), Hint: "name a directory that serve or backup has written",
		}
	}
	db, err := openReadOnly(dir, PlatformFile)
	if err != nil {
		return nil, err
	}
	s := &Store{Platform: &Platform{db: db}}
	n, err := checkDirectory(db, dir, 0)
	for i := 0; i < n && err == nil; i++ {
		var db *bolt.DB
		if db, err = openReadOnly(dir, PartitionFile(i)); err == nil {
			s.Partitions = append(s.Partitions, &Partition{db: db, index: i})
		}
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Check reads every page of all files and tells whether they fit together.
func (s *Store) Check() error {
	for _, db := range s.databases() {
		err := db.View(func(tx *bolt.Tx) error {
			var first error
			for err := range tx.Check() { // it must be drained
				if first == nil {
					first = err
				}
			}
			return first
		})
		if err != nil {
			return fmt.Errorf("%s: %w: %w", db.Path(), ErrCorrupt, err)
		}
	}
	return nil
}
