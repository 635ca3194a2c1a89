package detector

import (
	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/sketch"
)

// The ledger's deltas are told apart by endpoint: an event enters one delta of
// each data class, as it would without. Of more than memberwatch.RowEndpoints
// names those first in order stay and the others are summed. A name among the
// first of all is among the first of any part, so the sums do not depend on where
// a checkpoint cuts the stream.

// delta returns the index of the ledger delta of a key and an endpoint. Names may
// be borrowed.
func (e *Engine) delta(s *State, day int32, class string, after bool, endpoint string) int {
	named, last, rest := 0, -1, -1
	for i := range s.ledger {
		d := &s.ledger[i]
		switch k := &d.Key; {
		case k.Day != day || k.After != after || string(k.Class) != class:
		case d.Rest:
			rest = i
		case d.Endpoint == endpoint:
			return i
		default:
			if named++; last < 0 || d.Endpoint > s.ledger[last].Endpoint {
				last = i
			}
		}
	}
	if named < memberwatch.RowEndpoints {
		i := e.newDelta(s, day, class, after)
		s.ledger[i].Endpoint = e.shared(endpoint)
		return i
	}
	if rest < 0 {
		rest = e.newDelta(s, day, class, after)
		s.ledger[rest].Rest = true
	}
	if endpoint > s.ledger[last].Endpoint {
		return rest
	}
	s.unshare() // hours, what is recent and the tab name the delta by its index
	s.closeTab()
	d := &s.ledger[last]
	s.ledger[rest].take(d)
	d.clear()
	d.Endpoint = e.shared(endpoint)
	return last
}

// newDelta returns the index of an empty delta of a key.
func (e *Engine) newDelta(s *State, day int32, class string, after bool) int {
	if len(s.ledger) < cap(s.ledger) {
		s.ledger = s.ledger[:len(s.ledger)+1]
	} else {
		s.ledger = append(s.ledger, LedgerDelta{})
	}
	d := &s.ledger[len(s.ledger)-1]
	d.clear()
	d.Endpoint, d.Rest = "", false
	d.Key.Class = memberwatch.DataClass(e.shared(class))
	d.Key.Day, d.Key.App, d.Key.After = day, s.App, after
	return len(s.ledger) - 1
}

// clear empties the delta, all but its key, and keeps its memory, unless some burst
// made it large or it is lent.
func (d *LedgerDelta) clear() {
	d.Calls, d.Records, d.Denials, d.Late = 0, 0, 0, 0
	if d.lent || !d.Members.Exact() {
		d.Members = sketch.Distinct{}
	}
	if d.lent {
		d.Groups, d.lent = sketch.Distinct{}, false
	}
	d.Members.Reset()
	d.Groups.Reset()
}

// take adds another delta of the same key.
func (d *LedgerDelta) take(o *LedgerDelta) {
	d.Calls += o.Calls
	d.Records += o.Records
	d.Denials += o.Denials
	d.Late += o.Late
	d.Members.Merge(&o.Members)
	d.Groups.Merge(&o.Groups)
}

// GroupKey is the key under which a group is counted in the ledger's sketches.
func GroupKey(group string) uint64 { return hash64(group) }
