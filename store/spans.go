package store

import (
	"bytes"
)

// Spans: once the days of a span are over, their ledger rows of one class, app
// and after are united into one. Spans are 4, 8, 16, 32 and 64 days long, each made
// of two of the next shorter, so that any range of days is a few of them: two months
// are some seven rows of an app, not sixty. The daily rows stay, for ranges begin
// anywhere. Spans are derived from the ledger and could be made again from it.

// spanDays are the lengths of spans, shortest first. Each divides the next, and a
// span of length n begins with a day that n divides.
var spanDays = [...]int32{4, 8, 16, 32, 64}

// bucketSpans have the spans of each length: first day, class, app, after, as in
// the ledger.
var bucketSpans = [len(spanDays)][]byte{
	[]byte("days-4"), []byte("days-8"), []byte("days-16"), []byte("days-32"), []byte("days-64"),
}

// rollUpBatch bounds how many rows of spans one commit makes.
const rollUpBatch = 1000

// dayLevel is the level of rows that are no spans.
const dayLevel = -1

// daySpan is a run of days: level is the index of its length.
type daySpan struct {
	level int
	first int32
}

// daySpanOf returns the span of a level that a day lies in.
func daySpanOf(level int, day int32) daySpan {
	n := spanDays[level]
	return daySpan{level, day - ((day%n)+n)%n}
}

func (s daySpan) end() int32 { return s.first + spanDays[s.level] }

// next returns the span that is made after this one: the longer one that ends
// with it, else the shortest behind it.
func (s daySpan) next() daySpan {
	if longer := s.level + 1; longer < len(spanDays) && s.end()%spanDays[longer] == 0 {
		return daySpanOf(longer, s.first)
	}
	return daySpan{0, s.end()}
}

// before tells which of two spans is made first.
func (s daySpan) before(o daySpan) bool {
	return s.end() < o.end() || s.end() == o.end() && s.level < o.level
}

// rollUp is how far the ledger has been rolled up: all spans that begin with day
// first or later and are made before the one at hand, and of that the rows up to a
// name.
type rollUp struct {
	begun bool
	first int32
	at    daySpan
	upTo  []byte // a ledger key without its day; empty: none yet
}

// done tells whether a span is complete.
func (r *rollUp) done(s daySpan) bool { return r.begun && s.first >= r.first && s.before(r.at) }

// has tells whether a span has its row of a name already.
func (r *rollUp) has(s daySpan, name []byte) bool {
	return r.done(s) || r.begun && s == r.at && bytes.Compare(name, r.upTo) <= 0
}

// longest returns the longest span that begins with a day and ends by another.
func (r *rollUp) longest(day, until int32) (daySpan, bool) {
	for level := len(spanDays) - 1; level >= 0; level-- {
		if s := daySpanOf(level, day); s.first == day && s.end()-1 <= until && r.done(s) {
			return s, true
		}
	}
	return daySpan{}, false
}

// nextSpan returns the first day from which on there may be spans, or the end.
func (r *rollUp) nextSpan(day, end int64) int64 {
	switch {
	case !r.begun:
		return end
	case day < int64(r.first):
		return min(int64(r.first), end)
	case day+1 >= int64(r.at.end()):
		return end
	default:
		return min(day+1, end)
	}
}

// rolledUp reads how far the ledger has been rolled up.
func (w *writer) rolledUp() *rollUp {
	r := &rollUp{}
	record := w.tx.Bucket(bucketMeta).Get(keyRollUp)
	if record == nil || w.err != nil {
		return r
	}
	d := newDecoder(record)
	r.begun, r.first = true, d.int32()
	r.at = daySpan{int(d.byte()), d.int32()}
	r.upTo = bytes.Clone(d.take(d.uint()))
	if r.at.level >= len(spanDays) {
		d.fail("bad span")
		r.at.level = 0
	}
	w.err = d.finish()
	return r
}

func (w *writer) putRollUp(r *rollUp) {
	e := newEncoder(20 + len(r.upTo))
	e.int(int64(r.first))
	e.uint(uint64(r.at.level))
	e.int(int64(r.at.first))
	e.bytes(r.upTo)
	w.put(w.tx.Bucket(bucketMeta), keyRollUp, e.seal())
}

