package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

// newSignalsDismiss sets signals aside, or takes them back.
func newSignalsDismiss(use, short string, undo bool) *cobra.Command {
	cmd := &cobra.Command{
		Use: use + " SIGNAL...", Short: short, Args: cobra.ArbitraryArgs,
		Example: "  memberwatch signals " + use + " --filter 'triage = OPEN AND kind = fleet-shift' --reason 'holiday' --dry-run",
	}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	r := &pb.DismissSignalsRequest{Undo: undo}
	cmd.Flags().StringVar(&r.Reason, "reason", "", "why")
	cmd.Flags().StringVar(&r.Filter, "filter", "", "all signals that match instead of those named, "+filterHelp)
	cmd.Flags().BoolVar(&r.DryRun, "dry-run", false, "with --filter: only list the signals that match")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == 0 && r.Filter == "":
			return &usageError{message: "no signal is named", hint: "name signals, or give --filter"}
		case len(args) > 0 && (r.Filter != "" || r.DryRun):
			return usagef("signals by name exclude --filter and --dry-run")
		}
		for _, arg := range args {
			r.Signals = append(r.Signals, signalName(arg))
		}
		answer, err := ask(cmd.Context(), *server, func(c *grpc.ClientConn) call[*pb.DismissSignalsRequest, *pb.DismissSignalsResponse] {
			return pb.NewCaseServiceClient(c).DismissSignals
		}, r)
		if err != nil {
			return err
		}
		return printBulk(cmd, format.value, answer, "signal", answer.GetSignals(), answer.GetFailures())
	}
	return cmd
}

// failure is one thing that a bulk decision did not move.
type failure interface{ GetMessage() string }

// printBulk says what became of each thing that a bulk decision was about, and
// fails when one stayed as it was.
func printBulk[F failure](cmd *cobra.Command, format string, answer proto.Message, noun string, done []string, failures []F) error {
	if format == "json" {
		if err := writeJSON(cmd.OutOrStdout(), answer); err != nil {
			return err
		}
	} else {
		for _, name := range done {
			fmt.Fprintln(cmd.OutOrStdout(), bare(name))
		}
	}
	for _, f := range failures {
		fmt.Fprintf(cmd.ErrOrStderr(), "memberwatch: %s\n", f.GetMessage())
	}
	if n := len(failures); n > 0 {
		return fmt.Errorf("%s could not take the decision", plural(n, noun))
	}
	return nil
}

func newSignalsSimilar() *cobra.Command {
	cmd := &cobra.Command{
		Use: "similar SIGNAL", Short: "List past signals of the same kind with their verdicts, the most similar first", Args: exactly("SIGNAL"),
		Long: "similar lists signals of the same kind that a case has judged: those of the same app first, then those of the\n" +
			"same developer, then the others, each by how alike the parts of the features in the evidence are.",
	}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	limit := cmd.Flags().Int("limit", 10, "list at most so many, up to 100")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := checkLimit(*limit); err != nil {
			return err
		}
		answer, err := similarTo(cmd, *server, args[0], *limit)
		if err != nil {
			return err
		}
		if format.value == "json" {
			return writeJSON(cmd.OutOrStdout(), answer)
		}
		t := table{columns: []column{left("SIGNAL"), left("APP"), left("WHOSE"), right("LIKE"), left("VERDICT"), left("DECIDED")}}
		for _, s := range answer.GetSignals() {
			t.addNoted(strings.TrimSpace(s.GetSignal().GetSentence()+"; "+s.GetComment()), bare(s.GetSignal().GetName()), bare(s.GetSignal().GetApp()), whose(s),
				fmt.Sprintf("%.0f %%", 100*s.GetLikeness()), verdictText(s.GetVerdict(), s.GetReason()), instant(s.GetDecideTime()))
		}
		if err := t.writeTo(cmd.OutOrStdout()); err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "\nverdicts about signals of this kind: %s\n", verdictCounts(answer))
		return err
	}
	return cmd
}

func similarTo(cmd *cobra.Command, server, signal string, limit int) (*pb.ListSimilarSignalsResponse, error) {
	return ask(cmd.Context(), server, func(c *grpc.ClientConn) call[*pb.ListSimilarSignalsRequest, *pb.ListSimilarSignalsResponse] {
		return pb.NewCaseServiceClient(c).ListSimilarSignals
	}, &pb.ListSimilarSignalsRequest{Name: signalName(signal), PageSize: int32(limit)})
}

// whose says how a similar signal's app is related.
func whose(s *pb.ListSimilarSignalsResponse_SimilarSignal) string {
	switch {
	case s.GetSameApp():
		return "same app"
	case s.GetSameDeveloper():
		return "same developer"
	default:
		return "another"
	}
}

// verdictCounts writes verdicts as 3 EXPECTED, 1 ABUSE.
func verdictCounts(answer *pb.ListSimilarSignalsResponse) string {
	var parts []string
	for _, v := range answer.GetVerdicts() {
		parts = append(parts, number(v.GetCount())+" "+v.GetVerdict().String()[len("VERDICT_"):])
	}
	if len(parts) == 0 {
		return "none yet"
	}
	return strings.Join(parts, ", ")
}
