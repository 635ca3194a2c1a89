package review_test

import (
	"slices"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
)

// abuse judges a case ABUSE.
func (d *desk) abuse(id memberwatch.CaseID) memberwatch.Case {
	d.t.Helper()
	return must(d.Decide(d.t.Context(), id, "", memberwatch.Decision{
		Action: memberwatch.ActionDecide, By: "ana", Verdict: memberwatch.VerdictAbuse, Reason: "harvesting", Comment: "it sells them",
	}))
}

// exclusions returns the exclusions of an app in force, as control changes left them.
func (d *desk) exclusions(app memberwatch.AppID) []memberwatch.Exclusion {
	d.t.Helper()
	var list []memberwatch.Exclusion
	for _, c := range must(d.monitor.Platform().Changes(0, 1000)) {
		if x := c.Exclusion; x != nil && x.App == app {
			list = slices.DeleteFunc(list, func(o memberwatch.Exclusion) bool { return o.ID == x.ID })
			if !x.Withdrawn {
				list = append(list, *x)
			}
		}
	}
	return list
}

// TestAVerdictFollowsItsSignals: what joins a case judged ABUSE, or goes on in it on
// later days, teaches the baselines nothing either, though nobody has looked at it;
// reopening takes all of that back.
func TestAVerdictFollowsItsSignals(t *testing.T) {
	d := open(t)
	d.at = time.Now().Add(-6 * 24 * time.Hour)
	d.forbid()
	if _, err := d.monitor.PutRestriction(t.Context(), memberwatch.Restriction{ID: "old", Class: "old", Effective: d.at.Add(-time.Hour)}); err != nil {
		t.Fatal(err)
	}
	d.reads("old", 3, "crm")
	c := d.abuse(d.cases(1, nil)[0].ID)
	first := d.exclusions("crm")
	if len(first) != 1 || len(c.Effects) != 2 {
		t.Fatalf("exclusions %+v, effects %+v", first, c.Effects)
	}
	// The same signal goes on three days later.
	d.at = d.at.Add(3 * 24 * time.Hour)
	d.reads("old", 5, "crm")
	d.reads("old", 5, "crm")
	later := d.covers(first[0], d.at.Add(-4*time.Hour))
	if signal := must(d.monitor.Signal(t.Context(), c.Signals[0])); signal.Triage.Verdict != memberwatch.VerdictAbuse {
		t.Errorf("the signal has lost its verdict: %+v", signal.Triage)
	}
	// Another signal joins: it has no verdict of its own, and counts for no precision.
	app := memberwatch.App{ID: "crm", Purposes: []memberwatch.Purpose{{Class: "old", Purpose: "x"}}}
	if _, _, err := d.monitor.PutApp(t.Context(), app); err != nil {
		t.Fatal(err)
	}
	d.at = d.at.Add(24 * time.Hour)
	d.reads("profile_picture", 3, "crm")
	d.covers(later, d.at.Add(-2*time.Hour))
	c = d.cases(1, func(c *memberwatch.Case) bool { return len(c.Signals) == 2 })[0]
	if signal := must(d.monitor.Signal(t.Context(), c.Signals[1])); signal.Triage.Verdict != memberwatch.VerdictUnspecified {
		t.Errorf("nobody has judged what joined: %+v", signal.Triage)
	}
	if p := must(d.Precisions(t.Context())); len(p) != 1 || p[0].Abuse != 1 {
		t.Errorf("precision %+v", p)
	}
	if len(c.Effects) != 2 {
		t.Errorf("effects %+v", c.Effects)
	}
	d.restart()
	must(d.Decide(t.Context(), c.ID, "", memberwatch.Decision{Action: memberwatch.ActionReopen, By: "ben", Comment: "they object", Appeal: true}))
	if left := d.exclusions("crm"); len(left) != 0 {
		t.Errorf("reopening left %+v", left)
	}
}

// covers waits until the app's one exclusion is the given one made to reach a time.
func (d *desk) covers(x memberwatch.Exclusion, at time.Time) memberwatch.Exclusion {
	d.t.Helper()
	end := memberwatch.WindowAt(memberwatch.Day, at.UnixNano()).End()
	var list []memberwatch.Exclusion
	for range 500 {
		if list = d.exclusions(x.App); len(list) == 1 && list[0].Until == end {
			if list[0].ID != x.ID || list[0].Since != x.Since {
				d.t.Errorf("exclusion %+v, before %+v", list[0], x)
			}
			return list[0]
		}
		time.Sleep(10 * time.Millisecond)
	}
	d.t.Fatalf("exclusions %+v, want one until %s", list, at)
	return memberwatch.Exclusion{}
}

