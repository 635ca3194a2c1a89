package store

import "github.com/memberwatch/memberwatch"

func encodeCase(c *memberwatch.Case) []byte {
	e := newEncoder(512)
	e.string(string(c.ID))
	e.string(c.Title)
	e.string(string(c.App))
	e.string(string(c.Developer))
	e.uint(uint64(c.State))
	e.uint(uint64(c.Severity))
	e.uint(uint64(len(c.Signals)))
	for _, id := range c.Signals {
		e.string(string(id))
	}
	e.uint(uint64(len(c.Tags)))
	for _, tag := range c.Tags {
		e.string(tag)
	}
	e.string(string(c.Assignee))
	e.string(string(c.ClaimedBy))
	e.time(c.ClaimedUntil)
	e.uint(uint64(c.Verdict))
	e.string(c.Reason)
	e.string(c.Comment)
	e.uint(uint64(len(c.Effects)))
	for i := range c.Effects {
		e.effect(&c.Effects[i])
	}
	e.caseTimes(c)
	e.string(string(c.MergedInto))
	e.bool(c.Appeal)
	e.int(c.Notes)
	e.int(c.Revision)
	e.string(c.Cause)
	if c.DuplicateOf != "" { // older records end here
		e.string(string(c.DuplicateOf))
	}
	return e.seal()
}

func (e *encoder) caseTimes(c *memberwatch.Case) {
	e.time(c.WakeTime)
	e.time(c.HeldSince)
	e.time(c.Created)
	e.time(c.Updated)
	e.time(c.Acknowledged)
	e.time(c.Decided)
	e.time(c.Closed)
	e.time(c.Due.Acknowledge)
	e.time(c.Due.Decide)
	e.time(c.Due.Remediate)
	e.time(c.Aware)
}

func decodeCase(record []byte) (memberwatch.Case, error) {
	d := newDecoder(record)
	c := memberwatch.Case{
		ID: memberwatch.CaseID(d.string()), Title: d.string(), App: memberwatch.AppID(d.string()),
		Developer: memberwatch.DeveloperID(d.string()), State: memberwatch.CaseState(d.byte()), Severity: memberwatch.Severity(d.byte()),
	}
	for n := d.count(); n > 0 && d.err == nil; n-- {
		c.Signals = append(c.Signals, memberwatch.SignalID(d.string()))
	}
	for n := d.count(); n > 0 && d.err == nil; n-- {
		c.Tags = append(c.Tags, d.string())
	}
	c.Assignee, c.ClaimedBy, c.ClaimedUntil = memberwatch.Person(d.string()), memberwatch.Person(d.string()), d.time()
	c.Verdict, c.Reason, c.Comment = memberwatch.Verdict(d.byte()), d.string(), d.string()
	for n := d.count(); n > 0 && d.err == nil; n-- {
		c.Effects = append(c.Effects, d.effect())
	}
	c.WakeTime, c.HeldSince, c.Created, c.Updated = d.time(), d.time(), d.time(), d.time()
	c.Acknowledged, c.Decided, c.Closed = d.time(), d.time(), d.time()
	c.Due = memberwatch.Clocks{Acknowledge: d.time(), Decide: d.time(), Remediate: d.time()}
	c.Aware = d.time()
	c.MergedInto, c.Appeal, c.Notes, c.Revision, c.Cause = memberwatch.CaseID(d.string()), d.bool(), d.int(), d.int(), d.string()
	if len(d.b) > 0 {
		if c.DuplicateOf = memberwatch.CaseID(d.string()); c.DuplicateOf == "" {
			d.fail("a duplicate of nothing")
		}
	}
	return c, d.finish()
}

func (e *encoder) effect(f *memberwatch.Effect) {
	e.string(string(f.Kind))
	e.string(f.Subject)
	e.string(f.Text)
	e.int(f.Revision)
	e.time(f.At)
	e.time(f.Undone)
}

func (d *decoder) effect() memberwatch.Effect {
	return memberwatch.Effect{
		Kind: memberwatch.EffectKind(d.string()), Subject: d.string(), Text: d.string(), Revision: d.int(), At: d.time(), Undone: d.time(),
	}
}

func encodeTriage(t *memberwatch.Triage) []byte {
	e := newEncoder(64)
	e.uint(uint64(t.State))
	e.string(string(t.Case))
	e.string(string(t.Silence))
	e.string(t.Reason)
	e.string(string(t.By))
	e.time(t.Time)
	e.int(t.Seen)
	e.bool(t.SeenOpen)
	if t.Verdict != memberwatch.VerdictUnspecified { // older records end here
		e.uint(uint64(t.Verdict))
	}
	return e.seal()
}

