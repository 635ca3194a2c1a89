package wire

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/memberwatch/memberwatch"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

// EncodeSignal returns the message for a signal. Of its strongest finding the message holds what a list shows; the rest
// is in the findings.
func EncodeSignal(s *memberwatch.Signal) *pb.Signal {
	state := pb.Signal_STATE_ENDED
	if s.Open() {
		state = pb.Signal_STATE_OPEN
	}
	f := &s.Strongest
	return &pb.Signal{
		Name:               SignalName(s.ID),
		App:                AppName(s.App),
		Apps:               encodeApps(s.Apps),
		Network:            s.Network,
		Developer:          string(s.Developer),
		Kind:               string(s.Kind),
		State:              state,
		Severity:           pb.Severity(s.Severity),
		Sentence:           s.Sentence,
		OpenTime:           encodeNanos(s.Opened),
		LastTime:           encodeNanos(s.Last),
		EndTime:            encodeNanos(s.Ended),
		Occurrences:        s.Occurrences,
		Provisional:        f.Provisional,
		ReturnPeriodDays:   f.ReturnPeriod,
		MembersExposed:     encodeEstimate(f.Members),
		Window:             encodeWindow(f.Window),
		Factors:            encodeFactors(f.Factors),
		Caveats:            f.Caveats,
		LearningState:      pb.LearningState(s.Learning),
		LearningDays:       s.LearningDays,
		ModelVersion:       s.Model,
		CalibrationVersion: s.Calibration,
		ControlRevision:    s.Control,
		Restriction:        RestrictionName(f.Restriction),
		Revision:           s.Revision,
		Triage:             pb.Triage(s.Triage.State + 1), // the contract's first is none
		Case:               CaseName(s.Triage.Case),
		Silence:            SilenceName(s.Triage.Silence),
		DismissReason:      s.Triage.Reason,
		Shadow:             s.Shadow,
		About:              s.About,
		Exposed:            s.Exposed,
		Verdict:            encodeVerdictName(s.Triage.Verdict),
	}
}

// encodeVerdictName spells a verdict, and none as nothing.
func encodeVerdictName(v memberwatch.Verdict) string {
	if v == memberwatch.VerdictUnspecified {
		return ""
	}
	return v.String()
}

// decodeVerdictName reads a verdict; one that this program does not know is none.
func decodeVerdictName(name string) memberwatch.Verdict {
	var v memberwatch.Verdict
	if err := v.UnmarshalText([]byte(name)); err != nil {
		return memberwatch.VerdictUnspecified
	}
	return v
}

// DecodeSignal returns the signal of a message. What the message does not hold of the strongest finding stays zero.
func DecodeSignal(m *pb.Signal) (memberwatch.Signal, error) {
	var d decoder
	s := memberwatch.Signal{
		ID:           parse(&d, "name", ParseSignalName, m.GetName()),
		App:          parse(&d, "app", optional(ParseAppName), m.GetApp()),
		Apps:         parse(&d, "apps", decodeApps, m.GetApps()),
		Network:      m.GetNetwork(),
		Developer:    memberwatch.DeveloperID(m.GetDeveloper()),
		Kind:         memberwatch.Kind(m.GetKind()),
		Severity:     decodeSeverity(m.GetSeverity()),
		Sentence:     m.GetSentence(),
		Opened:       parse(&d, "open_time", decodeNanos, m.GetOpenTime()),
		Last:         parse(&d, "last_time", decodeNanos, m.GetLastTime()),
		Ended:        parse(&d, "end_time", decodeNanos, m.GetEndTime()),
		Occurrences:  m.GetOccurrences(),
		Revision:     m.GetRevision(),
		Learning:     decodeLearning(m.GetLearningState()),
		LearningDays: m.GetLearningDays(),
		Model:        m.GetModelVersion(),
		Calibration:  m.GetCalibrationVersion(),
		Control:      m.GetControlRevision(),
		Shadow:       m.GetShadow(),
		About:        m.GetAbout(),
		Exposed:      m.GetExposed(),
		Triage: memberwatch.Triage{
			State:   memberwatch.TriageState(max(bounded[uint8](m.GetTriage(), pb.Triage_TRIAGE_REGRESSED), 1) - 1),
			Case:    parse(&d, "case", optional(ParseCaseName), m.GetCase()),
			Silence: parse(&d, "silence", optional(ParseSilenceName), m.GetSilence()),
			Reason:  m.GetDismissReason(),
			Verdict: decodeVerdictName(m.GetVerdict()),
		},
		Strongest: memberwatch.Finding{
			Kind:         memberwatch.Kind(m.GetKind()),
			Window:       parse(&d, "window", decodeWindow, m.GetWindow()),
			ReturnPeriod: m.GetReturnPeriodDays(),
			Provisional:  m.GetProvisional(),
			Members:      decodeEstimate(m.GetMembersExposed()),
			Factors:      decodeFactors(m.GetFactors()),
			Caveats:      m.GetCaveats(),
			Restriction:  parse(&d, "restriction", optional(ParseRestrictionName), m.GetRestriction()),
		},
	}
	return s, d.err
}

