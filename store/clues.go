package store

import (
	"encoding/binary"

	"github.com/memberwatch/memberwatch"
	bolt "go.etcd.io/bbolt"
)

// clues writes what closed windows were worth: one row for each window and
// entity. The same window written again after a crash replaces its row.
func (w *writer) clues(c *PartitionCommit) {
	rows := w.tx.Bucket(bucketClues)
	for from := 0; from < len(c.Clues); {
		to := from + 1
		for to < len(c.Clues) && sameWindow(&c.Clues[from], &c.Clues[to]) {
			to++
		}
		e := newEncoder(64)
		e.string(string(c.Clues[from].Developer))
		e.uint(uint64(to - from))
		for i := from; i < to; i++ {
			e.string(string(c.Clues[i].Kind))
			e.string(c.Clues[i].Feature)
			e.float(c.Clues[i].Period)
			e.float(c.Clues[i].Share)
		}
		w.put(rows, clueKey(&c.Clues[from]), e.seal())
		from = to
	}
	if c.LedgerFrom != 0 {
		w.deleteBelow(rows, binary.BigEndian.AppendUint64(nil, uint64(int64(c.LedgerFrom)*memberwatch.Day.Length())), expireBatch)
	}
}

func sameWindow(a, b *memberwatch.Clue) bool {
	return a.Window == b.Window && a.App == b.App && a.Developer == b.Developer
}

// clueKey orders rows by the start of their window. Apps and developers stand
// apart; an id of each is unique.
func clueKey(c *memberwatch.Clue) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(c.Window.Start))
	if c.App != "" {
		return append(append(b, byte(c.Window.Scale), 'a'), c.App...)
	}
	return append(append(b, byte(c.Window.Scale), 'd'), c.Developer...)
}

// clueHead is the length of a key before the id.
const clueHead = 8 + 1 + 1

// Clues visits what windows that start from a time on were worth, in order of
// their start.
func (p *Partition) Clues(from int64, visit func(memberwatch.Clue) error) error {
	return p.db.View(func(tx *bolt.Tx) error {
		cursor := tx.Bucket(bucketClues).Cursor()
		for key, record := cursor.Seek(binary.BigEndian.AppendUint64(nil, uint64(max(from, 0)))); key != nil; key, record = cursor.Next() {
			clues, err := decodeClues(key, record)
			if err != nil {
				return corruptAt(p.db, bucketClues, key, err)
			}
			for _, c := range clues {
				if err := visit(c); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func decodeClues(key, record []byte) ([]memberwatch.Clue, error) {
	d := newDecoder(record)
	if len(key) < clueHead {
		d.fail("key cut short")
		return nil, d.finish()
	}
	one := memberwatch.Clue{
		Window:    memberwatch.Window{Scale: memberwatch.Scale(key[8]), Start: int64(binary.BigEndian.Uint64(key))},
		Developer: memberwatch.DeveloperID(d.string()),
	}
	if key[9] == 'a' {
		one.App = memberwatch.AppID(key[clueHead:])
	}
	var clues []memberwatch.Clue
	for n := d.count(); n > 0 && d.err == nil; n-- {
		one.Kind, one.Feature, one.Period, one.Share = memberwatch.Kind(d.string()), d.string(), d.float(), d.float()
		clues = append(clues, one)
	}
	return clues, d.finish()
}
