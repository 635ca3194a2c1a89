package review

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/store"
)

// CheckRecords takes the decisions and steps in the audit log from the beginning
// and compares what they lead to with the stored cases and remediations. It
// returns how many records there are and which of them the log does not lead to.
func (s *Service) CheckRecords(ctx context.Context) (checked int64, wrong []string, err error) {
	for after, more := "", true; more && ctx.Err() == nil; more = after != "" {
		page, next, err := s.files.Cases(memberwatch.Order{}, after, checkPage, nil)
		if err != nil {
			return checked, wrong, err
		}
		for i := range page {
			n, some, err := s.checkCase(page[i].ID)
			if err != nil {
				return checked, wrong, err
			}
			checked += n
			wrong = append(wrong, some...)
		}
		after = next
	}
	return checked, wrong, ctx.Err()
}

// checkPage is how many cases are read in one transaction.
const checkPage = 256

// checkCase checks a case and its remediations. All are read in one transaction,
// so that none moves in between.
func (s *Service) checkCase(id memberwatch.CaseID) (n int64, wrong []string, err error) {
	err = s.files.ReadReview(func(r *store.Review) error {
		c, err := r.Case(id)
		if err != nil {
			return err
		}
		entries, err := r.AuditOf(subjectOf(id), -1, maxHistory)
		if err != nil {
			return err
		}
		n = 1
		if again, err := replayCase(id, entries); err != nil || !same(&again, &c) {
			wrong = append(wrong, subjectOf(id))
		}
		remedies, err := r.RemediationsOf(id)
		if err != nil {
			return err
		}
		for i := range remedies {
			m := &remedies[i]
			entries, err := r.AuditOf(remedySubject(m), -1, maxHistory)
			if err != nil {
				return err
			}
			n++
			// What the platform was told, and which restriction was made, follows from
			// the steps and is not part of them.
			stored := *m
			again, err := replayRemedy(m.ID, &c, entries)
			again.Announced, again.Restriction = stored.Announced, stored.Restriction
			if err != nil || !same(&again, &stored) {
				wrong = append(wrong, remedySubject(m))
			}
		}
		return nil
	})
	return n, wrong, err
}

// same compares records as people would read them.
func same[T any](a, b *T) bool { return fmt.Sprintf("%+v", *a) == fmt.Sprintf("%+v", *b) }

// replayCase takes a case's decisions from the audit log.
func replayCase(id memberwatch.CaseID, entries []memberwatch.AuditEntry) (c memberwatch.Case, err error) {
	c.ID = id
	for _, e := range entries {
		if !strings.HasPrefix(e.Action, "case.") {
			continue
		}
		var d memberwatch.Decision
		if err := json.Unmarshal(e.Detail, &d); err != nil {
			return c, fmt.Errorf("audit entry %d: %w", e.Number, err)
		}
		if err := c.Apply(&d); err != nil {
			return c, fmt.Errorf("audit entry %d: %w", e.Number, err)
		}
	}
	return c, nil
}

// replayRemedy takes a remediation's steps from the audit log.
func replayRemedy(id memberwatch.RemediationID, of *memberwatch.Case, entries []memberwatch.AuditEntry) (m memberwatch.Remediation, err error) {
	m = memberwatch.Remediation{ID: id, Case: of.ID, App: of.App}
	for _, e := range entries {
		var step memberwatch.Step
		if err := json.Unmarshal(e.Detail, &step); err != nil {
			return m, fmt.Errorf("audit entry %d: %w", e.Number, err)
		}
		if err := m.Apply(&step); err != nil {
			return m, fmt.Errorf("audit entry %d: %w", e.Number, err)
		}
	}
	return m, nil
}
