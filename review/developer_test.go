package review_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/store"
)

// TestADevelopersSignalIsACaseOfTheDeveloper follows a signal that names no app: it
// has a case of its own, which may take in those of the developer's apps.
func TestADevelopersSignalIsACaseOfTheDeveloper(t *testing.T) {
	d := open(t)
	start := time.Now().Add(-24 * time.Hour).UnixNano()
	signal := memberwatch.Signal{
		ID: "s1", Developer: "dev-quizfun", Kind: memberwatch.KindColdStart, Severity: memberwatch.SeverityHigh, Opened: start, Last: start, Revision: 1,
		Strongest: memberwatch.Finding{Window: memberwatch.WindowAt(memberwatch.Day, start)},
	}
	fleet := memberwatch.Signal{ID: "s2", Kind: memberwatch.KindFleet, Opened: start, Last: start, Revision: 1}
	rows := []store.OutboxRow{{Sequence: 1, Update: memberwatch.Update{Signal: fleet}}, {Sequence: 2, Update: memberwatch.Update{Signal: signal}}}
	if err := d.monitor.Platform().Publish(0, rows); err != nil {
		t.Fatal(err)
	}
	d.forbid()
	d.reads("group_membership", 3, "quizfun", "crm")
	d.cases(3, nil) // none for the fleet
	of := func(match func(*memberwatch.Case) bool) memberwatch.Case { return d.cases(1, match)[0] }
	owner := of(func(c *memberwatch.Case) bool { return c.App == "" && c.Developer == "dev-quizfun" })
	app := of(func(c *memberwatch.Case) bool { return c.App == "quizfun" })
	other := of(func(c *memberwatch.Case) bool { return c.App == "crm" })

	into := func(c, to memberwatch.CaseID) error {
		_, err := d.Decide(t.Context(), c, "", memberwatch.Decision{Action: memberwatch.ActionMerge, By: "ana", Into: to})
		return err
	}
	refused(t, into(owner.ID, app.ID), memberwatch.ErrInvalid, "CASE_OF_ANOTHER_APP")
	refused(t, into(other.ID, owner.ID), memberwatch.ErrInvalid, "CASE_OF_ANOTHER_APP")
	if err := into(app.ID, owner.ID); err != nil {
		t.Fatal(err)
	}
	abuse := memberwatch.Decision{Action: memberwatch.ActionDecide, By: "ana", Verdict: memberwatch.VerdictAbuse, Reason: "retained-access", Comment: "a fleet"}
	owner = must(d.Decide(t.Context(), owner.ID, "", abuse))
	if len(owner.Signals) != 2 || len(owner.Effects) == 0 || !strings.Contains(owner.Effects[0].Text, `developer "dev-quizfun"`) {
		t.Errorf("signals %v, effects %+v", owner.Signals, owner.Effects)
	}
	_, err := d.Propose(t.Context(), owner.ID, memberwatch.Step{By: "ana", Kind: memberwatch.RestrictApp, Comment: "stop"})
	refused(t, err, memberwatch.ErrInvalid, "REMEDIATION_NEEDS_APP")
	must(d.Propose(t.Context(), owner.ID, memberwatch.Step{By: "ana", Kind: memberwatch.NotifyDeveloper, Comment: "explain yourself"}))
	for app, reason := range map[memberwatch.AppID]string{"crm": "REMEDIATION_OF_ANOTHER_APP", "quizfum": "APP_NOT_FOUND"} {
		_, err := d.Propose(t.Context(), owner.ID, memberwatch.Step{By: "ana", Kind: memberwatch.RestrictApp, App: app})
		kind := map[bool]error{true: memberwatch.ErrNotFound, false: memberwatch.ErrInvalid}[reason == "APP_NOT_FOUND"]
		refused(t, err, kind, reason)
	}
	restrict := must(d.Propose(t.Context(), owner.ID, memberwatch.Step{By: "ana", Kind: memberwatch.RestrictApp, App: "quizfun"}))
	restrict = must(d.Advance(t.Context(), owner.ID, restrict.ID, "", memberwatch.Step{By: "ben", Move: memberwatch.MoveApprove}))
	restrictions := must(d.monitor.Restrictions(t.Context(), restrict.Restriction[:1], 1, func(r *memberwatch.Restriction) bool { return r.ID == restrict.Restriction }))
	if restrict.App != "quizfun" || len(restrictions) != 1 || !restrictions[0].Covers("quizfun") || restrictions[0].Covers("crm") {
		t.Errorf("restricted %q by %+v", restrict.App, restrictions)
	}
	if _, wrong, err := d.CheckRecords(t.Context()); err != nil || len(wrong) > 0 {
		t.Errorf("the audit log does not lead to %v, error %v", wrong, err)
	}
	var packet memberwatch.Packet
	if err := json.Unmarshal(must(d.Packet(t.Context(), "lea", owner.ID)), &packet); err != nil {
		t.Fatal(err)
	}
	if len(packet.Containment) != 2 || packet.Containment[1].App != "quizfun" || packet.Calls != 1 {
		t.Errorf("the packet holds %d calls and %+v, want those of the developer alone", packet.Calls, packet.Containment)
	}
}

