package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

const caseFilterHelp = `such as 'state != CLOSED AND severity >= HIGH', over app, developer, state, severity, verdict, reason, assignee, tags, overdue, create_time and due_time`

func newCases() *cobra.Command {
	cmd := group("cases", "Review what the detectors found", newCasesList(), newCasesShow(), newCasesNext(), newCasesOpen(), newCasesReasons(), newCasesPrecision())
	cmd.AddCommand(decisionCommands()...)
	return cmd
}

// caseName returns the resource name of a case given as c7 or cases/c7.
func caseName(arg string) string { return "cases/" + strings.TrimPrefix(arg, "cases/") }

// signalName returns the resource name of a signal given as an id or a name.
func signalName(arg string) string { return "signals/" + strings.TrimPrefix(arg, "signals/") }

func newCasesList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List cases, newest first unless asked otherwise; closed ones only with --all or --filter", Args: exactly()}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	filter := cmd.Flags().String("filter", "", "only cases that match, "+caseFilterHelp)
	order := cmd.Flags().String("order-by", "", "create_time, update_time, severity or due_time, alone or with desc, such as 'severity desc'")
	all := cmd.Flags().Bool("all", false, "closed cases too")
	limit := cmd.Flags().Int("limit", 50, "list at most so many; 0 lists all")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkLimit(*limit); err != nil {
			return err
		}
		if *filter == "" && !*all {
			*filter = "state != CLOSED"
		}
		conn, err := dial(cmd.Context(), *server)
		if err != nil {
			return err
		}
		defer conn.Close() //nolint:errcheck // only read from
		var cases []*pb.Case
		service := pb.NewCaseServiceClient(conn)
		err = pages(*limit, maxPage, func(token string, size int) (int, string, error) {
			answer, err := service.ListCases(cmd.Context(), &pb.ListCasesRequest{Filter: *filter, OrderBy: *order, PageSize: int32(size), PageToken: token})
			cases = append(cases, answer.GetCases()...)
			return len(answer.GetCases()), answer.GetNextPageToken(), err
		})
		if err != nil {
			return err
		}
		return printCases(cmd.OutOrStdout(), cases, format.value)
	}
	return cmd
}

func printCases(w io.Writer, cases []*pb.Case, format string) error {
	t := table{columns: []column{
		left("CASE"), left("SEVERITY"), left("STATE"), left("APP"), left("OWNER"), left("DUE"), right("SIGNALS"), left("VERDICT"),
	}}
	for _, c := range cases {
		if format == "json" {
			if err := writeJSON(w, c); err != nil {
				return err
			}
			continue
		}
		due := instant(c.GetDueTime())
		if c.GetOverdue() {
			due += " OVERDUE"
		}
		t.addNoted(c.GetTitle(), bare(c.GetName()), c.GetSeverity().String()[len("SEVERITY_"):], caseState(c), subject(c),
			dash(c.GetAssignee()), due, number(len64(c.GetSignals())), verdictName(c))
	}
	return t.writeTo(w)
}

func len64[T any](list []T) int64 { return int64(len(list)) }

func caseState(c *pb.Case) string { return strings.TrimPrefix(c.GetState().String(), "STATE_") }

func verdictName(c *pb.Case) string {
	return verdictText(c.GetVerdict(), c.GetReason())
}

func verdictText(v pb.Verdict, reason string) string {
	if v == pb.Verdict_VERDICT_UNSPECIFIED {
		return "-"
	}
	return v.String()[len("VERDICT_"):] + " (" + reason + ")"
}

func newCasesShow() *cobra.Command {
	cmd := &cobra.Command{Use: "show CASE", Short: "Show a case, what its verdict did, its remediations and its history", Args: exactly("CASE")}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		conn, err := dial(cmd.Context(), *server)
		if err != nil {
			return err
		}
		defer conn.Close() //nolint:errcheck // only read from
		service := pb.NewCaseServiceClient(conn)
		answer, err := service.GetCase(cmd.Context(), &pb.GetCaseRequest{Name: caseName(args[0])})
		if err != nil {
			return err
		}
		var decisions []*pb.Decision
		err = pages(0, maxPage, func(token string, size int) (int, string, error) {
			page, err := service.ListDecisions(cmd.Context(), &pb.ListDecisionsRequest{Name: caseName(args[0]), PageSize: int32(size), PageToken: token})
			decisions = append(decisions, page.GetDecisions()...)
			return len(page.GetDecisions()), page.GetNextPageToken(), err
		})
		if err != nil {
			return err
		}
		if format.value == "json" {
			if err := writeJSON(cmd.OutOrStdout(), answer); err != nil {
				return err
			}
			return writeJSON(cmd.OutOrStdout(), &pb.ListDecisionsResponse{Decisions: decisions})
		}
		return printCase(cmd.OutOrStdout(), answer, decisions)
	}
	return cmd
}

