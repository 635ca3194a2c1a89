package store

import (
	"cmp"
	"slices"

	"github.com/memberwatch/memberwatch"
)

// Parts: a ledger row of a day says what of it came by which endpoint of the
// platform's API. Of more than memberwatch.RowEndpoints endpoints those first in
// order have a part of their own and the others share the rest; which are first
// does not depend on the order in which they came. A single part is the whole
// row, so most rows spend the endpoint's name and two bytes. Rows of version 1
// have no names: to them all endpoints are the rest.

// mostPartMembers bounds the members' sketch of a part beside others, in bytes:
// it holds what a sketch counts exactly, some 128 members. Beyond, only the row
// has it, as a sketch for each endpoint would make the rows of busy apps, written
// with each checkpoint, many times as large.
const mostPartMembers = 1040

// part is what of a row came by one endpoint.
type part struct {
	endpoint                string
	rest                    bool // by all other endpoints
	calls, records, denials uint64
	members                 []byte
	lost                    bool // members became too many
}

func partOf(row *memberwatch.LedgerRow) part {
	return part{endpoint: row.Endpoint, rest: row.Rest, calls: row.Calls, records: row.Records, denials: row.Denials, members: row.Members}
}

// compareParts orders parts by name, the rest last.
func compareParts(a, b part) int {
	switch {
	case a.rest == b.rest:
		return cmp.Compare(a.endpoint, b.endpoint)
	case a.rest:
		return 1
	default:
		return -1
	}
}

// addPart adds what came by an endpoint to the parts of a row, in order.
func addPart(parts []part, more part, merge func(stored, delta []byte) ([]byte, error)) ([]part, error) {
	i, known := slices.BinarySearchFunc(parts, more, compareParts)
	if known && len(parts) == 1 { // the row's own counts and sketch are the part's
		return parts, nil
	}
	if known {
		return parts, parts[i].add(&more, merge)
	}
	for j := range parts {
		parts[j].bound()
	}
	more.bound()
	parts = slices.Insert(parts, i, more)
	named := len(parts)
	if parts[named-1].rest {
		named--
	}
	if named <= memberwatch.RowEndpoints {
		return parts, nil
	}
	last := parts[named-1]
	last.endpoint, last.rest = "", true
	return addPart(slices.Delete(parts, named-1, named), last, merge)
}

// add sums two parts.
func (p *part) add(o *part, merge func(stored, delta []byte) ([]byte, error)) (err error) {
	p.calls += o.calls
	p.records += o.records
	p.denials += o.denials
	if p.lost = p.lost || o.lost; !p.lost {
		p.members, err = mergeSketch(p.members, o.members, merge)
	}
	p.bound()
	return err
}

// bound lets go of members that have become too many.
func (p *part) bound() {
	if p.lost = p.lost || len(p.members) > mostPartMembers; p.lost {
		p.members = nil
	}
}

// partsBytes bounds the encoding of parts.
func partsBytes(parts []part) int {
	n := 8
	for i := range parts {
		n += 48 + len(parts[i].endpoint) + len(parts[i].members)
	}
	return n
}

func (e *encoder) parts(parts []part) {
	rest := parts[len(parts)-1].rest
	named := len(parts)
	if rest {
		named--
	}
	e.uint(uint64(named))
	e.bool(rest)
	for i := range parts {
		p := &parts[i]
		if !p.rest {
			e.string(p.endpoint)
		}
		if len(parts) > 1 {
			e.uint(p.calls)
			e.uint(p.records)
			e.uint(p.denials)
			if e.bool(p.lost); !p.lost {
				e.bytes(p.members)
			}
		}
	}
}

// parts reads what of the row came by which endpoint. Texts are copied, sketches
// point into the file.
func (v *LedgerView) parts() ([]part, error) {
	if v.byEndpoint == nil { // version 1
		return []part{v.whole("", true)}, nil
	}
	d := decoder{b: v.byEndpoint}
	named, rest := d.uint(), d.bool()
	if d.err == nil && (named > memberwatch.RowEndpoints || named == 0 && !rest) {
		d.fail("bad number of endpoints")
	}
	if d.err != nil {
		return nil, d.err
	}
	if named == 0 {
		return []part{v.whole("", true)}, d.finish()
	}
	if named == 1 && !rest {
		return []part{v.whole(d.string(), false)}, d.finish()
	}
	list := make([]part, 0, named+2) // one may be added, and the rest
	for range named {
		list = append(list, d.part(false))
	}
	if rest {
		list = append(list, d.part(true))
	}
	for i := 1; i < len(list) && d.err == nil; i++ {
		if compareParts(list[i-1], list[i]) >= 0 {
			d.fail("endpoints out of order")
		}
	}
	return list, d.finish()
}

// whole is the row as a single part.
func (v *LedgerView) whole(endpoint string, rest bool) part {
	return part{endpoint: endpoint, rest: rest, calls: v.Calls, records: v.Records, denials: v.Denials, members: v.Members}
}

func (d *decoder) part(rest bool) part {
	p := part{rest: rest}
	if !rest {
		p.endpoint = d.string()
	}
	p.calls, p.records, p.denials = d.uint(), d.uint(), d.uint()
	if p.lost = d.bool(); !p.lost {
		p.members = d.take(d.uint())
	}
	return p
}

// Held tells whether a row holds what was asked for.
type Held uint8

// Answers of a row.
const (
	NotHeld Held = iota
	MayHold      // among what is not told apart
	Holds
	Unclear // the rows that a span is made of can tell
)

// By narrows the row to what came by an endpoint: days, counts and members become
// the endpoint's own. Where it lies among others that are not told apart, they are
// all of theirs; members that are not known apart are the whole row's, and exact is
// false; Sure then are those that are. Groups stay the whole row's on those days.
func (v *LedgerView) By(endpoint string) (held Held, exact bool, err error) {
	p, held, err := v.partBy(endpoint)
	if err != nil || held == NotHeld || held == Unclear {
		return held, false, err
	}
	v.Days, v.Calls, v.Records, v.Denials = p.days, p.calls, p.records, p.denials
	v.Members, v.Groups, v.Sure = p.members, p.groups, p.surely()
	return held, p.exact, nil
}

func (v *LedgerView) partBy(endpoint string) (p spanPart, held Held, err error) {
	if v.span {
		return v.bySpan(endpoint)
	}
	parts, err := v.parts()
	if err != nil {
		return p, NotHeld, err
	}
	at := &parts[len(parts)-1]
	if i, found := slices.BinarySearchFunc(parts, part{endpoint: endpoint}, compareParts); found {
		held, at = Holds, &parts[i]
	} else if at.rest {
		held = MayHold
	}
	return v.dayPart(at), held, nil
}
