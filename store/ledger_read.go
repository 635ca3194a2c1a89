package store

import (
	"bytes"

	"github.com/memberwatch/memberwatch"
	bolt "go.etcd.io/bbolt"
)

// LedgerView is a stored row whose texts and sketches still point into the
// file: they are valid only during the visit.
type LedgerView struct {
	Day             int32  // the first, of a span
	Days            uint64 // bit i: it has access of day Day+i
	Class, App      []byte
	After           bool
	Calls, Records  uint64
	Denials, Late   uint64
	Members, Groups []byte
	Sure            []byte // after By: of the members, those that are known to be the endpoint's
	byEndpoint      []byte // encoded parts; nil in rows of version 1
	span            bool
	shift           uint // of the days of parts
}

// ledgerVersion is the version of ledger rows that say what came by which
// endpoint. Those of version 1 do not.
const ledgerVersion = 2

// decode fills everything but the key of a row of a level.
func (v *LedgerView) decode(level int, record []byte) error {
	if v.span = level != dayLevel; v.span {
		return v.decodeSpan(record)
	}
	return v.decodeDay(record)
}

func (v *LedgerView) decodeDay(record []byte) error {
	version, payload, err := openVersion(record, ledgerVersion)
	d := decoder{b: payload, err: err}
	v.Days, v.byEndpoint = 1, nil
	v.row(&d)
	if version == ledgerVersion {
		v.byEndpoint = d.take(uint64(len(d.b)))
	}
	return d.finish()
}

func (v *LedgerView) row(d *decoder) {
	v.Calls, v.Records, v.Denials, v.Late = d.uint(), d.uint(), d.uint(), d.uint()
	v.Members, v.Groups = d.take(d.uint()), d.take(d.uint())
}

// LedgerRange chooses ledger rows by day, inclusive, and data class.
type LedgerRange struct {
	Since, Until int32
	Class        memberwatch.DataClass
	AnyClass     bool // every class; Class is ignored
	// Wanted chooses rows by app and after; nil: all. Those it does not want cost
	// little.
	Wanted func(app []byte, after bool) bool
}

// Ledger calls visit for every chosen row, by class, app and after. Days that make a
// whole span come as one row, as far as they have been rolled up; longer spans come
// before shorter ones, so that a union that will be large is so at once. When visit
// returns finer, the row of a span comes again as those it is made of, each with the
// same Day and its own bits of Days. The view is valid only during the call, and
// visit must not write to the store. A visit that returns an error ends the walk with
// it.
func (p *Partition) Ledger(r LedgerRange, visit func(row *LedgerView) (finer bool, err error)) error {
	return p.db.View(func(tx *bolt.Tx) error {
		w := writer{tx: tx}
		done := w.rolledUp()
		if w.err != nil {
			return corruptAt(p.db, bucketMeta, keyRollUp, w.err)
		}
		l := ledgerReader{db: p.db, tx: tx, chosen: &r, visit: visit}
		for day, end := int64(r.Since), int64(r.Until)+1; day < end; {
			if s, ok := done.longest(int32(day), r.Until); ok {
				l.open(s.level, s.first)
				day = int64(s.end())
				continue
			}
			next := done.nextSpan(day, end)
			l.openDays(int32(day), int32(next-1))
			day = next
		}
		return l.walk()
	})
}

// ledgerReader reads chosen rows from where they lie: spans, and days between them.
type ledgerReader struct {
	db     *bolt.DB
	tx     *bolt.Tx
	chosen *LedgerRange
	visit  func(row *LedgerView) (finer bool, err error)
	from   []rowsFrom // a heap once walk has begun
	view   LedgerView
}

// open goes to the first chosen row of a span or a day.
func (l *ledgerReader) open(level int, first int32) {
	f := rowsFrom{level: level, cursor: l.tx.Bucket(bucketOf(level)).Cursor(), day: first, prefix: appendKeyDay(nil, first)}
	if !l.chosen.AnyClass {
		f.prefix = appendLedgerPrefix(nil, first, l.chosen.Class)
	}
	if f.take(f.cursor.Seek(f.prefix)); f.key != nil {
		l.from = append(l.from, f)
	}
}

// openDays opens those of the days that have rows.
func (l *ledgerReader) openDays(first, last int32) {
	days := l.tx.Bucket(bucketLedger).Cursor()
	for key, _ := days.Seek(appendKeyDay(nil, first)); key != nil && keyDay(key) <= last; {
		day := keyDay(key)
		if l.open(dayLevel, day); day == last {
			return
		}
		key, _ = days.Seek(appendKeyDay(nil, day+1))
	}
}

// walk visits all rows, name by name.
func (l *ledgerReader) walk() error {
	for i := len(l.from)/2 - 1; i >= 0; i-- {
		l.down(i)
	}
	var name []byte
	wanted := false
	for len(l.from) > 0 {
		f := &l.from[0]
		if name == nil || !bytes.Equal(f.key[4:], name) {
			if err := l.view.parseKey(f.key); err != nil {
				return corruptAt(l.db, bucketOf(f.level), f.key, err)
			}
			name = f.key[4:]
			wanted = l.chosen.Wanted == nil || l.chosen.Wanted(l.view.App, l.view.After)
		}
		if wanted {
			if err := l.show(f.level, f.key, f.value, f.day); err != nil {
				return err
			}
		}
		if f.take(f.cursor.Next()); f.key == nil {
			last := len(l.from) - 1
			l.from[0] = l.from[last]
			l.from = l.from[:last]
		}
		l.down(0)
	}
	return nil
}

// down restores the order of the heap where one of it has gone on.
func (l *ledgerReader) down(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(l.from); child++ {
			if l.from[child].before(&l.from[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		l.from[i], l.from[least] = l.from[least], l.from[i]
		i = least
	}
}

// show decodes and visits a row, by its days from the first on, and what it is made
// of if that is asked for.
func (l *ledgerReader) show(level int, key, value []byte, first int32) error {
	if err := l.view.decode(level, value); err != nil {
		return corruptAt(l.db, bucketOf(level), key, err)
	}
	begin := keyDay(key)
	l.view.shift = uint(begin - first)
	l.view.Day, l.view.Days = first, l.view.Days<<l.view.shift
	finer, err := l.visit(&l.view)
	if err != nil || !finer || level == dayLevel {
		return err
	}
	below := l.tx.Bucket(bucketOf(level - 1))
	for day := begin; day < begin+lengthOf(level); day += lengthOf(level - 1) {
		part := append(appendKeyDay(make([]byte, 0, len(key)), day), key[4:]...)
		if value := below.Get(part); value != nil {
			if err := l.show(level-1, part, value, first); err != nil {
				return err
			}
		}
	}
	return nil
}

// rowsFrom walks the rows of one day, or of one span, in the order of names: what
// is behind the day in their keys.
type rowsFrom struct {
	level      int
	day        int32
	cursor     *bolt.Cursor
	prefix     []byte // as keys begin
	key, value []byte // nil at the end
}

func (f *rowsFrom) take(key, value []byte) {
	if !bytes.HasPrefix(key, f.prefix) {
		key, value = nil, nil
	}
	f.key, f.value = key, value
}

// before orders by name, then by length and day.
func (f *rowsFrom) before(o *rowsFrom) bool {
	order := bytes.Compare(f.key[4:], o.key[4:])
	return order < 0 || order == 0 && (f.level > o.level || f.level == o.level && f.day < o.day)
}
