package store_test

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/store"
)

// inOrder is the order of a list as it is promised: by rank, then by place.
func inOrder[T any](order memberwatch.Order, rank func(*T) uint64, place func(a, b *T) int) func(a, b T) int {
	return func(a, b T) int {
		c := cmp.Or(cmp.Compare(rank(&a), rank(&b)), place(&a, &b))
		if order.Ascending {
			return c
		}
		return -c
	}
}

// paged reads a whole list in pages.
func paged[T any](t *rapid.T, limit int, read func(after string, limit int) ([]T, string, error)) (all []T) {
	for after, more := "", true; more; more = after != "" {
		page, next, err := read(after, limit)
		if err != nil || len(page) > limit {
			t.Fatalf("%d rows, error %v", len(page), err)
		}
		all, after = append(all, page...), next
	}
	return all
}

func drawOrder(t *rapid.T, fields ...memberwatch.OrderField) memberwatch.Order {
	return memberwatch.Order{By: rapid.SampledFrom(fields).Draw(t, "by"), Ascending: rapid.Bool().Draw(t, "ascending")}
}

// TestSignalsInOrder publishes signals whose ranks change, some of them in shadow
// for a time, and reads them in every order.
func TestSignalsInOrder(t *testing.T) {
	s, err := store.Open(t.TempDir(), store.Options{Partitions: 1, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, s)
	next, known := uint64(0), make(map[memberwatch.SignalID]memberwatch.Signal)
	rapid.Check(t, func(t *rapid.T) {
		for range rapid.IntRange(0, 20).Draw(t, "moves") {
			id := memberwatch.SignalID(fmt.Sprint("s", rapid.IntRange(0, 30).Draw(t, "signal")))
			signal := known[id]
			if signal.ID, signal.Opened = id, int64(len(id)); signal.Revision == 0 {
				signal.Opened = rapid.Int64Range(-3, 3).Draw(t, "opened")
			}
			signal.Revision++
			signal.Shadow = rapid.Bool().Draw(t, "shadow")
			signal.Severity = memberwatch.Severity(rapid.IntRange(1, 4).Draw(t, "severity"))
			signal.Last = rapid.Int64Range(-5, 5).Draw(t, "last")
			signal.Strongest.Stream = memberwatch.Stream(rapid.IntRange(0, 1).Draw(t, "stream"))
			signal.Strongest.ReturnPeriod = rapid.Float64Range(0, 1e9).Draw(t, "period")
			next++
			if err := s.Platform.Publish(0, []store.OutboxRow{{Sequence: next, Update: memberwatch.Update{Signal: signal}}}); err != nil {
				t.Fatal(err)
			}
			known[id] = signal
		}
		order := drawOrder(t, memberwatch.ByOpening, memberwatch.BySeverity, memberwatch.ByEvidence, memberwatch.ByLast)
		shadow := rapid.Bool().Draw(t, "list")
		read := s.Platform.Signals
		if shadow {
			read = s.Platform.ShadowSignals
		}
		got := paged(t, rapid.IntRange(1, 9).Draw(t, "limit"), func(after string, limit int) ([]memberwatch.Signal, string, error) {
			return read(order, after, limit, nil)
		})
		want := slices.DeleteFunc(slices.Collect(maps.Values(known)), func(s memberwatch.Signal) bool { return s.Shadow != shadow })
		slices.SortFunc(want, inOrder(order, func(s *memberwatch.Signal) uint64 { return s.Rank(order.By) }, func(a, b *memberwatch.Signal) int {
			return cmp.Or(cmp.Compare(a.Opened, b.Opened), strings.Compare(string(a.ID), string(b.ID)))
		}))
		if same := slices.EqualFunc(got, want, func(a, b memberwatch.Signal) bool { return a.ID == b.ID && a.Revision == b.Revision }); !same {
			t.Fatalf("order %+v: got %+v, want %+v", order, got, want)
		}
	})
}

// choice is what lists choose cases by.
func choice(c *memberwatch.Case) []any {
	return []any{c.ID, c.App, c.Developer, c.State, c.Severity, c.Verdict, c.Reason, c.Assignee, strings.Join(c.Tags, " "), c.Created, c.Due}
}

// TestCasesInOrder moves cases and reads them in every order, also after a restart
// that finds no index, for signals neither, as in an earlier directory.
func TestCasesInOrder(t *testing.T) {
	dir := t.TempDir()
	s, err := store.Open(dir, store.Options{Partitions: 1, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	known, word := make(map[memberwatch.CaseID]memberwatch.Case), rapid.SampledFrom([]string{"", "a", "b", "crm"})
	check := func(t *rapid.T) {
		order := drawOrder(t, memberwatch.ByOpening, memberwatch.BySeverity, memberwatch.ByDue, memberwatch.ByUpdate)
		got := paged(t, rapid.IntRange(1, 9).Draw(t, "limit"), func(after string, limit int) ([]memberwatch.Case, string, error) {
			return s.Platform.Cases(order, after, limit, func(c *memberwatch.Case) bool {
				if full := known[c.ID]; !reflect.DeepEqual(choice(c), choice(&full)) {
					t.Fatalf("match is shown %+v of %+v", choice(c), choice(&full))
				}
				return c.State != memberwatch.CaseClosed
			})
		})
		want := slices.DeleteFunc(slices.Collect(maps.Values(known)), func(c memberwatch.Case) bool { return c.State == memberwatch.CaseClosed })
		slices.SortFunc(want, inOrder(order, func(c *memberwatch.Case) uint64 { return c.Rank(order.By) }, func(a, b *memberwatch.Case) int {
			x, _ := a.ID.CaseNumber()
			y, _ := b.ID.CaseNumber()
			return cmp.Compare(x, y)
		}))
		if same := slices.EqualFunc(got, want, func(a, b memberwatch.Case) bool { return a.ID == b.ID }); !same {
			t.Fatalf("order %+v: got %+v, want %+v", order, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		for range rapid.IntRange(0, 20).Draw(t, "moves") {
			n := rapid.Int64Range(1, 30).Draw(t, "case")
			c := memberwatch.Case{
				ID: memberwatch.NewCaseID(n), App: memberwatch.AppID(word.Draw(t, "app")), Developer: memberwatch.DeveloperID(word.Draw(t, "developer")),
				Verdict: memberwatch.Verdict(rapid.IntRange(0, 5).Draw(t, "verdict")), Reason: word.Draw(t, "reason"),
				Assignee: memberwatch.Person(word.Draw(t, "assignee")), Tags: rapid.SliceOfN(word, 0, 3).Draw(t, "tags"), State: memberwatch.CaseState(rapid.IntRange(1, 6).Draw(t, "state")),
				Severity: memberwatch.Severity(rapid.IntRange(1, 4).Draw(t, "severity")), Created: at.Add(time.Duration(n)),
				Updated: at.Add(time.Duration(rapid.IntRange(0, 9).Draw(t, "updated"))),
			}
			c.Due = memberwatch.Allowance{Acknowledge: 1, Decide: 5, Remediate: 9}.From(c.Updated)
			if err := s.Platform.Review(func(r *store.Review) error { return r.PutCase(&c) }); err != nil {
				t.Fatal(err)
			}
			known[c.ID] = c
		}
		check(t)
	})
	signal := memberwatch.Signal{ID: "s1", Revision: 1}
	if err := s.Platform.Publish(0, []store.OutboxRow{{Sequence: 1, Update: memberwatch.Update{Signal: signal}}}); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	db, err := bolt.Open(filepath.Join(dir, store.PlatformFile), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		return errors.Join(tx.DeleteBucket([]byte("case-ranks")), tx.DeleteBucket([]byte("signal-ranks")))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = store.Open(dir, store.Options{Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, s)
	rapid.Check(t, check)
	if page, _, err := s.Platform.Signals(memberwatch.Order{By: memberwatch.BySeverity}, "", 9, nil); err != nil || len(page) != 1 {
		t.Errorf("%d signals by severity, error %v", len(page), err)
	}
}
