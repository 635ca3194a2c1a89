package memberwatch_test

import (
	"errors"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	"pgregory.net/rapid"
)

// steps is the life of a remediation as the documentation draws it.
var steps = map[memberwatch.RemediationState]map[memberwatch.Move]memberwatch.RemediationState{
	memberwatch.Proposed: {
		memberwatch.MoveApprove: memberwatch.Approved, memberwatch.MoveReject: memberwatch.Rejected,
		memberwatch.MoveCancel: memberwatch.Cancelled, memberwatch.MoveWaive: memberwatch.Waived,
	},
	memberwatch.Approved: {
		memberwatch.MoveSend: memberwatch.Sent, memberwatch.MoveCancel: memberwatch.Cancelled, memberwatch.MoveWaive: memberwatch.Waived,
	},
	memberwatch.Sent: {
		memberwatch.MoveAcknowledge: memberwatch.Acknowledged, memberwatch.MoveSubmitEvidence: memberwatch.EvidenceSubmitted,
		memberwatch.MoveFail: memberwatch.Failed, memberwatch.MoveWaive: memberwatch.Waived,
	},
	memberwatch.Acknowledged: {
		memberwatch.MoveSubmitEvidence: memberwatch.EvidenceSubmitted, memberwatch.MoveFail: memberwatch.Failed,
		memberwatch.MoveWaive: memberwatch.Waived,
	},
	memberwatch.EvidenceSubmitted: {
		memberwatch.MoveSubmitEvidence: memberwatch.EvidenceSubmitted, memberwatch.MoveVerify: memberwatch.Verified,
		memberwatch.MoveFail: memberwatch.Failed, memberwatch.MoveWaive: memberwatch.Waived,
	},
	memberwatch.Failed: {memberwatch.MoveWaive: memberwatch.Waived},
}

func TestRemediationLife(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(1_700_000_000, 0).UTC()
		of := memberwatch.Case{ID: "c1", App: "crm"}
		kind := memberwatch.RemediationKind(rapid.IntRange(1, int(memberwatch.RemediationKinds)-1).Draw(t, "kind"))
		m, err := memberwatch.NewRemediation("r1", &of, &memberwatch.Step{Move: memberwatch.MovePropose, Kind: kind, By: "ana", Time: now, Restriction: "r"})
		if err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(0, 12).Draw(t, "steps") {
			now = now.Add(time.Hour)
			s := memberwatch.Step{
				Move: memberwatch.Move(rapid.IntRange(2, int(memberwatch.Moves)-1).Draw(t, "move")),
				By:   rapid.SampledFrom([]memberwatch.Person{"ana", "ben"}).Draw(t, "by"), Time: now, Comment: "because", Evidence: "link",
			}
			if rapid.IntRange(0, 3).Draw(t, "against") == 0 {
				s.Against = []memberwatch.SignalID{"x"}
			}
			next, allowed := steps[m.State][s.Move]
			alone := s.Move == memberwatch.MoveApprove && kind.TwoPersons() && s.By == "ana"
			contradicted := s.Move == memberwatch.MoveVerify && len(s.Against) > 0
			allowed = allowed && !alone && !contradicted
			before := m
			err := m.Apply(&s)
			switch {
			case allowed != (err == nil):
				t.Fatalf("%v of %v while %v by %s: error %v, allowed by the documentation: %v", s.Move, kind, before.State, s.By, err, allowed)
			case err != nil && (!errors.Is(err, memberwatch.ErrState) || !reflect.DeepEqual(before, m)):
				t.Fatalf("error %v, remediation changed from %+v to %+v", err, before, m)
			case err == nil && (m.State != next || m.Revision != before.Revision+1):
				t.Fatalf("%v leads from %v to %v, want %v", s.Move, before.State, m.State, next)
			}
			if m.Finished() && m.Overdue(now.Add(1000*24*time.Hour)) {
				t.Fatalf("%v and overdue", m.State)
			}
		}
	})
}

func TestTriageMoves(t *testing.T) {
	var open memberwatch.Triage
	open.Seen = 3
	for name, c := range map[string]struct {
		from, to memberwatch.TriageState
		want     error
	}{
		"linked":                   {memberwatch.TriageOpen, memberwatch.TriageLinked, nil},
		"dismissed":                {memberwatch.TriageOpen, memberwatch.TriageDismissed, nil},
		"restored":                 {memberwatch.TriageDismissed, memberwatch.TriageOpen, nil},
		"regressed":                {memberwatch.TriageSilenced, memberwatch.TriageRegressed, nil},
		"silenced while dismissed": {memberwatch.TriageDismissed, memberwatch.TriageSilenced, memberwatch.ErrState},
		"dismissed while linked":   {memberwatch.TriageLinked, memberwatch.TriageDismissed, memberwatch.ErrState},
	} {
		t.Run(name, func(t *testing.T) {
			at := open
			at.State = c.from
			err := at.Move("s", memberwatch.Triage{State: c.to, Case: "c1", Silence: "s1", Reason: "noise"})
			if !errors.Is(err, c.want) || c.want == nil && (err != nil || at.State != c.to || at.Seen != 3) {
				t.Errorf("moved to %+v with error %v", at, err)
			}
		})
	}
}

func TestSilenceMatchesAndBounds(t *testing.T) {
	now := time.Unix(1_700_000_000, 0).UTC()
	s := memberwatch.Silence{
		Match: memberwatch.Matcher{App: "crm", MaxSeverity: memberwatch.SeverityHigh}, Start: now, End: now.Add(48 * time.Hour), Author: "ana", Comment: "load test", Bound: 100,
	}
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	signal := memberwatch.Signal{App: "crm", Severity: memberwatch.SeverityHigh, Exposed: 100}
	if !s.Match.Matches(&signal) || !s.Hides(&signal) || !s.Active(now) || s.Active(s.End) || !s.Expiring(now) {
		t.Error("does not hide what it is for")
	}
	signal.Exposed = 101
	if s.Hides(&signal) {
		t.Error("hides what is above its bound")
	}
	about := memberwatch.Matcher{App: "crm", Kind: memberwatch.KindRestricted, About: "r1"}
	for r, want := range map[string]bool{"r1": true, "r2": false} {
		if got := about.Matches(&memberwatch.Signal{App: "crm", Kind: memberwatch.KindRestricted, About: r}); got != want {
			t.Errorf("a silence of access against r1 matches %s: %v", r, got)
		}
	}
	signal.Severity = memberwatch.SeverityCritical
	if s.Match.Matches(&signal) {
		t.Error("matches above its severity")
	}
	for name, broken := range map[string]func(*memberwatch.Silence){
		"all apps":      func(s *memberwatch.Silence) { s.Match.App = "" },
		"no such kind":  func(s *memberwatch.Silence) { s.Match.Kind = "volume-brust" },
		"about no kind": func(s *memberwatch.Silence) { s.Match.About = "r1" },
		"no end":        func(s *memberwatch.Silence) { s.End = time.Time{} },
		"too long":      func(s *memberwatch.Silence) { s.End = now.Add(memberwatch.MaxSilence + 1) },
		"no bound":      func(s *memberwatch.Silence) { s.Bound = math.Inf(1) },
		"no author":     func(s *memberwatch.Silence) { s.Author = "" },
		"no why":        func(s *memberwatch.Silence) { s.Comment = "" },
	} {
		t.Run(name, func(t *testing.T) {
			bad := s
			broken(&bad)
			if err := bad.Validate(); !errors.Is(err, memberwatch.ErrInvalid) {
				t.Errorf("error %v", err)
			}
		})
	}
}
