package review_test

import (
	"context"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/monitor"
	"github.com/memberwatch/memberwatch/review"
	"github.com/memberwatch/memberwatch/store"
)

// desk is a service with its reviews over a real data directory.
type desk struct {
	*review.Service
	t       *testing.T
	dir     string
	monitor *monitor.Monitor
	at      time.Time // when apps read next
}

func open(t *testing.T) *desk {
	d := &desk{t: t, dir: t.TempDir(), at: time.Now().Add(-10 * time.Hour)}
	d.start()
	t.Cleanup(d.shut)
	return d
}

func (d *desk) start() {
	d.t.Helper()
	m, err := monitor.Open(monitor.Options{Dir: d.dir, Partitions: 2, CheckpointInterval: 5 * time.Millisecond})
	if err != nil {
		d.t.Fatal(err)
	}
	d.monitor, d.Service = m, review.Open(m.Platform(), m, review.Options{SweepInterval: 10 * time.Millisecond})
}

func (d *desk) shut() {
	d.Close()
	if err := d.monitor.Close(context.Background()); err != nil {
		d.t.Error(err)
	}
}

// restart stops the service and starts it again.
func (d *desk) restart() {
	d.t.Helper()
	d.shut()
	d.start()
}

// reads lets apps read a data class, each time two hours later: findings of one
// hour are one.
func (d *desk) reads(class string, members int, apps ...memberwatch.AppID) {
	d.t.Helper()
	var events []memberwatch.Event
	for _, app := range apps {
		e := memberwatch.Event{App: app, Developer: "dev-" + memberwatch.DeveloperID(app), Time: d.at.UnixNano(), DataClasses: []string{class}}
		for i := range members {
			e.Disclosed = append(e.Disclosed, uint64(i+1)*0x9e3779b97f4a7c15)
		}
		events = append(events, e)
	}
	d.append(events)
}

// append sends events and moves two hours on.
func (d *desk) append(events []memberwatch.Event) {
	d.t.Helper()
	at, err := d.monitor.OpenProducer(d.t.Context(), "gw", "test")
	if err != nil {
		d.t.Fatal(err)
	}
	if err := d.monitor.Append(d.t.Context(), "gw", at.Epoch, &memberwatch.Batch{Base: at.Next, Events: events}); err != nil {
		d.t.Fatal(err)
	}
	d.monitor.CloseProducer("gw", at.Epoch)
	d.at = d.at.Add(2 * time.Hour)
}

// forbid restricts group_membership for all apps from a day ago.
func (d *desk) forbid() {
	d.t.Helper()
	_, err := d.monitor.PutRestriction(memberwatch.WithPerson(d.t.Context(), "ana"), memberwatch.Restriction{ID: "groups", Class: "group_membership", Effective: time.Now().Add(-24 * time.Hour)})
	if err != nil {
		d.t.Fatal(err)
	}
}

// cases waits until there are n cases that match.
func (d *desk) cases(n int, match func(*memberwatch.Case) bool) []memberwatch.Case {
	d.t.Helper()
	var list []memberwatch.Case
	for range 500 {
		all, _, err := d.Cases(d.t.Context(), memberwatch.Order{}, "", 1000, nil)
		if err != nil {
			d.t.Fatal(err)
		}
		list = slices.DeleteFunc(all, func(c memberwatch.Case) bool { return match != nil && !match(&c) })
		if len(list) == n {
			return list
		}
		time.Sleep(10 * time.Millisecond)
	}
	d.t.Fatalf("%d cases, want %d: %+v", len(list), n, list)
	return nil
}

// must ends the test where a call fails that has to work.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// refused checks the kind and reason of an error.
func refused(t *testing.T, err, kind error, reason string) {
	t.Helper()
	got, _ := errors.AsType[*memberwatch.ReasonError](err)
	if !errors.Is(err, kind) || got == nil || got.Reason != reason {
		t.Errorf("error %v, want %v with reason %s", err, kind, reason)
	}
}

