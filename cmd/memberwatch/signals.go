package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	"github.com/memberwatch/memberwatch"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/wire"
)

func newSignals() *cobra.Command {
	return group("signals", "Look at what the detectors found", newSignalsList(), newSignalsShow(), newSignalsVerify(), newSignalsWatch(), newSignalsSimilar(),
		newSignalsDismiss("dismiss", "Set signals aside that no case has", false), newSignalsDismiss("restore", "Take dismissed signals back", true))
}

const filterHelp = `such as 'state = OPEN AND severity >= HIGH', over app, developer, kind, severity, state, triage, case and open_time`

func newSignalsList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List signals, newest first unless asked otherwise", Args: exactly()}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	filter := cmd.Flags().String("filter", "", "only signals that match, "+filterHelp)
	order := cmd.Flags().String("order-by", "", "open_time, last_time, severity or evidence, alone or with desc, such as 'evidence desc'")
	limit := cmd.Flags().Int("limit", 50, "list at most so many; 0 lists all")
	shadow := cmd.Flags().Bool("shadow", false, "list the signals of kinds in shadow, which nobody is asked to look at, instead of the others")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkLimit(*limit); err != nil {
			return err
		}
		conn, err := dial(cmd.Context(), *server)
		if err != nil {
			return err
		}
		defer conn.Close() //nolint:errcheck // only read from
		signals, err := listSignals(cmd, conn, &pb.ListSignalsRequest{Filter: *filter, OrderBy: *order, Shadow: *shadow}, *limit)
		if err != nil {
			return err
		}
		return printSignals(cmd.OutOrStdout(), signals, format.value)
	}
	return cmd
}

// listSignals fetches signals, page by page.
func listSignals(cmd *cobra.Command, conn *grpc.ClientConn, r *pb.ListSignalsRequest, limit int) ([]*pb.Signal, error) {
	var signals []*pb.Signal
	service := pb.NewSignalServiceClient(conn)
	err := pages(limit, maxPage, func(token string, size int) (int, string, error) {
		r.PageSize, r.PageToken = int32(size), token
		answer, err := service.ListSignals(cmd.Context(), r)
		signals = append(signals, answer.GetSignals()...)
		return len(answer.GetSignals()), answer.GetNextPageToken(), err
	})
	return signals, err
}

// printSignals prints signals as a table or as one JSON object per line.
func printSignals(w io.Writer, signals []*pb.Signal, format string) error {
	if format == "json" {
		for _, s := range signals {
			if err := writeJSON(w, s); err != nil {
				return err
			}
		}
		return nil
	}
	t := table{columns: []column{
		left("SIGNAL"), left("OPENED"), left("SEVERITY"), left("KIND"), left("APP"), left("STATE"), right("FINDINGS"),
	}}
	for _, s := range signals {
		t.addNoted(s.GetSentence(), bare(s.GetName()), instant(s.GetOpenTime()), s.GetSeverity().String()[len("SEVERITY_"):],
			s.GetKind(), subject(s), stateName(s), number(s.GetOccurrences()))
	}
	return t.writeTo(w)
}

// bare strips the collection off a resource name.
func bare(name string) string {
	_, id, found := strings.Cut(name, "/")
	if !found {
		return name
	}
	return id
}

// subject is whom a signal or case is about: an app, or else a developer, or else
// nobody.
func subject(x interface {
	GetApp() string
	GetDeveloper() string
},
) string {
	if x.GetApp() == "" && x.GetDeveloper() != "" {
		return "developer " + x.GetDeveloper()
	}
	return dash(bare(x.GetApp()))
}

func stateName(s *pb.Signal) string {
	state := strings.TrimPrefix(s.GetState().String(), "STATE_")
	if s.GetProvisional() {
		state += "?"
	}
	return state
}

func newSignalsShow() *cobra.Command {
	cmd := &cobra.Command{Use: "show SIGNAL", Short: "Show a signal with all its evidence", Args: exactly("SIGNAL")}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		question := &pb.ExplainSignalRequest{Name: wire.SignalName(memberwatch.SignalID(strings.TrimPrefix(args[0], "signals/")))}
		answer, err := ask(cmd.Context(), *server, func(c *grpc.ClientConn) call[*pb.ExplainSignalRequest, *pb.ExplainSignalResponse] {
			return pb.NewSignalServiceClient(c).ExplainSignal
		}, question)
		if err != nil {
			return err
		}
		if format.value == "json" {
			return writeJSON(cmd.OutOrStdout(), answer)
		}
		past, err := similarTo(cmd, *server, args[0], 1)
		if err != nil {
			return err
		}
		return printExplanation(cmd.OutOrStdout(), answer, verdictCounts(past))
	}
	return cmd
}

func newSignalsWatch() *cobra.Command {
	cmd := &cobra.Command{
		Use: "watch", Short: "Print signals as they are and then as they change", Args: exactly(),
		Long: "watch prints the matching signals as they are, then each one that opens or changes, until interrupted.",
	}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	filter := cmd.Flags().String("filter", "", "only signals that match, "+filterHelp)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		conn, err := dial(cmd.Context(), *server)
		if err != nil {
			return err
		}
		defer conn.Close() //nolint:errcheck // only read from
		feed, err := pb.NewSignalServiceClient(conn).WatchSignals(cmd.Context(), &pb.WatchSignalsRequest{Filter: *filter})
		if err != nil {
			return err
		}
		for {
			step, err := feed.Recv()
			if cmd.Context().Err() != nil {
				return nil // interrupted: the way to end it
			}
			if err != nil {
				return err
			}
			if err := printStep(cmd.OutOrStdout(), step, format.value); err != nil {
				return err
			}
		}
	}
	return cmd
}

// printStep prints one step of the feed; bookmarks only as JSON.
func printStep(w io.Writer, step *pb.WatchSignalsResponse, format string) error {
	if format == "json" {
		return writeJSON(w, step)
	}
	s := step.GetSignal()
	if s == nil {
		return nil
	}
	_, err := fmt.Fprintf(w, "%s  %-8s  %-24s  %s  %s\n%s", instant(s.GetLastTime()), s.GetSeverity().String()[len("SEVERITY_"):],
		s.GetKind(), subject(s), bare(s.GetName()), indent(s.GetSentence(), "    "))
	return err
}
