package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/memberwatch/memberwatch/bench/calibration"
)

// calibrationFlags say what is measured, and how far it may be off.
type calibrationFlags struct {
	data         *[]string
	budgets      []float64
	warmup       int
	plantings    int
	seed         uint64
	pWithin      float64
	budgetWithin float64
	format       *choice
}

func newBenchCalibration() *cobra.Command {
	cmd := &cobra.Command{
		Use: "calibration", Short: "Measure whether p-values and budgets keep their word on real counts", Args: exactly(),
		Long: "calibration feeds count series to the expectations, ranks, fleet factor and evidence that watch\n" +
			"apps, and compares how often p-values fall below a level, and how many signals open, with what\n" +
			"was promised. Real growth and real events in the data count as false. On copies of the series it\n" +
			"plants bursts, steps, ramps and flat additions, and says what is found, when, and how much had\n" +
			"leaked by then.\n\n" +
			"A folder holds daily_PERIOD_unique.csv.gz (with _total and _packages beside it), hourly.csv.gz, or\n" +
			"events.csv.gz with columns t and app.",
		Example: "  memberwatch bench calibration --data cran,bikes,pedestrians\n  memberwatch bench calibration --data cran --p-within 2 --budget-within 2 --format json",
	}
	var f calibrationFlags
	flags := cmd.Flags()
	f.data = dataFlag(cmd, "count series")
	flags.Float64SliceVar(&f.budgets, "budget", []float64{1400, 7000}, "app-days of one false signal; each is a run of its own")
	flags.IntVar(&f.warmup, "warmup", 220, "days before anything counts")
	flags.IntVar(&f.plantings, "plantings", 200, "injections of each kind; 0: none")
	flags.Uint64Var(&f.seed, "seed", 1, "chooses where they are planted")
	flags.Float64Var(&f.pWithin, "p-within", 0, "fail if p-values of busy series are off by more than this factor at 1e-2 or 1e-3; 0: never")
	flags.Float64Var(&f.budgetWithin, "budget-within", 0, "fail if a set's signals are off the budget by more than this factor; 0: never")
	f.format = formatFlag(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return f.run(cmd) }
	return cmd
}

func (f *calibrationFlags) run(cmd *cobra.Command) error {
	if err := f.check(); err != nil {
		return err
	}
	var sets []calibration.Set
	for _, dir := range *f.data {
		read, err := calibration.Read(dir)
		if err != nil {
			return err
		}
		sets = append(sets, read...)
	}
	bar := newProgress(cmd.ErrOrStderr(), 0, "days")
	fmt.Fprintf(cmd.ErrOrStderr(), "memberwatch: %s, seed %d\n", plural(len(sets), "set"), f.seed)
	report, err := calibration.Measure(sets, calibration.Options{
		Budgets: f.budgets, Warmup: f.warmup, Plantings: f.plantings, Seed: f.seed,
		Progress: func(done, total int64) { bar.total = total; bar.show(done, done) },
	})
	bar.clear()
	if err != nil {
		return err
	}
	if f.format.value == "json" {
		err = writeResult(cmd.OutOrStdout(), report)
	} else {
		err = printCalibration(cmd.OutOrStdout(), report)
	}
	if err != nil {
		return err
	}
	return report.Check(f.pWithin, f.budgetWithin)
}

func (f *calibrationFlags) check() error {
	for _, b := range f.budgets {
		if !(b >= 1) {
			return usagef("--budget is at least 1 app-day, not %g", b)
		}
	}
	if len(f.budgets) == 0 || f.warmup < 28 || f.plantings < 0 {
		return usagef("--budget takes at least one number, --warmup at least 28 days, --plantings none or more")
	}
	return nil
}

func printCalibration(w io.Writer, r *calibration.Report) error {
	t := table{columns: []column{
		left("SET"), left("STRATUM"), left("FEATURE"), left("STREAM"), right("POINTS"), right("P 1e-2"), right("1e-3"), right("1e-4"),
	}}
	ratio := func(x float64) string { return fmt.Sprintf("%.2f", x) }
	for _, s := range r.Sets {
		for _, k := range s.Streams {
			t.add(s.Name, s.Stratum, k.Feature, k.Stream, number(k.Points), ratio(k.Realised.Percent), ratio(k.Realised.Thousandth), ratio(k.Realised.TenThousand))
		}
	}
	fmt.Fprintf(w, "p-values below a level, realised over nominal, from day %d on\n\n", r.WarmupDays)
	if err := t.writeTo(w); err != nil {
		return err
	}
	t = table{columns: []column{
		left("SET"), left("STRATUM"), right("SERIES"), right("BUDGET"), right("SIGNALS"), right("SLOW"), right("EXPECTED"), right("REALISED"), right("A YEAR"),
	}}
	for _, s := range r.Sets {
		for _, b := range s.Budgets {
			t.add(s.Name, s.Stratum, number(s.Series), decimal(b.AppDays), number(b.Signals), number(b.Slow), decimal(b.Expected), ratio(b.Realised),
				fmt.Sprintf("%.3f", float64(b.Signals)/max(float64(s.EntityDays), 1)*calibration.DaysPerYear))
		}
	}
	fmt.Fprint(w, "\nsignals opened against the budget, real growth counted as false\n\n")
	if err := t.writeTo(w); err != nil || len(r.Injections) == 0 {
		return err
	}
	return printInjections(w, r)
}

func printInjections(w io.Writer, r *calibration.Report) error {
	t := table{columns: []column{
		left("SET"), right("BUDGET"), left("PLANTED"), right("RUNS"), right("FOUND"), right("95 %"), right("DAYS"), right("LEAKED"),
	}}
	percent := func(x float64) string { return fmt.Sprintf("%.0f %%", 100*x) }
	for _, x := range r.Injections {
		t.add(x.Set, decimal(x.AppDays), x.Kind, number(x.Runs), percent(x.Found), fmt.Sprintf("%.0f-%.0f", 100*x.Low, 100*x.High), decimal(x.Delay), percent(x.Leaked))
	}
	fmt.Fprint(w, "\nplanted on copies of series of 10 and more a day; days are the median of those found,\nleaked is the mean part of the planted volume that was out by then (all of it when missed)\n\n")
	return t.writeTo(w)
}