// printCase prints a case for people.
func printCase(w io.Writer, answer *pb.GetCaseResponse, decisions []*pb.Decision) error {
	c := answer.GetCase()
	head := table{columns: []column{left("CASE"), left(bare(c.GetName()))}}
	head.add("app", dash(bare(c.GetApp())))
	head.add("developer", dash(c.GetDeveloper()))
	head.add("severity", c.GetSeverity().String()[len("SEVERITY_"):])
	head.add("state", caseState(c))
	head.add("verdict", verdictName(c))
	head.add("owner", dash(c.GetAssignee()))
	if c.GetClaimedBy() != "" {
		head.add("claimed by", c.GetClaimedBy()+" until "+instant(c.GetClaimExpireTime()))
	}
	if c.GetWakeTime() != nil {
		head.add("on hold until", instant(c.GetWakeTime()))
	}
	head.add("due", instant(c.GetDueTime()))
	head.add("opened", instant(c.GetCreateTime()))
	if c.GetAwareTime() != nil {
		head.add("aware since", instant(c.GetAwareTime()))
	}
	head.add("tags", dash(strings.Join(c.GetTags(), " ")))
	if c.GetMergedInto() != "" {
		head.add("merged into", bare(c.GetMergedInto()))
	}
	if c.GetDuplicateOf() != "" {
		head.add("duplicate of", bare(c.GetDuplicateOf()))
	}
	for _, name := range c.GetSignals() {
		head.add("signal", bare(name))
	}
	for _, name := range answer.GetAgainst() {
		head.add("attestation contradicted by", bare(name))
	}
	head.add("etag", c.GetEtag())
	if err := head.writeTo(w); err != nil {
		return err
	}
	fmt.Fprintf(w, "\n%s", indent(c.GetTitle(), ""))
	for _, e := range c.GetEffects() {
		state := ""
		if e.GetUndoTime() != nil {
			state = " (undone " + instant(e.GetUndoTime()) + ")"
		}
		fmt.Fprint(w, indent("this verdict did: "+e.GetText()+state, "  "))
	}
	if len(answer.GetRemediations()) > 0 {
		fmt.Fprintln(w)
		if err := printRemediations(w, answer.GetRemediations(), "table"); err != nil {
			return err
		}
	}
	fmt.Fprintln(w)
	return printDecisions(w, decisions)
}

func printDecisions(w io.Writer, decisions []*pb.Decision) error {
	t := table{columns: []column{left("TIME"), left("WHO"), left("DECISION"), right("AUDIT")}}
	for _, d := range decisions {
		cells := []string{instant(d.GetDecideTime()), d.GetPerson(), decisionText(d), number(d.GetAuditEntry())}
		if d.GetComment() == "" {
			t.add(cells...)
			continue
		}
		t.addNoted(d.GetComment(), cells...)
	}
	return t.writeTo(w)
}

// decisionText says in a few words what a decision did.
func decisionText(d *pb.Decision) string {
	parts := []string{strings.TrimPrefix(d.GetAction().String(), "ACTION_")}
	switch d.GetAction() {
	case pb.Action_ACTION_DECIDE:
		parts = append(parts, d.GetVerdict().String()[len("VERDICT_"):], d.GetReason())
		if d.GetInto() != "" {
			parts = append(parts, "of", bare(d.GetInto()))
		}
	case pb.Action_ACTION_ASSIGN:
		parts = append(parts, dash(d.GetAssignee()))
	case pb.Action_ACTION_HOLD, pb.Action_ACTION_AWARE:
		parts = append(parts, instant(d.GetTime()))
	case pb.Action_ACTION_MERGE:
		parts = append(parts, bare(d.GetInto()))
	case pb.Action_ACTION_OPEN, pb.Action_ACTION_LINK, pb.Action_ACTION_DETACH:
		for _, name := range d.GetSignals() {
			parts = append(parts, bare(name))
		}
	case pb.Action_ACTION_TAG:
		for _, tag := range d.GetAddTags() {
			parts = append(parts, "+"+tag)
		}
		for _, tag := range d.GetRemoveTags() {
			parts = append(parts, "-"+tag)
		}
	default: // the name says it
	}
	return strings.Join(parts, " ")
}

