// Package recovery measures how long the service takes to start again over what
// it has stored, by the number of apps it watches.
//
// It runs the monitor over a directory of its own, stops it as a crash would, and
// times the next start. It must not know how anything lies on the disk.
package recovery

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/monitor"
)

// Config says what is measured. Defaults has values.
type Config struct {
	Apps   []int // sizes, one after the other
	Events int   // of each app, over half a day
	Starts int   // of which the median is taken
	Seed   uint64
}

// Defaults returns sizes up to that of the other benchmarks.
func Defaults() Config {
	return Config{Apps: []int{1000, 5000, 20_000}, Events: 12, Starts: 5, Seed: 1}
}

// Check says what is wrong with a configuration.
func (c *Config) Check() error {
	if len(c.Apps) == 0 || slices.Min(c.Apps) < 1 || c.Events < 1 || c.Starts < 1 {
		return fmt.Errorf("%v apps, %d events and %d starts: at least 1 of each", c.Apps, c.Events, c.Starts)
	}
	return nil
}

// Result is what Run measured.
type Result struct {
	Sizes []Size `json:"sizes"`
	Seed  uint64 `json:"seed"`
}

// Size is one number of apps.
type Size struct {
	Apps      int     `json:"apps"`
	Events    int64   `json:"events"`
	FileBytes int64   `json:"file_bytes"`
	StartP50  float64 `json:"start_ms_p50"`
	StartMax  float64 `json:"start_ms_max"`
}

// Run measures each size in a folder of its own below dir. progress is told how
// many of all steps are done.
func Run(ctx context.Context, dir string, c Config, progress func(done, all int)) (*Result, error) {
	result := &Result{Seed: c.Seed}
	for i, apps := range c.Apps {
		size, err := measure(ctx, filepath.Join(dir, fmt.Sprint(apps)), apps, &c)
		if err != nil {
			return nil, fmt.Errorf("%d apps: %w", apps, err)
		}
		result.Sizes = append(result.Sizes, size)
		progress(i+1, len(c.Apps))
	}
	return result, nil
}

func measure(ctx context.Context, dir string, apps int, c *Config) (Size, error) {
	size := Size{Apps: apps, Events: int64(apps) * int64(c.Events)}
	if err := fill(ctx, dir, apps, c); err != nil {
		return size, err
	}
	var took []time.Duration
	for range c.Starts {
		began := time.Now()
		m, err := monitor.Open(monitor.Options{Dir: dir})
		if err != nil {
			return size, err
		}
		took = append(took, time.Since(began))
		applied := m.Stats(ctx).Applied
		if err := crash(m); err != nil {
			return size, err
		}
		if applied != size.Events {
			return size, fmt.Errorf("%d events after the start, %d were committed", applied, size.Events)
		}
	}
	slices.Sort(took)
	size.StartP50 = float64(took[len(took)/2]) / float64(time.Millisecond)
	size.StartMax = float64(took[len(took)-1]) / float64(time.Millisecond)
	var err error
	size.FileBytes, err = bytesBelow(dir)
	return size, err
}

// crash stops a monitor without a final checkpoint.
func crash(m *monitor.Monitor) error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := m.Close(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

const batchEvents = 2000

// fill streams the events of all apps, waits until they are committed, and
// crashes.
func fill(ctx context.Context, dir string, apps int, c *Config) error {
	m, err := monitor.Open(monitor.Options{Dir: dir})
	if err != nil {
		return err
	}
	if err := stream(ctx, m, apps, c); err != nil {
		return errors.Join(err, crash(m))
	}
	return crash(m)
}

func stream(ctx context.Context, m *monitor.Monitor, apps int, c *Config) error {
	const producer = "bench"
	at, err := m.OpenProducer(ctx, producer, "")
	if err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(c.Seed, uint64(apps)))
	total := apps * c.Events
	start := time.Date(2024, 1, 3, 0, 0, 0, 0, time.UTC).UnixNano()
	step := int64(12*time.Hour) / int64(total)
	for n := 0; n < total; {
		batch := &memberwatch.Batch{Base: int64(n) + 1}
		for range min(batchEvents, total-n) {
			app := n % apps
			ev := memberwatch.Event{
				App: memberwatch.AppID(fmt.Sprintf("app-%06d", app)), Time: start + int64(n)*step, DataClasses: []string{"group_membership"},
				Endpoint: "/members", Group: fmt.Sprintf("group-%d", random.IntN(50)), Actor: 1 + random.Uint64N(100),
			}
			for range 10 {
				ev.Disclosed = append(ev.Disclosed, uint64(app)<<32|random.Uint64N(1000))
			}
			batch.Events = append(batch.Events, ev)
			n++
		}
		if err := m.Append(ctx, producer, at.Epoch, batch); err != nil {
			return err
		}
	}
	for committed := int64(0); committed < int64(total); {
		if committed, err = m.WaitCommitted(ctx, producer, at.Epoch, committed); err != nil {
			return err
		}
	}
	return nil
}

// bytesBelow sums the sizes of the files below a folder.
func bytesBelow(dir string) (sum int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			sum += info.Size()
		}
		return err
	})
	return sum, err
}
