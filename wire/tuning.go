package wire

import (
	"maps"

	"github.com/memberwatch/memberwatch"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

// EncodeTuning returns the message for a tuning. When it was applied is the
// change's to tell.
func EncodeTuning(t *memberwatch.Tuning) *pb.Tuning {
	m := &pb.Tuning{
		Revision: t.Revision, Configured: t.Configured, BudgetAppDays: t.Budget, Weights: maps.Clone(t.Weights),
		Comment: t.Comment, FromTime: encodeTime(t.From),
	}
	for _, kind := range t.Shadow {
		m.ShadowKinds = append(m.ShadowKinds, string(kind))
	}
	return m
}

// EncodeTuningChange returns the message for an applied tuning.
func EncodeTuningChange(c *memberwatch.Change) *pb.Tuning {
	m := EncodeTuning(c.Tuning)
	m.ApplyTime = encodeTime(c.Time)
	return m
}

// DecodeTuning returns what a message wants applied: what only the service knows
// is left out.
func DecodeTuning(m *pb.Tuning) memberwatch.Tuning {
	t := memberwatch.Tuning{Configured: m.GetConfigured(), Budget: m.GetBudgetAppDays(), Weights: maps.Clone(m.GetWeights()), Comment: m.GetComment()}
	for _, kind := range m.GetShadowKinds() {
		t.Shadow = append(t.Shadow, memberwatch.Kind(kind))
	}
	return t
}

// EncodeShares returns the messages for shares of the budget.
func EncodeShares(shares []memberwatch.FeatureShare) []*pb.FeatureShare {
	list := make([]*pb.FeatureShare, len(shares))
	for i, s := range shares {
		list[i] = &pb.FeatureShare{Feature: s.Feature, Hour: s.Hour, Day: s.Day, Slow: s.Slow}
	}
	return list
}
