package store

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/memberwatch/memberwatch"
)

// Rows of spans. Beside the sums a row says which days had access, and what of it
// came by which endpoint, as asking day after day would: the days that hold the
// endpoint, their counts and groups, and members as far as they are known apart,
// else those of the whole day; and the members that are sure. What equals the
// row's own is not repeated, so an app with one endpoint spends a name and a byte.
// With more than memberwatch.RowEndpoints endpoints only the days can tell.

// spanPart is what of a span came by one endpoint.
type spanPart struct {
	endpoint                string
	rest                    bool // by endpoints that are not told apart
	days                    uint64
	calls, records, denials uint64
	members, groups         []byte
	exact                   bool   // the members are known apart on all days
	sure                    []byte // else those of the days on which they are
}

// surely are the members that are known apart.
func (p *spanPart) surely() []byte {
	if p.exact {
		return p.members
	}
	return p.sure
}

// spanSum unites rows of days or shorter spans.
type spanSum struct {
	first  int32
	merge  mergeFunc
	days   uint64
	row    memberwatch.LedgerRow
	parts  []spanPart // in order, the rest last
	coarse bool       // there are too many for parts
}

// add takes in one row. An error means that it is damaged, and nothing has changed.
func (s *spanSum) add(v *LedgerView) error {
	row := v.counts()
	if s.days != 0 {
		var err error
		if row, err = v.plus(&s.row, s.merge); err != nil {
			return err
		}
	}
	parts, coarse, err := v.spanParts()
	if err != nil {
		return err
	}
	shift := uint(v.Day - s.first)
	if coarse = coarse || s.coarse; !coarse {
		for i := range parts {
			parts[i].days <<= shift
		}
		if parts, err = s.join(parts, v, &row); err != nil {
			return err
		}
		coarse = len(parts) > memberwatch.RowEndpoints+1 || len(parts) > memberwatch.RowEndpoints && !parts[len(parts)-1].rest
	}
	if s.parts, s.coarse = parts, coarse; coarse {
		s.parts = nil
	}
	s.days |= v.Days << shift
	s.row = row
	return nil
}

// join sums the parts of a row with those so far.
func (s *spanSum) join(more []spanPart, v *LedgerView, row *memberwatch.LedgerRow) (sum []spanPart, err error) {
	sum = make([]spanPart, 0, len(s.parts)+len(more))
	mine := s.parts
	for i := range more {
		p := more[i]
		for len(mine) > 0 && compareSpanParts(mine[0], p) < 0 {
			sum, mine = append(sum, mine[0]), mine[1:]
		}
		if len(mine) > 0 && compareSpanParts(mine[0], p) == 0 {
			if p, err = s.unite(&mine[0], &p, v, row); err != nil {
				return nil, err
			}
			mine = mine[1:]
		}
		sum = append(sum, p)
	}
	return append(sum, mine...), nil
}

func compareSpanParts(a, b spanPart) int {
	return compareParts(part{endpoint: a.endpoint, rest: a.rest}, part{endpoint: b.endpoint, rest: b.rest})
}

// unite sums two parts of one endpoint. Where both are the whole of their rows, so
// is the sum: its sketches are made already.
func (s *spanSum) unite(a, b *spanPart, v *LedgerView, row *memberwatch.LedgerRow) (p spanPart, err error) {
	p = *a
	p.days |= b.days
	p.calls += b.calls
	p.records += b.records
	p.denials += b.denials
	p.members = row.Members
	if !same(a.members, s.row.Members) || !same(b.members, v.Members) {
		if p.members, err = mergeSketch(a.members, b.members, s.merge); err != nil {
			return p, err
		}
	}
	p.groups = row.Groups
	if !same(a.groups, s.row.Groups) || !same(b.groups, v.Groups) {
		if p.groups, err = mergeSketch(a.groups, b.groups, s.merge); err != nil {
			return p, err
		}
	}
	if p.exact = a.exact && b.exact; !p.exact {
		p.sure, err = mergeSketch(a.surely(), b.surely(), s.merge)
	}
	return p, err
}

// same tells whether two encoded sketches are equal; most are the same bytes.
func same(a, b []byte) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0] || bytes.Equal(a, b))
}

// bytes bounds the encoding.
func (s *spanSum) bytes() int {
	n := rowBytes + 2*frameBytes + len(s.row.Members) + len(s.row.Groups)
	for i := range s.parts {
		p := &s.parts[i]
		n += 64 + len(p.endpoint) + len(p.members) + len(p.groups) + len(p.sure)
	}
	return n
}

// What of a part is left out: what equals the row's own, and sure members where all
// are.
const (
	ownDays = 1 << iota
	ownCounts
	ownMembers
	ownGroups
	allExact
)

// encode writes a whole record. Sums and parts have a checksum each: most
// questions leave the parts alone.
func (s *spanSum) encode(e *encoder) {
	e.uint(s.days)
	e.row(&s.row)
	e.check(0)
	from := len(e.b)
	e.bool(s.coarse)
	e.uint(uint64(len(s.parts)))
	for i := range s.parts {
		s.encodePart(e, &s.parts[i])
	}
	e.check(from)
}

