package memberwatch

import (
	"encoding/json"
	"fmt"
	"time"
)

// AuditEntry is one line of the audit log. Its JSON is the leaf of the Merkle
// tree, byte for byte, so anybody can check the log with a JSON parser and
// SHA-256.
type AuditEntry struct {
	Number  int64     `json:"number"` // from 0
	Time    time.Time `json:"time"`
	Person  Person    `json:"person,omitempty"` // empty: the caller did not say
	Action  string    `json:"action"`           // such as case.decide or control.restriction
	Subject string    `json:"subject"`          // a resource name, such as cases/c7
	// Detail is what was decided, changed, viewed or exported.
	Detail json.RawMessage `json:"detail,omitempty"`
}

// Encode returns the entry's bytes in the log.
func (e *AuditEntry) Encode() ([]byte, error) {
	b, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encode audit entry %d: %w", e.Number, err)
	}
	return b, nil
}

// ParseAuditEntry reads an entry's bytes.
func ParseAuditEntry(leaf []byte) (AuditEntry, error) {
	var e AuditEntry
	if err := json.Unmarshal(leaf, &e); err != nil {
		return e, fmt.Errorf("parse audit entry: %w: %w", ErrInvalid, err)
	}
	return e, nil
}

// AuditHash is a node of the audit log's Merkle tree: SHA-256, after RFC 6962.
type AuditHash [32]byte

// AuditHead names a state of the audit log: how many entries it has and the root
// of their tree. Who keeps one can later prove that nothing before it changed.
type AuditHead struct {
	Size int64
	Root AuditHash
}
