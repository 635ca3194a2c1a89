package store

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/memberwatch/memberwatch"
	bolt "go.etcd.io/bbolt"
)

// NewCaseID numbers the next case.
func (r *Review) NewCaseID() (memberwatch.CaseID, error) {
	n, err := r.tx.Bucket(bucketCases).NextSequence()
	return memberwatch.NewCaseID(int64(n)), err
}

// Case returns a case, or ErrNotFound.
func (r *Review) Case(id memberwatch.CaseID) (memberwatch.Case, error) {
	c, found := memberwatch.Case{}, false
	n, ok := id.CaseNumber()
	if ok {
		var err error
		if c, found, err = fetch(r, bucketCases, sequenceKey(uint64(n)), decodeCase); err != nil {
			return c, err
		}
	}
	if !found {
		return c, notFound("CASE_NOT_FOUND", "case", string(id))
	}
	return c, nil
}

// PutCase writes a case and keeps the indices in step.
func (r *Review) PutCase(c *memberwatch.Case) error {
	n, ok := c.ID.CaseNumber()
	if !ok {
		return fmt.Errorf("put case %q: %w", c.ID, memberwatch.ErrInvalid)
	}
	key := sequenceKey(uint64(n))
	w := writer{tx: r.tx}
	w.put(r.tx.Bucket(bucketCases), key, encodeCase(c))
	w.put(r.tx.Bucket(bucketCasesByApp), nested(string(c.App), n), nil)
	if c.Open() {
		w.put(r.tx.Bucket(bucketCasesOpen), key, nil)
	} else {
		w.delete(r.tx.Bucket(bucketCasesOpen), key)
	}
	return w.err
}

// CasesOf returns up to limit cases of an app, the newest first.
func (r *Review) CasesOf(app memberwatch.AppID, limit int) ([]memberwatch.Case, error) {
	var cases []memberwatch.Case
	prefix := nestedPrefix(string(app))
	cursor := r.tx.Bucket(bucketCasesByApp).Cursor()
	for key := seekBefore(cursor, nested(string(app), maxTime)); hasPrefix(key, prefix) && len(cases) < limit; key, _ = cursor.Prev() {
		c, err := r.Case(memberwatch.NewCaseID(keyInt64(key[len(prefix):])))
		if err != nil {
			return nil, err
		}
		cases = append(cases, c)
	}
	return cases, nil
}

// maxAppCases is how far back an open case of an app is looked for: it is the
// newest but for cases reopened since.
const maxAppCases = 64

// OpenCase returns the app's newest case that is not closed, and false when
// there is none.
func (r *Review) OpenCase(app memberwatch.AppID) (memberwatch.Case, bool, error) {
	cases, err := r.CasesOf(app, maxAppCases)
	for i := range cases {
		if cases[i].Open() {
			return cases[i], true, err
		}
	}
	return memberwatch.Case{}, false, err
}

// EachOpenCase calls visit with every case that is not closed, in order of
// number, until it fails.
func (r *Review) EachOpenCase(visit func(*memberwatch.Case) error) error {
	cursor := r.tx.Bucket(bucketCasesOpen).Cursor()
	for key, _ := cursor.First(); key != nil; key, _ = cursor.Next() {
		c, err := r.Case(memberwatch.NewCaseID(int64(keySequence(key))))
		if err != nil {
			return err
		}
		if err := visit(&c); err != nil {
			return err
		}
	}
	return nil
}

// Cases returns up to limit cases that match and come before a number, the
// newest first; 0 begins at the newest. Numbers never change, so pages stay in
// step while cases come and move. A nil match takes all.
func (p *Platform) Cases(before int64, limit int, match func(*memberwatch.Case) bool) ([]memberwatch.Case, error) {
	return newestFirst(p, bucketCases, before, limit, match, decodeCase)
}

// newestFirst reads a page of numbered records, backwards.
func newestFirst[T any](p *Platform, bucket []byte, before int64, limit int, match func(*T) bool, decode func([]byte) (T, error)) ([]T, error) {
	var page []T
	err := p.db.View(func(tx *bolt.Tx) error {
		var place []byte
		if before > 0 {
			place = sequenceKey(uint64(before))
		}
		rows := tx.Bucket(bucket)
		cursor := rows.Cursor()
		for key := seekBefore(cursor, place); key != nil && len(page) < limit; key, _ = cursor.Prev() {
			item, err := decode(rows.Get(key))
			if err != nil {
				return corruptAt(p.db, bucket, key, err)
			}
			if match == nil || match(&item) {
				page = append(page, item)
			}
		}
		return nil
	})
	return page, err
}

// Signal returns a published signal with its triage, or ErrNotFound.
func (r *Review) Signal(id memberwatch.SignalID) (memberwatch.Signal, error) {
	s, err := r.p.signal(r.tx, []byte(id))
	if err != nil {
		return memberwatch.Signal{}, err
	}
	if s == nil {
		return memberwatch.Signal{}, notFound("SIGNAL_NOT_FOUND", "signal", string(id))
	}
	return *s, nil
}

// PutTriage writes a signal's triage and tells those who watch signals.
func (r *Review) PutTriage(id memberwatch.SignalID, t *memberwatch.Triage) error {
	if err := r.tx.Bucket(bucketTriage).Put([]byte(id), encodeTriage(t)); err != nil {
		return err
	}
	return feed(r.tx, []byte(id))
}

// NewRemediationID numbers the next remediation.
func (r *Review) NewRemediationID() (memberwatch.RemediationID, error) {
	n, err := r.tx.Bucket(bucketRemediations).NextSequence()
	return memberwatch.NewRemediationID(int64(n)), err
}

