package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

func newTune() *cobra.Command {
	return group("tune", "Decide what evidence is raised", newTuneShow(), newTuneLog(), newTuneTry(), newTuneSet(), newTuneShadow(), newTuneRevert())
}

func newTuneShow() *cobra.Command {
	cmd := &cobra.Command{Use: "show", Short: "Show how evidence is decided now", Args: exactly()}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		answer, err := currentTuning(cmd.Context(), *server)
		if err != nil {
			return err
		}
		if format.value == "json" {
			return writeJSON(cmd.OutOrStdout(), answer)
		}
		return printTuning(cmd.OutOrStdout(), answer)
	}
	return cmd
}

func currentTuning(ctx context.Context, server string) (*pb.GetTuningResponse, error) {
	return ask(ctx, server, func(c *grpc.ClientConn) call[*pb.GetTuningRequest, *pb.GetTuningResponse] {
		return pb.NewTuningServiceClient(c).GetTuning
	}, &pb.GetTuningRequest{})
}

func printTuning(w io.Writer, answer *pb.GetTuningResponse) error {
	t := answer.GetTuning()
	head := table{columns: []column{left("TUNING"), left(tuningName(t))}}
	head.add("budget", fmt.Sprintf("one false signal in %s app-days", number(int64(t.GetBudgetAppDays()))))
	head.add("in shadow", dash(strings.Join(t.GetShadowKinds(), ", ")))
	if t.GetFromTime() != nil {
		head.add("from", instant(t.GetFromTime())+" of event time")
	}
	if t.GetComment() != "" {
		head.add("comment", t.GetComment())
	}
	if err := head.writeTo(w); err != nil {
		return err
	}
	fmt.Fprintln(w)
	shares := table{columns: []column{left("FEATURE"), right("FACTOR"), right("HOUR"), right("DAY"), right("SLOW")}}
	for _, s := range answer.GetShares() {
		factor := "1"
		if f, ok := t.GetWeights()[s.GetFeature()]; ok {
			factor = fmt.Sprintf("%g", f)
		}
		shares.add(s.GetFeature(), factor, percent(s.GetHour()), percent(s.GetDay()), percent(s.GetSlow()))
	}
	return shares.writeTo(w)
}

func tuningName(t *pb.Tuning) string {
	switch {
	case t.GetRevision() == 0:
		return "as configured"
	case t.GetConfigured():
		return fmt.Sprintf("%d: as configured", t.GetRevision())
	default:
		return strconv.FormatInt(t.GetRevision(), 10)
	}
}

// tuningChanges words what a tuning sets.
func tuningChanges(t *pb.Tuning) string {
	if t.GetConfigured() {
		return "as configured"
	}
	var words []string
	if t.GetBudgetAppDays() > 0 {
		words = append(words, fmt.Sprintf("budget %g", t.GetBudgetAppDays()))
	}
	for _, feature := range slices.Sorted(maps.Keys(t.GetWeights())) {
		words = append(words, fmt.Sprintf("%s ×%g", feature, t.GetWeights()[feature]))
	}
	for _, kind := range t.GetShadowKinds() {
		words = append(words, kind+" in shadow")
	}
	return dash(strings.Join(words, ", "))
}

func newTuneLog() *cobra.Command {
	cmd := &cobra.Command{Use: "log", Short: "List what was applied, newest first", Args: exactly()}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	limit := cmd.Flags().Int("limit", 50, "list at most so many; 0 lists all")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkLimit(*limit); err != nil {
			return err
		}
		tunings, err := listTunings(cmd.Context(), *server, *limit)
		if err != nil {
			return err
		}
		return printTunings(cmd.OutOrStdout(), tunings, format.value)
	}
	return cmd
}

func listTunings(ctx context.Context, server string, limit int) ([]*pb.Tuning, error) {
	var tunings []*pb.Tuning
	err := pages(limit, maxPage, func(token string, size int) (int, string, error) {
		answer, err := ask(ctx, server, func(c *grpc.ClientConn) call[*pb.ListTuningsRequest, *pb.ListTuningsResponse] {
			return pb.NewTuningServiceClient(c).ListTunings
		}, &pb.ListTuningsRequest{PageSize: int32(size), PageToken: token})
		tunings = append(tunings, answer.GetTunings()...)
		return len(answer.GetTunings()), answer.GetNextPageToken(), err
	})
	return tunings, err
}

func printTunings(w io.Writer, tunings []*pb.Tuning, format string) error {
	if format == "json" {
		for _, t := range tunings {
			if err := writeJSON(w, t); err != nil {
				return err
			}
		}
		return nil
	}
	t := table{columns: []column{right("TUNING"), left("APPLIED"), left("FROM EVENT TIME"), left("WHAT"), left("WHY")}}
	for _, one := range tunings {
		t.add(strconv.FormatInt(one.GetRevision(), 10), instant(one.GetApplyTime()), instant(one.GetFromTime()), tuningChanges(one), dash(one.GetComment()))
	}
	return t.writeTo(w)
}

