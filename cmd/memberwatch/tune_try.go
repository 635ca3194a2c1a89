package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

// tuningFlags are the changes that a tuning makes to the one in force.
type tuningFlags struct {
	budget  float64
	weights map[string]string
	shadow  []string
}

func (f *tuningFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.Float64Var(&f.budget, "budget", 0, "app-days in which one false signal is accepted; 0: as it is")
	flags.StringToStringVar(&f.weights, "weight", nil, "factor on the configured share of a feature, such as reach=0.5; may be repeated")
}

// given tells whether anything would change.
func (f *tuningFlags) given() bool { return f.budget != 0 || len(f.weights)+len(f.shadow) > 0 }

// apply makes the changes.
func (f *tuningFlags) apply(t *pb.Tuning) error {
	if f.budget != 0 {
		t.BudgetAppDays = f.budget
	}
	for feature, text := range f.weights {
		factor, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return usagef("--weight %s=%s: %q is no number", feature, text, text)
		}
		if t.Weights == nil {
			t.Weights = make(map[string]float64)
		}
		t.Weights[feature] = factor
	}
	t.ShadowKinds = append(t.GetShadowKinds(), f.shadow...)
	return nil
}

func newTuneTry() *cobra.Command {
	cmd := &cobra.Command{
		Use: "try", Short: "Show what another tuning would have raised", Args: exactly(),
		Long: "try holds a change against the evidence that the service has kept of closed windows, down to a\n" +
			"twentieth of the budget: what would have been raised over the last days, and how many of those\n" +
			"signals the reviews have found to be abuse. Nothing changes.",
		Example: "  memberwatch tune try --budget 2800 --days 60\n  memberwatch tune try --weight reach=0.5 --shadow metronome",
	}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	var f tuningFlags
	f.bind(cmd)
	cmd.Flags().StringSliceVar(&f.shadow, "shadow", nil, "kind to put in shadow; may be repeated")
	days := cmd.Flags().Int("days", 28, "days of event time to look back, at most 400")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *days < 1 {
			return usagef("--days %d must be at least 1", *days)
		}
		current, err := currentTuning(cmd.Context(), *server)
		if err != nil {
			return err
		}
		t := current.GetTuning()
		t.Configured = false
		if err := f.apply(t); err != nil {
			return err
		}
		answer, err := ask(cmd.Context(), *server, func(c *grpc.ClientConn) call[*pb.BacktestTuningRequest, *pb.BacktestTuningResponse] {
			return pb.NewTuningServiceClient(c).BacktestTuning
		}, &pb.BacktestTuningRequest{Tuning: t, Days: int32(min(*days, 400))})
		if err != nil {
			return err
		}
		if format.value == "json" {
			return writeJSON(cmd.OutOrStdout(), answer)
		}
		return printTrial(cmd.OutOrStdout(), answer)
	}
	return cmd
}

// printTrial prints what a tuning would have come to.
func printTrial(w io.Writer, r *pb.BacktestTuningResponse) error {
	t := table{columns: []column{
		left("TUNING"), right("SIGNALS"), right("A DAY"), right("ABUSE"), right("EXPECTED, BENIGN"), right("UNDECIDED"), right("PRECISION"),
	}}
	add := func(what string, o *pb.BacktestOutcome) {
		by := make(map[string]int64)
		for _, v := range o.GetVerdicts() {
			by[v.GetName()] = v.GetCount()
		}
		precision := "-"
		if decided := by["ABUSE"] + by["EXPECTED"] + by["BENIGN"]; decided > 0 {
			precision = fmt.Sprintf("%.2f", o.GetPrecision())
		}
		wrong := by["EXPECTED"] + by["BENIGN"]
		t.add(what, number(o.GetSignals()), fmt.Sprintf("%.2f", o.GetSignalsPerDay()), number(by["ABUSE"]), number(wrong),
			number(o.GetSignals()-by["ABUSE"]-wrong), precision)
	}
	add("in force", r.GetNow())
	add("tried", r.GetThen())
	if err := t.writeTo(w); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nfrom %s to %s; %s raised in fact\n", instant(r.GetStartTime()), instant(r.GetEndTime()), plural(r.GetRaised(), "signal"))
	for _, part := range []struct {
		what    string
		signals []*pb.BacktestSignal
	}{{"would not have been raised", r.GetGone()}, {"would have been raised besides", r.GetCome()}} {
		if len(part.signals) == 0 {
			continue
		}
		fmt.Fprintf(w, "\n%s:\n", part.what)
		list := table{columns: []column{left("OPENED"), left("KIND"), left("APP"), left("VERDICT")}}
		for _, s := range part.signals {
			who := bare(s.GetApp())
			switch {
			case who == "" && s.GetDeveloper() == "":
				who = "several apps"
			case who == "":
				who = "all of " + s.GetDeveloper()
			}
			list.add(instant(s.GetOpenTime()), s.GetKind(), who, dash(strings.ToLower(s.GetVerdict())))
		}
		if err := list.writeTo(w); err != nil {
			return err
		}
	}
	return nil
}