// Remediation returns a remediation, or ErrNotFound.
func (r *Review) Remediation(id memberwatch.RemediationID) (memberwatch.Remediation, error) {
	m, found := memberwatch.Remediation{}, false
	n, ok := id.RemediationNumber()
	if ok {
		var err error
		if m, found, err = fetch(r, bucketRemediations, sequenceKey(uint64(n)), decodeRemediation); err != nil {
			return m, err
		}
	}
	if !found {
		return m, notFound("REMEDIATION_NOT_FOUND", "remediation", string(id))
	}
	return m, nil
}

// PutRemediation writes a remediation.
func (r *Review) PutRemediation(m *memberwatch.Remediation) error {
	n, ok := m.ID.RemediationNumber()
	if !ok {
		return fmt.Errorf("put remediation %q: %w", m.ID, memberwatch.ErrInvalid)
	}
	w := writer{tx: r.tx}
	w.put(r.tx.Bucket(bucketRemediations), sequenceKey(uint64(n)), encodeRemediation(m))
	w.put(r.tx.Bucket(bucketRemediationsOf), nested(string(m.Case), n), nil)
	return w.err
}

// RemediationsOf returns a case's remediations, oldest first.
func (r *Review) RemediationsOf(c memberwatch.CaseID) ([]memberwatch.Remediation, error) {
	var list []memberwatch.Remediation
	prefix := nestedPrefix(string(c))
	cursor := r.tx.Bucket(bucketRemediationsOf).Cursor()
	for key, _ := cursor.Seek(prefix); hasPrefix(key, prefix); key, _ = cursor.Next() {
		m, err := r.Remediation(memberwatch.NewRemediationID(keyInt64(key[len(prefix):])))
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}

// Remediations is like Cases.
func (p *Platform) Remediations(before int64, limit int, match func(*memberwatch.Remediation) bool) ([]memberwatch.Remediation, error) {
	return newestFirst(p, bucketRemediations, before, limit, match, decodeRemediation)
}

// NewSilenceID numbers the next silence.
func (r *Review) NewSilenceID() (memberwatch.SilenceID, error) {
	n, err := r.tx.Bucket(bucketSilences).NextSequence()
	return memberwatch.NewSilenceID(int64(n)), err
}

// Silence returns a silence, or ErrNotFound.
func (r *Review) Silence(id memberwatch.SilenceID) (memberwatch.Silence, error) {
	s, found := memberwatch.Silence{}, false
	n, ok := id.SilenceNumber()
	if ok {
		var err error
		if s, found, err = fetch(r, bucketSilences, sequenceKey(uint64(n)), decodeSilence); err != nil {
			return s, err
		}
	}
	if !found {
		return s, notFound("SILENCE_NOT_FOUND", "silence", string(id))
	}
	return s, nil
}

// PutSilence writes a silence.
func (r *Review) PutSilence(s *memberwatch.Silence) error {
	n, ok := s.ID.SilenceNumber()
	if !ok {
		return fmt.Errorf("put silence %q: %w", s.ID, memberwatch.ErrInvalid)
	}
	return r.tx.Bucket(bucketSilences).Put(sequenceKey(uint64(n)), encodeSilence(s))
}

// Silences is like Cases.
func (p *Platform) Silences(before int64, limit int, match func(*memberwatch.Silence) bool) ([]memberwatch.Silence, error) {
	return newestFirst(p, bucketSilences, before, limit, match, decodeSilence)
}

// EachSilence calls visit with every silence, oldest first.
func (r *Review) EachSilence(visit func(*memberwatch.Silence) error) error {
	rows := r.tx.Bucket(bucketSilences)
	cursor := rows.Cursor()
	for key, record := cursor.First(); key != nil; key, record = cursor.Next() {
		s, err := decodeSilence(record)
		if err != nil {
			return corruptAt(r.p.db, bucketSilences, bytes.Clone(key), err)
		}
		if err := visit(&s); err != nil {
			return err
		}
	}
	return nil
}

// PutLabel writes what a review says about a signal.
func (r *Review) PutLabel(l *memberwatch.Label) error {
	return r.tx.Bucket(bucketLabels).Put([]byte(l.Signal), encodeLabel(l))
}

// DropLabel takes back what was said about a signal.
func (r *Review) DropLabel(id memberwatch.SignalID) error {
	return r.tx.Bucket(bucketLabels).Delete([]byte(id))
}

// Precisions sums the labels by version of the models and kind of signal, in
// the order of both.
func (p *Platform) Precisions() ([]memberwatch.Precision, error) {
	type key struct {
		model string
		kind  memberwatch.Kind
	}
	sums := make(map[key]*memberwatch.Precision)
	err := p.db.View(func(tx *bolt.Tx) error {
		return each(p.db, tx, bucketLabels, func(_, record []byte) error {
			l, err := decodeLabel(record)
			if err != nil {
				return err
			}
			k := key{l.Model, l.Kind}
			if sums[k] == nil {
				sums[k] = &memberwatch.Precision{Model: l.Model, Kind: l.Kind}
			}
			switch l.Verdict {
			case memberwatch.VerdictAbuse:
				sums[k].Abuse++
			case memberwatch.VerdictExpected:
				sums[k].Expected++
			case memberwatch.VerdictBenign:
				sums[k].Benign++
			}
			return nil
		})
	})
	var all []memberwatch.Precision
	for _, sum := range sums {
		all = append(all, *sum)
	}
	slices.SortFunc(all, func(a, b memberwatch.Precision) int {
		return cmp.Or(cmp.Compare(a.Model, b.Model), cmp.Compare(a.Kind, b.Kind))
	})
	return all, err
}
