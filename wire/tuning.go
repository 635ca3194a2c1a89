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

// EncodeTrial returns the message for a tuning held against evidence.
func EncodeTrial(t *memberwatch.Trial) *pb.BacktestTuningResponse {
	return &pb.BacktestTuningResponse{
		StartTime: encodeNanos(t.From), EndTime: encodeNanos(t.To), Raised: int64(t.Raised),
		Now: encodeTrialOutcome(&t.Now), Then: encodeTrialOutcome(&t.Then),
		Gone: encodeTrialSignals(t.Gone), Come: encodeTrialSignals(t.Come),
	}
}

func encodeTrialOutcome(o *memberwatch.TrialOutcome) *pb.BacktestOutcome {
	return &pb.BacktestOutcome{
		Signals: int64(o.Signals), SignalsPerDay: o.PerDay, Precision: o.Precision,
		Kinds: EncodeCounts(o.Kinds), Verdicts: EncodeCounts(o.Verdicts),
	}
}

func encodeTrialSignals(signals []memberwatch.TrialSignal) []*pb.BacktestSignal {
	list := make([]*pb.BacktestSignal, len(signals))
	for i, s := range signals {
		list[i] = &pb.BacktestSignal{
			App: AppName(s.App), Developer: string(s.Developer), Kind: string(s.Kind),
			OpenTime: encodeNanos(s.Opened), LastTime: encodeNanos(s.Last), Verdict: s.Verdict,
		}
	}
	return list
}

// EncodeClue returns the message for a clue.
func EncodeClue(c *memberwatch.Clue) *pb.Clue {
	return &pb.Clue{
		App: AppName(c.App), Developer: string(c.Developer), Window: encodeWindow(c.Window), Kind: string(c.Kind),
		Feature: c.Feature, ReturnPeriodDays: c.Period, Share: c.Share,
	}
}

// DecodeClue returns the clue of a message.
func DecodeClue(m *pb.Clue) (memberwatch.Clue, error) {
	var d decoder
	c := memberwatch.Clue{
		App: parse(&d, "app", optional(ParseAppName), m.GetApp()), Developer: memberwatch.DeveloperID(m.GetDeveloper()),
		Window: parse(&d, "window", decodeWindow, m.GetWindow()), Kind: memberwatch.Kind(m.GetKind()), Feature: m.GetFeature(),
		Period: m.GetReturnPeriodDays(), Share: m.GetShare(),
	}
	return c, d.err
}
