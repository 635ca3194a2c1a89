package server

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/filter"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/wire"
)

// Auditor keeps the audit log and proves what is in it. A size of -1 means as it
// is now.
type Auditor interface {
	// Record appends a line: somebody looked at raw evidence or took data out.
	Record(ctx context.Context, by memberwatch.Person, action, subject string, detail any) error
	// AuditHead returns the head of a size.
	AuditHead(ctx context.Context, size int64) (memberwatch.AuditHead, error)
	// AuditEntries returns up to limit leaves that match, from a number on, and the number to go on from: 0 at the end. A nil
	// match takes all.
	AuditEntries(ctx context.Context, from int64, limit int, match func(*memberwatch.AuditEntry) bool) (leaves [][]byte, next int64, err error)
	// AuditInclusion proves that entry n is in the log of a size.
	AuditInclusion(ctx context.Context, size, n int64) (memberwatch.AuditHead, []byte, []memberwatch.AuditHash, error)
	// AuditConsistency proves that the log of one size is the beginning of the log of a later one.
	AuditConsistency(ctx context.Context, old, size int64) (memberwatch.AuditHead, []memberwatch.AuditHash, error)
	// CheckRecords returns how many cases and remediations there are, and which of them the log does not lead to.
	CheckRecords(ctx context.Context) (checked int64, wrong []string, err error)
}

// record notes a view of raw evidence or an export, if there is an audit log. A
// view that cannot be recorded is not given.
func record(ctx context.Context, log Auditor, action, subject string, detail any) error {
	if log == nil {
		return nil
	}
	if err := log.Record(ctx, memberwatch.PersonIn(ctx), action, subject, detail); err != nil {
		return fmt.Errorf("not given, as the audit log cannot say so: %w", err)
	}
	return nil
}

// detailOf returns a request as the audit log keeps it, without its paging, by the names of the contract.
func detailOf(r proto.Message) (json.RawMessage, error) {
	b, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(unpaged(r))
	if err != nil {
		return nil, fmt.Errorf("write down a request: %w", err)
	}
	return b, nil
}

// recordFirst notes what the first page of a list gives away; the others belong to it.
func recordFirst(ctx context.Context, log Auditor, action, subject string, r pageRequest) error {
	if r.GetPageToken() != "" {
		return nil
	}
	detail, err := detailOf(r)
	if err != nil {
		return err
	}
	return record(ctx, log, action, subject, detail)
}

// auditor returns the audit log, or says that this server has none.
func (s *adminService) auditor() (Auditor, error) {
	if s.audit == nil {
		return nil, status.Error(codes.Unimplemented, "this server keeps no audit log")
	}
	return s.audit, nil
}

// auditSize reads a size of the log as requests give it.
func auditSize(size int64) (int64, error) {
	switch {
	case size < 0:
		return 0, invalidField("size", "AUDIT_SIZE_INVALID", fmt.Sprintf("size %d is negative", size), "leave it out for the log as it is now")
	case size == 0:
		return -1, nil
	}
	return size, nil
}

// GetAuditHead returns size and root of the log.
func (s *adminService) GetAuditHead(ctx context.Context, r *pb.GetAuditHeadRequest) (*pb.GetAuditHeadResponse, error) {
	log, err := s.auditor()
	if err != nil {
		return nil, err
	}
	size, err := auditSize(r.GetSize())
	if err != nil {
		return nil, err
	}
	head, err := log.AuditHead(ctx, size)
	if err != nil {
		return nil, err
	}
	return &pb.GetAuditHeadResponse{Head: wire.EncodeAuditHead(head)}, nil
}

// ListAuditEntries returns a page of leaves.
func (s *adminService) ListAuditEntries(ctx context.Context, r *pb.ListAuditEntriesRequest) (*pb.ListAuditEntriesResponse, error) {
	log, err := s.auditor()
	if err != nil {
		return nil, err
	}
	size, from, err := numberedPage(r)
	if err != nil {
		return nil, err
	}
	var match func(*memberwatch.AuditEntry) bool
	if strings.TrimSpace(r.GetFilter()) != "" { // else leaves need not be read
		selected, err := filter.Parse(r.GetFilter(), auditFields)
		if err != nil {
			return nil, wire.InField("filter", err)
		}
		match = selected.Match
	}
	if err := recordFirst(ctx, log, "audit.export", "audit", r); err != nil {
		return nil, err
	}
	leaves, next, err := log.AuditEntries(ctx, from, size, match)
	if err != nil {
		return nil, err
	}
	m := &pb.ListAuditEntriesResponse{Entries: leaves}
	if next > 0 {
		m.NextPageToken = newToken(r, strconv.FormatInt(next, 10))
	}
	return m, nil
}

// auditFields are what entries of the audit log can be filtered by.
var auditFields = []filter.Field[memberwatch.AuditEntry]{
	filter.Text("person", func(e *memberwatch.AuditEntry) string { return string(e.Person) }),
	filter.Text("action", func(e *memberwatch.AuditEntry) string { return e.Action }),
	filter.Text("subject", func(e *memberwatch.AuditEntry) string { return e.Subject }),
	filter.Time("time", func(e *memberwatch.AuditEntry) int64 { return e.Time.UnixNano() }),
}

// ProveAuditEntry proves that an entry is in the log.
func (s *adminService) ProveAuditEntry(ctx context.Context, r *pb.ProveAuditEntryRequest) (*pb.ProveAuditEntryResponse, error) {
	log, err := s.auditor()
	if err != nil {
		return nil, err
	}
	size, err := auditSize(r.GetSize())
	if err != nil {
		return nil, err
	}
	head, leaf, proof, err := log.AuditInclusion(ctx, size, r.GetNumber())
	if err != nil {
		return nil, err
	}
	return &pb.ProveAuditEntryResponse{Head: wire.EncodeAuditHead(head), Entry: leaf, Proof: wire.EncodeAuditProof(proof)}, nil
}

// ProveAuditHead proves that an earlier log is the beginning of a later one.
func (s *adminService) ProveAuditHead(ctx context.Context, r *pb.ProveAuditHeadRequest) (*pb.ProveAuditHeadResponse, error) {
	log, err := s.auditor()
	if err != nil {
		return nil, err
	}
	size, err := auditSize(r.GetSize())
	if err != nil {
		return nil, err
	}
	head, proof, err := log.AuditConsistency(ctx, r.GetSince(), size)
	if err != nil {
		return nil, err
	}
	return &pb.ProveAuditHeadResponse{Head: wire.EncodeAuditHead(head), Proof: wire.EncodeAuditProof(proof)}, nil
}

// CheckRecords compares cases and remediations with the log.
func (s *adminService) CheckRecords(ctx context.Context, _ *pb.CheckRecordsRequest) (*pb.CheckRecordsResponse, error) {
	log, err := s.auditor()
	if err != nil {
		return nil, err
	}
	checked, wrong, err := log.CheckRecords(ctx)
	if err != nil {
		return nil, err
	}
	return &pb.CheckRecordsResponse{Checked: checked, Wrong: wrong}, nil
}
