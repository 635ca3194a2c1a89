package store

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/memberwatch/memberwatch"
	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// formatVersion is the layout of a data directory that this program writes.
const formatVersion = 1

// Defaults of Options.
const (
	DefaultPartitions  = 8
	DefaultLockTimeout = 2 * time.Second
	// MaxPartitions keeps file names at three digits.
	MaxPartitions = 1000
)

// Options say how to open a data directory. The zero value opens an existing
// one with as many partitions as it has, or creates one with the default.
type Options struct {
	// Partitions is the number of partitions; 0: whatever the directory has, or
	// DefaultPartitions for a new one. It never changes once created.
	Partitions int
	// LockTimeout is how long to wait for another process to let go of the
	// directory; 0 means DefaultLockTimeout.
	LockTimeout time.Duration
	// MergeSketch unites two encoded distinct sketches; the result may share
	// memory with neither. Nil: ledger rows with sketches cannot be merged.
	MergeSketch func(stored, delta []byte) ([]byte, error)
	// NoSync leaves it to the operating system when commits reach the disk. Only
	// for directories that nobody needs after a power cut.
	NoSync bool
}

// Store is an open data directory.
type Store struct {
	// Platform is platform.db.
	Platform *Platform
	// Partitions are the partition files in order.
	Partitions []*Partition
}

// Open opens or creates the data directory. It fails with a
// *memberwatch.ReasonError when another process has it open or when it was
// created with another number of partitions.
func Open(dir string, o Options) (*Store, error) {
	if o.Partitions < 0 || o.Partitions > MaxPartitions {
		return nil, &memberwatch.ReasonError{
			Kind: memberwatch.ErrInvalid, Reason: "PARTITIONS_INVALID",
			Message: fmt.Sprintf("%d partitions asked for", o.Partitions), Hint: fmt.Sprintf("choose 1 to %d, or 0 for the default", MaxPartitions),
		}
	}
	if o.LockTimeout == 0 {
		o.LockTimeout = DefaultLockTimeout
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create data directory: %w", err)
	}
	platform, n, err := openPlatform(dir, o)
	if err != nil {
		return nil, err
	}
	s := &Store{Platform: platform}
	if err := s.openPartitions(dir, n, o); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// openPartitions opens n partition files, or creates them in a directory that
// has no number yet. The number is written last, when all files are there: so a
// file that is missing later was lost, and is not made anew in silence.
func (s *Store) openPartitions(dir string, n int, o Options) error {
	fresh := n == 0
	if fresh {
		n = cmp.Or(o.Partitions, DefaultPartitions)
	}
	for i := range n {
		path := filepath.Join(dir, PartitionFile(i))
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) && !fresh {
			return &memberwatch.ReasonError{
				Kind: memberwatch.ErrInvalid, Reason: "DATA_FILE_MISSING",
				Message: fmt.Sprintf("%s is missing", path), Hint: "restore the whole data directory from a backup",
			}
		}
		partition, err := openPartition(dir, i, o)
		if err != nil {
			return err
		}
		s.Partitions = append(s.Partitions, partition)
	}
	if !fresh {
		return nil
	}
	if err := syncDirectory(dir); err != nil {
		return err
	}
	return s.Platform.found(n)
}

// syncDirectory makes the names of new files durable.
func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("open data directory: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

// Close closes all files. What was committed stays.
func (s *Store) Close() error {
	var errs []error
	for _, p := range s.Partitions {
		errs = append(errs, p.db.Close())
	}
	return errors.Join(append(errs, s.Platform.db.Close())...)
}

// openFile opens one bbolt file and makes sure that its buckets exist.
func openFile(dir, name string, o Options, buckets [][]byte) (*bolt.DB, error) {
	path := filepath.Join(dir, name)
	db, err := bolt.Open(path, 0o600, &bolt.Options{
		Timeout:        o.LockTimeout,
		NoFreelistSync: true, // the list is rebuilt at opening, commits write less
		FreelistType:   bolt.FreelistMapType,
		NoStatistics:   true,
		NoSync:         o.NoSync,
		NoGrowSync:     o.NoSync,
		// A large map lets readers stay while the file grows; it costs address
		// space, not memory.
		InitialMmapSize: initialMap,
	})
	if err != nil {
		return nil, openError(dir, name, err)
	}
	if err := createBuckets(db, buckets); err != nil {
		return nil, errors.Join(storageError(path, err), db.Close())
	}
	return db, nil
}

// openError says why a file could not be opened.
func openError(dir, name string, err error) error {
	if errors.Is(err, bolterrors.ErrTimeout) {
		return &memberwatch.ReasonError{
			Kind: memberwatch.ErrUnavailable, Reason: "DATA_DIRECTORY_LOCKED",
			Message: fmt.Sprintf("data directory %q is in use", dir),
			Hint:    "another memberwatch serves it: stop that one or choose another directory",
		}
	}
	return fmt.Errorf("open %s: %w", filepath.Join(dir, name), err)
}

// initialMap is the address space mapped for each file at opening.
const initialMap = 256 << 20

// createBuckets creates missing buckets, and writes nothing if there are none.
func createBuckets(db *bolt.DB, buckets [][]byte) error {
	missing := false
	err := db.View(func(tx *bolt.Tx) error {
		for _, name := range buckets {
			missing = missing || tx.Bucket(name) == nil
		}
		return nil
	})
	if err != nil || !missing {
		return err
	}
	return db.Update(func(tx *bolt.Tx) error {
		for _, name := range buckets {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return fmt.Errorf("bucket %q: %w", name, err)
			}
		}
		return nil
	})
}

// storageError turns a failed write into an error that says whether space is
// missing. The transaction had no effect.
func storageError(path string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*memberwatch.ReasonError](err); ok || errors.Is(err, ErrCorrupt) {
		return err // says itself what is wrong, and it is not the disk
	}
	full := &memberwatch.ReasonError{
		Kind: memberwatch.ErrUnavailable, Reason: "STORAGE_FAILED",
		Message: fmt.Sprintf("write %s: %v", path, err), Hint: "look at the disk and its file system",
	}
	for _, number := range [...]syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, number) {
			full.Kind, full.Reason = memberwatch.ErrExhausted, "STORAGE_FULL"
			full.Hint = "free space on the disk; the service goes on by itself"
		}
	}
	return full
}

// corruptAt says where a damaged record lies.
func corruptAt(db *bolt.DB, bucket, key []byte, err error) error {
	return fmt.Errorf("%s: bucket %q: key %q: %w", filepath.Base(db.Path()), bucket, key, err)
}
