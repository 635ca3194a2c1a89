package wire

import (
	"fmt"
	"strings"
	"time"

	"github.com/memberwatch/memberwatch"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

// Collections of the review side.
const (
	caseCollection        = "cases/"
	silenceCollection     = "silences/"
	remediationCollection = "/remediations/"
)

// CaseName returns the resource name of a case, or nothing for none.
func CaseName(id memberwatch.CaseID) string { return resourceName(caseCollection, string(id)) }

// SilenceName returns the resource name of a silence, or nothing for none.
func SilenceName(id memberwatch.SilenceID) string { return resourceName(silenceCollection, string(id)) }

// RemediationName returns the resource name of a case's remediation.
func RemediationName(of memberwatch.CaseID, id memberwatch.RemediationID) string {
	return CaseName(of) + remediationCollection + string(id)
}

// ParseCaseName returns the case that a resource name such as cases/c7 names.
func ParseCaseName(name string) (memberwatch.CaseID, error) {
	id, err := parseName(caseCollection, name)
	return memberwatch.CaseID(id), err
}

// ParseSilenceName returns the silence that a resource name such as silences/s3
// names.
func ParseSilenceName(name string) (memberwatch.SilenceID, error) {
	id, err := parseName(silenceCollection, name)
	return memberwatch.SilenceID(id), err
}

// ParseRemediationName returns what a resource name such as
// cases/c7/remediations/r3 names.
func ParseRemediationName(name string) (memberwatch.CaseID, memberwatch.RemediationID, error) {
	of, id, ok := strings.Cut(strings.TrimPrefix(name, caseCollection), remediationCollection)
	if !ok || of == "" || id == "" || !strings.HasPrefix(name, caseCollection) {
		return "", "", invalid("NAME_INVALID", fmt.Sprintf("resource name %q is not of the form cases/{case}/remediations/{remediation}", name), "write it as cases/c7/remediations/r3")
	}
	return memberwatch.CaseID(of), memberwatch.RemediationID(id), nil
}

// EncodeCase returns the message for a case as it stands at a time.
func EncodeCase(c *memberwatch.Case, now time.Time) *pb.Case {
	m := &pb.Case{
		Name:            CaseName(c.ID),
		Title:           c.Title,
		App:             AppName(c.App),
		Developer:       string(c.Developer),
		State:           pb.Case_State(c.State),
		Severity:        pb.Severity(c.Severity),
		Signals:         EncodeSignalNames(c.Signals),
		Tags:            c.Tags,
		Assignee:        string(c.Assignee),
		Verdict:         pb.Verdict(c.Verdict),
		Reason:          c.Reason,
		Comment:         c.Comment,
		WakeTime:        encodeTime(c.WakeTime),
		CreateTime:      encodeTime(c.Created),
		UpdateTime:      encodeTime(c.Updated),
		AcknowledgeTime: encodeTime(c.Acknowledged),
		DecideTime:      encodeTime(c.Decided),
		CloseTime:       encodeTime(c.Closed),
		DueTime:         encodeTime(c.NextDue()),
		Overdue:         c.Overdue(now),
		AwareTime:       encodeTime(c.Aware),
		MergedInto:      CaseName(c.MergedInto),
		DuplicateOf:     CaseName(c.DuplicateOf),
		Appeal:          c.Appeal,
		Cause:           c.Cause,
		Notes:           c.Notes,
		Etag:            c.Etag(),
	}
	if now.Before(c.ClaimedUntil) {
		m.ClaimedBy, m.ClaimExpireTime = string(c.ClaimedBy), encodeTime(c.ClaimedUntil)
	}
	for i := range c.Effects {
		e := &c.Effects[i]
		m.Effects = append(m.Effects, &pb.Effect{
			Kind: string(e.Kind), Subject: e.Subject, Text: e.Text, Revision: e.Revision, Time: encodeTime(e.At), UndoTime: encodeTime(e.Undone),
		})
	}
	return m
}

// EncodeSignalNames returns the resource names of signals.
func EncodeSignalNames(ids []memberwatch.SignalID) []string {
	var names []string
	for _, id := range ids {
		names = append(names, SignalName(id))
	}
	return names
}

// DecodeSignalNames returns the signals that resource names name.
func DecodeSignalNames(names []string) ([]memberwatch.SignalID, error) {
	var ids []memberwatch.SignalID
	for _, name := range names {
		id, err := ParseSignalName(name)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// EncodeDecision returns the message for a decision that has a number in the
// audit log.
func EncodeDecision(d *memberwatch.Decision, number int64) *pb.Decision {
	m := &pb.Decision{
		Action: pb.Action(d.Action), Comment: d.Comment, Assignee: string(d.Assignee), Time: encodeTime(d.Until),
		Verdict: pb.Verdict(d.Verdict), Reason: d.Reason, Signals: EncodeSignalNames(d.Signals), Into: CaseName(d.Into),
		AddTags: d.Add, RemoveTags: d.Remove, Appeal: d.Appeal, Another: d.Another, Cause: d.Cause,
		Person: string(d.By), DecideTime: encodeTime(d.Time), AuditEntry: number,
	}
	if d.Expect != nil {
		m.ExpectMembers, m.ExpectUntil = d.Expect.Members, encodeTime(d.Expect.Until)
	}
	return m
}

// EncodeSimilarSignal returns the message for a past signal and its verdict.
func EncodeSimilarSignal(s *memberwatch.SimilarSignal) *pb.ListSimilarSignalsResponse_SimilarSignal {
	return &pb.ListSimilarSignalsResponse_SimilarSignal{
		Signal: EncodeSignal(&s.Signal), SameApp: s.SameApp, SameDeveloper: s.SameDeveloper, Likeness: s.Likeness,
		Verdict: pb.Verdict(s.Verdict), Reason: s.Reason, Comment: s.Comment, DecideTime: encodeTime(s.Decided),
	}
}

// DecodeDecision returns what a person wants to decide. Person, time and all
// that the service finds out itself stay empty.
func DecodeDecision(m *pb.Decision) (memberwatch.Decision, error) {
	var dec decoder
	d := memberwatch.Decision{
		Action:   bounded[memberwatch.Action](m.GetAction(), pb.Action_ACTION_AWARE),
		Comment:  m.GetComment(),
		Assignee: memberwatch.Person(m.GetAssignee()),
		Until:    parse(&dec, "time", decodeTime, m.GetTime()),
		Verdict:  bounded[memberwatch.Verdict](m.GetVerdict(), pb.Verdict_VERDICT_DUPLICATE),
		Reason:   m.GetReason(),
		Signals:  parse(&dec, "signals", DecodeSignalNames, m.GetSignals()),
		Into:     parse(&dec, "into", optional(ParseCaseName), m.GetInto()),
		Add:      m.GetAddTags(),
		Remove:   m.GetRemoveTags(),
		Appeal:   m.GetAppeal(),
		Another:  m.GetAnother(),
		Cause:    m.GetCause(),
	}
	if m.GetExpectMembers() != 0 || m.GetExpectUntil() != nil {
		d.Expect = &memberwatch.Expect{Members: m.GetExpectMembers(), Until: parse(&dec, "expect_until", decodeTime, m.GetExpectUntil())}
	}
	return d, dec.err
}

// DecodeOpening returns the decision that opens a case by hand.
func DecodeOpening(m *pb.OpenCaseRequest) (memberwatch.Decision, error) {
	var dec decoder
	d := memberwatch.Decision{
		App: parse(&dec, "app", optional(ParseAppName), m.GetApp()), Developer: memberwatch.DeveloperID(m.GetDeveloper()),
		Title: m.GetTitle(), Signals: parse(&dec, "signals", DecodeSignalNames, m.GetSignals()), Comment: m.GetComment(),
	}
	return d, dec.err
}

// bounded takes a value of a later contract for one that was not given.
func bounded[W ~uint8, M ~int32](m, last M) W {
	if m < 0 || m > last {
		return 0
	}
	return W(m)
}

// EncodeRemediation returns the message for a remediation as it stands at a
// time.
func EncodeRemediation(r *memberwatch.Remediation, now time.Time) *pb.Remediation {
	return &pb.Remediation{
		Name:        RemediationName(r.Case, r.ID),
		App:         AppName(r.App),
		Kind:        pb.Remediation_Kind(r.Kind),
		State:       pb.Remediation_State(r.State),
		DataClass:   string(r.Class),
		DueTime:     encodeTime(r.Due),
		Overdue:     r.Overdue(now),
		Comment:     r.Comment,
		Proposer:    string(r.Proposer),
		Approver:    string(r.Approver),
		Evidence:    r.Evidence,
		AttestTime:  encodeTime(r.Attested),
		Restriction: RestrictionName(r.Restriction),
		Outcome:     r.Outcome,
		CreateTime:  encodeTime(r.Created),
		UpdateTime:  encodeTime(r.Updated),
		EndTime:     encodeTime(r.Ended),
		Etag:        r.Etag(),
	}
}

// DecodeProposal returns the case of a proposal and its first step.
func DecodeProposal(m *pb.ProposeRemediationRequest) (memberwatch.CaseID, memberwatch.Step, error) {
	var d decoder
	of := parse(&d, "case", ParseCaseName, m.GetCase())
	s := memberwatch.Step{
		Kind: bounded[memberwatch.RemediationKind](m.GetKind(), pb.Remediation_KIND_LIFT_RESTRICTION), Comment: m.GetComment(),
		App: parse(&d, "app", optional(ParseAppName), m.GetApp()), Class: memberwatch.DataClass(m.GetDataClass()), Due: parse(&d, "due_time", decodeTime, m.GetDueTime()),
		Restriction: parse(&d, "restriction", optional(ParseRestrictionName), m.GetRestriction()),
	}
	return of, s, d.err
}

// DecodeStep returns the step of a request.
func DecodeStep(m *pb.AdvanceRemediationRequest) (memberwatch.Step, error) {
	var d decoder
	s := memberwatch.Step{
		Move: bounded[memberwatch.Move](m.GetMove(), pb.Move_MOVE_CANCEL), Comment: m.GetComment(), Evidence: m.GetEvidence(),
		Attested: parse(&d, "attest_time", decodeTime, m.GetAttestTime()),
	}
	return s, d.err
}

// EncodeSilence returns the message for a silence as it stands at a time.
func EncodeSilence(s *memberwatch.Silence, now time.Time) *pb.Silence {
	return &pb.Silence{
		Name:        SilenceName(s.ID),
		App:         AppName(s.Match.App),
		Developer:   string(s.Match.Developer),
		Kind:        string(s.Match.Kind),
		About:       s.Match.About,
		MaxSeverity: pb.Severity(s.Match.MaxSeverity),
		StartTime:   encodeTime(s.Start),
		EndTime:     encodeTime(s.End),
		Author:      string(s.Author),
		Comment:     s.Comment,
		Bound:       s.Bound,
		Case:        CaseName(s.Case),
		EndedTime:   encodeTime(s.Ended),
		Hidden:      s.Hidden,
		Active:      s.Active(now),
	}
}

// DecodeSilence returns the silence that a person wants.
func DecodeSilence(m *pb.Silence) (memberwatch.Silence, error) {
	var d decoder
	s := memberwatch.Silence{
		Match: memberwatch.Matcher{
			App: parse(&d, "app", optional(ParseAppName), m.GetApp()), Developer: memberwatch.DeveloperID(m.GetDeveloper()),
			Kind: memberwatch.Kind(m.GetKind()), About: m.GetAbout(), MaxSeverity: decodeSeverity(m.GetMaxSeverity()),
		},
		Start: parse(&d, "start_time", decodeTime, m.GetStartTime()), End: parse(&d, "end_time", decodeTime, m.GetEndTime()),
		Comment: m.GetComment(), Bound: m.GetBound(),
	}
	return s, d.err
}

// EncodeAuditHead returns the message for a head of the audit log.
func EncodeAuditHead(h memberwatch.AuditHead) *pb.AuditHead {
	return &pb.AuditHead{Size: h.Size, Root: h.Root[:]}
}

// EncodeAuditProof returns the hashes of a proof.
func EncodeAuditProof(proof []memberwatch.AuditHash) [][]byte {
	hashes := make([][]byte, len(proof))
	for i := range proof {
		hashes[i] = proof[i][:]
	}
	return hashes
}
