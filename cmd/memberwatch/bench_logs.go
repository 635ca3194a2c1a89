package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/memberwatch/memberwatch/bench/logs"
)

func newBenchLogs() *cobra.Command {
	cmd := &cobra.Command{
		Use: "logs", Short: "Rank the known offenders of real logs", Args: exactly(),
		Long: "logs runs real logs through the service and says where its evidence ranks those whom others have\n" +
			"named: scrapers of a filing service (edgar), harvesters of a package mirror (cran), attacks of an\n" +
			"intrusion evaluation, by kind, at one alert a day on quiet sources (darpa98), and accounts that act\n" +
			"together against the same accounts moved by random days (cosharing). Sets that are not there are\n" +
			"left out and named.",
		Example: "  memberwatch bench logs --data DIR",
	}
	dirs := dataFlag(cmd, "edgar, cran, darpa98, cosharing")
	format := formatFlag(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if len(*dirs) != 1 {
			return usagef("--data takes one folder, not %d", len(*dirs))
		}
		bar := newProgress(cmd.ErrOrStderr(), 0, "events")
		set := ""
		result, err := logs.Run(cmd.Context(), (*dirs)[0], func(name string, events int64) {
			if set != name {
				bar.clear()
				set, bar = name, newProgress(cmd.ErrOrStderr(), 0, "events of "+name)
			}
			bar.show(events, events)
		})
		bar.clear()
		if err != nil {
			return err
		}
		if format.value == "json" {
			return writeResult(cmd.OutOrStdout(), result)
		}
		return printLogs(cmd.OutOrStdout(), result)
	}
	return cmd
}

func printLogs(w io.Writer, r *logs.Result) error {
	if r.EDGAR != nil {
		if err := printRanking(w, "edgar", r.EDGAR); err != nil {
			return err
		}
	}
	if r.CRAN != nil {
		if err := printRanking(w, "cran", r.CRAN); err != nil {
			return err
		}
	}
	if r.DARPA != nil {
		if err := printDARPA(w, r.DARPA); err != nil {
			return err
		}
	}
	for _, c := range r.Cosharing {
		verdict := "NOT DETECTED"
		if c.Distinguished {
			verdict = "detected"
		}
		fmt.Fprintf(w, "cosharing %s: %s of %s; %s of coordination naming %s as it is, %d after the shift: %s (%d and %d signals of all kinds)\n",
			c.Name, plural(c.Events, "event"), plural(c.Apps, "account"), plural(c.Coordination, "signal"), plural(c.Named, "account"),
			c.ShiftedCoordination, verdict, c.Signals, c.Shifted)
	}
	if len(r.Missing) > 0 {
		fmt.Fprintf(w, "not in the folder, left out: %s\n", strings.Join(r.Missing, ", "))
	}
	return nil
}

func printRanking(w io.Writer, name string, r *logs.Ranking) error {
	fmt.Fprintf(w, "%s: %s of %s; %s about %s\n\n", name, plural(r.Events, "event"), plural(r.Apps, "app"), plural(r.Signals, "signal"), number(r.Accused)+" apps and developers")
	t := table{columns: []column{left("NAMED"), left("WHY"), right("RANK BY EVIDENCE"), right("OF ITS DAY"), right("BY MEMBERS"), left("SIGNAL"), left("STRONGEST EVIDENCE"), left("THROUGH")}}
	for _, o := range r.Offenders {
		rank, ofDay, raised := number(o.Rank), number(o.DayRank), "no"
		if o.Rank == 0 {
			rank, ofDay = "none", "none"
		}
		if o.Raised {
			raised = "yes"
		}
		t.add(string(o.App), o.Why, rank, ofDay, number(o.VolumeRank), raised, string(o.Kind), o.Through)
	}
	if err := t.writeTo(w); err != nil {
		return err
	}
	fmt.Fprintln(w)
	top := table{columns: []column{right("RANK"), left("WHO"), left("KIND"), right("WITHIN BUDGET OF"), right("MEMBERS"), left("NAMED")}}
	for n, a := range r.Top {
		named := ""
		if a.Named {
			named = "yes"
		}
		top.add(number(n+1), accused(&a), string(a.Kind), fmt.Sprintf("%.3g", a.Budget), number(int64(a.Members)), named)
	}
	if len(r.Top) > 0 {
		if err := top.writeTo(w); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	return nil
}

// accused names somebody accused, with how many apps that are more than one.
func accused(a *logs.Accused) string {
	if len(a.Apps) > 1 {
		return fmt.Sprintf("%s, %s", a.Who, plural(len(a.Apps), "app"))
	}
	return a.Who
}

func printDARPA(w io.Writer, d *logs.DARPA) error {
	fmt.Fprintf(w, "darpa98: %s of %s over %.0f days; found %d of %d attacks at a budget of %.3g app-days,\n"+
		"with %.2f alerts a day on %s and %.2f on the others between their attacks\n\n",
		plural(d.Events, "event"), plural(d.Apps, "source"), d.Days, d.Found, d.Incidents, d.Budget, d.AlertsPerDay, plural(d.Quiet, "quiet source"), d.Outside)
	t := table{columns: []column{left("ATTACK"), right("RUNS"), right("FOUND"), right("RECALL"), right("95 %"), right("DELAY P50")}}
	for _, k := range d.Kinds {
		after := ""
		if k.Found > 0 {
			after = delay(k.Minutes / 60)
		}
		t.add(k.Attack, number(k.Runs), number(k.Found), fmt.Sprintf("%.2f", k.Recall), fmt.Sprintf("%.2f–%.2f", k.Low, k.High), after)
	}
	err := t.writeTo(w)
	fmt.Fprintln(w)
	return err
}
