package review

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/memberwatch/memberwatch"
)

// Packet writes the incident packet of a case in a person's name. The export is
// numbered and recorded in the audit log with the hash of the document.
func (s *Service) Packet(ctx context.Context, by memberwatch.Person, id memberwatch.CaseID) (document []byte, err error) {
	c, _, err := s.Case(ctx, id)
	if err != nil {
		return nil, err
	}
	read, err := s.readBy(ctx, &c)
	if err != nil {
		return nil, err
	}
	head, err := s.files.AuditHead(-1)
	if err != nil {
		return nil, err
	}
	history, err := s.files.AuditOf(subjectOf(id), -1, maxHistory)
	if err != nil {
		return nil, err
	}
	err = s.write(by, func(t *turn) error {
		p, err := t.packet(id, read)
		if err != nil {
			return err
		}
		p.Audit = memberwatch.PacketHead{Size: head.Size, Root: base64.StdEncoding.EncodeToString(head.Root[:])}
		for _, e := range history {
			p.Decisions = append(p.Decisions, memberwatch.PacketDecision{Entry: e.Number, Time: e.Time, Person: e.Person, Action: e.Action})
		}
		if document, err = json.MarshalIndent(p, "", "  "); err != nil {
			return fmt.Errorf("packet of case %q: %w", id, err)
		}
		hash := sha256.Sum256(document)
		return t.record("packet.export", subjectOf(id), map[string]any{"revision": p.Revision, "sha256": hex.EncodeToString(hash[:])})
	})
	return document, err
}

// maxHistory bounds the decisions in a packet.
const maxHistory = 10_000

// reading is what an app read in the time that a case speaks of.
type reading struct {
	app          memberwatch.AppView
	rows         []memberwatch.AccessRow
	total, after memberwatch.AccessRow
	retained     bool // the case is about access after a restriction only
	whole        bool // all that the ledger holds, as no signal says since when
}

// readBy asks the ledger about a case's app, or all of its developer's, from the day
// of its first signal to now.
func (s *Service) readBy(ctx context.Context, c *memberwatch.Case) (r reading, err error) {
	if r.app, err = s.monitor.App(ctx, c.App); err != nil && !errors.Is(err, memberwatch.ErrNotFound) {
		return r, err
	}
	since := c.Created.UnixNano()
	r.retained = len(c.Signals) > 0
	if r.whole = !r.retained; r.whole {
		since = 0
	}
	for _, id := range c.Signals {
		signal, err := s.files.Signal(id)
		if err != nil {
			return r, err
		}
		since = min(since, signal.Opened, signal.Strongest.Window.Start)
		r.retained = r.retained && signal.Kind == memberwatch.KindRestricted
	}
	q := memberwatch.AccessQuery{App: c.App, SinceDay: int32(since / dayLength), UntilDay: int32(time.Now().UnixNano() / dayLength)}
	if c.App == "" {
		q.Developer, q.ByDeveloper = c.Developer, true
	}
	if r.rows, r.total, err = s.monitor.QueryAccess(ctx, q); err != nil {
		return r, err
	}
	q.AfterOnly = true
	_, r.after, err = s.monitor.QueryAccess(ctx, q)
	return r, err
}

const dayLength = int64(24 * time.Hour)

// packet gathers what is known about a case and numbers the export.
func (t *turn) packet(id memberwatch.CaseID, read reading) (*memberwatch.Packet, error) {
	c, err := t.Case(id)
	if err != nil {
		return nil, err
	}
	mark := "packet/" + string(id)
	revision, err := t.Mark(mark)
	if err != nil {
		return nil, err
	}
	if err := t.SetMark(mark, revision+1); err != nil {
		return nil, err
	}
	p := &memberwatch.Packet{
		Incident: id, Revision: revision + 1, Made: t.now, MadeBy: t.by, App: c.App, AppName: read.app.DisplayName, Developer: c.Developer,
		State: c.State, Verdict: c.Verdict, Reason: c.Reason, DuplicateOf: cmp.Or(c.MergedInto, c.DuplicateOf), Comment: c.Comment, Cause: c.Cause, Effects: c.Effects,
		Discovered: c.Created, ReportBy: c.Created.Add(memberwatch.DiscoveryClock),
	}
	if !c.Aware.IsZero() {
		p.Aware, p.NotifyBy = new(c.Aware), new(c.Aware.Add(memberwatch.AwareClock))
	}
	read.fill(p)
	if err := t.fillContainment(p, &c); err != nil {
		return nil, err
	}
	return p, t.fillSignals(p, &c)
}