func decodeTriage(record []byte) (memberwatch.Triage, error) {
	d := newDecoder(record)
	t := memberwatch.Triage{
		State: memberwatch.TriageState(d.byte()), Case: memberwatch.CaseID(d.string()), Silence: memberwatch.SilenceID(d.string()),
		Reason: d.string(), By: memberwatch.Person(d.string()), Time: d.time(), Seen: d.int(), SeenOpen: d.bool(),
	}
	if len(d.b) > 0 {
		if t.Verdict = memberwatch.Verdict(d.byte()); t.Verdict == memberwatch.VerdictUnspecified {
			d.fail("a verdict that is none")
		}
	}
	return t, d.finish()
}

func encodeRemediation(r *memberwatch.Remediation) []byte {
	e := newEncoder(256)
	e.string(string(r.ID))
	e.string(string(r.Case))
	e.string(string(r.App))
	e.uint(uint64(r.Kind))
	e.uint(uint64(r.State))
	e.string(string(r.Class))
	e.time(r.Due)
	e.string(r.Comment)
	e.string(string(r.Proposer))
	e.string(string(r.Approver))
	e.string(r.Evidence)
	e.time(r.Attested)
	e.string(string(r.Restriction))
	e.string(r.Outcome)
	e.time(r.Created)
	e.time(r.Updated)
	e.time(r.Ended)
	e.bool(r.Announced)
	e.int(r.Revision)
	return e.seal()
}

func decodeRemediation(record []byte) (memberwatch.Remediation, error) {
	d := newDecoder(record)
	r := memberwatch.Remediation{
		ID: memberwatch.RemediationID(d.string()), Case: memberwatch.CaseID(d.string()), App: memberwatch.AppID(d.string()),
		Kind: memberwatch.RemediationKind(d.byte()), State: memberwatch.RemediationState(d.byte()), Class: memberwatch.DataClass(d.string()),
		Due: d.time(), Comment: d.string(), Proposer: memberwatch.Person(d.string()), Approver: memberwatch.Person(d.string()),
		Evidence: d.string(), Attested: d.time(), Restriction: memberwatch.RestrictionID(d.string()), Outcome: d.string(),
		Created: d.time(), Updated: d.time(), Ended: d.time(), Announced: d.bool(), Revision: d.int(),
	}
	return r, d.finish()
}

func encodeSilence(s *memberwatch.Silence) []byte {
	e := newEncoder(192)
	e.string(string(s.ID))
	e.string(string(s.Match.App))
	e.string(string(s.Match.Developer))
	e.string(string(s.Match.Kind))
	e.string(s.Match.About)
	e.uint(uint64(s.Match.MaxSeverity))
	e.time(s.Start)
	e.time(s.End)
	e.string(string(s.Author))
	e.string(s.Comment)
	e.float(s.Bound)
	e.string(string(s.Case))
	e.time(s.Created)
	e.time(s.Ended)
	e.int(s.Hidden)
	e.bool(s.Warned)
	e.int(s.Revision)
	return e.seal()
}

func decodeSilence(record []byte) (memberwatch.Silence, error) {
	d := newDecoder(record)
	s := memberwatch.Silence{
		ID: memberwatch.SilenceID(d.string()),
		Match: memberwatch.Matcher{
			App: memberwatch.AppID(d.string()), Developer: memberwatch.DeveloperID(d.string()), Kind: memberwatch.Kind(d.string()), About: d.string(),
			MaxSeverity: memberwatch.Severity(d.byte()),
		},
		Start: d.time(), End: d.time(), Author: memberwatch.Person(d.string()), Comment: d.string(), Bound: d.float(),
		Case: memberwatch.CaseID(d.string()), Created: d.time(), Ended: d.time(), Hidden: d.int(), Warned: d.bool(), Revision: d.int(),
	}
	return s, d.finish()
}

func encodeLabel(l *memberwatch.Label) []byte {
	e := newEncoder(96)
	e.string(string(l.Signal))
	e.string(string(l.Case))
	e.string(string(l.Kind))
	e.string(l.Model)
	e.uint(uint64(l.Verdict))
	e.time(l.Time)
	e.float(l.ReturnPeriod)
	return e.seal()
}

func decodeLabel(record []byte) (memberwatch.Label, error) {
	d := newDecoder(record)
	l := memberwatch.Label{
		Signal: memberwatch.SignalID(d.string()), Case: memberwatch.CaseID(d.string()), Kind: memberwatch.Kind(d.string()),
		Model: d.string(), Verdict: memberwatch.Verdict(d.byte()), Time: d.time(), ReturnPeriod: d.float(),
	}
	return l, d.finish()
}
