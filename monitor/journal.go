package monitor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/memberwatch/memberwatch"
)

// journal holds a partition's events since its newest checkpoint. A checkpoint
// writes them as they came, which costs far less than the states of all apps they
// changed; those are written now and then, and the journal before is dropped.
// After a restart the events are applied again to the states.
//
// What is in it changes states by the event alone: whatever closes windows, and
// so depends on the fleet, has the states written.
type journal struct {
	entry    []byte // the events since the newest checkpoint
	revision int64  // of the control changes that its newest event met
	bytes    int    // in the file, since the states were written
}

// Kinds of records in an entry. An event's kind also holds whether it was late,
// and its outcome.
const (
	recordRevision = iota
	recordEvent
	recordLate
	recordKinds

	outcomeShift = 4
)

// add appends an event that was applied after the control changes up to a
// revision.
func (j *journal) add(ev *memberwatch.Event, late bool, revision int64) {
	b := roomFor(j.entry, ev)
	if len(b) == 0 || j.revision != revision {
		j.revision = revision
		b = binary.AppendUvarint(append(b, recordRevision), uint64(revision))
	}
	kind := byte(recordEvent)
	if late {
		kind = recordLate
	}
	b = append(b, kind|byte(ev.Outcome)<<outcomeShift)
	b = binary.LittleEndian.AppendUint64(b, uint64(ev.Time))
	b = binary.LittleEndian.AppendUint64(b, ev.Actor)
	for _, name := range [...]string{string(ev.App), ev.Endpoint, ev.Group, ev.Credential, ev.Network} {
		b = appendName(b, name)
	}
	b = binary.AppendUvarint(b, uint64(len(ev.DataClasses)))
	for _, class := range ev.DataClasses {
		b = appendName(b, class)
	}
	b = binary.AppendUvarint(b, uint64(ev.Missed))
	b = binary.AppendUvarint(b, ev.Records)
	b = appendMembers(b, ev.Disclosed)
	j.entry = appendMembers(b, ev.Requested)
}

// roomFor doubles an entry into which an event may not fit: append would copy a large
// one for each quarter that it grows.
func roomFor(b []byte, ev *memberwatch.Event) []byte {
	const head = 64 // more than the numbers and lengths need, but for those of classes
	need := head + len(ev.App) + len(ev.Endpoint) + len(ev.Group) + len(ev.Credential) + len(ev.Network) + 8*(len(ev.Disclosed)+len(ev.Requested))
	for _, class := range ev.DataClasses {
		need += binary.MaxVarintLen16 + len(class)
	}
	if need <= cap(b)-len(b) {
		return b
	}
	return slices.Grow(b, max(need, len(b)))
}

func appendName(b []byte, name string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(name))), name...)
}

func appendMembers(b []byte, members []uint64) []byte {
	b = binary.AppendUvarint(b, uint64(len(members)))
	at := len(b)
	b = slices.Grow(b, 8*len(members))[:at+8*len(members)]
	for i, m := range members {
		binary.LittleEndian.PutUint64(b[at+8*i:], m)
	}
	return b
}

// take returns the entry for a checkpoint and begins the next one in the memory
// of an older one.
func (j *journal) take(spare []byte) []byte {
	entry := j.entry
	j.bytes += len(entry)
	if j.entry = spare[:0]; cap(spare) > 4*len(entry) {
		j.entry = nil // what a busier time needed
	}
	return entry
}

var errJournal = errors.New("damaged journal entry")

// replay reads an entry: it calls revise before events that met further control
// changes, and apply for each event, whose memory is valid during the call.
func replay(entry []byte, revise func(revision int64), apply func(ev *memberwatch.Event, late bool) error) error {
	r := journalReader{text: string(entry)}
	var ev memberwatch.Event
	for r.err == nil && len(r.text) > 0 {
		kind := r.byte()
		outcome := kind >> outcomeShift
		switch kind &= 1<<outcomeShift - 1; {
		case kind == recordRevision && outcome == 0:
			if revision := r.uint(math.MaxInt64); r.err == nil {
				revise(int64(revision))
			}
			continue
		case kind == recordRevision || kind >= recordKinds || outcome > byte(memberwatch.OutcomeError):
			return fmt.Errorf("%w: unknown record %d", errJournal, kind)
		}
		ev.Outcome = memberwatch.Outcome(outcome)
		r.event(&ev)
		if r.err != nil {
			break
		}
		if err := apply(&ev, kind == recordLate); err != nil {
			return err
		}
	}
	return r.err
}

// journalReader reads an entry. Names are cut from its text. After the first
// mistake every read returns zero.
type journalReader struct {
	text string
	err  error
}

func (r *journalReader) event(ev *memberwatch.Event) {
	ev.Time, ev.Actor = int64(r.word()), r.word()
	ev.App, ev.Endpoint, ev.Group, ev.Credential, ev.Network = memberwatch.AppID(r.name()), r.name(), r.name(), r.name(), r.name()
	ev.DataClasses = ev.DataClasses[:0]
	for n := r.uint(memberwatch.MaxEventClasses); n > 0 && r.err == nil; n-- {
		ev.DataClasses = append(ev.DataClasses, r.name())
	}
	ev.Missed, ev.Records = uint32(r.uint(math.MaxUint32)), r.uint(math.MaxUint64)
	ev.Disclosed = r.members(ev.Disclosed[:0])
	ev.Requested = r.members(ev.Requested[:0])
}

// take cuts off n bytes.
func (r *journalReader) take(n uint64) string {
	if n > uint64(len(r.text)) {
		r.fail("cut short")
		return ""
	}
	s := r.text[:n]
	r.text = r.text[n:]
	return s
}

func (r *journalReader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", errJournal, what)
	}
	r.text = ""
}

func (r *journalReader) byte() byte {
	if s := r.take(1); s != "" {
		return s[0]
	}
	return 0
}

func (r *journalReader) word() (v uint64) {
	s := r.take(8)
	for i := len(s) - 1; i >= 0; i-- {
		v = v<<8 | uint64(s[i])
	}
	return v
}

func (r *journalReader) uint(most uint64) uint64 {
	v, shift := uint64(0), 0
	for {
		b := r.byte()
		if shift == 63 && b > 1 || r.err != nil {
			r.fail("bad number")
			return 0
		}
		if v |= uint64(b&0x7f) << shift; b < 0x80 {
			break
		}
		shift += 7
	}
	if v > most {
		r.fail("number out of range")
		return 0
	}
	return v
}

func (r *journalReader) name() string { return r.take(r.uint(memberwatch.MaxNameBytes)) }

func (r *journalReader) members(list []uint64) []uint64 {
	for n := r.uint(memberwatch.MaxEventMembers); n > 0 && r.err == nil; n-- {
		list = append(list, r.word())
	}
	return list
}