// fill writes who was read about.
func (r *reading) fill(p *memberwatch.Packet) {
	for i := range r.rows {
		row := &r.rows[i]
		p.Classes = append(p.Classes, memberwatch.PacketClass{
			Class: row.Class, Persons: interval(row.Members), Groups: interval(row.Groups), Records: row.Records, Calls: row.Calls,
			CallsAfter: row.CallsAfter, First: dayText(row.FirstDay), Last: dayText(row.LastDay),
		})
	}
	of := &r.total
	p.Method = "distinct keyed hashes of members, united over days and data classes; 95 % interval of the sketch"
	if r.retained {
		of = &r.after
		p.Method += "; only calls after the restriction took effect"
	}
	p.Persons, p.After, p.Groups = interval(of.Members), interval(r.after.Members), interval(of.Groups)
	p.Records, p.Calls = of.Records, of.Calls
	p.Covered = p.Persons.Low >= memberwatch.CoveredPersons
	p.Period = "known to the UTC day, from the day of the first signal on; what lies before it is in the ledger for 400 days"
	if r.whole {
		p.Period = "known to the UTC day; no signal says since when, so it is all that the ledger holds, which is 400 days"
	}
	if of.ActiveDays > 0 {
		p.First, p.Last = dayText(of.FirstDay), dayText(of.LastDay)
	}
}

func interval(e memberwatch.Estimate) memberwatch.Interval {
	return memberwatch.Interval(e)
}

func dayText(day int32) string {
	return time.Unix(int64(day)*24*60*60, 0).UTC().Format(time.DateOnly)
}

// fillContainment writes what was done about it.
func (t *turn) fillContainment(p *memberwatch.Packet, c *memberwatch.Case) error {
	remedies, err := t.RemediationsOf(c.ID)
	if err != nil {
		return err
	}
	for i := range remedies {
		m := &remedies[i]
		p.Containment = append(p.Containment, memberwatch.PacketStep{
			ID: m.ID, App: m.App, Kind: m.Kind, State: m.State, Proposed: m.Created, Due: m.Due, Overdue: m.Overdue(t.now), Ended: m.Ended,
			Restriction: m.Restriction, Evidence: m.Evidence, Proposer: m.Proposer, Approver: m.Approver, Outcome: m.Outcome,
		})
		if m.Attested.After(p.Attestation.Attested) {
			p.Attestation.Attested = m.Attested
		}
	}
	p.Attestation.State = "NONE"
	if p.Attestation.Attested.IsZero() {
		return nil
	}
	if p.Attestation.Against, err = t.against(c.ID, ""); err != nil {
		return err
	}
	p.Attestation.State = "ATTESTED"
	if len(p.Attestation.Against) > 0 {
		p.Attestation.State = "CONTRADICTED"
	}
	return nil
}

// fillSignals writes the evidence, each with its hash.
func (t *turn) fillSignals(p *memberwatch.Packet, c *memberwatch.Case) error {
	signals, err := t.signalsOf(c)
	if err != nil {
		return err
	}
	for i := range signals {
		s := &signals[i]
		hash, err := t.EvidenceHash(string(s.ID))
		if err != nil {
			return err
		}
		p.Signals = append(p.Signals, memberwatch.PacketSignal{
			ID: s.ID, Kind: s.Kind, Severity: s.Severity, Sentence: s.Sentence, First: time.Unix(0, s.Opened).UTC(),
			Last: time.Unix(0, s.Last).UTC(), Findings: s.Occurrences, Model: s.Model, Evidence: hex.EncodeToString(hash[:]),
		})
	}
	return nil
}
