package main

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/memberwatch/memberwatch/bench/lookback"
)

func newBenchLookback() *cobra.Command {
	cmd := &cobra.Command{
		Use: "lookback", Short: "Time the question who read what in the last weeks", Args: exactly(),
		Long: "lookback fills a data directory with a ledger row for each app and day, then asks for all apps\n" +
			"and data classes, and for parts of them, over ranges that begin around the given number of days\n" +
			"before the newest.",
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
	t := table{columns: []column{left("QUESTION"), right("ROWS"), right("P50"), right("P99"), right("CPU")}}
	ms := func(v float64) string { return fmt.Sprintf("%.0f ms", v) }
	t.add("all apps", number(r.Apps), ms(r.QueryP50), ms(r.QueryP99), ms(r.QueryCPU))
	for _, name := range slices.Sorted(maps.Keys(r.Narrow)) {
		n := r.Narrow[name]
		t.add(name, number(int64(n.Rows+0.5)), ms(n.P50), ms(n.P99), ms(n.CPU))
	}
	if err := t.writeTo(w); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s ledger rows of %s apps, %d days back, in %d MiB; the first question took %s, opening %s.\n",
		number(r.Rows), number(r.Apps), r.Days, r.Bytes>>20, ms(r.FirstQuery), ms(r.Open))
	return err
}