func TestSignalsFindTheirCases(t *testing.T) {
	d := open(t)
	d.forbid()
	d.reads("group_membership", 3, "quizfun", "crm")
	d.cases(2, nil)
	// A second kind of signal of the same app joins the open case.
	app := memberwatch.App{ID: "quizfun", Purposes: []memberwatch.Purpose{{Class: "profile_name", Purpose: "x"}}}
	if _, _, err := d.monitor.PutApp(t.Context(), app); err != nil {
		t.Fatal(err)
	}
	d.reads("profile_picture", 3, "quizfun")
	list := d.cases(1, func(c *memberwatch.Case) bool { return len(c.Signals) == 2 })
	for _, id := range list[0].Signals {
		signal := must(d.monitor.Signal(t.Context(), id))
		if signal.Triage.State != memberwatch.TriageLinked || signal.Triage.Case != list[0].ID {
			t.Errorf("signal %s has triage %+v", id, signal.Triage)
		}
	}
	before := d.cases(2, nil)
	d.restart()
	if again := d.cases(2, nil); !reflect.DeepEqual(again, before) {
		t.Error("a restart changed a case")
	}
	events := must(d.NextEvents(t.Context(), 0))
	count := make(map[memberwatch.ReviewEventType]int)
	for i, e := range events {
		count[e.Type]++
		if e.Sequence != int64(i+1) {
			t.Errorf("event %d has sequence %d", i, e.Sequence)
		}
	}
	if count[memberwatch.EventSignalCreated] != 3 || count[memberwatch.EventCaseCreated] != 2 {
		t.Errorf("events %v", count)
	}
}

func TestTwoReviewers(t *testing.T) {
	d := open(t)
	d.forbid()
	d.reads("group_membership", 3, "quizfun", "crm")
	d.cases(2, nil)
	ana, ben := must(d.Next(t.Context(), "ana", nil)), must(d.Next(t.Context(), "ben", nil))
	if ana.ID == ben.ID || ana.ClaimedBy != "ana" || ben.State != memberwatch.CaseInReview {
		t.Fatalf("ana got %+v, ben %+v", ana, ben)
	}
	_, err := d.Next(t.Context(), "eve", nil)
	refused(t, err, memberwatch.ErrNotFound, "QUEUE_EMPTY")
	note := memberwatch.Decision{Action: memberwatch.ActionNote, By: "ana", Comment: "looks odd"}
	fresh := must(d.Decide(t.Context(), ana.ID, ana.Etag(), note))
	note.By = "ben"
	_, err = d.Decide(t.Context(), ana.ID, ana.Etag(), note)
	refused(t, err, memberwatch.ErrConflict, "ETAG_MISMATCH")
	verdict := memberwatch.Decision{Action: memberwatch.ActionDecide, By: "ben", Verdict: memberwatch.VerdictBenign, Reason: "detector-wrong", Comment: "honest"}
	_, err = d.Decide(t.Context(), ana.ID, fresh.Etag(), verdict)
	refused(t, err, memberwatch.ErrState, "CASE_CLAIMED")
	// Handed over, ben may.
	must(d.Decide(t.Context(), ana.ID, fresh.Etag(), memberwatch.Decision{Action: memberwatch.ActionAssign, By: "ana", Assignee: "ben"}))
	closed := must(d.Decide(t.Context(), ana.ID, "", verdict))
	if closed.State != memberwatch.CaseClosed || closed.Verdict != memberwatch.VerdictBenign {
		t.Errorf("after BENIGN the case is %v", closed.State)
	}
	var actions []string
	for _, e := range must(d.History(t.Context(), ana.ID, -1, 100)) {
		actions = append(actions, string(e.Person)+" "+e.Action)
	}
	want := []string{"memberwatch case.open", "ana case.claim", "ana case.note", "ana case.assign", "ben case.decide", "ben case.close"}
	if len(actions) != len(want) {
		t.Fatalf("history %q", actions)
	}
	for i := range want {
		if actions[i] != want[i] {
			t.Errorf("history %q, want %q", actions, want)
			break
		}
	}
}

