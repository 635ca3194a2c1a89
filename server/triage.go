package server

import (
	"context"
	"fmt"
	"strings"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/filter"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/wire"
)

// Triage is what reviewers do with signals that no case has, and what they know of those like them.
type Triage interface {
	// Dismiss sets signals aside, or takes them back.
	Dismiss(ctx context.Context, by memberwatch.Person, ids []memberwatch.SignalID, reason string, undo bool) error
	// DismissAll does so with all signals that match; with dry it only lists them.
	DismissAll(ctx context.Context, by memberwatch.Person, match func(*memberwatch.Signal) bool, reason string, undo, dry bool) ([]memberwatch.SignalID, map[memberwatch.SignalID]error, error)
	// Similar returns up to limit past signals of a signal's kind with their verdicts, and how often each was given.
	Similar(ctx context.Context, id memberwatch.SignalID, limit int) ([]memberwatch.SimilarSignal, map[memberwatch.Verdict]int64, error)
}

// DismissSignals sets signals aside, or takes them back.
func (s *caseService) DismissSignals(ctx context.Context, r *pb.DismissSignalsRequest) (*pb.DismissSignalsResponse, error) {
	ids, err := wire.DecodeSignalNames(r.GetSignals())
	if err != nil {
		return nil, wire.InField("signals", err)
	}
	switch n := len(ids); {
	case n == 0 && strings.TrimSpace(r.GetFilter()) != "":
		return s.dismissMatching(ctx, r)
	case r.GetFilter() != "" || r.GetDryRun():
		return nil, invalidField("filter", "SIGNALS_INVALID", "a filter and signals by name exclude each other, and a dry run needs a filter", "give one of the two")
	case n == 0 || n > memberwatch.MaxCaseSignals:
		return nil, invalidField("signals", "SIGNALS_INVALID", fmt.Sprintf("%d signals are named", n), fmt.Sprintf("name 1 to %d, or give a filter", memberwatch.MaxCaseSignals))
	}
	if err := s.review.Dismiss(ctx, memberwatch.PersonIn(ctx), ids, r.GetReason(), r.GetUndo()); err != nil {
		return nil, err
	}
	return &pb.DismissSignalsResponse{}, nil
}

func (s *caseService) dismissMatching(ctx context.Context, r *pb.DismissSignalsRequest) (*pb.DismissSignalsResponse, error) {
	selected, err := filter.Parse(r.GetFilter(), signalFields)
	if err != nil {
		return nil, wire.InField("filter", err)
	}
	done, failed, err := s.review.DismissAll(ctx, memberwatch.PersonIn(ctx), selected.Match, r.GetReason(), r.GetUndo(), r.GetDryRun())
	if err != nil {
		return nil, err
	}
	m := &pb.DismissSignalsResponse{}
	for _, id := range done {
		m.Signals = append(m.Signals, wire.SignalName(id))
	}
	for _, id := range sortedKeys(failed) {
		m.Failures = append(m.Failures, &pb.DismissSignalsResponse_Failure{Name: wire.SignalName(id), Reason: errorReason(failed[id]), Message: failed[id].Error()})
	}
	return m, nil
}

// similarPages are the sizes of lists of similar signals.
var similarPages = pageBounds{standard: 10, largest: 100}

// ListSimilarSignals returns what reviews found about signals like one.
func (s *caseService) ListSimilarSignals(ctx context.Context, r *pb.ListSimilarSignalsRequest) (*pb.ListSimilarSignalsResponse, error) {
	id, err := wire.ParseSignalName(r.GetName())
	if err != nil {
		return nil, wire.InField("name", err)
	}
	size, err := similarPages.size(r.GetPageSize())
	if err != nil {
		return nil, err
	}
	list, found, err := s.review.Similar(ctx, id, size)
	if err != nil {
		return nil, err
	}
	m := &pb.ListSimilarSignalsResponse{}
	for i := range list {
		m.Signals = append(m.Signals, wire.EncodeSimilarSignal(&list[i]))
	}
	for _, v := range sortedKeys(found) {
		m.Verdicts = append(m.Verdicts, &pb.ListSimilarSignalsResponse_VerdictCount{Verdict: pb.Verdict(v), Count: found[v]})
	}
	return m, nil
}
