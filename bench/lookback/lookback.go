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
	"github.com/memberwatch/memberwatch/monitor"
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
	Queries  int     `json:"queries"` // of each kind
	Rows     int     `json:"ledger_rows"`
	QueryP50 float64 `json:"query_ms_p50"`
	QueryP99 float64 `json:"query_ms_p99"`
	// FirstQuery is the very first after the start, when nothing has been read.
	FirstQuery float64 `json:"query_ms_first"`
	// QueryCPU is the processor time of a query, over all processors.
	QueryCPU float64 `json:"query_cpu_ms"`
	// Narrow are questions for a part of the ledger, by what they ask for.
	Narrow map[string]Times `json:"narrow"`
	Open   float64          `json:"open_ms"`
	Bytes  int64            `json:"file_bytes"`
	Seed   uint64           `json:"seed"`
}

// Times says how long the questions of one kind took.
type Times struct {
	P50 float64 `json:"ms_p50"`
	P99 float64 `json:"ms_p99"`
	CPU float64 `json:"cpu_ms"` // of one, over all processors
	// Rows is how many rows an answer has on average.
	Rows  float64 `json:"rows"`
	first float64
}

// question narrows a query; r chooses what is asked for.
type question struct {
	name   string
	narrow func(q *memberwatch.AccessQuery, r *rand.Rand)
}

// questions are the kinds of questions, that for everything first.
func questions(c *Config) []question {
	return []question{
		{"", func(*memberwatch.AccessQuery, *rand.Rand) {}},
		{"class", func(q *memberwatch.AccessQuery, _ *rand.Rand) { q.Class = class }},
		{"endpoint", func(q *memberwatch.AccessQuery, r *rand.Rand) { q.Endpoint = endpoints[r.IntN(len(endpoints))] }},
		{"group", func(q *memberwatch.AccessQuery, r *rand.Rand) { q.Group = groupName(r.IntN(c.Apps), 0) }},
		{"app", func(q *memberwatch.AccessQuery, r *rand.Rand) { q.App = appName(r.IntN(c.Apps)) }},
		{"developer", func(q *memberwatch.AccessQuery, r *rand.Rand) { q.Developer = developerName(r.IntN(c.Apps)) }},
		{"after_restriction", func(q *memberwatch.AccessQuery, _ *rand.Rand) { q.AfterOnly = true }},
		{"by_developer", func(q *memberwatch.AccessQuery, _ *rand.Rand) { q.ByDeveloper = true }},
	}
}

// Run fills the directory, which must be empty, and asks. Every query has
// another range: it begins up to a week before or after the beginning asked for
// and ends with the newest day. progress is told how many of all steps are done.
func Run(ctx context.Context, dir string, c Config, progress func(done, all int)) (r *Result, err error) {
	kinds := questions(&c)
	all := c.Days + 7 + c.Queries*len(kinds)
	rows, size, err := fill(ctx, dir, &c, func(day int) { progress(day, all) })
	if err != nil {
		return nil, err
	}
	began := time.Now()
	m, err := monitor.Open(monitor.Options{Dir: dir})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.Close(ctx)) }()
	r = &Result{
		Apps: c.Apps, Days: c.Days, Queries: c.Queries, Rows: rows, Bytes: size, Open: milliseconds(time.Since(began)), Seed: c.Seed,
		Narrow: make(map[string]Times),
	}
	for i, kind := range kinds {
		times, err := ask(ctx, m, &c, kind, func(done int) { progress(c.Days+7+i*c.Queries+done, all) })
		if err != nil {
			return nil, err
		}
		if kind.name != "" {
			r.Narrow[kind.name] = *times
			continue
		}
		r.QueryP50, r.QueryP99, r.FirstQuery, r.QueryCPU = times.P50, times.P99, times.first, times.CPU
		if times.Rows < float64(c.Apps)*0.9 {
			return nil, fmt.Errorf("%.0f rows for %d apps", times.Rows, c.Apps)
		}
	}
	return r, nil
}

// ask asks questions of one kind.
func ask(ctx context.Context, m *monitor.Monitor, c *Config, kind question, progress func(done int)) (*Times, error) {
	var took []time.Duration
	rows := 0
	before, err := cpu.Time()
	if err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(c.Seed, 2))
	last := int32(end.Start/dayNanos) - 1
	for i := range c.Queries {
		query := memberwatch.AccessQuery{SinceDay: last - int32(c.Days) + 1 + int32(random.IntN(15)) - 7, UntilDay: last}
		kind.narrow(&query, random)
		began := time.Now()
		found, _, err := m.QueryAccess(ctx, query)
		if err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
		rows += len(found)
		progress(i + 1)
	}
	after, err := cpu.Time()
	if err != nil {
		return nil, err
	}
	n := float64(c.Queries)
	t := &Times{CPU: milliseconds(time.Duration(after-before)) / n, Rows: float64(rows) / n, first: milliseconds(took[0])}
	slices.Sort(took)
	t.P50, t.P99 = quantile(took, 0.5), quantile(took, 0.99)
	return t, nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// quantile returns the q-th of sorted durations, by nearest rank.
func quantile(sorted []time.Duration, q float64) float64 {
	return milliseconds(sorted[int(q*float64(len(sorted)-1)+0.5)])
}
