package detector

import (
	"strings"

	"github.com/memberwatch/memberwatch"
)

// The ledger's deltas are told apart by endpoint: an event enters one delta of
// each data class, as it would without. Of more than memberwatch.RowEndpoints
// names those first in order stay and the others are summed. A name among the
// first of all is among the first of any part, so the sums do not depend on where
// a checkpoint cuts the stream.

// delta returns the index of the ledger delta of a key and an endpoint. Texts may
// be borrowed.
func (s *State) delta(day int32, class string, after bool, endpoint string) int {
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
		i := s.newDelta(day, class, after)
		s.ledger[i].name(endpoint)
		return i
	}
	if rest < 0 {
		rest = s.newDelta(day, class, after)
		s.ledger[rest].Rest = true
		s.ledger[rest].name("")
	}
	if endpoint > s.ledger[last].Endpoint {
		return rest
	}
	s.book() // what is recent names the delta by its index
	d := &s.ledger[last]
	s.ledger[rest].take(d)
	d.clear()
	d.name(endpoint)
	return last
}

// newDelta returns the index of an empty delta of a key.
func (s *State) newDelta(day int32, class string, after bool) int {
	if len(s.ledger) < cap(s.ledger) {
		s.ledger = s.ledger[:len(s.ledger)+1]
	} else {
		s.ledger = append(s.ledger, LedgerDelta{})
	}
	d := &s.ledger[len(s.ledger)-1]
	d.clear()
	d.Rest = false
	if string(d.Key.Class) != class { // a reused delta mostly has the same class: copy its name only if not
		d.Key.Class = memberwatch.DataClass(strings.Clone(class))
	}
	d.Key.Day, d.Key.App, d.Key.After = day, s.App, after
	return len(s.ledger) - 1
}

func (d *LedgerDelta) clear() {
	d.Calls, d.Records, d.Denials, d.Late = 0, 0, 0, 0
	d.Members.Reset()
	d.Groups.Reset()
}

// name sets the endpoint; a reused delta mostly has the same.
func (d *LedgerDelta) name(endpoint string) {
	if d.Endpoint != endpoint {
		d.Endpoint = strings.Clone(endpoint)
	}
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
func GroupKey(group string) uint64 { return hashName(group) }
