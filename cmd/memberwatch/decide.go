package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

// decision is a command that decides about one case, or with --filter about all
// that match: the same words do for both.
type decision struct {
	use, short string
	long       string   // more to say; may be empty
	names      []string // of the arguments after the case
	more       bool     // the last argument may be repeated
	flags      func(*cobra.Command, *pb.Decision)
	fill       func(d *pb.Decision, args []string) error
}

const decideHelp = `decide gives the verdict, with a reason and a comment. Its effects on detection are listed in the case, and
reopen takes them back.

  ABUSE         data was read against the rules; remediations follow, and its days teach no baseline
  EXPECTED      true, and agreed: hidden up to --members until --until
  BENIGN        the detector should not have spoken
  INCONCLUSIVE  there is not enough to tell
  DUPLICATE     another case has it: --of`

// decisionCommands are the commands below cases that decide something.
func decisionCommands() []*cobra.Command {
	none := func(a pb.Action) func(*pb.Decision, []string) error {
		return func(d *pb.Decision, _ []string) error { d.Action = a; return nil }
	}
	signals := func(a pb.Action) func(*pb.Decision, []string) error {
		return func(d *pb.Decision, args []string) error {
			d.Action = a
			for _, arg := range args {
				d.Signals = append(d.Signals, signalName(arg))
			}
			return nil
		}
	}
	list := []decision{
		{use: "claim", short: "Say that you work on a case for the next half hour; repeated, it is renewed", fill: none(pb.Action_ACTION_CLAIM)},
		{use: "release", short: "End a claim", fill: none(pb.Action_ACTION_RELEASE)},
		{use: "assign", short: "Hand a case over; PERSON - for nobody", names: []string{"PERSON"}, fill: fillAssign},
		{use: "note", short: "Write a note", names: []string{"TEXT"}, fill: fillNote},
		{use: "tag", short: "Add and remove tags", flags: tagFlags, fill: none(pb.Action_ACTION_TAG)},
		{use: "hold", short: "Put a case off until a time; its clocks stand", flags: holdFlags, fill: none(pb.Action_ACTION_HOLD)},
		{use: "resume", short: "Take a case back from hold", fill: none(pb.Action_ACTION_RESUME)},
		{use: "decide", short: "Give the verdict; all but ABUSE close the case", long: decideHelp, names: []string{"VERDICT"}, flags: verdictFlags, fill: fillVerdict},
		{use: "close", short: "Close a case whose remediations are verified or waived", fill: none(pb.Action_ACTION_CLOSE)},
		{use: "reopen", short: "Take a verdict back and undo what it did", flags: reopenFlags, fill: none(pb.Action_ACTION_REOPEN)},
		{use: "merge", short: "Let another case go on for this one", names: []string{"INTO"}, fill: fillMerge},
		{use: "link", short: "Add signals", names: []string{"SIGNAL"}, more: true, fill: signals(pb.Action_ACTION_LINK)},
		{use: "detach", short: "Take signals out", names: []string{"SIGNAL"}, more: true, fill: signals(pb.Action_ACTION_DETACH)},
		{use: "aware", short: "Record since when the platform knows of a breach: legal clocks run from it", flags: awareFlags, fill: none(pb.Action_ACTION_AWARE)},
	}
	commands := make([]*cobra.Command, len(list))
	for i := range list {
		commands[i] = list[i].command()
	}
	return commands
}

// command returns the command of a decision.
func (d *decision) command() *cobra.Command {
	usage := strings.TrimSpace("CASE " + strings.Join(d.names, " "))
	if d.more {
		usage += "..."
	}
	cmd := &cobra.Command{Use: d.use + " " + usage, Short: d.short, Long: d.long, Args: cobra.ArbitraryArgs}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	message := &pb.Decision{}
	flags := cmd.Flags()
	flags.StringVar(&message.Comment, "comment", "", "why, for whoever reads it later")
	etag := flags.String("etag", "", "fail when the case has changed since this etag was read")
	filter := flags.String("filter", "", "decide about all cases that match instead of one CASE, "+caseFilterHelp)
	dry := flags.Bool("dry-run", false, "with --filter: only list the cases that match")
	if d.flags != nil {
		d.flags(cmd, message)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case *dry && *filter == "":
			return &usageError{message: "--dry-run needs --filter", hint: "one CASE is decided about at once"}
		case *etag != "" && *filter != "":
			return usagef("--etag is of one CASE and excludes --filter")
		}
		target, rest, err := d.split(cmd, args, *filter != "")
		if err != nil {
			return err
		}
		if err := d.fill(message, rest); err != nil {
			return err
		}
		if *filter != "" {
			return decideMany(cmd, *server, format.value, &pb.DecideCasesRequest{Filter: *filter, Decision: message, DryRun: *dry})
		}
		answer, err := ask(cmd.Context(), *server, func(c *grpc.ClientConn) call[*pb.DecideCaseRequest, *pb.DecideCaseResponse] {
			return pb.NewCaseServiceClient(c).DecideCase
		}, &pb.DecideCaseRequest{Name: caseName(target), Etag: *etag, Decision: message})
		if err != nil {
			return err
		}
		return printCases(cmd.OutOrStdout(), []*pb.Case{answer.GetCase()}, format.value)
	}
	return cmd
}