// TestReopeningBesideAnother: an app has one open case unless somebody wants two.
func TestReopeningBesideAnother(t *testing.T) {
	d := open(t)
	d.forbid()
	d.reads("group_membership", 3, "crm")
	c := d.cases(1, nil)[0]
	must(d.Decide(t.Context(), c.ID, "", memberwatch.Decision{
		Action: memberwatch.ActionDecide, By: "ana", Verdict: memberwatch.VerdictInconclusive, Reason: "not-enough-data", Comment: "who knows",
	}))
	another := must(d.Open(t.Context(), memberwatch.Decision{App: "crm", Title: "a tip", By: "ben"}, false))
	reopen := memberwatch.Decision{Action: memberwatch.ActionReopen, By: "ana", Comment: "now there is more"}
	_, err := d.Decide(t.Context(), c.ID, "", reopen)
	refused(t, err, memberwatch.ErrState, "CASE_ALREADY_OPEN")
	reopen.Another = true
	must(d.Decide(t.Context(), c.ID, "", reopen))
	must(d.Decide(t.Context(), another.ID, "", memberwatch.Decision{Action: memberwatch.ActionMerge, Into: c.ID, By: "ben"}))
	if left := d.cases(1, (*memberwatch.Case).Open); left[0].ID != c.ID {
		t.Errorf("open is %+v", left)
	}
}

// TestWhatEachVerdictDoes: exactly the effects that are listed, and none of them once
// the case is reopened.
func TestWhatEachVerdictDoes(t *testing.T) {
	type effects struct{ exclusions, silences, abuse, expected, benign int64 }
	until := memberwatch.Expect{Members: 100, Until: time.Now().Add(time.Hour)}
	verdicts := map[memberwatch.AppID]struct {
		decision memberwatch.Decision
		want     effects
	}{
		"abuse":        {memberwatch.Decision{Verdict: memberwatch.VerdictAbuse, Reason: "harvesting"}, effects{exclusions: 1, abuse: 1}},
		"expected":     {memberwatch.Decision{Verdict: memberwatch.VerdictExpected, Reason: "known-batch", Expect: &until}, effects{silences: 1, expected: 1}},
		"benign":       {memberwatch.Decision{Verdict: memberwatch.VerdictBenign, Reason: "organic-growth"}, effects{benign: 1}},
		"bad-data":     {memberwatch.Decision{Verdict: memberwatch.VerdictBenign, Reason: memberwatch.ReasonBadData}, effects{exclusions: 1, benign: 1}},
		"inconclusive": {memberwatch.Decision{Verdict: memberwatch.VerdictInconclusive, Reason: "not-enough-data"}, effects{}},
	}
	for app, v := range verdicts {
		t.Run(string(app), func(t *testing.T) {
			d := open(t)
			d.forbid()
			d.reads("group_membership", 3, app)
			c := d.cases(1, nil)[0]
			stand := func() effects {
				e := effects{exclusions: int64(len(d.exclusions(app)))}
				for _, s := range must(d.Silences(t.Context(), 0, 10, nil)) {
					if s.Ended.IsZero() {
						e.silences++
					}
				}
				for _, p := range must(d.Precisions(t.Context())) {
					e.abuse, e.expected, e.benign = e.abuse+p.Abuse, e.expected+p.Expected, e.benign+p.Benign
				}
				return e
			}
			v.decision.Action, v.decision.By, v.decision.Comment = memberwatch.ActionDecide, "ana", "so it is"
			c = must(d.Decide(t.Context(), c.ID, "", v.decision))
			if got := stand(); got != v.want {
				t.Errorf("it did %+v, want %+v", got, v.want)
			}
			if listed, want := int64(len(c.Effects)), v.want.exclusions+v.want.silences+v.want.abuse+v.want.expected+v.want.benign; listed != want {
				t.Errorf("%d effects are listed, want %d: %+v", listed, want, c.Effects)
			}
			d.restart()
			must(d.Decide(t.Context(), c.ID, "", memberwatch.Decision{Action: memberwatch.ActionReopen, By: "ben", Comment: "a second look"}))
			if left := stand(); left != (effects{}) {
				t.Errorf("reopening left %+v", left)
			}
		})
	}
}
