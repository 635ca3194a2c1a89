package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

func newSilence() *cobra.Command {
	return group("silence", "Hide signals for a time; they are still scored and stored", newSilenceAdd(), newSilenceList(), newSilenceEnd())
}

func newSilenceAdd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "add", Short: "Hide signals about an app or developer; with --members only up to a bound", Args: exactly(),
		Example: "  memberwatch silence add --app crm --until 7d --comment 'load test, ticket 12' --preview",
	}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	s := &pb.Silence{}
	var app, severity string
	var from, until ahead
	flags := cmd.Flags()
	flags.StringVar(&app, "app", "", "signals about this app")
	flags.StringVar(&s.Developer, "developer", "", "signals about apps of this developer")
	flags.StringVar(&s.Kind, "kind", "", "signals of this kind; none: any")
	flags.StringVar(&s.About, "about", "", "signals about this restriction or data class, with a --kind that has one; none: any")
	flags.StringVar(&severity, "max-severity", "", "signals up to this severity; none: any")
	flags.Var(&from, "from", "when it begins; default: now")
	flags.Var(&until, "until", "when it ends, at most 90 days later: a time, or a length such as 7d")
	flags.Float64Var(&s.Bound, "members", 0, "signals that expose more members come back as REGRESSED; 0: any number is hidden")
	flags.StringVar(&s.Comment, "comment", "", "why")
	preview := flags.Bool("preview", false, "only say what it would have hidden in the last 30 days")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if app != "" {
			s.App = appName(app)
		}
		if severity != "" {
			value, ok := pb.Severity_value["SEVERITY_"+strings.ToUpper(severity)]
			if !ok {
				return usagef("%q is no severity: low, medium, high or critical", severity)
			}
			s.MaxSeverity = pb.Severity(value)
		}
		s.StartTime, s.EndTime = from.proto(), until.proto()
		if *preview {
			return previewSilence(cmd, *server, s)
		}
		answer, err := ask(cmd.Context(), *server, func(c *grpc.ClientConn) call[*pb.CreateSilenceRequest, *pb.CreateSilenceResponse] {
			return pb.NewCaseServiceClient(c).CreateSilence
		}, &pb.CreateSilenceRequest{Silence: s})
		if err != nil {
			return err
		}
		return printSilences(cmd.OutOrStdout(), []*pb.Silence{answer.GetSilence()}, format.value)
	}
	return cmd
}

func previewSilence(cmd *cobra.Command, server string, s *pb.Silence) error {
	answer, err := ask(cmd.Context(), server, func(c *grpc.ClientConn) call[*pb.PreviewSilenceRequest, *pb.PreviewSilenceResponse] {
		return pb.NewCaseServiceClient(c).PreviewSilence
	}, &pb.PreviewSilenceRequest{Silence: s})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "in the last 30 days it would have hidden %s, %s of them judged ABUSE; %s above its bound\n",
		plural(answer.GetHidden(), "signal"), number(answer.GetAbuse()), number(answer.GetAbove()))
	return err
}

func newSilenceList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List silences and expectations, newest first; past ones only with --all or --filter", Args: exactly()}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	filter := cmd.Flags().String("filter", "", "only those that match, such as 'app = crm', over app, developer, kind, author, active and end_time")
	all := cmd.Flags().Bool("all", false, "past ones too")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *filter == "" && !*all {
			*filter = "active = true"
		}
		conn, err := dial(cmd.Context(), *server)
		if err != nil {
			return err
		}
		defer conn.Close() //nolint:errcheck // only read from
		var list []*pb.Silence
		service := pb.NewCaseServiceClient(conn)
		err = pages(0, maxPage, func(token string, size int) (int, string, error) {
			answer, err := service.ListSilences(cmd.Context(), &pb.ListSilencesRequest{Filter: *filter, PageSize: int32(size), PageToken: token})
			list = append(list, answer.GetSilences()...)
			return len(answer.GetSilences()), answer.GetNextPageToken(), err
		})
		if err != nil {
			return err
		}
		return printSilences(cmd.OutOrStdout(), list, format.value)
	}
	return cmd
}

func newSilenceEnd() *cobra.Command {
	cmd := &cobra.Command{Use: "end SILENCE", Short: "End a silence before its time", Args: exactly("SILENCE")}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	comment := cmd.Flags().String("comment", "", "why")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		answer, err := ask(cmd.Context(), *server, func(c *grpc.ClientConn) call[*pb.EndSilenceRequest, *pb.EndSilenceResponse] {
			return pb.NewCaseServiceClient(c).EndSilence
		}, &pb.EndSilenceRequest{Name: "silences/" + strings.TrimPrefix(args[0], "silences/"), Comment: *comment})
		if err != nil {
			return err
		}
		return printSilences(cmd.OutOrStdout(), []*pb.Silence{answer.GetSilence()}, format.value)
	}
	return cmd
}

func printSilences(w io.Writer, list []*pb.Silence, format string) error {
	t := table{columns: []column{left("SILENCE"), left("WHAT"), left("UNTIL"), left("BY"), right("HIDDEN"), left("CASE")}}
	for _, s := range list {
		if format == "json" {
			if err := writeJSON(w, s); err != nil {
				return err
			}
			continue
		}
		until := instant(s.GetEndTime())
		if s.GetEndedTime() != nil {
			until = "ended " + instant(s.GetEndedTime())
		}
		t.addNoted(s.GetComment(), bare(s.GetName()), silenceScope(s), until, s.GetAuthor(), number(s.GetHidden()), dash(bare(s.GetCase())))
	}
	return t.writeTo(w)
}

// silenceScope says what a silence hides.
func silenceScope(s *pb.Silence) string {
	var parts []string
	if s.GetApp() != "" {
		parts = append(parts, "app "+bare(s.GetApp()))
	}
	if s.GetDeveloper() != "" {
		parts = append(parts, "developer "+s.GetDeveloper())
	}
	if s.GetKind() != "" {
		parts = append(parts, s.GetKind())
	}
	if s.GetAbout() != "" {
		parts = append(parts, s.GetAbout())
	}
	if s.GetMaxSeverity() != 0 {
		parts = append(parts, "up to "+s.GetMaxSeverity().String()[len("SEVERITY_"):])
	}
	if s.GetBound() > 0 {
		parts = append(parts, "up to "+decimal(s.GetBound())+" members")
	}
	return strings.Join(parts, ", ")
}
