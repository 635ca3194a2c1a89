package store

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/memberwatch/memberwatch"
)

// appendKeyInt64 appends a number so that keys sort like numbers.
func appendKeyInt64(b []byte, v int64) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(v)^(1<<63))
}

func keyInt64(b []byte) int64 { return int64(binary.BigEndian.Uint64(b) ^ (1 << 63)) }

// sequenceKey is the key of the n-th entry of a log.
func sequenceKey(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// windowKey sorts windows by their end, and hours before days.
func windowKey(w memberwatch.Window) []byte {
	return append(appendKeyInt64(make([]byte, 0, 9), w.End()), byte(w.Scale))
}

func parseWindowKey(key []byte) (memberwatch.Window, error) {
	if len(key) != 9 || key[8] >= byte(memberwatch.Scales) {
		return memberwatch.Window{}, fmt.Errorf("%w: window key %x", ErrCorrupt, key)
	}
	scale := memberwatch.Scale(key[8])
	return memberwatch.Window{Scale: scale, Start: keyInt64(key) - scale.Length()}, nil
}

// appendKeyDay appends a day so that keys sort like days.
func appendKeyDay(b []byte, day int32) []byte {
	return binary.BigEndian.AppendUint32(b, uint32(day)^(1<<31))
}

func keyDay(key []byte) int32 { return int32(binary.BigEndian.Uint32(key) ^ (1 << 31)) }

// appendLedgerPrefix begins a ledger key: day and class, the class with its
// length (at most 128) before it, so that no class is the beginning of another.
func appendLedgerPrefix(b []byte, day int32, class memberwatch.DataClass) []byte {
	b = append(appendKeyDay(b, day), byte(len(class)))
	return append(b, class...)
}

// ledgerKey orders rows by day, class, app, and whether a restriction was
// broken.
func appendLedgerKey(b []byte, k *memberwatch.LedgerKey) ([]byte, error) {
	if len(k.Class) > math.MaxUint8 {
		return nil, fmt.Errorf("ledger row of app %q: data class of %d bytes", k.App, len(k.Class))
	}
	b = appendLedgerPrefix(b, k.Day, k.Class)
	b = append(b, k.App...)
	if k.After {
		return append(b, 1), nil
	}
	return append(b, 0), nil
}

// parseKey fills the parts of the key; its texts point into the key.
func (v *LedgerView) parseKey(key []byte) error {
	if len(key) < 6 || len(key) < 6+int(key[4]) || key[len(key)-1] > 1 {
		return fmt.Errorf("%w: ledger key %x", ErrCorrupt, key)
	}
	v.Day = keyDay(key)
	v.Class = key[5 : 5+int(key[4])]
	v.App = key[5+len(v.Class) : len(key)-1]
	v.After = key[len(key)-1] == 1
	return nil
}

// timeKey is time, then a name: the order of the signal index.
func timeKey(t int64, name string) []byte {
	return append(appendKeyInt64(make([]byte, 0, 8+len(name)), t), name...)
}

func keySequence(key []byte) uint64 { return binary.BigEndian.Uint64(key) }
