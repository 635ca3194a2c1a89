package memberwatch_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	"pgregory.net/rapid"
)

// moves is the life of a case as the documentation draws it: where each action
// leads from each state; absent where it is forbidden. "same" stays.
var moves = map[memberwatch.CaseState]map[memberwatch.Action]memberwatch.CaseState{
	memberwatch.CaseNew: {
		memberwatch.ActionClaim: memberwatch.CaseInReview, memberwatch.ActionHold: memberwatch.CaseOnHold,
		memberwatch.ActionDecide: memberwatch.CaseDecided, memberwatch.ActionMerge: memberwatch.CaseClosed,
		memberwatch.ActionRelease: memberwatch.CaseNew,
	},
	memberwatch.CaseInReview: {
		memberwatch.ActionClaim: memberwatch.CaseInReview, memberwatch.ActionHold: memberwatch.CaseOnHold,
		memberwatch.ActionDecide: memberwatch.CaseDecided, memberwatch.ActionMerge: memberwatch.CaseClosed,
		memberwatch.ActionRelease: memberwatch.CaseInReview,
	},
	memberwatch.CaseOnHold: {
		memberwatch.ActionClaim: memberwatch.CaseOnHold, memberwatch.ActionResume: memberwatch.CaseInReview,
		memberwatch.ActionMerge: memberwatch.CaseClosed, memberwatch.ActionRelease: memberwatch.CaseOnHold,
	},
	memberwatch.CaseDecided: {
		memberwatch.ActionClaim: memberwatch.CaseDecided, memberwatch.ActionRemediate: memberwatch.CaseRemediating,
		memberwatch.ActionClose: memberwatch.CaseClosed, memberwatch.ActionReopen: memberwatch.CaseInReview,
		memberwatch.ActionRelease: memberwatch.CaseDecided,
	},
	memberwatch.CaseRemediating: {
		memberwatch.ActionClaim: memberwatch.CaseRemediating, memberwatch.ActionRemediate: memberwatch.CaseRemediating,
		memberwatch.ActionClose: memberwatch.CaseClosed, memberwatch.ActionReopen: memberwatch.CaseInReview,
		memberwatch.ActionRelease: memberwatch.CaseRemediating,
	},
	memberwatch.CaseClosed: {memberwatch.ActionReopen: memberwatch.CaseInReview},
}

// anyDecision draws a complete decision: only the state of the case can forbid
// it.
func anyDecision(t *rapid.T, now time.Time) memberwatch.Decision {
	d := memberwatch.Decision{
		Action: memberwatch.Action(rapid.IntRange(1, int(memberwatch.Actions)-1).Draw(t, "action")),
		By:     rapid.SampledFrom([]memberwatch.Person{"ana", "ben"}).Draw(t, "by"), Time: now, Comment: "because",
		App: "crm", Into: "c2", Add: []string{"tag"},
	}
	switch d.Action {
	case memberwatch.ActionLink, memberwatch.ActionDetach, memberwatch.ActionOpen:
		d.Signals = []memberwatch.SignalID{memberwatch.SignalID(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "signal"))}
		d.Severity = memberwatch.Severity(rapid.IntRange(1, 4).Draw(t, "severity"))
		d.Clocks = memberwatch.DefaultAllowance(d.Severity).From(now)
	case memberwatch.ActionHold:
		d.Until = now.Add(time.Hour)
	case memberwatch.ActionAware:
		d.Until = now
	case memberwatch.ActionAssign:
		d.Assignee = rapid.SampledFrom([]memberwatch.Person{"", "ana", "ben"}).Draw(t, "assignee")
	case memberwatch.ActionDecide:
		d.Verdict, d.Reason = memberwatch.Verdict(rapid.IntRange(1, int(memberwatch.Verdicts)-1).Draw(t, "verdict")), "why"
		if d.Verdict == memberwatch.VerdictExpected {
			d.Expect = &memberwatch.Expect{Members: 10, Until: now.Add(time.Hour)}
		}
		if d.Verdict != memberwatch.VerdictDuplicate {
			d.Into = ""
		}
	case memberwatch.ActionClose:
		d.Unfinished, d.Remediated = rapid.IntRange(0, 1).Draw(t, "unfinished"), rapid.IntRange(0, 1).Draw(t, "remediated")
	case memberwatch.ActionReopen:
		d.Clocks = memberwatch.DefaultAllowance(memberwatch.SeverityLow).From(now)
	default: // needs nothing more
	}
	return d
}

