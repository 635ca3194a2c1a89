package monitor_test

import (
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/monitor"
)

// playTwo streams the same events through two producers, every other event
// each, in an interleaving of the seed's choice; one may be thousands of events
// ahead of the other.
func playTwo(t *testing.T, seed uint64, events []memberwatch.Event, crash float64) string {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 4))
	options := monitor.Options{Dir: filepath.Join(t.TempDir(), "data"), Partitions: 3, CheckpointInterval: 5 * time.Millisecond}
	m := open(t, options)
	ids := []memberwatch.ProducerID{"gw-0", "gw-1"}
	streams := make([][]memberwatch.Event, len(ids))
	for i, e := range events {
		streams[i%2] = append(streams[i%2], e)
	}
	at := make([]memberwatch.Position, len(ids))
	reopen := func() {
		for i, id := range ids {
			at[i] = openStream(t, m, id)
		}
	}
	reopen()
	for at[0].Next <= int64(len(streams[0])) || at[1].Next <= int64(len(streams[1])) {
		i := r.IntN(2)
		n := min(int64(1+r.IntN(1500)), int64(len(streams[i]))-at[i].Next+1)
		send(t, m, ids[i], at[i].Epoch, at[i].Next, streams[i][at[i].Next-1:at[i].Next-1+n])
		at[i].Next += n
		if r.Float64() < crash {
			die(t, m)
			m = open(t, options)
			reopen()
		}
	}
	for i, id := range ids {
		awaitCommitted(t, m, id, at[i].Epoch, int64(len(streams[i])))
		complete(t, m, id, at[i].Epoch, int64(len(streams[i]))+1, events[len(events)-1].Time+3*memberwatch.Day.Length())
	}
	shut(t, m)
	return dump(t, options.Dir)
}

// Inside a window the order of events does not matter, so neither does how two
// producers interleave. (A broken restriction is another matter: its signal is
// named after the window of the first breach to arrive.)
func TestTheInterleavingOfProducersDoesNotMatter(t *testing.T) {
	events := platform(8, 12)
	first := playTwo(t, 1, events, 0)
	for seed := range uint64(3) {
		if got := playTwo(t, seed+2, events, 0); got != first {
			t.Errorf("seed %d: %s", seed, firstDifference(first, got))
		}
		if got := playTwo(t, seed+2, events, 0.1); got != first {
			t.Errorf("seed %d with crashes: %s", seed, firstDifference(first, got))
		}
	}
}
