package store

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/memberwatch/memberwatch"
	bolt "go.etcd.io/bbolt"
)

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

// LabelsOf returns up to limit labels about signals of a kind, the newest first.
func (r *Review) LabelsOf(kind memberwatch.Kind, limit int) (labels []memberwatch.Label, err error) {
	err = each(r.p.db, r.tx, bucketLabels, func(_, record []byte) error {
		l, err := decodeLabel(record)
		if err == nil && l.Kind == kind {
			labels = append(labels, l)
		}
		return err
	})
	slices.SortStableFunc(labels, func(a, b memberwatch.Label) int { return b.Time.Compare(a.Time) })
	return labels[:min(len(labels), limit)], err
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
			default: // says nothing about the detector
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