// EncodeFinding returns the message for a finding. Its kind is that of its signal.
func EncodeFinding(f *memberwatch.Finding) *pb.Finding {
	return &pb.Finding{
		Window:           encodeWindow(f.Window),
		Time:             encodeNanos(f.Time),
		Sentence:         f.Sentence,
		Stream:           f.Stream.String(),
		ReturnPeriodDays: f.ReturnPeriod,
		FleetFactor:      f.FleetFactor,
		Provisional:      f.Provisional,
		Factors:          encodeFactors(f.Factors),
		Caveats:          f.Caveats,
		MembersExposed:   encodeEstimate(f.Members),
		Number:           f.Number,
		Restriction:      RestrictionName(f.Restriction),
		Severity:         pb.Severity(f.Severity),
		Influences:       encodeInfluences(f.Influences),
		Basis:            encodeBasis(&f.Basis),
	}
}

// DecodeFinding returns the finding of a message that belongs to a signal of a kind.
func DecodeFinding(kind memberwatch.Kind, m *pb.Finding) (memberwatch.Finding, error) {
	var d decoder
	f := memberwatch.Finding{
		Kind:         kind,
		Number:       m.GetNumber(),
		Window:       parse(&d, "window", decodeWindow, m.GetWindow()),
		Time:         parse(&d, "time", decodeNanos, m.GetTime()),
		Stream:       parse(&d, "stream", decodeStream, m.GetStream()),
		Sentence:     m.GetSentence(),
		ReturnPeriod: m.GetReturnPeriodDays(),
		FleetFactor:  m.GetFleetFactor(),
		Provisional:  m.GetProvisional(),
		Members:      decodeEstimate(m.GetMembersExposed()),
		Factors:      decodeFactors(m.GetFactors()),
		Caveats:      m.GetCaveats(),
		Restriction:  parse(&d, "restriction", optional(ParseRestrictionName), m.GetRestriction()),
		Severity:     decodeSeverity(m.GetSeverity()),
		Influences:   decodeInfluences(m.GetInfluences()),
		Basis: memberwatch.Basis{
			App:         parse(&d, "basis", optional(ParseAppName), m.GetBasis().GetApp()),
			Developer:   memberwatch.DeveloperID(m.GetBasis().GetDeveloper()),
			Model:       m.GetBasis().GetModelVersion(),
			Calibration: m.GetBasis().GetCalibrationVersion(), Control: m.GetBasis().GetControlRevision(),
			Learning: decodeLearning(m.GetBasis().GetLearningState()), LearningDays: m.GetBasis().GetLearningDays(),
		},
	}
	return f, d.err
}

// encodeWindow writes the start even where it is 0: a window without one has no meaning.
func encodeWindow(w memberwatch.Window) *pb.Window {
	return &pb.Window{
		Scale:     w.Scale.String(),
		StartTime: timestamppb.New(time.Unix(0, w.Start)),
		EndTime:   timestamppb.New(time.Unix(0, w.End())),
	}
}

// decodeWindow takes the end from the scale; no window decodes to the zero one.
func decodeWindow(m *pb.Window) (memberwatch.Window, error) {
	if m == nil {
		return memberwatch.Window{}, nil
	}
	start, err := decodeNanos(m.GetStartTime())
	if err != nil {
		return memberwatch.Window{}, err
	}
	for scale := range memberwatch.Scales {
		if scale.String() == m.GetScale() {
			return memberwatch.Window{Scale: scale, Start: start}, nil
		}
	}
	return memberwatch.Window{}, invalid("SCALE_INVALID", fmt.Sprintf("scale %q is not known", m.GetScale()), "scales are hour and day")
}

