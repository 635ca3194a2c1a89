package monitor_test

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/monitor"
)

// watermark returns the hour of the test's stream up to which all partitions
// have closed their windows; -1 before the first.
func watermark(t *testing.T, m *monitor.Monitor) int64 {
	t.Helper()
	synctest.Wait()
	partitions := m.Stats(t.Context()).Partitions
	for _, p := range partitions[1:] {
		if p.Watermark != partitions[0].Watermark {
			t.Fatalf("watermarks differ: %v", partitions)
		}
	}
	if partitions[0].Watermark < begin {
		return -1
	}
	return (partitions[0].Watermark - begin) / int64(time.Hour)
}

// at makes one event at a time after the beginning.
func eventAt(app memberwatch.AppID, after time.Duration) memberwatch.Event {
	return memberwatch.Event{App: app, Time: begin + int64(after), DataClasses: []string{"profile_name"}, Disclosed: []uint64{1, 2}}
}

func TestTheSlowestLiveProducerHoldsTheWatermark(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	synctest.Test(t, func(t *testing.T) {
		m := open(t, monitor.Options{Dir: dir, Partitions: 2, IdleTimeout: time.Minute})
		defer shut(t, m)
		fast, slow := openStream(t, m, "fast"), openStream(t, m, "slow")
		sequence := map[memberwatch.ProducerID]int64{}
		say := func(id memberwatch.ProducerID, epoch int64, after time.Duration) {
			t.Helper()
			sequence[id]++
			send(t, m, id, epoch, sequence[id], []memberwatch.Event{eventAt("app", after)})
		}
		expect := func(when string, want int64) {
			t.Helper()
			if got := watermark(t, m); got != want {
				t.Errorf("%s: windows closed through hour %d, want %d", when, got, want)
			}
		}
		say("fast", fast.Epoch, 3*time.Hour)
		expect("a stream has opened and sent nothing", -1)
		say("slow", slow.Epoch, time.Hour+time.Minute)
		expect("the slow one is within the lateness of its hour", 0)
		say("slow", slow.Epoch, time.Hour+2*time.Minute)
		expect("the slow one has passed its hour and the lateness", 1)
		say("slow", slow.Epoch, 30*time.Minute)
		expect("a late event moves nothing", 1)
		if late := m.Stats(t.Context()).Late; late != 1 {
			t.Errorf("%d late events, want 1", late)
		}
		for range 5 {
			time.Sleep(20 * time.Second)
			say("fast", fast.Epoch, 5*time.Hour+2*time.Minute)
		}
		time.Sleep(time.Second)
		expect("the slow one has been silent for the idle timeout", 5)
		say("slow", slow.Epoch, 2*time.Hour)
		expect("the watermark never falls", 5)
		if late := m.Stats(t.Context()).Late; late != 2 {
			t.Errorf("%d late events, want 2: its window was closed while it was silent", late)
		}
		say("fast", fast.Epoch, 9*time.Hour)
		expect("the slow one is back and holds again", 5)
		say("slow", slow.Epoch, 8*time.Hour)
		expect("it catches up", 7)
	})
}

func TestAProducerThatOnlyOpensHoldsForTheIdleTimeout(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	synctest.Test(t, func(t *testing.T) {
		m := open(t, monitor.Options{Dir: dir, Partitions: 2, IdleTimeout: time.Minute})
		defer shut(t, m)
		openStream(t, m, "silent")
		speaker := openStream(t, m, "speaker")
		send(t, m, "speaker", speaker.Epoch, 1, []memberwatch.Event{eventAt("app", 0), eventAt("app", 3*time.Hour)})
		if got := watermark(t, m); got != -1 {
			t.Errorf("closed through hour %d while a new stream was silent", got)
		}
		time.Sleep(40 * time.Second)
		send(t, m, "speaker", speaker.Epoch, 3, []memberwatch.Event{eventAt("app", 3*time.Hour)})
		time.Sleep(40 * time.Second)
		if got := watermark(t, m); got != 2 {
			t.Errorf("closed through hour %d after the idle timeout, want 2", got)
		}
	})
}

func TestACompletenessMarkClosesWindowsAndIsKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	synctest.Test(t, func(t *testing.T) {
		options := monitor.Options{Dir: dir, Partitions: 2}
		m := open(t, options)
		at := openStream(t, m, "gw")
		until := begin + int64(5*time.Hour+10*time.Minute)
		send(t, m, "gw", at.Epoch, 1, []memberwatch.Event{eventAt("app", time.Hour)})
		complete(t, m, "gw", at.Epoch, 2, until)
		complete(t, m, "gw", at.Epoch, 2, until) // as after a reconnect
		if got := watermark(t, m); got != 5 {
			t.Errorf("closed through hour %d, want 5", got)
		}
		shut(t, m)
		m = open(t, options)
		defer shut(t, m)
		if at = openStream(t, m, "gw"); at.Next != 2 {
			t.Errorf("next is %d: a mark uses no sequence number", at.Next)
		}
		send(t, m, "gw", at.Epoch, 2, []memberwatch.Event{eventAt("app", 2*time.Hour), eventAt("app", 5*time.Hour+1)})
		awaitCommitted(t, m, "gw", at.Epoch, 3)
		if late := m.Stats(t.Context()).Late; late != 1 {
			t.Errorf("%d late events, want the one of a closed hour", late)
		}
	})
}

func TestAnIdleServiceAcknowledgesAtOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	synctest.Test(t, func(t *testing.T) {
		m := open(t, monitor.Options{Dir: dir, Partitions: 2})
		defer shut(t, m)
		at := openStream(t, m, "gw")
		for sequence := range int64(20) {
			time.Sleep(137 * time.Millisecond * time.Duration(sequence%4))
			began := time.Now()
			send(t, m, "gw", at.Epoch, sequence+1, []memberwatch.Event{eventAt("app", time.Duration(sequence)*time.Second)})
			awaitCommitted(t, m, "gw", at.Epoch, sequence+1)
			if took := time.Since(began); took > 250*time.Millisecond {
				t.Errorf("event %d was acknowledged after %v", sequence+1, took)
			}
		}
	})
}
