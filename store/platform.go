package store

import (
	"errors"
	"fmt"
	"slices"

	"github.com/memberwatch/memberwatch"
	bolt "go.etcd.io/bbolt"
)

// Buckets of platform.db.
var (
	bucketRegistry     = []byte("registry")     // app: as declared
	bucketRestrictions = []byte("restrictions") // id: a restriction
	bucketChanges      = []byte("changes")      // revision: a control change
	bucketEpochs       = []byte("epochs")       // producer: number of its newest stream
	bucketSignals      = []byte("signals")      // id: a signal
	bucketOpened       = []byte("opened")       // time of opening, id
	bucketOpen         = []byte("open")         // id, of signals that have not ended
	bucketShadow       = []byte("shadow")       // time of opening, id, of signals in shadow
	bucketFindings     = []byte("findings")     // id length, id, number: a finding
	bucketFeed         = []byte("feed")         // sequence of the newest change: id
	bucketFeedAt       = []byte("feed-at")      // id: its sequence in the feed
	bucketPublished    = []byte("published")    // partition: newest outbox row applied
	bucketJudgements   = []byte("judgements")   // window: opaque judgement
	bucketSignalRanks  = []byte("signal-ranks") // order, rank, time of opening, id: what lists choose by
	bucketMerged       = []byte("merged")       // window: opaque tally of all partitions, since the newest snapshot
	bucketFleet        = []byte("fleet")        // day: opaque snapshot of the fleet
	keyDirectory       = []byte("directory")
	keyFleet           = []byte("fleet")
	platformNames      = [][]byte{
		bucketMeta, bucketRegistry, bucketRestrictions, bucketChanges, bucketEpochs, bucketSignals, bucketOpened,
		bucketOpen, bucketFindings, bucketFeed, bucketFeedAt, bucketPublished, bucketJudgements, bucketMerged,
		bucketFleet, bucketShadow, bucketSignalRanks,
	}
)

// PlatformFile is the name of the file for everything that is not one
// partition's. Its lock is the lock of the data directory.
const PlatformFile = "platform.db"

// Platform is platform.db. It is safe for concurrent use.
type Platform struct {
	db *bolt.DB
}

// openPlatform opens platform.db, which locks the directory, and returns the
// number of partitions: 0 for a new directory.
func openPlatform(dir string, o Options) (*Platform, int, error) {
	db, err := openFile(dir, PlatformFile, o, slices.Concat(platformNames, reviewNames, deliveryNames, requestNames))
	if err != nil {
		return nil, 0, err
	}
	n, err := checkDirectory(db, dir, o.Partitions)
	if err != nil {
		return nil, 0, errors.Join(err, db.Close())
	}
	p := &Platform{db: db}
	if err := p.rankAll(); err != nil {
		return nil, 0, errors.Join(err, db.Close())
	}
	return p, n, nil
}

// checkDirectory reads format and number of partitions, 0 if nobody has written
// them yet.
func checkDirectory(db *bolt.DB, dir string, wanted int) (partitions int, err error) {
	err = db.View(func(tx *bolt.Tx) error {
		record := tx.Bucket(bucketMeta).Get(keyDirectory)
		if record == nil {
			return nil
		}
		d := newDecoder(record)
		format := d.uint()
		partitions = int(d.uint())
		if err := d.finish(); err != nil {
			return corruptAt(db, bucketMeta, keyDirectory, err)
		}
		if format != formatVersion {
			return &memberwatch.ReasonError{
				Kind: memberwatch.ErrInvalid, Reason: "FORMAT_UNKNOWN",
				Message: fmt.Sprintf("data directory %q has format %d, this program writes %d", dir, format, formatVersion),
				Hint:    "open it with the release that wrote it",
			}
		}
		return nil
	})
	if err == nil && partitions != 0 && wanted != 0 && wanted != partitions {
		return 0, &memberwatch.ReasonError{
			Kind: memberwatch.ErrInvalid, Reason: "PARTITIONS_MISMATCH",
			Message: fmt.Sprintf("data directory %q has %d partitions, %d asked for", dir, partitions, wanted),
			Hint:    fmt.Sprintf("the number is fixed when a directory is created: ask for %d, or use another directory", partitions),
		}
	}
	return partitions, err
}

// found writes format and number of partitions into a new directory.
func (p *Platform) found(partitions int) error {
	e := newEncoder(4)
	e.uint(formatVersion)
	e.uint(uint64(partitions))
	return p.update(func(tx *bolt.Tx) error { return tx.Bucket(bucketMeta).Put(keyDirectory, e.seal()) })
}

// update runs one write transaction.
func (p *Platform) update(change func(tx *bolt.Tx) error) error {
	return storageError(p.db.Path(), p.db.Update(change))
}

// BumpEpoch numbers a producer's new stream, durably, and returns the number.
func (p *Platform) BumpEpoch(producer memberwatch.ProducerID) (epoch int64, err error) {
	err = p.update(func(tx *bolt.Tx) error {
		bucket := tx.Bucket(bucketEpochs)
		epoch = 0
		if record := bucket.Get([]byte(producer)); record != nil {
			if epoch, err = decodeNumber(record); err != nil {
				return corruptAt(p.db, bucketEpochs, []byte(producer), err)
			}
		}
		epoch++
		return bucket.Put([]byte(producer), encodeNumber(epoch))
	})
	return epoch, err
}

// Epochs returns the newest epoch of every producer ever seen.
func (p *Platform) Epochs() (map[memberwatch.ProducerID]int64, error) {
	epochs := make(map[memberwatch.ProducerID]int64)
	err := p.db.View(func(tx *bolt.Tx) error {
		return each(p.db, tx, bucketEpochs, func(key, record []byte) error {
			epoch, err := decodeNumber(record)
			epochs[memberwatch.ProducerID(key)] = epoch
			return err
		})
	})
	return epochs, err
}

func encodeNumber(n int64) []byte {
	e := newEncoder(10)
	e.int(n)
	return e.seal()
}

func decodeNumber(record []byte) (int64, error) {
	d := newDecoder(record)
	n := d.int()
	return n, d.finish()
}