// TestOpeningByHand opens cases that no signal has opened.
func TestOpeningByHand(t *testing.T) {
	d := open(t)
	if _, _, err := d.monitor.PutApp(t.Context(), memberwatch.App{ID: "crm", Developer: "dev-crm"}); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		want      memberwatch.Decision
		kind      error
		reason    string
		developer memberwatch.DeveloperID
	}{
		"an app that is known":   {want: memberwatch.Decision{App: "crm", Title: "a tip"}, developer: "dev-crm"},
		"an app nobody has seen": {want: memberwatch.Decision{App: "ghost", Title: "a tip"}},
		"a developer":            {want: memberwatch.Decision{Developer: "acme", Title: "a tip"}, developer: "acme"},
		"neither":                {want: memberwatch.Decision{Title: "a tip"}, kind: memberwatch.ErrInvalid, reason: "DECISION_INCOMPLETE"},
		"both":                   {want: memberwatch.Decision{App: "crm", Developer: "acme", Title: "a tip"}, kind: memberwatch.ErrInvalid, reason: "DECISION_INCOMPLETE"},
		"no title":               {want: memberwatch.Decision{App: "shop"}, kind: memberwatch.ErrInvalid, reason: "DECISION_INCOMPLETE"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.want.By = "ana"
			c, err := d.Open(t.Context(), tc.want, false)
			if tc.kind != nil {
				refused(t, err, tc.kind, tc.reason)
				return
			}
			if err != nil || c.App != tc.want.App || c.Developer != tc.developer || c.Due.Decide.IsZero() {
				t.Fatalf("opened %+v, error %v", c, err)
			}
			_, err = d.Open(t.Context(), tc.want, false)
			refused(t, err, memberwatch.ErrState, "CASE_ALREADY_OPEN")
			must(d.Open(t.Context(), tc.want, true))
		})
	}
}

// TestExpectedWithoutSignals judges a case that was opened by hand: what is agreed is
// hidden up to its bound, of whatever kind it will be.
func TestExpectedWithoutSignals(t *testing.T) {
	d := open(t)
	d.forbid()
	c := must(d.Open(t.Context(), memberwatch.Decision{By: "ana", App: "crm", Title: "they migrate next week"}, false))
	c = must(d.Decide(t.Context(), c.ID, "", memberwatch.Decision{
		Action: memberwatch.ActionDecide, By: "ana", Verdict: memberwatch.VerdictExpected, Reason: "agreed-backfill", Comment: "ticket 7",
		Expect: &memberwatch.Expect{Members: 5, Until: time.Now().Add(time.Hour)},
	}))
	if len(c.Effects) != 1 || !strings.Contains(c.Effects[0].Text, "any kind") {
		t.Fatalf("effects %+v", c.Effects)
	}
	d.reads("group_membership", 3, "crm")
	d.reads("group_membership", 9, "games")
	d.cases(1, (*memberwatch.Case).Open) // that of the other app
	if s := must(d.Silences(t.Context(), 0, 1, nil)); len(s) != 1 || s[0].Hidden != 1 {
		t.Errorf("silences %+v, want one signal hidden", s)
	}
}

// TestAPacketWithoutSignals exports a case that a person opened: no signal says since
// when, so the packet holds all that the ledger does.
func TestAPacketWithoutSignals(t *testing.T) {
	d := open(t)
	d.at = time.Now().Add(-72 * time.Hour)
	d.reads("profile_name", 3, "crm")
	c := must(d.Open(t.Context(), memberwatch.Decision{By: "ana", App: "crm", Title: "a tip"}, false))
	for range 300 { // until the event is in the ledger
		var packet memberwatch.Packet
		if err := json.Unmarshal(must(d.Packet(t.Context(), "lea", c.ID)), &packet); err != nil {
			t.Fatal(err)
		}
		if packet.Calls == 1 && strings.Contains(packet.Period, "no signal says since when") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the packet leaves out what was read before the case was opened")
}

// TestASignalLeavesTheCaseItWasIn opens a case with a signal that another has.
func TestASignalLeavesTheCaseItWasIn(t *testing.T) {
	d := open(t)
	d.forbid()
	d.reads("group_membership", 3, "crm")
	first := d.cases(1, nil)[0]
	second := must(d.Open(t.Context(), memberwatch.Decision{By: "ana", App: "crm", Title: "apart", Signals: first.Signals}, true))
	first, _, err := d.Case(t.Context(), first.ID)
	if err != nil || len(first.Signals) != 0 || len(second.Signals) != 1 {
		t.Errorf("signals %v and %v, error %v: want the signal in the second case alone", first.Signals, second.Signals, err)
	}
}
