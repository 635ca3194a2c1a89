package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/memberwatch/memberwatch/bench/nab"
)

// nabFlags say which scores are judged, and how.
type nabFlags struct {
	data      *[]string
	threshold float64
	optimise  bool
	scores    string
	floor     float64
	format    *choice
}

func newBenchNAB() *cobra.Command {
	cmd := &cobra.Command{
		Use: "nab", Short: "Score the model of a lone series on the Numenta Anomaly Benchmark", Args: exactly(),
		Long: "nab runs the model of a lone series over every series of the Numenta Anomaly Benchmark, each from a fresh\n" +
			"state, and scores its alarms under the benchmark's three profiles. The threshold is fixed before\n" +
			"anything is scored; --optimise picks the best one with the labels in hand, as the benchmark's\n" +
			"public table does, and the result says so. --scores judges another detector's published scores.",
		Example: "  memberwatch bench nab --data nab-dev\n  memberwatch bench nab --data NAB --scores NAB/results/numenta --format json",
	}
	var f nabFlags
	flags := cmd.Flags()
	f.data = dataFlag(cmd, "data/GROUP/NAME.csv and combined_windows.json")
	flags.Float64Var(&f.threshold, "threshold", nab.Threshold, "decades of return period from which on a score is an alarm")
	flags.BoolVar(&f.optimise, "optimise", false, "choose the thresholds after seeing the labels")
	flags.StringVar(&f.scores, "scores", "", "folder with another detector's scores, GROUP/DETECTOR_NAME.csv; implies --optimise")
	flags.Float64Var(&f.floor, "floor", 0, "fail if the standard profile scores less; 0: never")
	f.format = formatFlag(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return f.run(cmd) }
	return cmd
}

func (f *nabFlags) run(cmd *cobra.Command) error {
	if len(*f.data) != 1 {
		return usagef("--data takes one folder, not %d", len(*f.data))
	}
	if !(f.threshold > 0) {
		return usagef("--threshold %g must be above 0", f.threshold)
	}
	if (f.optimise || f.scores != "") && cmd.Flags().Changed("threshold") {
		return &usageError{message: "--optimise and --scores choose a threshold, --threshold sets it", hint: "leave one of them out"}
	}
	stdout := cmd.OutOrStdout()
	report, err := f.report((*f.data)[0])
	if err != nil {
		return err
	}
	if f.format.value == "json" {
		err = writeResult(stdout, report)
	} else {
		err = printNAB(stdout, report)
	}
	if err == nil && f.floor > 0 && report.Standard < f.floor {
		return missed("the standard profile's score of", report.Standard, f.floor)
	}
	return err
}

func (f *nabFlags) report(dir string) (*nab.Report, error) {
	files, err := nab.Read(dir)
	if err != nil {
		return nil, hinted{err, "the folder must hold data/GROUP/NAME.csv and combined_windows.json, as in the benchmark's repository"}
	}
	if f.scores != "" {
		scores, err := nab.ReadScores(f.scores, files)
		if err != nil {
			return nil, hinted{err, "the folder of scores must hold GROUP/DETECTOR_NAME.csv, DETECTOR being its own name"}
		}
		return nab.OfOthers(files, scores), nil
	}
	if scores := nab.Scores(files); f.optimise {
		return nab.AtBest(files, scores), nil
	} else {
		return nab.AtFixed(files, scores, f.threshold), nil
	}
}

func printNAB(w io.Writer, r *nab.Report) error {
	t := table{columns: []column{left("SERIES"), right("WINDOWS"), right("FOUND"), right("FALSE ROWS"), right("HIGHEST SCORE")}}
	for _, f := range r.Files {
		t.add(f.Name, number(f.Windows), number(f.Found), number(f.FalseRows), fmt.Sprintf("%.2f", f.Most))
	}
	if err := t.writeTo(w); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nfound %d of %d windows, %d false rows of %d scored\n\n", r.Found, r.Windows, r.FalseRows, r.Rows)
	profiles := table{columns: []column{left("PROFILE"), right("SCORE"), right("THRESHOLD")}}
	profiles.add("standard", fmt.Sprintf("%.2f", r.Standard), fmt.Sprintf("%.3g", r.Threshold))
	profiles.add("reward low FP", fmt.Sprintf("%.2f", r.RewardLowFP), fmt.Sprintf("%.3g", r.LowFPAt))
	profiles.add("reward low FN", fmt.Sprintf("%.2f", r.RewardLowFN), fmt.Sprintf("%.3g", r.LowFNAt))
	if err := profiles.writeTo(w); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "threshold: %s\n", r.Origin)
	return err
}
