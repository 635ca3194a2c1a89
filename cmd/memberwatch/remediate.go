package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

func newRemediate() *cobra.Command {
	cmd := group("remediate", "Get data accounted for: restrict, delete, attest, audit", newRemediateList(), newRemediateShow(), newRemediatePropose())
	for _, step := range []struct {
		use, short string
		move       pb.Move
	}{
		{"approve", "Let a remediation go out; restricting and revoking need a second person", pb.Move_MOVE_APPROVE},
		{"reject", "Do not let it go out", pb.Move_MOVE_REJECT},
		{"acknowledge", "Record that the platform or the developer said yes", pb.Move_MOVE_ACKNOWLEDGE},
		{"evidence", "Record what was shown, and by when everything was deleted", pb.Move_MOVE_SUBMIT_EVIDENCE},
		{"verify", "Say that you looked, and that it is done", pb.Move_MOVE_VERIFY},
		{"waive", "Say that it is not needed", pb.Move_MOVE_WAIVE},
		{"fail", "Record that it did not happen", pb.Move_MOVE_FAIL},
		{"cancel", "Withdraw it before it goes out", pb.Move_MOVE_CANCEL},
	} {
		cmd.AddCommand(newRemediateStep(step.use, step.short, step.move))
	}
	return cmd
}

// remediationName returns a resource name given as c7/r3 or in full.
func remediationName(arg string) (string, error) {
	id, of, ok := "", strings.TrimPrefix(arg, "cases/"), false
	if of, id, ok = strings.Cut(of, "/"); !ok {
		return "", &usageError{message: fmt.Sprintf("%q is no remediation", arg), hint: "write it as c7/r3: the case and the remediation"}
	}
	return "cases/" + of + "/remediations/" + strings.TrimPrefix(id, "remediations/"), nil
}

// remediationID writes a remediation's name as people type it.
func remediationID(name string) string {
	return strings.Replace(strings.TrimPrefix(name, "cases/"), "/remediations/", "/", 1)
}

func newRemediateList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List remediations, newest first", Args: exactly()}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	filter := cmd.Flags().String("filter", "", "only those that match, such as 'overdue = true', over app, case, kind, state, overdue and due_time")
	limit := cmd.Flags().Int("limit", 50, "list at most so many; 0 lists all")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkLimit(*limit); err != nil {
			return err
		}
		conn, err := dial(cmd.Context(), *server)
		if err != nil {
			return err
		}
		defer conn.Close() //nolint:errcheck // only read from
		var list []*pb.Remediation
		service := pb.NewCaseServiceClient(conn)
		err = pages(*limit, maxPage, func(token string, size int) (int, string, error) {
			answer, err := service.ListRemediations(cmd.Context(), &pb.ListRemediationsRequest{Filter: *filter, PageSize: int32(size), PageToken: token})
			list = append(list, answer.GetRemediations()...)
			return len(answer.GetRemediations()), answer.GetNextPageToken(), err
		})
		if err != nil {
			return err
		}
		return printRemediations(cmd.OutOrStdout(), list, format.value)
	}
	return cmd
}

func newRemediateShow() *cobra.Command {
	cmd := &cobra.Command{Use: "show REMEDIATION", Short: "Show a remediation: what was asked, by whom, and what was shown", Args: exactly("REMEDIATION"), Example: "  memberwatch remediate show c7/r3"}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		name, err := remediationName(args[0])
		if err != nil {
			return err
		}
		of, _, _ := strings.Cut(name, "/remediations/")
		answer, err := ask(cmd.Context(), *server, func(c *grpc.ClientConn) call[*pb.GetCaseRequest, *pb.GetCaseResponse] {
			return pb.NewCaseServiceClient(c).GetCase
		}, &pb.GetCaseRequest{Name: of})
		if err != nil {
			return err
		}
		for _, r := range answer.GetRemediations() {
			switch {
			case r.GetName() != name:
			case format.value == "json":
				return writeJSON(cmd.OutOrStdout(), r)
			default:
				return printRemediation(cmd.OutOrStdout(), r)
			}
		}
		return hinted{fmt.Errorf("case %q has no remediation %q", bare(of), args[0]), "memberwatch remediate list names all"}
	}
	return cmd
}

// printRemediation prints all that is known of a remediation.
func printRemediation(w io.Writer, r *pb.Remediation) error {
	t := table{columns: []column{left("REMEDIATION"), left(remediationID(r.GetName()))}}
	t.add("kind", r.GetKind().String()[len("KIND_"):])
	t.add("state", r.GetState().String()[len("STATE_"):])
	t.add("app", dash(bare(r.GetApp())))
	t.add("data class", dash(r.GetDataClass()))
	t.add("due", dueText(r))
	t.add("proposed", instant(r.GetCreateTime())+" by "+r.GetProposer())
	t.add("why", dash(r.GetComment()))
	t.add("approved or rejected by", dash(r.GetApprover()))
	t.add("restriction", dash(bare(r.GetRestriction())))
	t.add("evidence", dash(r.GetEvidence()))
	t.add("deleted by, as attested", instant(r.GetAttestTime()))
	t.add("newest step", instant(r.GetUpdateTime()))
	t.add("ended", instant(r.GetEndTime()))
	t.add("outcome", dash(r.GetOutcome()))
	t.add("etag", r.GetEtag())
	return t.writeTo(w)
}