func TestBulkMergeAndReopen(t *testing.T) {
	d := open(t)
	d.forbid()
	d.reads("group_membership", 3, "quizfun", "crm", "games")
	list := d.cases(3, nil)
	tag := memberwatch.Decision{Action: memberwatch.ActionTag, By: "ana", Add: []string{"wave"}}
	match := func(c *memberwatch.Case) bool { return c.App != "crm" }
	if done, _, err := d.DecideAll(t.Context(), match, tag, true); err != nil || len(done) != 2 {
		t.Fatalf("dry run: %v, %v", done, err)
	}
	if done, failed, err := d.DecideAll(t.Context(), match, tag, false); err != nil || len(done) != 2 || len(failed) != 0 {
		t.Fatalf("tagged %v, failed %v, %v", done, failed, err)
	}
	d.cases(2, func(c *memberwatch.Case) bool { return len(c.Tags) == 1 })
	// Another case of the same app takes the first one's signals over.
	target := must(d.Open(t.Context(), memberwatch.Decision{By: "ana", App: list[0].App, Title: "all of it"}, true))
	_, err := d.Decide(t.Context(), list[1].ID, "", memberwatch.Decision{Action: memberwatch.ActionMerge, By: "ana", Into: target.ID})
	refused(t, err, memberwatch.ErrInvalid, "CASE_OF_ANOTHER_APP")
	merged := must(d.Decide(t.Context(), list[0].ID, "", memberwatch.Decision{Action: memberwatch.ActionMerge, By: "ana", Into: target.ID}))
	into, _, err := d.Case(t.Context(), target.ID)
	if err != nil || merged.State != memberwatch.CaseClosed || len(into.Signals) != 1 || into.Severity != merged.Severity {
		t.Fatalf("merged %+v into %+v, %v", merged, into, err)
	}
	_, err = d.Decide(t.Context(), merged.ID, "", memberwatch.Decision{Action: memberwatch.ActionReopen, By: "ana", Comment: "no"})
	refused(t, err, memberwatch.ErrState, "CASE_MERGED")
	// Detached, a signal is open to triage and can be dismissed.
	signal := into.Signals[0]
	must(d.Decide(t.Context(), target.ID, "", memberwatch.Decision{Action: memberwatch.ActionDetach, By: "ana", Signals: into.Signals}))
	if err := d.Dismiss(t.Context(), "ana", []memberwatch.SignalID{signal}, "known", false); err != nil {
		t.Fatal(err)
	}
	if got := must(d.monitor.Signal(t.Context(), signal)); got.Triage.State != memberwatch.TriageDismissed {
		t.Errorf("triage %+v", got.Triage)
	}
}

// TestDuplicates closes cases as duplicates of others, which must be there, be others
// and be no duplicates of them.
func TestDuplicates(t *testing.T) {
	d := open(t)
	var cases []memberwatch.CaseID
	for _, app := range []memberwatch.AppID{"crm", "games", "quizfun"} {
		cases = append(cases, must(d.Open(t.Context(), memberwatch.Decision{By: "ana", App: app, Title: "a look"}, false)).ID)
	}
	judge := func(c, of memberwatch.CaseID) (memberwatch.Case, error) {
		return d.Decide(t.Context(), c, "", memberwatch.Decision{
			Action: memberwatch.ActionDecide, By: "ana", Verdict: memberwatch.VerdictDuplicate, Reason: "other-case", Comment: "same", Into: of,
		})
	}
	_, err := judge(cases[0], "")
	refused(t, err, memberwatch.ErrInvalid, "DECISION_INCOMPLETE")
	_, err = judge(cases[0], "c99")
	refused(t, err, memberwatch.ErrNotFound, "CASE_NOT_FOUND")
	_, err = judge(cases[0], cases[0])
	refused(t, err, memberwatch.ErrState, "CASE_OF_ITSELF")
	for i := range 2 {
		if c := must(judge(cases[i], cases[i+1])); c.State != memberwatch.CaseClosed || c.DuplicateOf != cases[i+1] {
			t.Errorf("case %+v", c)
		}
	}
	_, err = judge(cases[2], cases[0])
	refused(t, err, memberwatch.ErrInvalid, "DUPLICATE_CYCLE")
	if packet := string(must(d.Packet(t.Context(), "lea", cases[0]))); !strings.Contains(packet, `"duplicate_of": "`+string(cases[1])+`"`) {
		t.Errorf("the packet does not name the other case: %s", packet)
	}
	d.restart()
	again := must(d.Decide(t.Context(), cases[0], "", memberwatch.Decision{Action: memberwatch.ActionReopen, By: "ana", Comment: "not the same"}))
	if again.DuplicateOf != "" {
		t.Errorf("reopened, it is still a duplicate of %q", again.DuplicateOf)
	}
	must(judge(cases[2], cases[0]))
	if _, wrong, err := d.CheckRecords(t.Context()); err != nil || len(wrong) > 0 {
		t.Errorf("the audit log does not lead to %v, error %v", wrong, err)
	}
}

