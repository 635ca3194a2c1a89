package store_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/store"
)

func update(sequence uint64, id memberwatch.SignalID, opened, revision, ended, finding int64) store.OutboxRow {
	u := memberwatch.Update{Signal: memberwatch.Signal{ID: id, Opened: opened, Revision: revision, Ended: ended}}
	if finding > 0 {
		u.Finding = &memberwatch.Finding{Number: finding, Sentence: fmt.Sprint("finding ", finding)}
	}
	return store.OutboxRow{Sequence: sequence, Update: u}
}

func publish(t *testing.T, p *store.Platform, partition int, rows ...store.OutboxRow) {
	t.Helper()
	if err := p.Publish(partition, rows); err != nil {
		t.Fatal(err)
	}
}

func TestPublishingTwiceIsPublishingOnce(t *testing.T) {
	rows := []store.OutboxRow{
		update(1, "a", 10, 1, 0, 1), update(2, "b", 20, 1, 0, 1), update(3, "a", 10, 2, 0, 2), update(4, "b", 20, 2, 99, 0),
	}
	once, again := t.TempDir(), t.TempDir()
	s := openStore(t, once)
	publish(t, s.Platform, 0, rows...)
	closeStore(t, s)
	s = openStore(t, again)
	publish(t, s.Platform, 0, rows[:1]...)
	publish(t, s.Platform, 0, rows[:3]...)
	publish(t, s.Platform, 0, rows...)
	publish(t, s.Platform, 0, rows...)
	publish(t, s.Platform, 1, update(1, "a", 10, 1, 0, 1)) // an older revision by another way
	counts, err := s.Platform.SignalCounts()
	if err != nil || counts != (store.SignalCounts{Opened: 2, Open: 1}) {
		t.Errorf("counts %+v, %v", counts, err)
	}
	closeStore(t, s)
	if a, b := dumped(t, once), dumped(t, again); a != b {
		t.Errorf("dumps differ:\n%s\n%s", a, b)
	}
}

