package store

import (
	"bytes"

	bolt "go.etcd.io/bbolt"
)

// The journal of a partition holds what was applied since its states were last
// written, one entry for each checkpoint that wrote no states. To the store it is
// bytes; with the states it leads to the present.
//
// Each entry is a bucket of its own within the journal's: bbolt keeps up to four
// large values in one page and rewrites them all when a fifth comes beside them.

var keyEntry = []byte("entry")

// journal appends an entry, or drops all of them when the states of a commit
// hold what they told.
func (w *writer) journal(c *PartitionCommit) {
	journal := w.tx.Bucket(bucketJournal)
	if c.Whole {
		w.dropJournal(journal)
	}
	if len(c.Journal) == 0 || w.err != nil {
		return
	}
	n, err := journal.NextSequence()
	if err != nil {
		w.err = err
		return
	}
	entry, err := journal.CreateBucket(sequenceKey(n))
	if err != nil {
		w.err = err
		return
	}
	e := w.encoder(len(c.Journal))
	e.b = append(e.b, c.Journal...)
	w.put(entry, keyEntry, w.seal(e))
}

func (w *writer) dropJournal(journal *bolt.Bucket) {
	var keys [][]byte
	cursor := journal.Cursor()
	for key, _ := cursor.First(); key != nil; key, _ = cursor.Next() {
		keys = append(keys, bytes.Clone(key))
	}
	for _, key := range keys {
		if w.err == nil {
			w.err = journal.DeleteBucket(key)
		}
	}
}

// Journal calls visit for the entries since the states were last written, in the
// order in which they were committed. An entry is valid only during the call.
func (p *Partition) Journal(visit func(entry []byte) error) error {
	return p.db.View(func(tx *bolt.Tx) error {
		journal := tx.Bucket(bucketJournal)
		return journal.ForEachBucket(func(key []byte) error {
			entry, err := openFrame(journal.Bucket(key).Get(keyEntry))
			if err == nil {
				err = visit(entry)
			}
			if err != nil {
				return corruptAt(p.db, bucketJournal, key, err)
			}
			return nil
		})
	})
}