// forbidden says by the documentation whether a case takes a decision.
func forbidden(c *memberwatch.Case, d *memberwatch.Decision) bool {
	_, drawn := moves[c.State][d.Action]
	always := slices.Contains([]memberwatch.Action{memberwatch.ActionNote, memberwatch.ActionTag, memberwatch.ActionAware}, d.Action)
	whileOpen := c.Open() && slices.Contains([]memberwatch.Action{memberwatch.ActionLink, memberwatch.ActionDetach, memberwatch.ActionAssign}, d.Action)
	guarded := slices.Contains([]memberwatch.Action{
		memberwatch.ActionClaim, memberwatch.ActionRelease, memberwatch.ActionHold, memberwatch.ActionResume, memberwatch.ActionDecide, memberwatch.ActionClose,
		memberwatch.ActionReopen, memberwatch.ActionMerge,
	}, d.Action)
	abuse := c.Verdict == memberwatch.VerdictAbuse
	switch {
	case !drawn && !always && !whileOpen:
		return true
	case guarded && c.Claimed(d.By, d.Time):
		return true
	case d.Action == memberwatch.ActionRemediate && !abuse:
		return true
	case d.Action == memberwatch.ActionClose && abuse && (d.Unfinished > 0 || d.Remediated == 0):
		return true
	case d.Action == memberwatch.ActionReopen && c.MergedInto != "":
		return true
	}
	return false
}

func TestCaseLife(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(1_700_000_000, 0).UTC()
		first := memberwatch.Decision{Action: memberwatch.ActionOpen, By: "ana", Time: now, App: "crm", Signals: []memberwatch.SignalID{"a"}, Severity: memberwatch.SeverityLow}
		c, err := memberwatch.NewCase("c1", &first)
		if err != nil {
			t.Fatal(err)
		}
		log := []memberwatch.Decision{first}
		for range rapid.IntRange(0, 25).Draw(t, "decisions") {
			now = now.Add(time.Duration(rapid.IntRange(1, 40).Draw(t, "minutes")) * time.Minute)
			d := anyDecision(t, now)
			before := c
			err := c.Apply(&d)
			if want := forbidden(&before, &d); want != (err != nil) {
				t.Fatalf("%v while %v claimed by %q: error %v, forbidden by the documentation: %v", d.Action, before.State, before.ClaimedBy, err, want)
			}
			if err != nil {
				if !errors.Is(err, memberwatch.ErrState) || !reflect.DeepEqual(before, c) {
					t.Fatalf("%v: error %v, case changed from %+v to %+v", d.Action, err, before, c)
				}
				continue
			}
			if next, drawn := moves[before.State][d.Action]; drawn && c.State != next {
				t.Fatalf("%v leads from %v to %v, want %v", d.Action, before.State, c.State, next)
			}
			if c.Revision != before.Revision+1 || c.Etag() == before.Etag() {
				t.Fatalf("revision %d after %d", c.Revision, before.Revision)
			}
			log = append(log, d)
			checkCase(t, &c)
		}
		checkReplay(t, log, &c)
	})
}

// checkCase checks what holds in every state.
func checkCase(t *rapid.T, c *memberwatch.Case) {
	decided := c.State == memberwatch.CaseDecided || c.State == memberwatch.CaseRemediating || c.State == memberwatch.CaseClosed
	switch {
	case decided != (c.Verdict != memberwatch.VerdictUnspecified):
		t.Fatalf("%v with verdict %v", c.State, c.Verdict)
	case (c.State == memberwatch.CaseOnHold) != !c.WakeTime.IsZero():
		t.Fatalf("%v with wake time %v", c.State, c.WakeTime)
	case (c.State == memberwatch.CaseClosed) != !c.Closed.IsZero():
		t.Fatalf("%v closed at %v", c.State, c.Closed)
	case c.State == memberwatch.CaseClosed && c.ClaimedBy != "":
		t.Fatalf("closed and claimed by %q", c.ClaimedBy)
	case c.DuplicateOf != "" && c.Verdict != memberwatch.VerdictDuplicate:
		t.Fatalf("duplicate of %q with verdict %v", c.DuplicateOf, c.Verdict)
	case c.State == memberwatch.CaseRemediating && c.Verdict != memberwatch.VerdictAbuse:
		t.Fatalf("remediating with verdict %v", c.Verdict)
	}
}

