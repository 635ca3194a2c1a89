package monitor

import (
	"log/slog"
	"time"

	"github.com/memberwatch/memberwatch/detector"
)

// Options say how a monitor works. Only Dir is required; the zero value of
// every other field means the default named beside it.
type Options struct {
	// Dir is the data directory.
	Dir string
	// Partitions is the number of partitions of a new directory (8). An existing
	// directory keeps its number, and another one here is an error.
	Partitions int
	// CheckpointInterval is the shortest time between two checkpoints of a
	// partition (250 ms). When commits are slow the interval stretches to 1 s.
	CheckpointInterval time.Duration
	// MaxResident bounds the apps in memory, over all partitions (50,000). Apps
	// with changes that are not on the disk yet come on top; of every other app
	// about a hundred bytes stay, to know where it lives.
	MaxResident int
	// IdleTimeout is how long a silent producer holds back the watermark
	// (1 min).
	IdleTimeout time.Duration
	// Lateness is how far behind its producer's newest event an event may come
	// and still be scored (2 min).
	Lateness time.Duration
	// MaxQueuedBytes bounds the batches that wait to be applied (64 MiB). Append
	// blocks beyond it.
	MaxQueuedBytes int64
	// MaxUncommittedBytes bounds the events applied but not yet on the disk, by
	// their size on arrival (1 GiB). Append blocks beyond it, so a full disk
	// stops the intake.
	MaxUncommittedBytes int64
	// RetentionDays is how long ledger rows are kept, in days of event time (400).
	RetentionDays int
	// LockTimeout is how long to wait for another process to let go of the
	// directory (2 s).
	LockTimeout time.Duration
	// NoSync leaves it to the operating system when checkpoints reach the disk.
	// What the monitor computes is the same; what it calls durable would not
	// survive a power cut. For measurements in directories made for them.
	NoSync bool
	// Detector configures the models; its zero value means
	// detector.DefaultConfig.
	Detector *detector.Config
	// Logger takes the few things worth telling an operator (discarded).
	Logger *slog.Logger
}

// maxInterval is the longest time between checkpoints under load.
const maxInterval = time.Second

// withDefaults returns the options with every zero filled in.
func (o Options) withDefaults() Options {
	setDefault(&o.CheckpointInterval, 250*time.Millisecond)
	setDefault(&o.MaxResident, 50_000)
	setDefault(&o.IdleTimeout, time.Minute)
	setDefault(&o.Lateness, 2*time.Minute)
	setDefault(&o.MaxQueuedBytes, 64<<20)
	setDefault(&o.MaxUncommittedBytes, 1<<30)
	setDefault(&o.RetentionDays, 400)
	if o.Detector == nil {
		o.Detector = new(detector.DefaultConfig())
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