func newTuneSet() *cobra.Command {
	cmd := &cobra.Command{
		Use: "set", Short: "Change the budget and the weights of features", Args: exactly(),
		Long: "set changes what is given and leaves the rest as it is. It holds for windows that start with the\n" +
			"next full hour of event time or later.",
		Example: "  memberwatch tune set --budget 2800 --comment 'half as many'\n  memberwatch tune set --weight reach=0.5",
	}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	var f tuningFlags
	f.bind(cmd)
	comment := cmd.Flags().String("comment", "", "why")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if !f.given() {
			return &usageError{message: "there is nothing to set", hint: "give --budget or --weight"}
		}
		return applyChange(cmd, *server, format.value, *comment, f.apply)
	}
	return cmd
}

func newTuneShadow() *cobra.Command {
	cmd := &cobra.Command{
		Use: "shadow KIND...", Short: "Score and store kinds of signals without raising them", Args: cobra.MinimumNArgs(1),
		Long: "shadow puts kinds of signals in shadow: they are scored and stored, and nobody is asked to look at\n" +
			"them. signals list --shadow shows them. --off raises them again.",
		Example: "  memberwatch tune shadow metronome class-shift\n  memberwatch tune shadow --off metronome",
	}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	off := cmd.Flags().Bool("off", false, "raise them again")
	comment := cmd.Flags().String("comment", "", "why")
	cmd.RunE = func(cmd *cobra.Command, kinds []string) error {
		return applyChange(cmd, *server, format.value, *comment, func(t *pb.Tuning) error {
			rest := slices.DeleteFunc(t.GetShadowKinds(), func(kind string) bool { return slices.Contains(kinds, kind) })
			if !*off {
				rest = append(rest, kinds...)
			}
			slices.Sort(rest)
			t.ShadowKinds = slices.Compact(rest)
			return nil
		})
	}
	return cmd
}

func newTuneRevert() *cobra.Command {
	cmd := &cobra.Command{
		Use: "revert [TUNING]", Short: "Apply an earlier tuning again", Args: cobra.MaximumNArgs(1),
		Long: "revert applies the tuning before the newest again, or the one of a number; 0 is as the service was\n" +
			"configured.",
	}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	comment := cmd.Flags().String("comment", "", "why")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		tunings, err := listTunings(cmd.Context(), *server, 0)
		if err != nil {
			return err
		}
		earlier, err := earlierTuning(tunings, args)
		if err != nil {
			return err
		}
		var inForce int64
		if len(tunings) > 0 {
			inForce = tunings[0].GetRevision()
		}
		earlier.Comment = *comment
		return applyTuning(cmd, *server, format.value, earlier, inForce)
	}
	return cmd
}

// earlierTuning picks what to go back to.
func earlierTuning(tunings []*pb.Tuning, args []string) (*pb.Tuning, error) {
	configured := &pb.Tuning{Configured: true}
	if len(args) == 0 {
		switch len(tunings) {
		case 0:
			return nil, hinted{fmt.Errorf("nothing was applied yet"), "the service works as configured"}
		case 1:
			return configured, nil
		default:
			return tunings[1], nil
		}
	}
	if args[0] == "0" {
		return configured, nil
	}
	for _, t := range tunings {
		if strconv.FormatInt(t.GetRevision(), 10) == args[0] {
			return t, nil
		}
	}
	return nil, hinted{fmt.Errorf("no tuning has the number %q", args[0]), "see memberwatch tune log"}
}

// applyChange changes the tuning in force.
func applyChange(cmd *cobra.Command, server, format, comment string, change func(*pb.Tuning) error) error {
	answer, err := currentTuning(cmd.Context(), server)
	if err != nil {
		return err
	}
	t := answer.GetTuning()
	inForce := t.GetRevision()
	t.Configured, t.Comment = false, comment
	if err := change(t); err != nil {
		return err
	}
	return applyTuning(cmd, server, format, t, inForce)
}

// applyTuning applies a tuning if nobody else has meanwhile.
func applyTuning(cmd *cobra.Command, server, format string, t *pb.Tuning, inForce int64) error {
	applied, err := putTuning(cmd.Context(), server, t, inForce)
	if err != nil {
		return err
	}
	return printTunings(cmd.OutOrStdout(), []*pb.Tuning{applied}, format)
}

func putTuning(ctx context.Context, server string, t *pb.Tuning, inForce int64) (*pb.Tuning, error) {
	answer, err := ask(ctx, server, func(c *grpc.ClientConn) call[*pb.ApplyTuningRequest, *pb.ApplyTuningResponse] {
		return pb.NewTuningServiceClient(c).ApplyTuning
	}, &pb.ApplyTuningRequest{Tuning: t, ExpectedRevision: &inForce})
	return answer.GetTuning(), err
}
