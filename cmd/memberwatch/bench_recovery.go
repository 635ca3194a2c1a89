package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/memberwatch/memberwatch/bench/recovery"
)

func newBenchRecovery() *cobra.Command {
	cmd := &cobra.Command{
		Use: "recovery", Short: "Time the start over what a crash has left", Args: exactly(),
		Long: "recovery watches a number of apps for half a day of event time, stops without a final checkpoint,\n" +
			"and times the next start, for each size.",
	}
	c := recovery.Defaults()
	flags := cmd.Flags()
	flags.IntSliceVar(&c.Apps, "apps", c.Apps, "sizes: numbers of apps")
	flags.IntVar(&c.Events, "events", c.Events, "events of each app")
	flags.IntVar(&c.Starts, "starts", c.Starts, "starts of each size; the figure is their median")
	flags.Uint64Var(&c.Seed, "seed", c.Seed, "chooses everything that is random")
	dataDir := flags.String("data-dir", "", "directory on the disk to measure, which must be empty or new; none: a temporary one")
	format := formatFlag(cmd, "table", "json")
	floor := flags.Float64("most-ms", 0, "fail if a size takes longer to start, at the median; 0: never")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := c.Check(); err != nil {
			return usagef("%v", err)
		}
		dir, remove, err := freshDir(*dataDir)
		if err != nil {
			return err
		}
		defer remove()
		fmt.Fprintf(cmd.ErrOrStderr(), "memberwatch: seed %d, data in %s\n", c.Seed, dir)
		bar := newProgress(cmd.ErrOrStderr(), 1, "sizes")
		result, err := recovery.Run(cmd.Context(), dir, c, bar.steps)
		bar.clear()
		if err != nil {
			return err
		}
		if err := printResult(cmd.OutOrStdout(), format, result, recoveryTable); err != nil {
			return err
		}
		for _, size := range result.Sizes {
			if *floor > 0 && size.StartP50 > *floor {
				return fmt.Errorf("%d apps took %.0f ms to start, %.0f are allowed", size.Apps, size.StartP50, *floor)
			}
		}
		return nil
	}
	return cmd
}

func recoveryTable(w io.Writer, r *recovery.Result) error {
	t := table{columns: []column{right("APPS"), right("EVENTS"), right("FILES"), right("START P50"), right("LONGEST")}}
	for _, s := range r.Sizes {
		t.add(number(s.Apps), number(s.Events), byteSize(s.FileBytes), fmt.Sprintf("%.0f ms", s.StartP50), fmt.Sprintf("%.0f ms", s.StartMax))
	}
	return t.writeTo(w)
}