func dueText(r *pb.Remediation) string {
	if r.GetOverdue() {
		return instant(r.GetDueTime()) + " OVERDUE"
	}
	return instant(r.GetDueTime())
}

func printRemediations(w io.Writer, list []*pb.Remediation, format string) error {
	t := table{columns: []column{left("REMEDIATION"), left("KIND"), left("STATE"), left("APP"), left("DUE"), left("BY"), left("RESTRICTION")}}
	for _, r := range list {
		if format == "json" {
			if err := writeJSON(w, r); err != nil {
				return err
			}
			continue
		}
		by := r.GetProposer()
		if r.GetApprover() != "" {
			by += ", " + r.GetApprover()
		}
		t.add(remediationID(r.GetName()), r.GetKind().String()[len("KIND_"):], r.GetState().String()[len("STATE_"):], dash(bare(r.GetApp())),
			dueText(r), by, dash(bare(r.GetRestriction())))
	}
	return t.writeTo(w)
}

func newRemediatePropose() *cobra.Command {
	cmd := &cobra.Command{
		Use: "propose CASE KIND", Short: "Propose a remediation for a case judged ABUSE", Args: exactly("CASE", "KIND"),
		Long: "propose proposes a remediation: restrict-app, revoke-tokens, request-deletion, require-attestation,\naudit, notify-developer or lift-restriction.",
	}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	r := &pb.ProposeRemediationRequest{}
	var due ahead
	var app, restriction string
	flags := cmd.Flags()
	flags.StringVar(&r.Comment, "comment", "", "why")
	flags.StringVar(&app, "app", "", "in a developer's case: which of the developer's apps it is for")
	flags.StringVar(&r.DataClass, "class", "", "restrict-app, revoke-tokens: the data class; none: all")
	flags.Var(&due, "due", "by when: a time, or a length such as 30d; default: by the kind")
	flags.StringVar(&restriction, "restriction", "", "lift-restriction: which")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		kind, ok := pb.Remediation_Kind_value["KIND_"+strings.ToUpper(strings.ReplaceAll(args[1], "-", "_"))]
		if !ok || kind == 0 {
			return &usageError{message: fmt.Sprintf("%q is no kind of remediation", args[1]), hint: "see " + cmd.CommandPath() + " --help"}
		}
		r.Case, r.Kind, r.DueTime = caseName(args[0]), pb.Remediation_Kind(kind), due.proto()
		if app != "" {
			r.App = appName(app)
		}
		if restriction != "" {
			r.Restriction = restrictionName(restriction)
		}
		answer, err := ask(cmd.Context(), *server, func(c *grpc.ClientConn) call[*pb.ProposeRemediationRequest, *pb.ProposeRemediationResponse] {
			return pb.NewCaseServiceClient(c).ProposeRemediation
		}, r)
		if err != nil {
			return err
		}
		return printRemediations(cmd.OutOrStdout(), []*pb.Remediation{answer.GetRemediation()}, format.value)
	}
	return cmd
}

func newRemediateStep(use, short string, move pb.Move) *cobra.Command {
	cmd := &cobra.Command{Use: use + " REMEDIATION", Short: short, Args: exactly("REMEDIATION"), Example: "  memberwatch remediate " + use + " c7/r3"}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	r := &pb.AdvanceRemediationRequest{Move: move}
	var attested moment
	flags := cmd.Flags()
	flags.StringVar(&r.Comment, "comment", "", "why, for whoever reads it later")
	flags.StringVar(&r.Etag, "etag", "", "fail when the remediation has changed since this etag was read")
	if move == pb.Move_MOVE_SUBMIT_EVIDENCE {
		cmd.Example += " --show 'letter of 3 May' --attested 2026-05-01"
		flags.StringVar(&r.Evidence, "show", "", "what was shown: a link or a text")
		flags.Var(&attested, "attested", "by when everything was deleted, as the developer attests; starts the watch for impossible knowledge")
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		name, err := remediationName(args[0])
		if err != nil {
			return err
		}
		r.Name, r.AttestTime = name, attested.proto()
		answer, err := ask(cmd.Context(), *server, func(c *grpc.ClientConn) call[*pb.AdvanceRemediationRequest, *pb.AdvanceRemediationResponse] {
			return pb.NewCaseServiceClient(c).AdvanceRemediation
		}, r)
		if err != nil {
			return err
		}
		return printRemediations(cmd.OutOrStdout(), []*pb.Remediation{answer.GetRemediation()}, format.value)
	}
	return cmd
}