func dumped(t *testing.T, dir string) string {
	t.Helper()
	var b bytes.Buffer
	if err := store.Dump(dir, &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestSignalsComeNewestFirstAndPagesStayInStep(t *testing.T) {
	s := openStore(t, t.TempDir())
	defer closeStore(t, s)
	for i := range int64(7) {
		publish(t, s.Platform, 0, update(uint64(i+1), memberwatch.SignalID(fmt.Sprint("s", i)), i/2, 1, 0, 0))
	}
	var seen []memberwatch.SignalID
	for cursor, pages := "", 0; ; pages++ {
		page, next, err := s.Platform.Signals(memberwatch.Order{}, cursor, 3, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, signal := range page {
			seen = append(seen, signal.ID)
		}
		if next == "" {
			break
		}
		// What opens or changes between two pages moves nothing that is still to come.
		publish(t, s.Platform, 0, update(uint64(100+2*pages), memberwatch.SignalID(fmt.Sprint("n", pages)), 50, 1, 0, 0),
			update(uint64(101+2*pages), "s1", 0, int64(pages+2), 0, 0))
		cursor = next
	}
	if want := []memberwatch.SignalID{"s6", "s5", "s4", "s3", "s2", "s1", "s0"}; !slices.Equal(seen, want) {
		t.Errorf("signals %v, want %v", seen, want)
	}
	if _, _, err := s.Platform.Signals(memberwatch.Order{}, "%%", 3, nil); err == nil {
		t.Error("a foreign cursor was taken")
	}
}

func TestTheFeedHoldsEachSignalOnceAtItsNewestChange(t *testing.T) {
	s := openStore(t, t.TempDir())
	defer closeStore(t, s)
	publish(t, s.Platform, 0, update(1, "a", 1, 1, 0, 0), update(2, "b", 2, 1, 0, 0), update(3, "a", 1, 2, 0, 0))
	changed, place, err := s.Platform.SignalsSince(0, 10)
	if err != nil || len(changed) != 2 || changed[0].ID != "b" || changed[1].ID != "a" || changed[1].Revision != 2 {
		t.Fatalf("changes %+v, %v", changed, err)
	}
	if newest, _ := s.Platform.FeedPlace(); newest != place {
		t.Errorf("read up to %d, the feed reaches %d", place, newest)
	}
	publish(t, s.Platform, 0, update(4, "b", 2, 2, 9, 0))
	changed, _, err = s.Platform.SignalsSince(place, 10)
	if err != nil || len(changed) != 1 || changed[0].ID != "b" {
		t.Errorf("later changes %+v, %v", changed, err)
	}
}

func TestTheNewestFindingsAreKept(t *testing.T) {
	s := openStore(t, t.TempDir())
	defer closeStore(t, s)
	for i := range int64(130) {
		publish(t, s.Platform, 0, update(uint64(i+1), "a", 1, i+1, 0, i+1))
	}
	publish(t, s.Platform, 1, update(1, "ab", 1, 1, 0, 1))
	findings, err := s.Platform.Findings("a")
	if err != nil || len(findings) != store.KeptFindings+1 || findings[0].Number != 1 || findings[1].Number != 31 || findings[100].Number != 130 {
		t.Errorf("%d findings, %v", len(findings), err)
	}
}

func TestControlChangesAreNumberedAndKept(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	now := time.Unix(1000, 0).UTC()
	ana := memberwatch.WithPerson(t.Context(), "ana")
	app, err := s.Platform.PutApp(ana, memberwatch.App{ID: "crm", Developer: "acme"}, now)
	if err != nil || app.Revision != 1 || !app.App.Created.Equal(now) {
		t.Fatalf("change %+v, %v", app, err)
	}
	restriction := memberwatch.Restriction{ID: "r", Class: "name", Effective: now}
	if change, err := s.Platform.PutRestriction(ana, restriction, now); err != nil || change.Restriction.Revision != 2 {
		t.Fatalf("change %+v, %v", change, err)
	}
	later := now.Add(time.Hour)
	app, err = s.Platform.PutApp(ana, memberwatch.App{ID: "crm", Developer: "acme", Category: "crm"}, later)
	if err != nil || !app.App.Created.Equal(now) || !app.App.Updated.Equal(later) {
		t.Errorf("declared anew: %+v, %v", app.App, err)
	}
	if _, err := s.Platform.LiftRestriction(ana, "r", now.Add(-time.Hour), later); err == nil {
		t.Error("lifted before it begins")
	}
	if _, err := s.Platform.LiftRestriction(ana, "none", later, later); err == nil {
		t.Error("lifted what does not exist")
	}
	if change, err := s.Platform.LiftRestriction(ana, "r", later, later); err != nil || change.Revision != 4 || !change.Restriction.Lifted.Equal(later) {
		t.Errorf("lifted %+v, %v", change, err)
	}
	closeStore(t, s)
	s = openStore(t, dir)
	defer closeStore(t, s)
	changes, err := s.Platform.Changes(1, 2)
	if err != nil || len(changes) != 2 || changes[0].Revision != 2 || changes[1].App.Category != "crm" {
		t.Errorf("log %+v, %v", changes, err)
	}
}

func TestFleetPublishesWithItsStep(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	step := store.FleetCommit{Through: 7, Updates: []memberwatch.Update{update(0, "f", 5, 1, 0, 1).Update, update(0, "f", 5, 2, 6, 0).Update}}
	for range 2 { // the second is a step whose success was not heard of
		if err := s.Platform.CommitFleet(&step); err != nil {
			t.Fatal(err)
		}
	}
	signal, err := s.Platform.Signal("f")
	if err != nil || signal.Revision != 2 || signal.Ended != 6 {
		t.Errorf("signal %+v, %v", signal, err)
	}
	if findings, err := s.Platform.Findings("f"); err != nil || len(findings) != 1 {
		t.Errorf("findings %v, %v", findings, err)
	}
	if state, err := s.Platform.Fleet(); err != nil || state.Through != 7 {
		t.Errorf("fleet %+v, %v", state, err)
	}
	closeStore(t, s)
}
