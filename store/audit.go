package store

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/memberwatch/memberwatch"
	bolt "go.etcd.io/bbolt"
	"golang.org/x/mod/sumdb/tlog"
)

// The audit log is a Merkle tree after RFC 6962, kept as golang.org/x/mod/sumdb/tlog
// stores it: leaf n holds the n-th entry, and the hashes of all complete
// subtrees lie in one list. A leaf is appended in the transaction of what it
// tells of.

// Audit appends an entry to the audit log and returns its number. Number is set
// here; detail becomes the entry's JSON.
func (r *Review) Audit(e memberwatch.AuditEntry, detail any) (int64, error) {
	return appendAudit(r.tx, e, detail)
}

func appendAudit(tx *bolt.Tx, e memberwatch.AuditEntry, detail any) (int64, error) {
	var err error
	if detail != nil {
		if e.Detail, err = json.Marshal(detail); err != nil {
			return 0, fmt.Errorf("audit entry of %q: %w", e.Subject, err)
		}
	}
	log := tx.Bucket(bucketAudit)
	e.Number = int64(log.Sequence())
	leaf, err := e.Encode()
	if err != nil {
		return 0, err
	}
	hashes, err := tlog.StoredHashes(e.Number, leaf, auditNodes(tx))
	if err != nil {
		return 0, fmt.Errorf("audit entry %d: %w", e.Number, err)
	}
	w := writer{tx: tx}
	first := tlog.StoredHashIndex(0, e.Number)
	for i, hash := range hashes {
		w.put(tx.Bucket(bucketAuditTree), sequenceKey(uint64(first)+uint64(i)), hash[:])
	}
	w.put(log, sequenceKey(uint64(e.Number)), sealBytes(leaf))
	w.put(tx.Bucket(bucketAuditSubject), nested(e.Subject, e.Number), nil)
	if w.err != nil {
		return 0, w.err
	}
	return e.Number, log.SetSequence(uint64(e.Number) + 1)
}

// auditNodes reads nodes of the tree.
func auditNodes(tx *bolt.Tx) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			node := tx.Bucket(bucketAuditTree).Get(sequenceKey(uint64(index)))
			if len(node) != tlog.HashSize {
				return nil, fmt.Errorf("%w: node %d of the audit log's tree has %d bytes", ErrCorrupt, index, len(node))
			}
			hashes[i] = tlog.Hash(node)
		}
		return hashes, nil
	})
}

// auditChange appends a control change to the audit log. Canaries are counted
// only: one that is known is none.
func auditChange(tx *bolt.Tx, c *memberwatch.Change) error {
	e := memberwatch.AuditEntry{Time: c.Time, Person: c.By}
	var detail any
	switch {
	case c.App != nil:
		e.Action, e.Subject, detail = "control.app", "apps/"+string(c.App.ID), c.App
	case c.Restriction != nil:
		e.Action, e.Subject, detail = "control.restriction", "restrictions/"+string(c.Restriction.ID), c.Restriction
	case c.Attestation != nil:
		e.Action, e.Subject, detail = "control.attestation", "apps/"+string(c.Attestation.App), c.Attestation
	case c.Exclusion != nil:
		e.Action, e.Subject, detail = "control.exclusion", about(c.Exclusion.App, c.Exclusion.Developer), c.Exclusion
	case c.Tuning != nil:
		e.Action, e.Subject, detail = "control.tuning", "tuning", c.Tuning
	case c.Canaries != nil:
		e.Action, e.Subject = "control.canaries", "canaries"
		detail = map[string]any{"members": len(c.Canaries.Members), "withdrawn": c.Canaries.Withdrawn, "revision": c.Revision}
	}
	_, err := appendAudit(tx, e, detail)
	return err
}

// scannedAudit bounds how many entries one call of AuditEntries looks at.
const scannedAudit = 10_000

// AuditEntries returns up to limit leaves of the audit log that match, from a number
// on, and the number to go on from: 0 at the end. It may come with fewer leaves than
// the limit, as one call looks at no more than some thousands. A nil match takes all.
func (p *Platform) AuditEntries(from int64, limit int, match func(*memberwatch.AuditEntry) bool) (leaves [][]byte, next int64, err error) {
	err = p.db.View(func(tx *bolt.Tx) error {
		cursor := tx.Bucket(bucketAudit).Cursor()
		n := 0
		for key, record := cursor.Seek(sequenceKey(uint64(max(from, 0)))); key != nil; key, record = cursor.Next() {
			if len(leaves) == limit || n == scannedAudit {
				next = int64(keySequence(key))
				return nil
			}
			n++
			leaf, err := matchingLeaf(record, match)
			if err != nil {
				return corruptAt(p.db, bucketAudit, key, err)
			}
			if leaf != nil {
				leaves = append(leaves, bytes.Clone(leaf))
			}
		}
		return nil
	})
	return leaves, next, err
}

// matchingLeaf returns the leaf of a record if its entry matches.
func matchingLeaf(record []byte, match func(*memberwatch.AuditEntry) bool) ([]byte, error) {
	leaf, err := openFrame(record)
	if err != nil || match == nil {
		return leaf, err
	}
	e, err := memberwatch.ParseAuditEntry(leaf)
	if err != nil || !match(&e) {
		return nil, err
	}
	return leaf, nil
}