func decodeStream(name string) (memberwatch.Stream, error) {
	for _, s := range []memberwatch.Stream{memberwatch.StreamRule, memberwatch.StreamBurst, memberwatch.StreamSlow} {
		if s.String() == name {
			return s, nil
		}
	}
	return 0, invalid("STREAM_INVALID", fmt.Sprintf("stream %q is not known", name), "streams are rule, burst and slow")
}

// decodeSeverity takes a severity of a later contract for one that was not given.
func decodeSeverity(s pb.Severity) memberwatch.Severity {
	if s < 0 || s > pb.Severity_SEVERITY_CRITICAL {
		return memberwatch.SeverityUnspecified
	}
	return memberwatch.Severity(s)
}

func encodeEstimate(e memberwatch.Estimate) *pb.Estimate {
	return &pb.Estimate{Value: e.Value, Low: e.Low, High: e.High}
}

func decodeEstimate(m *pb.Estimate) memberwatch.Estimate {
	return memberwatch.Estimate{Value: m.GetValue(), Low: m.GetLow(), High: m.GetHigh()}
}

func encodeFactors(factors []memberwatch.Factor) []*pb.Factor {
	var messages []*pb.Factor
	for i := range factors {
		f := &factors[i]
		messages = append(messages, &pb.Factor{
			Feature: f.Feature, Observed: f.Observed, Expected: f.Expected, Low: f.Low, High: f.High,
			PValue: f.P, ReturnPeriodDays: f.ReturnPeriod, Share: f.Share, Text: f.Text, Peers: f.Peers,
		})
	}
	return messages
}

func decodeFactors(messages []*pb.Factor) []memberwatch.Factor {
	var factors []memberwatch.Factor
	for _, m := range messages {
		factors = append(factors, memberwatch.Factor{
			Feature: m.GetFeature(), Observed: m.GetObserved(), Expected: m.GetExpected(), Low: m.GetLow(), High: m.GetHigh(),
			P: m.GetPValue(), ReturnPeriod: m.GetReturnPeriodDays(), Share: m.GetShare(), Text: m.GetText(), Peers: m.GetPeers(),
		})
	}
	return factors
}

func encodeInfluences(influences []memberwatch.Influence) []*pb.Influence {
	var messages []*pb.Influence
	for i := range influences {
		x := &influences[i]
		messages = append(messages, &pb.Influence{
			Dimension: x.Dimension, Name: x.Name, Share: x.Share, Without: x.Without, PValue: x.P, Text: x.Text,
		})
	}
	return messages
}

func decodeInfluences(messages []*pb.Influence) []memberwatch.Influence {
	var influences []memberwatch.Influence
	for _, m := range messages {
		influences = append(influences, memberwatch.Influence{
			Dimension: m.GetDimension(), Name: m.GetName(), Share: m.GetShare(), Without: m.GetWithout(), P: m.GetPValue(), Text: m.GetText(),
		})
	}
	return influences
}

// encodeBasis returns nothing for a finding that says nothing of what it rests on.
func encodeBasis(b *memberwatch.Basis) *pb.Basis {
	if *b == (memberwatch.Basis{}) {
		return nil
	}
	return &pb.Basis{
		App: AppName(b.App), Developer: string(b.Developer), ModelVersion: b.Model, CalibrationVersion: b.Calibration, ControlRevision: b.Control,
		LearningState: pb.LearningState(b.Learning), LearningDays: b.LearningDays,
	}
}

// EncodeVerification returns the message for what came of verifying a signal.
func EncodeVerification(v *memberwatch.Verification) *pb.VerifySignalResponse {
	m := &pb.VerifySignalResponse{Result: encodeResult(v.Result()), EvidenceSha256: v.Evidence, Problems: v.Problems}
	for _, c := range v.Findings {
		m.Findings = append(m.Findings, &pb.FindingVerification{Number: c.Number, Result: encodeResult(c.Result), Detail: c.Detail})
	}
	return m
}

func encodeResult(r memberwatch.CheckResult) pb.VerificationResult {
	return pb.VerificationResult(r + 1) // the contract's first is none
}
