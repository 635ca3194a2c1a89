package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/memberwatch/memberwatch/bench/diff"
)

func newBenchCompare() *cobra.Command {
	cmd := &cobra.Command{
		Use: "compare OLD.json NEW.json", Short: "Tell which figures of two results differ by more than noise", Args: exactly("OLD.json", "NEW.json"),
		Long: "compare reads the JSON results of any bench command. A file may hold several results, one after\n" +
			"the other: from four on in each, a difference counts if the test of Mann and Whitney gives it a\n" +
			"p below 0.05. Figures that carry an interval of their own differ when the intervals do not\n" +
			"meet. Of others nothing can be said, and they are marked ?.",
		Example: "  for i in 1 2 3 4 5; do memberwatch bench throughput --format json; done > new.json\n  memberwatch bench compare old.json new.json",
	}
	format := formatFlag(cmd, "table", "json")
	changed := cmd.Flags().Bool("changed", false, "only figures that differ")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var both [2]*diff.Samples
		for i, file := range args {
			samples, err := readSamples(file)
			if err != nil {
				return err
			}
			both[i] = samples
		}
		shared := diff.Files(both[0], both[1])
		if len(shared) == 0 {
			return hinted{fmt.Errorf("%s and %s have no figure in common", args[0], args[1]), "compare two results of one bench command"}
		}
		rows := []diff.Row{}
		for _, row := range shared {
			if row.Differs || !*changed {
				rows = append(rows, row)
			}
		}
		if len(rows) == 0 {
			fmt.Fprintf(cmd.ErrOrStderr(), "memberwatch: none of %s differs by more than noise\n", plural(len(shared), "figure"))
		}
		return printResult(cmd.OutOrStdout(), format, rows, compareTable)
	}
	return cmd
}

func readSamples(file string) (*diff.Samples, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, hinted{fmt.Errorf("read a result: %w", err), "make one with memberwatch bench ... --format json"}
	}
	defer f.Close() //nolint:errcheck // only read from
	return diff.Read(file, f)
}

func compareTable(w io.Writer, rows []diff.Row) error {
	t := table{columns: []column{left("FIGURE"), right("OLD"), right("NEW"), right("CHANGE"), left("")}}
	for i := range rows {
		r := &rows[i]
		change, basis := "~", ""
		switch {
		case r.Measured == "nothing" && r.Change != 0:
			change = "?"
		case r.Differs:
			change = fmt.Sprintf("%+.1f %%", r.Change)
		}
		if r.Measured == "samples" {
			basis = fmt.Sprintf("p=%.3f n=%d+%d", r.P, r.Old.N, r.New.N)
		}
		t.add(r.Name, summary(&r.Old), summary(&r.New), change, basis)
	}
	return t.writeTo(w)
}

// summary writes a median with the larger half of its interval in percent.
func summary(s *diff.Summary) string {
	text := strconv.FormatFloat(s.Median, 'g', 4, 64)
	if s.Low == s.High || s.Median == 0 {
		return text
	}
	return fmt.Sprintf("%s ± %.0f %%", text, 100*max(s.High-s.Median, s.Median-s.Low)/math.Abs(s.Median))
}
