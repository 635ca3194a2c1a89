// Package lookback measures how long the service takes to say who read what in
// the last weeks, and how long it takes to start over what it has stored.
//
// It fills a data directory with daily ledger rows through the store, opens the
// monitor over it and asks as the report service does. It must not know how rows
// lie on the disk.
package lookback

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/bench/cpu"
	"github.com/memberwatch/memberwatch/detector/sketch"
	"github.com/memberwatch/memberwatch/monitor"
	"github.com/memberwatch/memberwatch/store"
)

// Config says what is measured. Defaults has values.
type Config struct {
	Apps    int
	Days    int
	Queries int
	Seed    uint64 // chooses everything that is random
}

// Defaults returns the size that the service is held to.
func Defaults() Config { return Config{Apps: 10_000, Days: 60, Queries: 30, Seed: 1} }

// Check says what is wrong with a configuration.
func (c *Config) Check() error {
	if c.Apps < 1 || c.Days < 1 || c.Days > 400 || c.Queries < 1 {
		return fmt.Errorf("%d apps, %d days and %d queries: at least 1 of each, at most 400 days", c.Apps, c.Days, c.Queries)
	}
	return nil
}

// Result is what Run measured.
type Result struct {
	Apps     int     `json:"apps"`
	Days     int     `json:"days"`
	Queries  int     `json:"queries"`
	Rows     int     `json:"ledger_rows"`
	QueryP50 float64 `json:"query_ms_p50"`
	QueryP99 float64 `json:"query_ms_p99"`
	// FirstQuery is the very first after the start, when nothing has been read.
	FirstQuery float64 `json:"query_ms_first"`
	// QueryCPU is the processor time of a query, over all processors.
	QueryCPU float64 `json:"query_cpu_ms"`
	Open     float64 `json:"open_ms"`
	Seed     uint64  `json:"seed"`
}

// end is the day after the newest in the ledger.
var end = memberwatch.WindowAt(memberwatch.Day, time.Date(2024, 6, 3, 0, 0, 0, 0, time.UTC).UnixNano())

const dayNanos = int64(24 * time.Hour)

// Run fills the directory, which must be empty, and asks. Every query has
// another range: it begins up to a week before or after the beginning asked for
// and ends with the newest day. progress is told how many of all steps are done.
func Run(ctx context.Context, dir string, c Config, progress func(done, all int)) (*Result, error) {
	all := c.Days + 7 + c.Queries
	rows, err := fill(ctx, dir, &c, func(day int) { progress(day, all) })
	if err != nil {
		return nil, err
	}
	began := time.Now()
	m, err := monitor.Open(monitor.Options{Dir: dir})
	if err != nil {
		return nil, err
	}
	r := &Result{Apps: c.Apps, Days: c.Days, Queries: c.Queries, Rows: rows, Open: milliseconds(time.Since(began)), Seed: c.Seed}
	var took []time.Duration
	before, err := cpu.Time()
	if err != nil {
		return nil, errors.Join(err, m.Close(ctx))
	}
	random := rand.New(rand.NewPCG(c.Seed, 2))
	last := int32(end.Start/dayNanos) - 1
	for i := range c.Queries {
		since := last - int32(c.Days) + 1 + int32(random.IntN(15)) - 7
		began := time.Now()
		found, _, err := m.QueryAccess(ctx, memberwatch.AccessQuery{SinceDay: since, UntilDay: last})
		if err != nil {
			return nil, errors.Join(err, m.Close(ctx))
		}
		took = append(took, time.Since(began))
		if len(found) < c.Apps*9/10 {
			return nil, errors.Join(fmt.Errorf("%d rows for %d apps", len(found), c.Apps), m.Close(ctx))
		}
		progress(c.Days+7+i+1, all)
	}
	after, err := cpu.Time()
	if err != nil {
		return nil, errors.Join(err, m.Close(ctx))
	}
	r.QueryCPU = milliseconds(time.Duration(after-before)) / float64(c.Queries)
	r.FirstQuery = milliseconds(took[0])
	slices.Sort(took)
	r.QueryP50, r.QueryP99 = quantile(took, 0.5), quantile(took, 0.99)
	return r, m.Close(ctx)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// quantile returns the q-th of sorted durations, by nearest rank.
func quantile(sorted []time.Duration, q float64) float64 {
	return milliseconds(sorted[int(q*float64(len(sorted)-1)+0.5)])
}

// fill writes one row for each app and day, a week more than asked for. The app
// of rank k reads 5 + 100,000/(10+k) members a day of ten times as many.
func fill(ctx context.Context, dir string, c *Config, progress func(day int)) (rows int, err error) {
	s, err := store.Open(dir, store.Options{MergeSketch: monitor.SketchMerger()})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	random := rand.New(rand.NewPCG(c.Seed, 1))
	first := int32(end.Start/dayNanos) - int32(c.Days) - 7
	for day := range c.Days + 7 {
		for i, p := range s.Partitions {
			commit := partitionDay(random, c, i, len(s.Partitions), first, first+int32(day))
			rows += len(commit.Ledger)
			if _, err := p.Commit(commit); err != nil {
				return rows, err
			}
		}
		if err := ctx.Err(); err != nil {
			return rows, err
		}
		progress(day + 1)
	}
	return rows, nil
}

// partitionDay is what one partition writes of one day.
func partitionDay(random *rand.Rand, c *Config, index, partitions int, first, day int32) *store.PartitionCommit {
	commit := &store.PartitionCommit{RollUpBelow: day, Progress: store.Progress{Closed: int64(day+1) * dayNanos, Judged: int64(day+1) * dayNanos}}
	var members, groups sketch.Distinct
	for rank := index; rank < c.Apps; rank += partitions {
		app := memberwatch.AppID(fmt.Sprintf("app-%06d", rank))
		if day == first {
			commit.Apps = append(commit.Apps, store.AppOwner{App: app, Developer: memberwatch.DeveloperID(fmt.Sprintf("dev-%05d", rank/3))})
		}
		daily := 5 + 100_000/(10+rank)
		members.Reset()
		groups.Reset()
		for range daily {
			members.Insert(uint64(rank)<<32 | random.Uint64N(uint64(10*daily)))
		}
		for range 1 + daily/100 {
			groups.Insert(uint64(rank)<<32 | random.Uint64N(uint64(1+daily/20)))
		}
		row := memberwatch.LedgerRow{
			LedgerKey: memberwatch.LedgerKey{Day: day, Class: "group_membership", App: app},
			Calls:     uint64(daily/5 + 1), Records: uint64(daily),
		}
		row.Members, _ = members.AppendBinary(nil) // the error is always nil
		row.Groups, _ = groups.AppendBinary(nil)
		commit.Ledger = append(commit.Ledger, row)
	}
	return commit
}