// checkReplay takes the decisions from the audit log's form and wants the same
// case.
func checkReplay(t *rapid.T, log []memberwatch.Decision, want *memberwatch.Case) {
	var again memberwatch.Case
	for i := range log {
		b, err := json.Marshal(&log[i])
		if err != nil {
			t.Fatal(err)
		}
		var d memberwatch.Decision
		if err := json.Unmarshal(b, &d); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			again, err = memberwatch.NewCase("c1", &d)
		} else {
			err = again.Apply(&d)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if got, want := fmt.Sprintf("%+v", again), fmt.Sprintf("%+v", *want); got != want {
		t.Fatalf("replayed %s\nwant     %s", got, want)
	}
}

func TestHoldStopsTheClocks(t *testing.T) {
	now := time.Unix(1_700_000_000, 0).UTC()
	clocks := memberwatch.DefaultAllowance(memberwatch.SeverityHigh).From(now)
	c, err := memberwatch.NewCase("c1", &memberwatch.Decision{Action: memberwatch.ActionOpen, By: "ana", Time: now, App: "crm", Clocks: clocks})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []memberwatch.Decision{
		{Action: memberwatch.ActionHold, By: "ana", Time: now.Add(time.Hour), Until: now.Add(200 * time.Hour), Comment: "asked"},
		{Action: memberwatch.ActionResume, By: memberwatch.System, Time: now.Add(101 * time.Hour)},
	} {
		if err := c.Apply(&d); err != nil {
			t.Fatal(err)
		}
	}
	if want := clocks.Decide.Add(100 * time.Hour); !c.NextDue().Equal(want) || c.Assignee != "ana" {
		t.Errorf("due %v, want %v; assignee %q", c.NextDue(), want, c.Assignee)
	}
	if c.Overdue(clocks.Decide.Add(time.Hour)) || !c.Overdue(clocks.Decide.Add(101*time.Hour)) {
		t.Error("overdue does not follow the clock")
	}
}

func TestDecisionSaysWhatIsMissing(t *testing.T) {
	now := time.Unix(1_700_000_000, 0).UTC()
	for name, d := range map[string]memberwatch.Decision{
		"no action":            {By: "ana", Time: now},
		"no person":            {Action: memberwatch.ActionClaim, Time: now},
		"no comment":           {Action: memberwatch.ActionNote, By: "ana", Time: now},
		"hold without end":     {Action: memberwatch.ActionHold, By: "ana", Time: now, Comment: "x"},
		"hold until yesterday": {Action: memberwatch.ActionHold, By: "ana", Time: now, Comment: "x", Until: now.Add(-time.Hour)},
		"verdict without why":  {Action: memberwatch.ActionDecide, By: "ana", Time: now, Verdict: memberwatch.VerdictAbuse, Reason: "harvesting"},
		"unbounded EXPECTED":   {Action: memberwatch.ActionDecide, By: "ana", Time: now, Verdict: memberwatch.VerdictExpected, Reason: "known-batch", Comment: "x"},
		"EXPECTED of NaN": {
			Action: memberwatch.ActionDecide, By: "ana", Time: now, Verdict: memberwatch.VerdictExpected, Reason: "known-batch", Comment: "x",
			Expect: &memberwatch.Expect{Members: math.NaN(), Until: now.Add(time.Hour)},
		},
		"DUPLICATE of nothing": {Action: memberwatch.ActionDecide, By: "ana", Time: now, Verdict: memberwatch.VerdictDuplicate, Reason: "other-case", Comment: "x"},
		"BENIGN of another": {
			Action: memberwatch.ActionDecide, By: "ana", Time: now, Verdict: memberwatch.VerdictBenign, Reason: "bad-data", Comment: "x", Into: "c2",
		},
		"aware in the future": {Action: memberwatch.ActionAware, By: "ana", Time: now, Until: now.Add(time.Hour)},
		"tag with a space":    {Action: memberwatch.ActionTag, By: "ana", Time: now, Add: []string{"a b"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := memberwatch.Case{ID: "c1", State: memberwatch.CaseInReview}
			if err := c.Apply(&d); !errors.Is(err, memberwatch.ErrInvalid) || c.Revision != 0 {
				t.Errorf("error %v, revision %d", err, c.Revision)
			}
		})
	}
}

func TestEtag(t *testing.T) {
	c := memberwatch.Case{ID: "c1", Revision: 7}
	if err := errors.Join(c.CheckEtag(""), c.CheckEtag("7")); err != nil {
		t.Error(err)
	}
	err := c.CheckEtag("6")
	reason, _ := errors.AsType[*memberwatch.ReasonError](err)
	if !errors.Is(err, memberwatch.ErrConflict) || reason.Metadata["etag"] != "7" {
		t.Errorf("error %v with metadata %v", err, reason.Metadata)
	}
}
