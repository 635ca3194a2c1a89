package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/memberwatch/memberwatch"
	bolt "go.etcd.io/bbolt"
)

// Maker makes findings again. It is the detector's.
type Maker struct {
	// Recompute makes a stored finding again from its record.
	Recompute func(stored *memberwatch.Finding) (memberwatch.Finding, error)
	// Withdraw says of a finding that the fleet explained it later.
	Withdraw func(memberwatch.Finding) memberwatch.Finding
	// Foreign tells whether an error of Recompute means that another version of
	// the models made the finding, or that it has no record.
	Foreign func(error) bool
}

// EvidenceHash returns SHA-256 over the stored record of a signal and those of
// its kept findings, in order. It stays the same as long as none of them does
// change, and has nothing to do with triage.
func (r *Review) EvidenceHash(id string) ([sha256.Size]byte, error) {
	return evidenceHash(r.tx, []byte(id))
}

func evidenceHash(tx *bolt.Tx, id []byte) ([sha256.Size]byte, error) {
	h := sha256.New()
	record := tx.Bucket(bucketSignals).Get(id)
	if record == nil {
		return [sha256.Size]byte{}, notFound("SIGNAL_NOT_FOUND", "signal", string(id))
	}
	h.Write(record)
	eachFinding(tx, id, func(_, record []byte) { h.Write(record) })
	return [sha256.Size]byte(h.Sum(nil)), nil
}

func eachFinding(tx *bolt.Tx, id []byte, visit func(key, record []byte)) {
	prefix := findingPrefix(id)
	cursor := tx.Bucket(bucketFindings).Cursor()
	for key, record := cursor.Seek(prefix); bytes.HasPrefix(key, prefix); key, record = cursor.Next() {
		visit(key, record)
	}
}

// EvidenceHash returns the hash of a signal's stored evidence, in hexadecimal.
func (p *Platform) EvidenceHash(id memberwatch.SignalID) (hash string, err error) {
	err = p.db.View(func(tx *bolt.Tx) error {
		sum, err := evidenceHash(tx, []byte(id))
		hash = hex.EncodeToString(sum[:])
		return err
	})
	return hash, err
}

// Verify makes the kept findings of a signal again and compares them, and what
// the signal says of them, byte for byte with what is stored.
func (p *Platform) Verify(id memberwatch.SignalID, m Maker) (v memberwatch.Verification, err error) {
	v.Signal = id
	err = p.db.View(func(tx *bolt.Tx) error {
		sum, err := evidenceHash(tx, []byte(id))
		if err != nil {
			return err
		}
		v.Evidence = hex.EncodeToString(sum[:])
		stored := tx.Bucket(bucketSignals).Get([]byte(id))
		signal, err := decodeSignal(stored)
		if err != nil {
			v.Problems = append(v.Problems, err.Error())
			return nil
		}
		var made []memberwatch.Finding
		eachFinding(tx, []byte(id), func(key, record []byte) {
			finding, check := m.check(&signal, record)
			if check.Number == 0 {
				check.Number = keyInt64(key[len(key)-8:])
			}
			v.Findings = append(v.Findings, check)
			if check.Result == memberwatch.CheckVerified {
				made = append(made, finding)
			}
		})
		v.Problems = append(checkKept(&signal, v.Findings), m.checkSignal(&signal, made, len(v.Findings))...)
		return nil
	})
	return v, err
}