func TestVerdictEffectsAndTheirEnd(t *testing.T) {
	d := open(t)
	d.forbid()
	d.reads("group_membership", 3, "crm")
	c := d.cases(1, nil)[0]
	_, err := d.Decide(t.Context(), c.ID, "", memberwatch.Decision{Action: memberwatch.ActionDecide, By: "ana", Verdict: memberwatch.VerdictExpected, Reason: "made-up", Comment: "x", Expect: &memberwatch.Expect{Members: 5, Until: time.Now().Add(time.Hour)}})
	refused(t, err, memberwatch.ErrInvalid, "REASON_UNKNOWN")
	expected := memberwatch.Decision{
		Action: memberwatch.ActionDecide, By: "ana", Verdict: memberwatch.VerdictExpected, Reason: "agreed-backfill", Comment: "ticket 7",
		Expect: &memberwatch.Expect{Members: 5, Until: time.Now().Add(time.Hour)},
	}
	c = must(d.Decide(t.Context(), c.ID, "", expected))
	if c.State != memberwatch.CaseClosed || len(c.Effects) != 2 {
		t.Fatalf("after EXPECTED: %v with effects %+v", c.State, c.Effects)
	}
	first := c.Signals[0]
	if got := must(d.monitor.Signal(t.Context(), first)).Triage; got.Verdict != memberwatch.VerdictExpected {
		t.Errorf("the signal does not know of its verdict: %+v", got)
	}
	// Within the bound nothing happens; above it the signal comes back.
	d.reads("group_membership", 4, "crm")
	d.reads("group_membership", 50, "crm")
	d.reads("profile_name", 1, "clock") // ends the hour
	back := d.cases(1, (*memberwatch.Case).Open)[0]
	signal := must(d.monitor.Signal(t.Context(), back.Signals[0]))
	if signal.Triage.State != memberwatch.TriageRegressed || signal.Triage.Verdict != memberwatch.VerdictUnspecified || back.ID == c.ID {
		t.Errorf("regressed into %s with triage %+v", back.ID, signal.Triage)
	}
	if p := must(d.Precisions(t.Context())); len(p) != 1 || p[0].Expected != 1 || p[0].Share() != 1 {
		t.Errorf("precision %+v", p)
	}
	// Reopened, the verdict's effects are gone, and the case says so.
	c = must(d.Decide(t.Context(), c.ID, "", memberwatch.Decision{Action: memberwatch.ActionReopen, By: "ben", Comment: "it was not agreed", Appeal: true, Another: true}))
	for _, e := range c.Effects {
		if e.Undone.IsZero() {
			t.Errorf("effect %+v still stands", e)
		}
	}
	silences := must(d.Silences(t.Context(), 0, 10, nil))
	if len(silences) != 1 || silences[0].Ended.IsZero() || silences[0].Case != c.ID {
		t.Errorf("silences %+v", silences)
	}
	if p := must(d.Precisions(t.Context())); len(p) != 0 {
		t.Errorf("labels are left: %+v", p)
	}
	// What has regressed is judged in the case that it is in now, and each judgement is told.
	abuse := memberwatch.Decision{Action: memberwatch.ActionDecide, By: "ana", Verdict: memberwatch.VerdictAbuse, Reason: "harvesting", Comment: "no backfill"}
	must(d.Decide(t.Context(), back.ID, "", abuse))
	must(d.Decide(t.Context(), c.ID, "", memberwatch.Decision{Action: memberwatch.ActionDecide, By: "ben", Verdict: memberwatch.VerdictInconclusive, Reason: "not-enough-data", Comment: "see the other"}))
	if got := must(d.monitor.Signal(t.Context(), first)).Triage; got.Verdict != memberwatch.VerdictAbuse || got.Case != back.ID {
		t.Errorf("the signal was judged in the case it had left: %+v", got)
	}
	judged := 0
	for _, e := range must(d.NextEvents(t.Context(), 0)) {
		if e.Type == memberwatch.EventSignalJudged {
			judged++
		}
	}
	if judged != 2 {
		t.Errorf("%d judgements were told, want EXPECTED and ABUSE", judged)
	}
}

