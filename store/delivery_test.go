package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/store"
)

var journalled = time.Date(2026, 9, 21, 12, 0, 0, 0, time.UTC)

// notices makes notices of a type about subjects s1, s2 and so on.
func notices(from, to int) []memberwatch.Notice {
	var all []memberwatch.Notice
	for i := from; i <= to; i++ {
		all = append(all, memberwatch.Notice{
			ID: fmt.Sprintf("n%d", i), Type: memberwatch.NoticeSignalCreated, Subject: fmt.Sprintf("signals/s%d", i), Time: journalled,
			Signal: &memberwatch.Signal{ID: memberwatch.SignalID(fmt.Sprintf("s%d", i))},
		})
	}
	return all
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// receiver creates an endpoint that is given everything, and gives it what is there.
func receiver(t *testing.T, p *store.Platform, id memberwatch.EndpointID) {
	t.Helper()
	_, err := p.CreateEndpoint(t.Context(), memberwatch.Endpoint{ID: id, URL: "https://siem.example/in"}, 0)
	must(t, err)
	all, err := p.Notices(0, 1000)
	must(t, err)
	var waiting []memberwatch.Delivery
	for i := range all {
		waiting = append(waiting, memberwatch.NewDelivery(id, &all[i]))
	}
	must(t, p.TakeNotices(id, int64(len(all)), waiting))
}

// sequences returns the sequences of an endpoint's deliveries in a state, the newest first.
func sequences(t *testing.T, p *store.Platform, id memberwatch.EndpointID, state memberwatch.DeliveryState) []int64 {
	t.Helper()
	var all []int64
	for before := int64(0); ; {
		page, err := p.Deliveries(id, state, before, 2, nil)
		must(t, err)
		for _, d := range page {
			all = append(all, d.Sequence)
		}
		if len(page) < 2 {
			return all
		}
		before = page[1].Sequence
	}
}

func expect(t *testing.T, what string, got []int64, want ...int64) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// A feed that is read again after a crash between reading and noting the place must not journal twice.
func TestNoticesAreJournalledOnce(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	must(t, s.Platform.AppendNotices("signals", 3, notices(1, 3), journalled))
	must(t, s.Platform.AppendNotices("signals", 5, notices(2, 5), journalled))
	closeStore(t, s)
	s = openStore(t, dir)
	defer closeStore(t, s)
	all, err := s.Platform.Notices(0, 10)
	must(t, err)
	for i, n := range all {
		if n.Sequence != int64(i+1) || n.ID != fmt.Sprintf("n%d", i+1) || n.Signal == nil || !n.Recorded.Equal(journalled) {
			t.Errorf("notice %d: %+v", i, n)
		}
	}
	place, err := s.Platform.NoticePlace("signals")
	must(t, err)
	if len(all) != 5 || place != 5 {
		t.Errorf("%d notices, feed at %d, want 5 and 5", len(all), place)
	}
	err = s.Platform.AppendNotices("signals", 9, []memberwatch.Notice{{ID: "with.dot", Type: "t", Subject: "s", Time: journalled}}, journalled)
	expectReason(t, err, memberwatch.ErrInvalid, "NOTICE_INVALID", "with.dot")
	if place, err = s.Platform.NoticePlace("signals"); err != nil || place != 5 {
		t.Errorf("place %d, %v: a refused append moved it", place, err)
	}
}

func TestDeliveriesMoveFromStateToState(t *testing.T) {
	s := openStore(t, t.TempDir())
	defer closeStore(t, s)
	p := s.Platform
	must(t, p.AppendNotices("signals", 6, notices(1, 6), journalled))
	receiver(t, p, "siem")
	receiver(t, p, "siem-2") // whose id begins like the other's
	waiting, err := p.WaitingDeliveries("siem", 3)
	must(t, err)
	waiting[0].State, waiting[0].Attempts = memberwatch.DeliveryDelivered, 1
	waiting[1].State, waiting[1].Attempts, waiting[1].Error = memberwatch.DeliveryDead, 10, "busy"
	waiting[2].Attempts, waiting[2].Next = 1, journalled.Add(5*time.Second)
	must(t, p.SettleDeliveries("siem", waiting, "", journalled))
	expect(t, "waiting", sequences(t, p, "siem", memberwatch.DeliveryWaiting), 6, 5, 4, 3)
	expect(t, "delivered", sequences(t, p, "siem", memberwatch.DeliveryDelivered), 1)
	expect(t, "dead", sequences(t, p, "siem", memberwatch.DeliveryDead), 2)
	expect(t, "waiting elsewhere", sequences(t, p, "siem-2", memberwatch.DeliveryWaiting), 6, 5, 4, 3, 2, 1)

	n, next, err := p.ReplayNotices("siem", 1, 4, true, 10)
	if err != nil || n != 1 || next != 0 {
		t.Errorf("replay of the dead: %d, %d, %v", n, next, err)
	}
	expect(t, "waiting after replaying the dead", sequences(t, p, "siem", memberwatch.DeliveryWaiting), 6, 5, 4, 3, 2)
	n, next, err = p.ReplayNotices("siem", 1, 99, false, 10)
	if err != nil || n != 1 || next != 0 {
		t.Errorf("replay of all: %d, %d, %v", n, next, err)
	}
	expect(t, "waiting after replaying all", sequences(t, p, "siem", memberwatch.DeliveryWaiting), 6, 5, 4, 3, 2, 1)
	n, next, err = p.ReplayNotices("siem", 7, 99, false, 10)
	if err != nil || n != 0 || next != 0 {
		t.Errorf("replay of nothing: %d, %d, %v", n, next, err)
	}

	must(t, p.RemoveEndpoint(t.Context(), "siem", time.Now()))
	_, err = p.Deliveries("siem", memberwatch.DeliveryWaiting, 0, 1, nil)
	expectReason(t, err, memberwatch.ErrNotFound, "ENDPOINT_NOT_FOUND", "siem")
	must(t, p.SettleDeliveries("siem", waiting, "too late", journalled))
	must(t, p.TakeNotices("siem", 6, waiting))
	expect(t, "still waiting elsewhere", sequences(t, p, "siem-2", memberwatch.DeliveryWaiting), 6, 5, 4, 3, 2, 1)
}

// Who gives up on an endpoint tells the others in the same transaction.
func TestDisablingTells(t *testing.T) {
	s := openStore(t, t.TempDir())
	defer closeStore(t, s)
	p := s.Platform
	receiver(t, p, "siem")
	for range 2 {
		must(t, p.SettleDeliveries("siem", nil, "410 Gone", journalled))
	}
	e, err := p.Endpoint("siem")
	must(t, err)
	all, err := p.Notices(0, 10)
	must(t, err)
	if e.Disabled != "410 Gone" || e.Revision != 2 || len(all) != 1 || all[0].Type != memberwatch.NoticeEndpointDisabled {
		t.Errorf("endpoint %+v, notices %+v", e, all)
	}
	_, err = p.CreateEndpoint(t.Context(), e, 0)
	expectReason(t, err, memberwatch.ErrConflict, "ENDPOINT_EXISTS", "siem")
	_, err = p.UpdateEndpoint(t.Context(), "siem", time.Now(), func(e *memberwatch.Endpoint) error { e.URL = "http://siem.example"; return nil })
	expectReason(t, err, memberwatch.ErrInvalid, "ENDPOINT_INVALID", "https")
}

func TestOldNoticesGoWithTheirDeliveries(t *testing.T) {
	s := openStore(t, t.TempDir())
	defer closeStore(t, s)
	p := s.Platform
	must(t, p.AppendNotices("signals", 3, notices(1, 3), journalled))
	must(t, p.AppendNotices("signals", 4, notices(4, 4), journalled.Add(time.Hour)))
	receiver(t, p, "siem")
	for _, want := range []int{2, 1, 0} {
		if n, err := p.DropNotices(journalled.Add(time.Minute), 2); err != nil || n != want {
			t.Fatalf("dropped %d, %v, want %d", n, err, want)
		}
	}
	expect(t, "waiting", sequences(t, p, "siem", memberwatch.DeliveryWaiting), 4)
	_, err := p.NoticeSequence("n1")
	expectReason(t, err, memberwatch.ErrNotFound, "NOTICE_NOT_FOUND", "n1")
	must(t, p.AppendNotices("signals", 5, notices(5, 5), journalled))
	if last, err := p.LastNotice(); err != nil || last != 5 {
		t.Errorf("newest notice %d, %v", last, err)
	}
}