// AuditOf returns up to limit entries about a subject with numbers after one, in
// order; after -1 begins at the start.
func (p *Platform) AuditOf(subject string, after int64, limit int) (entries []memberwatch.AuditEntry, err error) {
	err = p.ReadReview(func(r *Review) error {
		entries, err = r.AuditOf(subject, after, limit)
		return err
	})
	return entries, err
}

// AuditOf is like that of Platform, in the transaction.
func (r *Review) AuditOf(subject string, after int64, limit int) (entries []memberwatch.AuditEntry, err error) {
	prefix := nestedPrefix(subject)
	cursor := r.tx.Bucket(bucketAuditSubject).Cursor()
	for key, _ := cursor.Seek(nested(subject, after+1)); hasPrefix(key, prefix) && len(entries) < limit; key, _ = cursor.Next() {
		number := sequenceKey(uint64(keyInt64(key[len(prefix):])))
		leaf, err := openFrame(r.tx.Bucket(bucketAudit).Get(number))
		if err != nil {
			return nil, corruptAt(r.p.db, bucketAudit, number, err)
		}
		e, err := memberwatch.ParseAuditEntry(leaf)
		if err != nil {
			return nil, corruptAt(r.p.db, bucketAudit, number, err)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// AuditHead returns the size of the audit log and the root of its tree. For a
// size of the past it returns the root the log had then; size -1 means now.
func (p *Platform) AuditHead(size int64) (head memberwatch.AuditHead, err error) {
	err = p.db.View(func(tx *bolt.Tx) error {
		if size, err = auditSize(tx, size); err != nil {
			return err
		}
		root, err := tlog.TreeHash(size, auditNodes(tx))
		head = memberwatch.AuditHead{Size: size, Root: memberwatch.AuditHash(root)}
		return err
	})
	return head, err
}

// auditSize checks a size of the log.
func auditSize(tx *bolt.Tx, size int64) (int64, error) {
	now := int64(tx.Bucket(bucketAudit).Sequence())
	switch {
	case size < 0:
		return now, nil
	case size > now:
		return 0, &memberwatch.ReasonError{
			Kind: memberwatch.ErrInvalid, Reason: "AUDIT_SIZE_INVALID",
			Message: fmt.Sprintf("the audit log has %d entries, not %d", now, size),
			Hint:    "a checkpoint that is larger than the log says that entries were removed, or that it belongs to another log",
		}
	}
	return size, nil
}

// AuditInclusion proves that entry n is in the log of a size; -1 means now.
func (p *Platform) AuditInclusion(size, n int64) (head memberwatch.AuditHead, leaf []byte, proof []memberwatch.AuditHash, err error) {
	err = p.db.View(func(tx *bolt.Tx) error {
		if size, err = auditSize(tx, size); err != nil {
			return err
		}
		if n < 0 || n >= size {
			return notFound("AUDIT_ENTRY_NOT_FOUND", "audit entry", fmt.Sprint(n))
		}
		record, err := openFrame(tx.Bucket(bucketAudit).Get(sequenceKey(uint64(n))))
		if err != nil {
			return corruptAt(p.db, bucketAudit, sequenceKey(uint64(n)), err)
		}
		leaf = append([]byte(nil), record...)
		hashes, err := tlog.ProveRecord(size, n, auditNodes(tx))
		if err != nil {
			return err
		}
		proof = auditHashes(hashes)
		root, err := tlog.TreeHash(size, auditNodes(tx))
		head = memberwatch.AuditHead{Size: size, Root: memberwatch.AuditHash(root)}
		return err
	})
	return head, leaf, proof, err
}

// AuditConsistency proves that the log of one size is the beginning of the log
// of a later one; -1 means now.
func (p *Platform) AuditConsistency(old, size int64) (head memberwatch.AuditHead, proof []memberwatch.AuditHash, err error) {
	err = p.db.View(func(tx *bolt.Tx) error {
		if size, err = auditSize(tx, size); err != nil {
			return err
		}
		if _, err := auditSize(tx, old); err != nil {
			return err
		}
		if old < 1 || old > size {
			return &memberwatch.ReasonError{
				Kind: memberwatch.ErrInvalid, Reason: "AUDIT_SIZE_INVALID", Message: fmt.Sprintf("a log of %d entries is no beginning of one of %d", old, size),
				Hint: "ask for the proof from a size of 1 or more to a later one",
			}
		}
		hashes, err := tlog.ProveTree(size, old, auditNodes(tx))
		if err != nil {
			return err
		}
		proof = auditHashes(hashes)
		root, err := tlog.TreeHash(size, auditNodes(tx))
		head = memberwatch.AuditHead{Size: size, Root: memberwatch.AuditHash(root)}
		return err
	})
	return head, proof, err
}

func auditHashes(hashes []tlog.Hash) []memberwatch.AuditHash {
	list := make([]memberwatch.AuditHash, len(hashes))
	for i, hash := range hashes {
		list[i] = memberwatch.AuditHash(hash)
	}
	return list
}

// hasPrefix tells whether a key is one of a nested name.
func hasPrefix(key, prefix []byte) bool {
	return len(key) == len(prefix)+8 && bytes.HasPrefix(key, prefix)
}

// about names an app, or a developer where no app is named.
func about(app memberwatch.AppID, developer memberwatch.DeveloperID) string {
	if app == "" {
		return "developers/" + string(developer)
	}
	return "apps/" + string(app)
}