// check makes one stored finding again.
func (m *Maker) check(s *memberwatch.Signal, record []byte) (memberwatch.Finding, memberwatch.FindingCheck) {
	stored, err := decodeFinding(record)
	c := memberwatch.FindingCheck{Number: stored.Number, Kind: stored.Kind, Result: memberwatch.CheckDiffers}
	if err != nil {
		c.Detail = err.Error()
		return stored, c
	}
	made, err := m.Recompute(&stored)
	switch {
	case err != nil && m.Foreign(err):
		c.Result, c.Detail = memberwatch.CheckUnverifiable, err.Error()
	case err != nil:
		c.Detail = err.Error()
	case made.Basis.App != s.App || made.Basis.Developer != s.Developer:
		c.Detail = fmt.Sprintf("its record is about app %q of developer %q", made.Basis.App, made.Basis.Developer)
	case !bytes.Equal(encodeFinding(&made), record):
		c.Detail = "made again it is: " + made.Sentence
		if made.Sentence == stored.Sentence {
			c.Detail = "made again it has other figures behind the same sentence"
		}
	default:
		c.Result = memberwatch.CheckVerified
	}
	return made, c
}

// checkKept tells whether all findings are there that are kept.
func checkKept(s *memberwatch.Signal, kept []memberwatch.FindingCheck) []string {
	want := []int64{1}
	newest := s.Occurrences - KeptFindings + 1
	if n := s.Strongest.Number; n > 1 && n < newest {
		want = append(want, n)
	}
	for n := max(newest, 2); n <= s.Occurrences; n++ {
		want = append(want, n)
	}
	for _, c := range kept {
		if !slices.Contains(want, c.Number) {
			return []string{fmt.Sprintf("it counts %d findings and has finding %d", s.Occurrences, c.Number)}
		}
	}
	for _, n := range want {
		if !slices.ContainsFunc(kept, func(c memberwatch.FindingCheck) bool { return c.Number == n }) {
			return []string{fmt.Sprintf("finding %d is missing", n)}
		}
	}
	return nil
}

// checkSignal compares a signal with its findings. Some may not be among the
// verified ones; what only they could tell is left alone.
func (m *Maker) checkSignal(s *memberwatch.Signal, made []memberwatch.Finding, kept int) (problems []string) {
	say := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	severity, last := memberwatch.SeverityUnspecified, int64(0)
	for i := range made {
		f := &made[i]
		severity, last = max(severity, f.Severity), max(last, f.Time)
		if !f.Kind.Joins(s.Kind) || f.Number == 1 && f.Kind != s.Kind {
			say("it is of kind %s, finding %d of kind %s", s.Kind, f.Number, f.Kind)
		}
		if f.Number == 1 && f.Time != s.Opened {
			say("it was not opened at the time of its first finding")
		}
		if f.Number == s.Occurrences && f.Basis != (memberwatch.Basis{App: s.App, Developer: s.Developer, Model: s.Model, Calibration: s.Calibration, Control: s.Control, Learning: s.Learning, LearningDays: s.LearningDays}) {
			say("it rests on something else than its newest finding")
		}
		if f.Number == s.Strongest.Number && !m.same(&s.Strongest, *f) {
			say("its strongest finding is not finding %d", f.Number)
		}
	}
	if !strings.HasSuffix(s.Sentence, s.Strongest.Sentence) {
		say("its sentence is not that of its strongest finding")
	}
	if len(made) == kept && (severity > s.Severity || int64(kept) == s.Occurrences && severity != s.Severity) {
		say("its severity is %s, that of its findings %s", s.Severity, severity)
	}
	if len(made) == kept && last != s.Last {
		say("its last time is not that of its newest finding")
	}
	return problems
}

// same tells whether a signal's strongest finding is one of its findings, which
// the fleet may have explained since. The record is kept with the finding alone.
func (m *Maker) same(strongest *memberwatch.Finding, f memberwatch.Finding) bool {
	f.Record = nil
	withdrawn := m.Withdraw(f)
	return slices.ContainsFunc([]*memberwatch.Finding{&f, &withdrawn}, func(o *memberwatch.Finding) bool {
		return bytes.Equal(encodeFinding(o), encodeFinding(strongest))
	})
}

// EachSignal visits the ids of all signals, in order, until visit fails.
func (p *Platform) EachSignal(visit func(id memberwatch.SignalID) error) error {
	return p.db.View(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketSignals).ForEach(func(id, _ []byte) error { return visit(memberwatch.SignalID(id)) })
	})
}