// TestAnExpectationEnds lets a signal go on when its expectation is over: within
// its time it is no news, after it it is.
func TestAnExpectationEnds(t *testing.T) {
	d := open(t)
	d.forbid()
	d.reads("group_membership", 3, "crm")
	c := d.cases(1, nil)[0]
	expected := memberwatch.Decision{
		Action: memberwatch.ActionDecide, By: "ana", Verdict: memberwatch.VerdictExpected, Reason: "agreed-backfill", Comment: "ticket 7",
		Expect: &memberwatch.Expect{Members: 5, Until: time.Now().Add(time.Hour)},
	}
	c = must(d.Decide(t.Context(), c.ID, "", expected))
	d.reads("group_membership", 3, "crm")
	d.reads("profile_name", 1, "clock") // ends the hour
	for before := int64(1); before < 2; time.Sleep(10 * time.Millisecond) {
		before = must(d.monitor.Signal(t.Context(), c.Signals[0])).Revision
	}
	d.cases(0, (*memberwatch.Case).Open)
	must(d.EndSilence(t.Context(), "ana", must(d.Silences(t.Context(), 0, 1, nil))[0].ID, "the backfill is done"))
	d.reads("group_membership", 3, "crm")
	d.reads("profile_name", 1, "clock")
	back := d.cases(1, (*memberwatch.Case).Open)[0]
	if signal := must(d.monitor.Signal(t.Context(), c.Signals[0])); signal.Triage.State != memberwatch.TriageRegressed || signal.Triage.Case != back.ID || back.ID == c.ID {
		t.Errorf("after its expectation it is %+v", signal.Triage)
	}
}

