package logs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Result is what the logs of a folder came to; a set that is not there stays
// nil and is listed as missing.
type Result struct {
	EDGAR     *Ranking    `json:"edgar,omitempty"`
	CRAN      *Ranking    `json:"cran,omitempty"`
	DARPA     *DARPA      `json:"darpa98,omitempty"`
	Cosharing []Cosharing `json:"cosharing,omitempty"`
	Missing   []string    `json:"missing,omitempty"`
}

// Watcher is told which set is being read, and how many of its events have
// been.
type Watcher func(set string, events int64)

// AlertsPerDay is the reference for darpa98: alerts a day on quiet sources.
const AlertsPerDay = 1

// Run runs every set that a folder has. Each is in a folder of its own name.
func Run(ctx context.Context, dir string, watch Watcher) (*Result, error) {
	r := &Result{}
	for _, set := range []struct {
		name string
		run  func(dir string, watch func(int64)) error
	}{
		{"edgar", func(dir string, w func(int64)) (err error) { r.EDGAR, err = EDGAR(ctx, dir, w); return err }},
		{"cran", func(dir string, w func(int64)) (err error) { r.CRAN, err = CRAN(ctx, dir, w); return err }},
		{"darpa98", func(dir string, w func(int64)) (err error) {
			r.DARPA, err = RunDARPA(ctx, dir, AlertsPerDay, w)
			return err
		}},
		{"cosharing", func(dir string, w func(int64)) (err error) { r.Cosharing, err = RunCosharing(ctx, dir, w); return err }},
	} {
		folder := filepath.Join(dir, set.name)
		if _, err := os.Stat(folder); errors.Is(err, os.ErrNotExist) {
			r.Missing = append(r.Missing, set.name)
			continue
		}
		if err := set.run(folder, func(events int64) { watch(set.name, events) }); err != nil {
			return nil, fmt.Errorf("%s: %w", set.name, err)
		}
	}
	if len(r.Missing) == 4 {
		return nil, fmt.Errorf("no set in %q: expected folders edgar, cran, darpa98 or cosharing", dir)
	}
	return r, nil
}
