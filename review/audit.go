package review

import (
	"context"

	"github.com/memberwatch/memberwatch"
)

// AuditHead returns the size and root of the audit log; size -1 means now.
func (s *Service) AuditHead(_ context.Context, size int64) (memberwatch.AuditHead, error) {
	return s.files.AuditHead(size)
}

// AuditEntries returns up to limit leaves of the audit log that match, from a number
// on, and the number to go on from: 0 at the end. A nil match takes all.
func (s *Service) AuditEntries(_ context.Context, from int64, limit int, match func(*memberwatch.AuditEntry) bool) (leaves [][]byte, next int64, err error) {
	return s.files.AuditEntries(from, limit, match)
}

// AuditInclusion proves that entry n is in the log of a size; -1 means now.
func (s *Service) AuditInclusion(_ context.Context, size, n int64) (memberwatch.AuditHead, []byte, []memberwatch.AuditHash, error) {
	return s.files.AuditInclusion(size, n)
}

// AuditConsistency proves that the log of one size is the beginning of the log of
// a later one; -1 means now.
func (s *Service) AuditConsistency(_ context.Context, old, size int64) (memberwatch.AuditHead, []memberwatch.AuditHash, error) {
	return s.files.AuditConsistency(old, size)
}