// rollUp makes the next rows of spans that end before a day.
func (w *writer) rollUp(below int32, merge mergeFunc) {
	if below == 0 || w.err != nil {
		return
	}
	r := w.rolledUp()
	if !r.begun {
		key, _ := w.tx.Bucket(bucketLedger).Cursor().First()
		if key == nil {
			return
		}
		r.begun, r.first = true, daySpanOf(len(spanDays)-1, keyDay(key)).first
		r.at = daySpan{0, r.first}
	}
	for left := rollUpBatch; left > 0 && w.err == nil && r.at.end() <= below; left-- {
		left -= w.rollUpSpan(r, left, merge)
	}
	w.putRollUp(r)
}

// rollUpSpan makes up to so many rows of the span at hand, and goes on to the next
// span when there are no more.
func (w *writer) rollUpSpan(r *rollUp, most int, merge mergeFunc) (made int) {
	parts := w.openSpan(r)
	for ; made < most && w.err == nil; made++ {
		name := leastName(parts)
		if name == nil {
			r.at, r.upTo = r.at.next(), nil
			return made
		}
		r.upTo = bytes.Clone(name)
		sum := spanSum{first: r.at.first, merge: merge}
		for i := range parts {
			if p := &parts[i]; p.key != nil && bytes.Equal(p.key[4:], r.upTo) {
				w.unite(&sum, p.key, p.value, r.at.level-1)
				p.take(p.cursor.Next())
			}
		}
		w.putSpan(r.at, r.upTo, &sum)
	}
	return made
}

func leastName(parts []rowsFrom) (least []byte) {
	for i := range parts {
		if key := parts[i].key; key != nil && (least == nil || bytes.Compare(key[4:], least) < 0) {
			least = key[4:]
		}
	}
	return least
}

// openSpan goes to the rows behind those that are done, in all that the span at
// hand is made of.
func (w *writer) openSpan(r *rollUp) (parts []rowsFrom) {
	bucket := bucketOf(r.at.level - 1)
	for day := r.at.first; day < r.at.end(); day += lengthOf(r.at.level - 1) {
		p := rowsFrom{cursor: w.tx.Bucket(bucket).Cursor(), prefix: appendKeyDay(nil, day)}
		from := append(bytes.Clone(p.prefix), r.upTo...)
		key, value := p.cursor.Seek(from)
		if len(r.upTo) > 0 && bytes.Equal(key, from) {
			key, value = p.cursor.Next()
		}
		p.take(key, value)
		parts = append(parts, p)
	}
	return parts
}

// bucketOf has the rows of a level.
func bucketOf(level int) []byte {
	if level == dayLevel {
		return bucketLedger
	}
	return bucketSpans[level]
}

// lengthOf is how many days a row of a level has.
func lengthOf(level int) int32 {
	if level == dayLevel {
		return 1
	}
	return spanDays[level]
}

// remake makes the rows of a name anew in all spans that have taken in a day.
func (w *writer) remake(done *rollUp, key []byte, merge mergeFunc) {
	for level := range spanDays {
		if s := daySpanOf(level, keyDay(key)); done.has(s, key[4:]) {
			sum := spanSum{first: s.first, merge: merge}
			w.uniteSpan(&sum, s, key[4:])
			w.putSpan(s, key[4:], &sum)
		}
	}
}

// unite adds a row of a level to the sum. A damaged row of a day is left out: who
// adds to it or reads it finds it. A damaged span is made anew.
func (w *writer) unite(sum *spanSum, key, record []byte, level int) {
	view := LedgerView{Day: keyDay(key)}
	if view.decode(level, record) == nil && sum.add(&view) == nil || level == dayLevel {
		return
	}
	w.uniteSpan(sum, daySpan{level, view.Day}, key[4:])
}

// uniteSpan adds the rows that the row of a span is made of.
func (w *writer) uniteSpan(sum *spanSum, s daySpan, name []byte) {
	below := w.tx.Bucket(bucketOf(s.level - 1))
	for day := s.first; day < s.end(); day += lengthOf(s.level - 1) {
		key := append(appendKeyDay(nil, day), name...)
		if record := below.Get(key); record != nil {
			w.unite(sum, key, record, s.level-1)
		}
	}
}

func (w *writer) putSpan(s daySpan, name []byte, sum *spanSum) {
	if sum.days == 0 || w.err != nil {
		return
	}
	e := w.encoder(sum.bytes())
	sum.encode(e)
	w.put(w.tx.Bucket(bucketSpans[s.level]), append(appendKeyDay(nil, s.first), name...), w.cut(e))
}
