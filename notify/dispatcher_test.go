package notify

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/memberwatch/memberwatch"
)

// A receiver that always fails is tried by the schedule, then given up and
// disabled; the others hear of it, and what waited behind stays.
func TestScheduleEndsInDisabling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.begin()
		defer w.Close()
		bad, good := newReceiver(refuse), newReceiver(accept)
		w.endpoint("bad", bad)
		w.endpoint("good", good)
		w.tape.tell("n1", "cases/1")
		time.Sleep(30 * time.Second)
		w.tape.tell("n2", "cases/1")
		time.Sleep(80 * time.Hour)
		synctest.Wait()
		tries := bad.arrivals(t)
		if len(tries) != len(schedule) {
			t.Fatalf("%d attempts, want %d: %v", len(tries), len(schedule), tries)
		}
		for i := 1; i < len(tries); i++ {
			wait, shortest := tries[i].at.Sub(tries[i-1].at), schedule[i]
			if wait < shortest || wait > shortest*11/10+time.Second {
				t.Errorf("attempt %d after %s, want %s to a tenth more", i+1, wait, shortest)
			}
			if tries[i].id != "n1" {
				t.Errorf("attempt %d is of %s: a later notice of the subject overtook", i+1, tries[i].id)
			}
		}
		e, err := w.Endpoint(t.Context(), "bad")
		must(t, err)
		if !strings.Contains(e.Disabled, "10 attempts to deliver n1 failed") || e.Dead != 1 || e.Waiting != 1 {
			t.Errorf("endpoint disabled for %q, %d dead, %d waiting", e.Disabled, e.Dead, e.Waiting)
		}
		if dead := w.list("bad", memberwatch.DeliveryDead); dead[0].Status != 500 || dead[0].Attempts != 10 || dead[0].Error != "it answered 500 Internal Server Error" {
			t.Errorf("dead: %+v", dead)
		}
		if told := ids(good.arrivals(t)); !slices.Equal(told, []string{"n1", "n2", "endpoint-bad-2-disabled"}) {
			t.Errorf("the other endpoint got %v", told)
		}
	})
}

func ids(all []arrival) []string {
	var names []string
	for _, a := range all {
		names = append(names, a.id)
	}
	return names
}

// What came before the disabling is delivered at once when somebody mends it,
// and the dead can be replayed.
func TestEnableAndReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.begin()
		defer w.Close()
		mended := false
		r := newReceiver(func(rw http.ResponseWriter, _ *http.Request, _ string, _ int) {
			if !mended {
				rw.WriteHeader(http.StatusNotFound)
			}
		})
		w.endpoint("siem", r)
		w.tape.tell("n1", "cases/1")
		time.Sleep(80 * time.Hour)
		w.tape.tell("n2", "cases/2")
		time.Sleep(time.Hour)
		synctest.Wait()
		r.mu.Lock()
		r.got, mended = nil, true
		r.mu.Unlock()
		_, err := w.UpdateEndpoint(t.Context(), "siem", 0, func(e *memberwatch.Endpoint) error { e.Disabled = ""; return nil })
		must(t, err)
		time.Sleep(time.Second)
		if got := ids(r.arrivals(t)); !slices.Equal(got, []string{"endpoint-siem-2-disabled", "n2"}) && !slices.Equal(got, []string{"n2", "endpoint-siem-2-disabled"}) {
			t.Errorf("after enabling: %v", got)
		}
		n, err := w.Replay(t.Context(), "siem", 1, 0, true)
		must(t, err)
		time.Sleep(time.Second)
		if got := ids(r.arrivals(t)); n != 1 || got[len(got)-1] != "n1" || len(got) != 3 {
			t.Errorf("after replaying %d: %v", n, got)
		}
		if n, err = w.Replay(t.Context(), "siem", 1, 2, false); err != nil || n != 2 {
			t.Errorf("replay of a range: %d, %v", n, err)
		}
		time.Sleep(time.Second)
		if got := r.arrivals(t); len(got) != 5 || len(w.list("siem", memberwatch.DeliveryDelivered)) != 3 {
			t.Errorf("after replaying a range: %v", ids(got))
		}
	})
}

// Who enables an endpoint has mended it, and does not want to wait for hours.
func TestEnablingDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.begin()
		defer w.Close()
		r := newReceiver(refuse)
		w.endpoint("siem", r)
		w.tape.tell("n1", "cases/1")
		time.Sleep(time.Hour) // the next attempt is two hours after the one at 36 minutes
		for _, reason := range []string{"moving house", ""} {
			_, err := w.UpdateEndpoint(t.Context(), "siem", 0, func(e *memberwatch.Endpoint) error { e.Disabled = reason; return nil })
			must(t, err)
			time.Sleep(time.Second)
		}
		if got := r.arrivals(t); len(got) != 5 {
			t.Errorf("%d attempts, want the fifth after enabling", len(got))
		}
	})
}

func TestGoneDisablesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.begin()
		defer w.Close()
		r := newReceiver(func(rw http.ResponseWriter, _ *http.Request, _ string, _ int) { rw.WriteHeader(http.StatusGone) })
		w.endpoint("siem", r)
		w.tape.tell("n1", "cases/1")
		time.Sleep(100 * time.Hour)
		synctest.Wait()
		e, err := w.Endpoint(t.Context(), "siem")
		must(t, err)
		if got := r.arrivals(t); len(got) != 1 || e.Disabled != "it answered 410 Gone" || e.Waiting != 1 || e.Dead != 0 {
			t.Errorf("%d attempts, disabled for %q, %d waiting, %d dead", len(got), e.Disabled, e.Waiting, e.Dead)
		}
		a, err := w.Ping(t.Context(), "siem")
		if err != nil || a.Status != http.StatusGone || a.Error == "" {
			t.Errorf("ping: %+v, %v", a, err)
		}
	})
}

// A receiver that asks for peace gets it, from all deliveries.
func TestRetryAfter(t *testing.T) {
	tests := map[string]struct {
		status int
		value  func(now time.Time) string
		want   time.Duration
	}{
		"seconds":                 {http.StatusTooManyRequests, func(time.Time) string { return "120" }, 2 * time.Minute},
		"a date":                  {http.StatusServiceUnavailable, func(now time.Time) string { return now.Add(time.Hour).UTC().Format(http.TimeFormat) }, time.Hour},
		"less than the schedule":  {http.StatusBadGateway, func(time.Time) string { return "1" }, 5 * time.Second},
		"nothing said":            {http.StatusGatewayTimeout, func(time.Time) string { return "" }, 5 * time.Second},
		"more than a day":         {http.StatusTooManyRequests, func(time.Time) string { return "999999999" }, 24 * time.Hour},
		"no number":               {http.StatusTooManyRequests, func(time.Time) string { return "soon" }, 5 * time.Second},
		"not said by a throttler": {http.StatusBadRequest, func(time.Time) string { return "3600" }, 5 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.begin()
				defer w.Close()
				r := newReceiver(func(rw http.ResponseWriter, _ *http.Request, id string, seen int) {
					if id == "n1" && seen == 1 {
						rw.Header().Set("Retry-After", tt.value(time.Now()))
						rw.WriteHeader(tt.status)
					}
				})
				w.endpoint("siem", r)
				w.tape.tell("n1", "cases/1")
				time.Sleep(500 * time.Millisecond)
				w.tape.tell("n2", "cases/2") // of another subject
				time.Sleep(25 * time.Hour)
				got := r.arrivals(t)
				if len(got) != 3 {
					t.Fatalf("arrivals: %v", ids(got))
				}
				for _, a := range got[1:] {
					wait := a.at.Sub(got[0].at)
					throttled := tt.status != http.StatusBadRequest
					if (a.id == "n1" || throttled) && (wait < tt.want-time.Second || wait > tt.want*11/10+time.Second) {
						t.Errorf("%s came after %s, want %s", a.id, wait, tt.want)
					}
					if a.id == "n2" && !throttled && wait > time.Second {
						t.Errorf("another subject waited for %s", wait)
					}
				}
			})
		})
	}
}

// A receiver that never answers costs an attempt 20 s, and nobody else anything.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.begin()
		defer w.Close()
		slow := newReceiver(func(_ http.ResponseWriter, r *http.Request, _ string, seen int) {
			if seen == 1 {
				<-r.Context().Done()
			}
		})
		quick := newReceiver(accept)
		w.endpoint("slow", slow)
		w.endpoint("quick", quick)
		began := time.Now()
		w.tape.tell("n1", "cases/1")
		time.Sleep(time.Minute)
		got := slow.arrivals(t)
		if len(got) != 2 || got[1].at.Sub(began) < 25*time.Second || got[1].at.Sub(began) > 27*time.Second {
			t.Errorf("arrivals at the slow one: %v", got)
		}
		if got := quick.arrivals(t); len(got) != 1 || got[0].at.Sub(began) > time.Second {
			t.Errorf("arrivals at the quick one: %v", got)
		}
		if d := w.list("slow", memberwatch.DeliveryDelivered); len(d) != 1 || d[0].Attempts != 2 || d[0].Status != 200 {
			t.Errorf("delivered: %+v", d)
		}
	})
}

