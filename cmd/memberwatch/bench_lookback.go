package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/memberwatch/memberwatch/bench/lookback"
)

func newBenchLookback() *cobra.Command {
	cmd := &cobra.Command{
		Use: "lookback", Short: "Time the question who read what in the last weeks", Args: exactly(),
		Long: "lookback fills a data directory with a ledger row for each app and day, then asks for all apps\n" +
			"and data classes over ranges that begin around the given number of days before the newest.",
		Example: "  memberwatch bench lookback --apps 10000 --days 60 --require 'query_ms_p99<=100'",
	}
	c := lookback.Defaults()
	flags := cmd.Flags()
	flags.IntVar(&c.Apps, "apps", c.Apps, "apps with access on each day")
	flags.IntVar(&c.Days, "days", c.Days, "days to look back")
	flags.IntVar(&c.Queries, "queries", c.Queries, "how often to ask")
	flags.Uint64Var(&c.Seed, "seed", c.Seed, "chooses everything that is random")
	dataDir := flags.String("data-dir", "", "directory on the disk to measure, which must be empty or new; none: a temporary one")
	profile := flags.String("cpu-profile", "", "file for a profile of the processor time")
	format := formatFlag(cmd, "table", "json")
	require := requireFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := c.Check(); err != nil {
			return usagef("%v", err)
		}
		dir, remove, err := freshDir(*dataDir)
		if err != nil {
			return err
		}
		defer remove()
		stop, err := startProfile(*profile)
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "memberwatch: seed %d, data in %s\n", c.Seed, dir)
		bar := newProgress(cmd.ErrOrStderr(), 1, "steps")
		result, err := lookback.Run(cmd.Context(), dir, c, bar.steps)
		bar.clear()
		if stopErr := stop(); err == nil {
			err = stopErr
		}
		if err != nil {
			return err
		}
		if err := printResult(cmd.OutOrStdout(), format, result, lookbackTable); err != nil {
			return err
		}
		return require.check(result)
	}
	return cmd
}

func lookbackTable(w io.Writer, r *lookback.Result) error {
	t := table{columns: []column{right("APPS"), right("DAYS"), right("LEDGER ROWS"), right("QUERY P50"), right("P99"), right("FIRST"), right("CPU"), right("OPEN")}}
	ms := func(v float64) string { return fmt.Sprintf("%.0f ms", v) }
	t.add(number(r.Apps), number(r.Days), number(r.Rows), ms(r.QueryP50), ms(r.QueryP99), ms(r.FirstQuery), ms(r.QueryCPU), ms(r.Open))
	return t.writeTo(w)
}