// split takes the case off the arguments, where one is to be named.
func (d *decision) split(cmd *cobra.Command, args []string, many bool) (target string, rest []string, err error) {
	names := d.names
	if !many {
		names = append([]string{"CASE"}, d.names...)
	}
	if d.more && len(args) > len(names) {
		names = append(names, make([]string, len(args)-len(names))...)
	}
	if err := exactly(names...)(cmd, args); err != nil {
		return "", nil, err
	}
	if many {
		return "", args, nil
	}
	return args[0], args[1:], nil
}

// decideMany decides about all cases that match and says what became of each.
func decideMany(cmd *cobra.Command, server, format string, r *pb.DecideCasesRequest) error {
	answer, err := ask(cmd.Context(), server, func(c *grpc.ClientConn) call[*pb.DecideCasesRequest, *pb.DecideCasesResponse] {
		return pb.NewCaseServiceClient(c).DecideCases
	}, r)
	if err != nil {
		return err
	}
	return printBulk(cmd, format, answer, "case", answer.GetCases(), answer.GetFailures())
}

func fillAssign(d *pb.Decision, args []string) error {
	d.Action = pb.Action_ACTION_ASSIGN
	if args[0] != "-" {
		d.Assignee = args[0]
	}
	return nil
}

func fillNote(d *pb.Decision, args []string) error {
	d.Action, d.Comment = pb.Action_ACTION_NOTE, args[0]
	return nil
}

func fillMerge(d *pb.Decision, args []string) error {
	d.Action, d.Into = pb.Action_ACTION_MERGE, caseName(args[0])
	return nil
}

func fillVerdict(d *pb.Decision, args []string) error {
	verdict, ok := pb.Verdict_value["VERDICT_"+strings.ToUpper(args[0])]
	if !ok || verdict == 0 {
		return &usageError{message: fmt.Sprintf("%q is no verdict", args[0]), hint: "verdicts are ABUSE, EXPECTED, BENIGN, INCONCLUSIVE and DUPLICATE"}
	}
	d.Action, d.Verdict = pb.Action_ACTION_DECIDE, pb.Verdict(verdict)
	return nil
}

func tagFlags(cmd *cobra.Command, d *pb.Decision) {
	cmd.Flags().StringArrayVar(&d.AddTags, "add", nil, "add this tag; may be repeated")
	cmd.Flags().StringArrayVar(&d.RemoveTags, "remove", nil, "remove this tag; may be repeated")
}

func holdFlags(cmd *cobra.Command, d *pb.Decision) {
	var until ahead
	cmd.Flags().Var(&until, "until", "when it comes back: a time, or a length such as 3d")
	before(cmd, func() { d.Time = until.proto() })
}

func awareFlags(cmd *cobra.Command, d *pb.Decision) {
	var at moment
	cmd.Flags().Var(&at, "at", "since when: a time, an age such as 2h, or now")
	cmd.Flags().StringVar(&d.Cause, "cause", "", "hypothesis of the cause, such as 'retained access'")
	before(cmd, func() { d.Time = at.proto() })
}

func reopenFlags(cmd *cobra.Command, d *pb.Decision) {
	cmd.Flags().BoolVar(&d.Appeal, "appeal", false, "the developer asked for it")
	cmd.Flags().BoolVar(&d.Another, "another", false, "although another case of the app is open")
}

func verdictFlags(cmd *cobra.Command, d *pb.Decision) {
	var until ahead
	flags := cmd.Flags()
	flags.StringVar(&d.Reason, "reason", "", "the verdict's reason; cases reasons lists them")
	flags.Float64Var(&d.ExpectMembers, "members", 0, "EXPECTED: so many exposed members are still expected")
	flags.Var(&until, "until", "EXPECTED: until then, such as 30d")
	of := flags.String("of", "", "DUPLICATE: the case that has it")
	flags.StringVar(&d.Cause, "cause", "", "hypothesis of the cause, such as 'retained access'")
	before(cmd, func() {
		d.ExpectUntil = until.proto()
		if *of != "" {
			d.Into = caseName(*of)
		}
	})
}

// before runs a step before the command, when its flags are read.
func before(cmd *cobra.Command, step func()) {
	cmd.PreRun = func(*cobra.Command, []string) { step() }
}