func (s *spanSum) encodePart(e *encoder, p *spanPart) {
	left := func(equal bool, bit byte) byte {
		if equal {
			return bit
		}
		return 0
	}
	out := left(p.days == s.days, ownDays) | left(p.calls == s.row.Calls && p.records == s.row.Records && p.denials == s.row.Denials, ownCounts) |
		left(same(p.members, s.row.Members), ownMembers) | left(same(p.groups, s.row.Groups), ownGroups) | left(p.exact, allExact)
	e.bool(p.rest)
	e.string(p.endpoint)
	e.b = append(e.b, out)
	if out&ownDays == 0 {
		e.uint(p.days)
	}
	if out&ownCounts == 0 {
		e.uint(p.calls)
		e.uint(p.records)
		e.uint(p.denials)
	}
	if out&ownMembers == 0 {
		e.bytes(p.members)
	}
	if out&ownGroups == 0 {
		e.bytes(p.groups)
	}
	if out&allExact == 0 {
		e.bytes(p.sure)
	}
}

// decodeSpan fills everything but the key of a row of a span.
func (v *LedgerView) decodeSpan(record []byte) error {
	if len(record) == 0 || record[0] != recordVersion {
		return fmt.Errorf("%w: version of a span", ErrCorrupt)
	}
	d := decoder{b: record[1:]}
	v.Days = d.uint()
	v.row(&d)
	d.take(4)
	if d.err == nil && v.Days == 0 {
		d.fail("a span without days")
	}
	if d.err != nil {
		return d.err
	}
	v.byEndpoint = d.b
	_, err := checked(record[:len(record)-len(d.b)])
	return err
}

// spanReader reads the parts of a span one after the other.
type spanReader struct {
	d      decoder
	v      *LedgerView
	coarse bool
	left   uint64
}

func (v *LedgerView) readSpan() spanReader {
	body, err := checked(v.byEndpoint)
	r := spanReader{d: decoder{b: body, err: err}, v: v}
	r.coarse, r.left = r.d.bool(), r.d.uint()
	return r
}

// next reads a part but for its name, which is returned beside it and points into
// the file, as sketches do.
func (r *spanReader) next() (p spanPart, endpoint []byte) {
	d, v := &r.d, r.v
	r.left--
	p = spanPart{rest: d.bool(), days: v.Days, calls: v.Calls, records: v.Records, denials: v.Denials, members: v.Members, groups: v.Groups}
	endpoint = d.take(d.uint())
	out := d.take(1)
	if d.err == nil && out[0] > ownDays|ownCounts|ownMembers|ownGroups|allExact {
		d.fail("bad flags")
	}
	if d.err != nil {
		r.left = 0
		return p, endpoint
	}
	if out[0]&ownDays == 0 {
		p.days = d.uint() << v.shift
	}
	if out[0]&ownCounts == 0 {
		p.calls, p.records, p.denials = d.uint(), d.uint(), d.uint()
	}
	if out[0]&ownMembers == 0 {
		p.members = d.take(d.uint())
	}
	if out[0]&ownGroups == 0 {
		p.groups = d.take(d.uint())
	}
	if p.exact = out[0]&allExact != 0; !p.exact {
		p.sure = d.take(d.uint())
	}
	return p, endpoint
}

// spanParts returns the parts of a row, of a span or of a day, as spans hold them.
// Texts are copied, sketches point into the file.
func (v *LedgerView) spanParts() (list []spanPart, coarse bool, err error) {
	if !v.span {
		parts, err := v.parts()
		for i := range parts {
			list = append(list, v.dayPart(&parts[i]))
		}
		return list, false, err
	}
	r := v.readSpan()
	for r.left > 0 {
		p, endpoint := r.next()
		p.endpoint = string(endpoint)
		list = append(list, p)
	}
	if r.d.err == nil && !slices.IsSortedFunc(list, compareSpanParts) {
		r.d.fail("endpoints out of order")
	}
	return list, r.coarse, r.d.finish()
}

// dayPart is a part of a day as spans hold it.
func (v *LedgerView) dayPart(p *part) spanPart {
	of := spanPart{
		endpoint: p.endpoint, rest: p.rest, days: v.Days, calls: p.calls, records: p.records, denials: p.denials,
		members: p.members, groups: v.Groups, exact: !p.lost && !p.rest,
	}
	if p.lost {
		of.members = v.Members
	}
	return of
}

// bySpan finds what of a span came by an endpoint.
func (v *LedgerView) bySpan(endpoint string) (p spanPart, held Held, err error) {
	var rest spanPart
	r := v.readSpan()
	for r.left > 0 {
		next, name := r.next()
		switch {
		case next.rest:
			rest = next
		case string(name) == endpoint:
			p, held = next, Holds
		}
	}
	switch {
	case r.coarse || held == Holds && rest.days&^p.days != 0:
		return p, Unclear, r.d.finish()
	case held == NotHeld && rest.days != 0:
		return rest, MayHold, r.d.finish()
	}
	return p, held, r.d.finish()
}
