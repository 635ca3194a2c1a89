package store

import (
	"bytes"
	"crypto/sha256"
)

// EvidenceHash returns SHA-256 over the stored record of a signal and those of
// its kept findings, in order. It stays the same as long as none of them does
// change, and has nothing to do with triage.
func (r *Review) EvidenceHash(id string) ([sha256.Size]byte, error) {
	h := sha256.New()
	record := r.tx.Bucket(bucketSignals).Get([]byte(id))
	if record == nil {
		return [sha256.Size]byte{}, notFound("SIGNAL_NOT_FOUND", "signal", id)
	}
	h.Write(record)
	prefix := findingPrefix([]byte(id))
	cursor := r.tx.Bucket(bucketFindings).Cursor()
	for key, record := cursor.Seek(prefix); bytes.HasPrefix(key, prefix); key, record = cursor.Next() {
		h.Write(record)
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}