// While keys overlap, each message has a signature by both.
func TestRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.begin()
		defer w.Close()
		r := newReceiver(accept)
		before := w.endpoint("siem", r) // the receiver goes on with the old key
		after, err := w.RotateKey(t.Context(), "siem", memberwatch.KeyRequest{Asymmetric: true}, 24*time.Hour)
		must(t, err)
		if len(after.Keys) != 2 || after.Keys[1].Secret != before.Keys[0].Secret || !strings.HasPrefix(after.Keys[0].Secret, "whsk_") {
			t.Errorf("keys: %+v", after.Keys)
		}
		w.tape.tell("n1", "cases/1")
		time.Sleep(25 * time.Hour)
		r.mu.Lock()
		r.keys = nil
		r.mu.Unlock()
		r.trust(after.Keys[0])
		w.tape.tell("n2", "cases/1")
		time.Sleep(time.Second)
		if got := r.arrivals(t); len(got) != 2 || got[0].keys <= got[1].keys {
			t.Errorf("arrivals: %+v", got)
		}
		again, err := w.RotateKey(t.Context(), "siem", memberwatch.KeyRequest{}, 0)
		if err != nil || len(again.Keys) != 1 {
			t.Errorf("rotated without overlap: %d keys, %v", len(again.Keys), err)
		}
	})
}

func TestEndpointsGetWhatTheyTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.begin()
		defer w.Close()
		cases, signals, critical := newReceiver(accept), newReceiver(accept), newReceiver(accept)
		w.endpoint("cases", cases, func(e *memberwatch.Endpoint) { e.Types = []string{"signal.created", "case.*"} })
		w.endpoint("signals", signals, func(e *memberwatch.Endpoint) { e.Types = []string{"signal.*"} })
		w.endpoint("critical", critical, func(e *memberwatch.Endpoint) { e.MinSeverity = memberwatch.SeverityCritical })
		w.tape.tell("n1", "cases/1")
		time.Sleep(time.Second)
		for name, want := range map[*receiver]int{cases: 1, signals: 0, critical: 0} {
			if got := name.arrivals(t); len(got) != want {
				t.Errorf("got %v, want %d", ids(got), want)
			}
		}
		must(t, w.RemoveEndpoint(t.Context(), "cases"))
		w.tape.tell("n2", "cases/1")
		time.Sleep(time.Second)
		if got := cases.arrivals(t); len(got) != 1 {
			t.Errorf("removed endpoint got %v", ids(got))
		}
		latecomer := newReceiver(accept)
		w.host("late.example", latecomer)
		e, err := w.CreateEndpoint(t.Context(), memberwatch.Endpoint{ID: "late", URL: "http://late.example", AllowPrivate: true}, memberwatch.KeyRequest{Asymmetric: true}, false)
		must(t, err)
		latecomer.trust(e.Keys...)
		w.tape.tell("n3", "cases/1")
		time.Sleep(time.Second)
		if got := ids(latecomer.arrivals(t)); !slices.Equal(got, []string{"n3"}) {
			t.Errorf("latecomer got %v", got)
		}
	})
}

// Closing writes nothing, so it is a crash: whenever it comes, all notices
// arrive, those of a subject in order, and a receiver that remembers ids does
// everything once.
func TestEveryNoticeArrivesAcrossCrashes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.begin()
		random := rand.New(rand.NewPCG(3, 5))
		flaky := newReceiver(nil)
		flaky.answer = func(rw http.ResponseWriter, r *http.Request, id string, seen int) {
			time.Sleep(30 * time.Millisecond)
			switch (len(id) + int(id[len(id)-1]) + seen) % 4 {
			case 0:
				rw.WriteHeader(http.StatusBadGateway)
			case 1:
				panic(http.ErrAbortHandler) // disconnects without an answer
			case 2:
				http.Redirect(rw, r, "http://elsewhere.example/", http.StatusFound)
			}
		}
		w.endpoint("siem", flaky)
		const subjects, each = 12, 5
		for n := range subjects * each {
			w.tape.tell(fmt.Sprintf("c%02d-%d", n%subjects, n/subjects), fmt.Sprintf("cases/%d", n%subjects))
			if n%4 == 0 {
				time.Sleep(time.Duration(random.IntN(200)) * time.Millisecond)
				w.Close()
				w.begin()
			}
		}
		for range 40 {
			time.Sleep(time.Duration(random.IntN(90)) * time.Second)
			w.Close()
			w.begin()
		}
		time.Sleep(80 * time.Hour)
		w.Close()
		first := make(map[string]int)
		for i, a := range flaky.arrivals(t) {
			if _, known := first[a.id]; !known {
				first[a.id] = i
			}
		}
		for subject := range subjects {
			for n := range each {
				id := fmt.Sprintf("c%02d-%d", subject, n)
				at, ok := first[id]
				if !ok {
					t.Errorf("%s never arrived", id)
				}
				if before := fmt.Sprintf("c%02d-%d", subject, n-1); n > 0 && first[before] > at {
					t.Errorf("%s arrived before %s", id, before)
				}
			}
		}
		if done := w.list("siem", memberwatch.DeliveryDelivered); len(done) != subjects*each || len(flaky.effects) != subjects*each {
			t.Errorf("%d delivered, %d effects, want %d", len(done), len(flaky.effects), subjects*each)
		}
	})
}