func newCasesNext() *cobra.Command {
	cmd := &cobra.Command{
		Use: "next", Short: "Claim the most urgent case that nobody has", Args: exactly(),
		Long: "next claims the most urgent case that nobody has, for half an hour, and makes you its owner. No two\npersons get the same one.",
	}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	filter := cmd.Flags().String("filter", "", "only cases that match, "+caseFilterHelp)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		answer, err := ask(cmd.Context(), *server, func(c *grpc.ClientConn) call[*pb.NextCaseRequest, *pb.NextCaseResponse] {
			return pb.NewCaseServiceClient(c).NextCase
		}, &pb.NextCaseRequest{Filter: *filter})
		if err != nil {
			return err
		}
		return printCases(cmd.OutOrStdout(), []*pb.Case{answer.GetCase()}, format.value)
	}
	return cmd
}

func newCasesOpen() *cobra.Command {
	cmd := &cobra.Command{
		Use: "open [APP]", Short: "Open a case by hand, about an app or with --developer about all apps of a developer", Args: cobra.ArbitraryArgs,
		Example: "  memberwatch cases open quizfun --title 'a journalist says it sells lists'\n  memberwatch cases open --developer acme --title 'a tip: fake partners'",
	}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	r := &pb.OpenCaseRequest{}
	flags := cmd.Flags()
	flags.StringVar(&r.Developer, "developer", "", "in place of APP: the developer it is about")
	flags.StringVar(&r.Title, "title", "", "what it is about, in a sentence")
	flags.StringVar(&r.Comment, "comment", "", "why")
	flags.BoolVar(&r.Another, "another", false, "although one is open already")
	signals := flags.StringArray("signal", nil, "link this signal; may be repeated")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if r.Developer == "" {
			if err := exactly("APP")(cmd, args); err != nil {
				return err
			}
			r.App = appName(args[0])
		} else if err := exactly()(cmd, args); err != nil {
			return err
		}
		for _, s := range *signals {
			r.Signals = append(r.Signals, signalName(s))
		}
		answer, err := ask(cmd.Context(), *server, func(c *grpc.ClientConn) call[*pb.OpenCaseRequest, *pb.OpenCaseResponse] {
			return pb.NewCaseServiceClient(c).OpenCase
		}, r)
		if err != nil {
			return err
		}
		return printCases(cmd.OutOrStdout(), []*pb.Case{answer.GetCase()}, format.value)
	}
	return cmd
}

func newCasesReasons() *cobra.Command {
	cmd := &cobra.Command{Use: "reasons", Short: "List the reasons that each verdict may have", Args: exactly()}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		answer, err := ask(cmd.Context(), *server, func(c *grpc.ClientConn) call[*pb.ListReasonsRequest, *pb.ListReasonsResponse] {
			return pb.NewCaseServiceClient(c).ListReasons
		}, &pb.ListReasonsRequest{})
		if err != nil {
			return err
		}
		if format.value == "json" {
			return writeJSON(cmd.OutOrStdout(), answer)
		}
		t := table{columns: []column{left("VERDICT"), left("REASONS")}}
		for _, v := range answer.GetVerdicts() {
			t.add(v.GetVerdict().String()[len("VERDICT_"):], strings.Join(v.GetReasons(), " "))
		}
		return t.writeTo(cmd.OutOrStdout())
	}
	return cmd
}

func newCasesPrecision() *cobra.Command {
	cmd := &cobra.Command{Use: "precision", Short: "Show how often each detector was right, by the verdicts", Args: exactly()}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		answer, err := ask(cmd.Context(), *server, func(c *grpc.ClientConn) call[*pb.ListPrecisionsRequest, *pb.ListPrecisionsResponse] {
			return pb.NewCaseServiceClient(c).ListPrecisions
		}, &pb.ListPrecisionsRequest{})
		if err != nil {
			return err
		}
		if format.value == "json" {
			return writeJSON(cmd.OutOrStdout(), answer)
		}
		t := table{columns: []column{left("MODELS"), left("KIND"), right("ABUSE"), right("EXPECTED"), right("BENIGN"), right("PRECISION")}}
		for _, p := range answer.GetPrecisions() {
			t.add(p.GetModelVersion(), p.GetKind(), number(p.GetAbuse()), number(p.GetExpected()), number(p.GetBenign()), fmt.Sprintf("%.0f %%", 100*p.GetPrecision()))
		}
		return t.writeTo(cmd.OutOrStdout())
	}
	return cmd
}

// ahead is a flag like moment that takes times to come: an age such as 3d means
// in three days.
type ahead struct{ moment }

// Set takes a point in time to come.
func (a *ahead) Set(text string) error {
	if d, err := parseDuration(text); err == nil {
		a.time, a.text = time.Now().UTC().Add(d), text
		return nil
	}
	return a.moment.Set(text)
}
