package logs

import (
	"cmp"
	"context"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"

	"github.com/memberwatch/memberwatch"
)

// Cosharing compares a log of accounts that act together with a null: the same
// log after each account was moved by a random whole number of days. That keeps
// its volume and its hours and breaks what it does together with others, so
// what the log raises and the null does not speaks of coordination.
type Cosharing struct {
	Name         string         `json:"name"`
	Events       int64          `json:"events"`
	Apps         int            `json:"apps"`
	Signals      int            `json:"signals"`
	Shifted      int            `json:"shifted_signals"`
	Kinds        map[string]int `json:"kinds"`
	ShiftedKinds map[string]int `json:"shifted_kinds"`
	// Coordination counts the signals that speak of it, Named the accounts they
	// name, and Shifted… the same of the null.
	Coordination        int `json:"coordination_signals"`
	Named               int `json:"accounts_named"`
	ShiftedCoordination int `json:"shifted_coordination_signals"`
	// Distinguished tells that the log raises such signals and the null none.
	Distinguished bool `json:"distinguished"`
}

// post is one shared thing.
type post struct {
	at       int64
	app      string
	endpoint string
	member   uint64
	group    string
}

// shiftSeed makes the null; any other does as well.
const shiftSeed = 1

// RunCosharing runs both of a folder's logs, each as it is and shifted.
func RunCosharing(ctx context.Context, dir string, watch func(int64)) ([]Cosharing, error) {
	var results []Cosharing
	for _, name := range []string{"ru_retweets", "de_posts"} {
		posts, err := readPosts(filepath.Join(dir, name+".csv.gz"))
		if err != nil {
			return nil, err
		}
		one := Cosharing{Name: name}
		r, signals, err := runPosts(ctx, posts, watch)
		if err != nil {
			return nil, err
		}
		one.Events, one.Apps, one.Signals, one.Kinds = r.events, len(r.volumes), len(signals), kinds(signals)
		one.Coordination, one.Named = coordination(signals)
		if _, signals, err = runPosts(ctx, shift(posts), watch); err != nil {
			return nil, err
		}
		one.Shifted, one.ShiftedKinds = len(signals), kinds(signals)
		one.ShiftedCoordination, _ = coordination(signals)
		one.Distinguished = one.Coordination > 0 && one.ShiftedCoordination == 0
		results = append(results, one)
	}
	return results, nil
}

// coordination counts the signals of apps that act together, and the apps they
// name.
func coordination(signals []memberwatch.Signal) (n, apps int) {
	named := make(map[memberwatch.AppID]bool)
	for i := range signals {
		if signals[i].Kind == memberwatch.KindCoordination {
			n++
			for _, app := range signals[i].Apps {
				named[app] = true
			}
		}
	}
	return n, len(named)
}

func readPosts(path string) ([]post, error) {
	var posts []post
	things := make(map[string]uint64)
	err := read(path, func(row *row) error {
		p := post{at: row.time("t", time.RFC3339), app: row.text("app"), endpoint: "retweet"}
		if slices.Contains(row.header, "endpoint") {
			p.endpoint, p.group = row.text("endpoint"), row.text("group")
		}
		thing := p.endpoint + " " + row.text("member") // numbers count anew for each endpoint
		if _, known := things[thing]; !known {
			things[thing] = uint64(len(things))
		}
		p.member = hash(things[thing])
		posts = append(posts, p)
		return nil
	})
	slices.SortStableFunc(posts, func(a, b post) int { return cmp.Compare(a.at, b.at) })
	return posts, err
}

// shift moves every account by a whole number of days, round the log's end to
// its beginning.
func shift(posts []post) []post {
	const day = 24 * int64(time.Hour)
	first := posts[0].at / day * day
	days := (posts[len(posts)-1].at-first)/day + 1
	random := rand.New(rand.NewPCG(shiftSeed, 0))
	by := make(map[string]int64)
	moved := slices.Clone(posts)
	for i := range moved {
		p := &moved[i]
		if _, known := by[p.app]; !known {
			by[p.app] = random.Int64N(days)
		}
		p.at = first + (p.at-first+by[p.app]*day)%(days*day)
	}
	slices.SortStableFunc(moved, func(a, b post) int { return cmp.Compare(a.at, b.at) })
	return moved
}

func runPosts(ctx context.Context, posts []post, watch func(int64)) (*runner, []memberwatch.Signal, error) {
	return run(ctx, nil, watch, func(r *runner) error {
		for _, p := range posts {
			ev := memberwatch.Event{
				App: memberwatch.AppID(p.app), Time: p.at, Endpoint: p.endpoint, Group: p.group,
				Disclosed: []uint64{p.member}, Outcome: memberwatch.OutcomeOK,
			}
			r.volumes.add(&ev)
			if err := r.append(ctx, &ev); err != nil {
				return err
			}
		}
		return nil
	})
}