func TestSilenceHidesAndWakes(t *testing.T) {
	d := open(t)
	d.forbid()
	s := must(d.Silence(t.Context(), memberwatch.Silence{
		Match: memberwatch.Matcher{App: "crm"}, End: time.Now().Add(24 * time.Hour), Author: "ana", Comment: "load test",
	}))
	d.reads("group_membership", 3, "crm", "quizfun")
	d.cases(1, nil)
	for range 300 {
		if s = must(d.Silences(t.Context(), 0, 1, nil))[0]; s.Hidden == 1 && s.Warned {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if s.Hidden != 1 || !s.Warned { // it ends within three days
		t.Fatalf("silence %+v", s)
	}
	hidden, above, abuse, err := d.Preview(t.Context(), memberwatch.Silence{Match: memberwatch.Matcher{App: "crm"}})
	if err != nil || hidden != 1 || above != 0 || abuse != 0 {
		t.Errorf("preview: %d hidden, %d above, %d abuse, %v", hidden, above, abuse, err)
	}
	must(d.EndSilence(t.Context(), "ana", s.ID, "over"))
	d.reads("group_membership", 30, "crm") // it has something new to say
	d.reads("profile_name", 1, "clock")    // ends the hour
	d.cases(2, nil)
	// A case on hold comes back by itself.
	c := d.cases(1, func(c *memberwatch.Case) bool { return c.App == "crm" })[0]
	must(d.Decide(t.Context(), c.ID, "", memberwatch.Decision{Action: memberwatch.ActionHold, By: "ana", Until: time.Now().Add(time.Second), Comment: "asked the developer"}))
	d.cases(1, func(c *memberwatch.Case) bool { return c.App == "crm" && c.State == memberwatch.CaseInReview })
}

func TestRemediation(t *testing.T) {
	d := open(t)
	d.forbid()
	d.reads("group_membership", 3, "quizfun")
	c := d.cases(1, nil)[0]
	propose := func(kind memberwatch.RemediationKind) memberwatch.Remediation {
		return must(d.Propose(t.Context(), c.ID, memberwatch.Step{By: "ana", Kind: kind, Comment: "retained access"}))
	}
	_, err := d.Propose(t.Context(), c.ID, memberwatch.Step{By: "ana", Kind: memberwatch.RestrictApp})
	refused(t, err, memberwatch.ErrState, "CASE_STATE_FORBIDS")
	must(d.Decide(t.Context(), c.ID, "", memberwatch.Decision{Action: memberwatch.ActionDecide, By: "ana", Verdict: memberwatch.VerdictAbuse, Reason: "retained-access", Comment: "19 months"}))
	_, err = d.Decide(t.Context(), c.ID, "", memberwatch.Decision{Action: memberwatch.ActionClose, By: "ana"})
	refused(t, err, memberwatch.ErrState, "NOTHING_REMEDIATED")

	restrict := propose(memberwatch.RestrictApp)
	_, err = d.Advance(t.Context(), c.ID, restrict.ID, "", memberwatch.Step{By: "ana", Move: memberwatch.MoveApprove})
	refused(t, err, memberwatch.ErrState, "SECOND_PERSON_NEEDED")
	restrict = must(d.Advance(t.Context(), c.ID, restrict.ID, restrict.Etag(), memberwatch.Step{By: "ben", Move: memberwatch.MoveApprove}))
	restrictions := must(d.monitor.Restrictions(t.Context(), "", 10, nil))
	if restrict.State != memberwatch.Sent || len(restrictions) != 2 || restrictions[0].ID != restrict.Restriction || !restrictions[0].Covers("quizfun") || restrictions[0].Covers("crm") {
		t.Fatalf("%v with restrictions %+v", restrict.State, restrictions)
	}
	_, err = d.Propose(t.Context(), c.ID, memberwatch.Step{By: "ana", Kind: memberwatch.LiftRestriction, Restriction: "groups"})
	refused(t, err, memberwatch.ErrInvalid, "RESTRICTION_OF_OTHERS")
	// The rule watches at once: another class is forbidden, too.
	d.reads("profile_name", 2, "quizfun")
	d.cases(1, func(c *memberwatch.Case) bool { return c.State == memberwatch.CaseRemediating && len(c.Signals) >= 1 })

	deletion := propose(memberwatch.RequestDeletion)
	must(d.Advance(t.Context(), c.ID, deletion.ID, "", memberwatch.Step{By: "ana", Move: memberwatch.MoveApprove}))
	submit := memberwatch.Step{By: "platform", Move: memberwatch.MoveSubmitEvidence, Evidence: "letter 12", Attested: time.Now().Add(-time.Minute)}
	deletion = must(d.Advance(t.Context(), c.ID, deletion.ID, "", submit))
	if deletion.State != memberwatch.EvidenceSubmitted || deletion.Attested.IsZero() {
		t.Fatalf("deletion %+v", deletion)
	}
	_, err = d.Decide(t.Context(), c.ID, "", memberwatch.Decision{Action: memberwatch.ActionClose, By: "ana"})
	refused(t, err, memberwatch.ErrState, "REMEDIATION_UNFINISHED")
	for _, id := range []memberwatch.RemediationID{restrict.ID, deletion.ID} {
		if id == restrict.ID {
			must(d.Advance(t.Context(), c.ID, id, "", memberwatch.Step{By: "platform", Move: memberwatch.MoveSubmitEvidence, Evidence: "done"}))
		}
		must(d.Advance(t.Context(), c.ID, id, "", memberwatch.Step{By: "ben", Move: memberwatch.MoveVerify, Comment: "seen"}))
	}
	closed := must(d.Decide(t.Context(), c.ID, "", memberwatch.Decision{Action: memberwatch.ActionClose, By: "ana"}))
	if closed.State != memberwatch.CaseClosed {
		t.Errorf("the case is %v", closed.State)
	}
	lift := must(d.Decide(t.Context(), c.ID, "", memberwatch.Decision{Action: memberwatch.ActionReopen, By: "ana", Comment: "appeal", Appeal: true}))
	if lift.Verdict != memberwatch.VerdictUnspecified || !lift.Appeal {
		t.Errorf("reopened %+v", lift)
	}
}

// TestFalseAttestation lets a developer attest to a deletion and then ask for
// members whom nobody has shown the app since.
func TestFalseAttestation(t *testing.T) {
	d := open(t)
	d.forbid()
	var habit []memberwatch.Event
	for i := range 300 {
		habit = append(habit, memberwatch.Event{App: "quizfun", Time: d.at.UnixNano(), DataClasses: []string{"profile_name"}, Disclosed: []uint64{uint64(i + 1)}})
	}
	d.append(habit)
	d.reads("group_membership", 3, "quizfun")
	c := d.cases(1, nil)[0]
	must(d.Decide(t.Context(), c.ID, "", memberwatch.Decision{Action: memberwatch.ActionDecide, By: "ana", Verdict: memberwatch.VerdictAbuse, Reason: "retained-access", Comment: "read on"}))
	deletion := must(d.Propose(t.Context(), c.ID, memberwatch.Step{By: "ana", Kind: memberwatch.RequestDeletion}))
	audit := must(d.Propose(t.Context(), c.ID, memberwatch.Step{By: "ana", Kind: memberwatch.Audit}))
	for _, m := range []memberwatch.Remediation{deletion, audit} {
		must(d.Advance(t.Context(), c.ID, m.ID, "", memberwatch.Step{By: "ben", Move: memberwatch.MoveApprove}))
	}
	must(d.Advance(t.Context(), c.ID, deletion.ID, "", memberwatch.Step{By: "dev", Move: memberwatch.MoveSubmitEvidence, Evidence: "letter", Attested: d.at.Add(-time.Minute)}))
	must(d.Advance(t.Context(), c.ID, audit.ID, "", memberwatch.Step{By: "auditor", Move: memberwatch.MoveSubmitEvidence, Evidence: "visit"}))

	var asks []memberwatch.Event
	for i := range 60 {
		asks = append(asks, memberwatch.Event{
			App: "quizfun", Time: d.at.UnixNano(), DataClasses: []string{"profile_name"}, Requested: []uint64{uint64(i + 1)}, Disclosed: []uint64{uint64(i + 1)},
		})
	}
	d.append(asks)
	knows := func(c *memberwatch.Case) bool {
		for _, id := range c.Signals {
			if must(d.monitor.Signal(t.Context(), id)).Kind == memberwatch.KindImpossible {
				return true
			}
		}
		return false
	}
	for range 300 {
		if c, _, _ = d.Case(t.Context(), c.ID); knows(&c) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if !knows(&c) || c.State != memberwatch.CaseRemediating {
		t.Fatalf("the case is %v with signals %v: what the app knows does not show", c.State, c.Signals)
	}
	verify := func() {
		t.Helper()
		for _, m := range []memberwatch.Remediation{deletion, audit} {
			_, err := d.Advance(t.Context(), c.ID, m.ID, "", memberwatch.Step{By: "ben", Move: memberwatch.MoveVerify, Comment: "looks fine"})
			refused(t, err, memberwatch.ErrState, "KNOWLEDGE_SPEAKS_AGAINST")
		}
	}
	verify()
	if against := must(d.Against(t.Context(), c.ID)); len(against) != 1 {
		t.Errorf("%v speak against the attestation, want one", against)
	}
	// Evidence that no case has still speaks.
	must(d.Decide(t.Context(), c.ID, "", memberwatch.Decision{Action: memberwatch.ActionDetach, By: "ana", Signals: c.Signals}))
	verify()
	document := string(must(d.Packet(t.Context(), "lea", c.ID)))
	if !strings.Contains(document, `"contradicted_by": [`) || !strings.Contains(document, `"deleted_by": "`) {
		t.Errorf("the packet hides it: %s", document)
	}
}

// TestInfiniteEvidence publishes a signal whose return period is infinite, as a
// chance of nought gives: its event must not stop the queue.
func TestInfiniteEvidence(t *testing.T) {
	d := open(t)
	signal := memberwatch.Signal{
		ID: "s1", App: "crm", Kind: memberwatch.KindVolumeBurst, Severity: memberwatch.SeverityHigh, Opened: 1, Last: 1, Revision: 1,
		Strongest: memberwatch.Finding{ReturnPeriod: math.Inf(1), FleetFactor: math.NaN(), Factors: []memberwatch.Factor{{High: math.Inf(1)}}},
	}
	if err := d.monitor.Platform().Publish(0, []store.OutboxRow{{Sequence: 1, Update: memberwatch.Update{Signal: signal}}}); err != nil {
		t.Fatal(err)
	}
	must(d.Open(t.Context(), memberwatch.Decision{By: "ana", App: "other", Title: "wake"}, false)) // wakes those who watch signals
	d.cases(1, func(c *memberwatch.Case) bool { return c.App == "crm" })
}

// TestSimilarSignals asks what reviews found about signals like one.
func TestSimilarSignals(t *testing.T) {
	d := open(t)
	d.forbid()
	d.reads("group_membership", 3, "quizfun", "crm", "tv")
	of := make(map[memberwatch.AppID]memberwatch.Case)
	for _, c := range d.cases(3, nil) {
		of[c.App] = c
	}
	asked := of["tv"].Signals[0]
	none, found, err := d.Similar(t.Context(), asked, 10)
	if err != nil || len(none) != 0 || len(found) != 0 {
		t.Errorf("before any verdict: %v, %v: %v", none, found, err)
	}
	for app, reason := range map[memberwatch.AppID]memberwatch.Decision{
		"quizfun": {Action: memberwatch.ActionDecide, Verdict: memberwatch.VerdictAbuse, Reason: "retained-access", Comment: "read on"},
		"crm":     {Action: memberwatch.ActionDecide, Verdict: memberwatch.VerdictBenign, Reason: "bad-data", Comment: "a test"},
	} {
		reason.By = "ana"
		must(d.Decide(t.Context(), of[app].ID, "", reason))
	}
	list, found, err := d.Similar(t.Context(), asked, 1)
	if err != nil || len(list) != 1 || found[memberwatch.VerdictAbuse] != 1 || found[memberwatch.VerdictBenign] != 1 {
		t.Errorf("after two verdicts: %v, %v: %v", list, found, err)
	}
	if list[0].Likeness != 1 || list[0].SameApp || list[0].Reason == "" || list[0].Comment == "" {
		t.Errorf("compared as %+v", list[0])
	}
	must(d.Decide(t.Context(), of["quizfun"].ID, "", memberwatch.Decision{Action: memberwatch.ActionReopen, Comment: "they object", By: "ben"}))
	if _, found, err = d.Similar(t.Context(), asked, 10); err != nil || found[memberwatch.VerdictAbuse] != 0 {
		t.Errorf("a verdict that fell still counts: %v: %v", found, err)
	}
	_, _, err = d.Similar(t.Context(), "nothing", 10)
	refused(t, err, memberwatch.ErrNotFound, "SIGNAL_NOT_FOUND")
}

// TestDismissAll sets aside what matches and leaves what a case has.
func TestDismissAll(t *testing.T) {
	d := open(t)
	d.forbid()
	d.reads("group_membership", 3, "quizfun", "crm")
	c := d.cases(2, nil)[0]
	must(d.Decide(t.Context(), c.ID, "", memberwatch.Decision{Action: memberwatch.ActionDetach, Signals: c.Signals, By: "ana"}))
	all := func(*memberwatch.Signal) bool { return true }
	ids, _, err := d.DismissAll(t.Context(), "ana", all, "holiday", false, true)
	if err != nil || len(ids) != 2 {
		t.Errorf("dry run: %v: %v", ids, err)
	}
	done, failed, err := d.DismissAll(t.Context(), "ana", all, "holiday", false, false)
	if err != nil || len(done) != 1 || done[0] != c.Signals[0] || len(failed) != 1 {
		t.Errorf("dismissed %v, not %v: %v", done, failed, err)
	}
	for _, err := range failed {
		refused(t, err, memberwatch.ErrState, "TRIAGE_STATE_FORBIDS")
	}
	done, _, err = d.DismissAll(t.Context(), "ana", all, "", true, false)
	if err != nil || len(done) != 1 {
		t.Errorf("restored %v: %v", done, err)
	}
	_, failed, err = d.DismissAll(t.Context(), "ana", func(s *memberwatch.Signal) bool { return s.ID == c.Signals[0] }, "", false, false)
	if err != nil || len(failed) != 1 {
		t.Errorf("without a reason: %v: %v", failed, err)
	}
	if _, _, err := d.DismissAll(t.Context(), "", all, "x", false, false); err == nil {
		t.Error("nobody dismissed them")
	}
}

// TestCertificationReminders announces each end once, of the app and of its data
// classes, and a new one again.
func TestCertificationReminders(t *testing.T) {
	d := open(t)
	app := memberwatch.App{ID: "clock", Purposes: []memberwatch.Purpose{{Class: "profile_name", Expires: time.Now().Add(72 * time.Hour)}, {Class: "group_membership"}}}
	put := func() {
		t.Helper()
		if _, _, err := d.monitor.PutApp(t.Context(), app); err != nil {
			t.Fatal(err)
		}
	}
	reminders := func(want int) {
		t.Helper()
		if err := d.Sweep(); err != nil {
			t.Fatal(err)
		}
		events, got := must(d.monitor.Platform().ReviewEvents(0, 100)), 0
		for _, e := range events {
			if e.Type == memberwatch.EventCertificationExpiring && e.App == "clock" {
				got++
			}
		}
		if got != want {
			t.Errorf("%d reminders, want %d", got, want)
		}
	}
	reminders(0)
	put()
	reminders(1)
	reminders(1)
	app.Expires = time.Now().Add(365 * 24 * time.Hour) // far away
	put()
	reminders(1)
	app.Expires = time.Now().Add(10 * 24 * time.Hour)
	put()
	reminders(2)
	app.Purposes[0].Expires = time.Now().Add(96 * time.Hour) // renewed, for a day
	put()
	reminders(3)
}
