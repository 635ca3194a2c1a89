package lookback

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector"
	"github.com/memberwatch/memberwatch/detector/sketch"
	"github.com/memberwatch/memberwatch/monitor"
	"github.com/memberwatch/memberwatch/store"
)

// end is the day after the newest in the ledger.
var end = memberwatch.WindowAt(memberwatch.Day, time.Date(2024, 6, 3, 0, 0, 0, 0, time.UTC).UnixNano())

const dayNanos = int64(24 * time.Hour)

// class is what all apps read.
const class = "group_membership"

// endpoints are what a class is read by: an app uses the first, the first two, or
// all.
var endpoints = [...]string{"groups.members", "groups.members.search", "groups.feed"}

func appName(rank int) memberwatch.AppID { return memberwatch.AppID(fmt.Sprintf("app-%06d", rank)) }

// appsOfDeveloper is how many apps each developer has.
const appsOfDeveloper = 3

func developerName(rank int) memberwatch.DeveloperID {
	return memberwatch.DeveloperID(fmt.Sprintf("dev-%05d", rank/appsOfDeveloper))
}

// groupName names a group of an app; five apps have the same ones.
func groupName(rank, n int) string { return fmt.Sprintf("group-%d-%d", rank/5, n) }

// fill writes one row for each app and day, a week more than asked for. The app
// of rank k reads 5 + 100,000/(10+k) members a day of ten times as many.
func fill(ctx context.Context, dir string, c *Config, progress func(day int)) (rows int, size int64, err error) {
	s, err := store.Open(dir, store.Options{MergeSketch: monitor.SketchMerger()})
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	random := rand.New(rand.NewPCG(c.Seed, 1))
	first := int32(end.Start/dayNanos) - int32(c.Days) - 7
	for day := range c.Days + 7 {
		for i, p := range s.Partitions {
			commit := partitionDay(random, c, i, len(s.Partitions), first, first+int32(day))
			if _, err := p.Commit(commit); err != nil {
				return rows, 0, err
			}
			if err := rollUp(p, commit); err != nil {
				return rows, 0, err
			}
		}
		rows += c.Apps
		if err := ctx.Err(); err != nil {
			return rows, 0, err
		}
		progress(day + 1)
	}
	for _, p := range s.Partitions {
		size += p.FileBytes()
	}
	return rows, size, nil
}

// rollUp is the commits of the rest of a day, of which a service makes thousands.
func rollUp(p *store.Partition, of *store.PartitionCommit) error {
	for range 3 {
		if _, err := p.Commit(&store.PartitionCommit{RollUpBelow: of.RollUpBelow, Progress: of.Progress}); err != nil {
			return err
		}
	}
	return nil
}

// partitionDay is what one partition writes of one day.
func partitionDay(random *rand.Rand, c *Config, index, partitions int, first, day int32) *store.PartitionCommit {
	commit := &store.PartitionCommit{RollUpBelow: day, Progress: store.Progress{Closed: int64(day+1) * dayNanos, Judged: int64(day+1) * dayNanos}}
	var d appDay
	for rank := range c.Apps {
		if rank/appsOfDeveloper%partitions != index {
			continue // a developer's apps live together
		}
		if day == first {
			commit.Apps = append(commit.Apps, store.AppOwner{App: appName(rank), Developer: developerName(rank)})
		}
		d.draw(random, rank)
		commit.Ledger = d.appendRows(commit.Ledger, memberwatch.LedgerKey{Day: day, Class: class, App: appName(rank)})
	}
	return commit
}

// appDay is what one app reads on one day, by endpoint.
type appDay struct {
	used            int
	calls           [len(endpoints)]uint64
	members, groups [len(endpoints)]sketch.Distinct
}

func (d *appDay) draw(random *rand.Rand, rank int) {
	d.used = 1 + rank%len(endpoints)
	for i := range d.used {
		d.calls[i] = 0
		d.members[i].Reset()
		d.groups[i].Reset()
	}
	daily := 5 + 100_000/(10+rank)
	for range daily {
		i := random.IntN(d.used)
		d.calls[i]++
		d.members[i].Insert(uint64(rank)<<32 | random.Uint64N(uint64(10*daily)))
	}
	for range 1 + daily/100 {
		d.groups[random.IntN(d.used)].Insert(detector.GroupKey(groupName(rank, random.IntN(1+daily/20))))
	}
}

func (d *appDay) appendRows(rows []memberwatch.LedgerRow, key memberwatch.LedgerKey) []memberwatch.LedgerRow {
	for i := range d.used {
		row := memberwatch.LedgerRow{LedgerKey: key, Endpoint: endpoints[i], Calls: d.calls[i]/5 + 1, Records: d.calls[i]}
		row.Members, _ = d.members[i].AppendBinary(nil) // the error is always nil
		row.Groups, _ = d.groups[i].AppendBinary(nil)
		rows = append(rows, row)
	}
	return rows
}
