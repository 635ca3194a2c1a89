package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/memberwatch/memberwatch"
)

// Exit statuses.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// run is the program: it returns the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	complain(stderr, err)
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	return exitFailure
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "memberwatch",
		Short: "Watch how third-party apps read member data",
		Long: "memberwatch watches how third-party apps read a platform's member data: gateways\n" +
			"stream access events to it, it learns what is normal for each app, and raises\n" +
			"signals for reviewers. Try it with: memberwatch demo",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE:          chooseCommand,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &usageError{message: err.Error(), hint: fmt.Sprintf("see %s --help", cmd.CommandPath())}
	})
	addIdentity(root)
	root.AddCommand(
		newServe(), newDemo(), newBench(), newReplay(), newSignals(), newCases(), newRemediate(), newSilence(),
		newAudit(), newTokens(), newVerify(), newBackup(), newApps(), newRestrict(), newTune(), newReport(), newWebhooks(), newExport(),
		newStats(), newVersion(),
	)
	return root
}

// chooseCommand is what a command does that only holds others.
func chooseCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	hint := fmt.Sprintf("see %s --help", cmd.CommandPath())
	cmd.SuggestionsMinimumDistance = 2
	if close := cmd.SuggestionsFor(args[0]); len(close) > 0 {
		hint = fmt.Sprintf("did you mean %s %s?", cmd.CommandPath(), close[0])
	}
	return &usageError{message: fmt.Sprintf("%q is not a command of %s", args[0], cmd.CommandPath()), hint: hint}
}

// group returns a command that only holds others.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.ArbitraryArgs, RunE: chooseCommand}
	cmd.AddCommand(commands...)
	return cmd
}

// usageError is a command line that makes no sense.
type usageError struct{ message, hint string }

func (e *usageError) Error() string { return e.message }

// usagef returns a usageError without a hint.
func usagef(format string, args ...any) error {
	return &usageError{message: fmt.Sprintf(format, args...)}
}

// exactly demands a number of arguments and names them when they are missing.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		return &usageError{
			message: fmt.Sprintf("%s takes %d arguments, not %d", cmd.CommandPath(), len(names), len(args)),
			hint:    strings.TrimSpace("write " + cmd.CommandPath() + " " + strings.Join(names, " ")),
		}
	}
}

// requireFlags makes a command refuse to run without flags. It takes the place of
// cobra's own check, which cannot be told from a failure.
func requireFlags(cmd *cobra.Command, names ...string) {
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		for _, name := range names {
			if !cmd.Flags().Changed(name) {
				return &usageError{
					message: fmt.Sprintf("%s needs --%s", cmd.CommandPath(), name),
					hint:    fmt.Sprintf("see %s --help", cmd.CommandPath()),
				}
			}
		}
		return nil
	}
}

// hinted is an error with a hint on how to mend it.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

// complain tells people what went wrong and how to mend it.
func complain(stderr io.Writer, err error) {
	message, hint := explain(err)
	if errors.Is(err, context.Canceled) {
		message, hint = "interrupted", ""
	}
	fmt.Fprintf(stderr, "memberwatch: %s\n", message)
	if hint != "" {
		fmt.Fprintf(stderr, "hint: %s\n", hint)
	}
}

// explain splits an error into what is wrong and what to do about it.
func explain(err error) (message, hint string) {
	if e, ok := errors.AsType[*usageError](err); ok {
		return e.message, e.hint
	}
	if e, ok := errors.AsType[hinted](err); ok {
		return err.Error(), e.hint
	}
	if e, ok := errors.AsType[*memberwatch.ReasonError](err); ok {
		return strings.Replace(err.Error(), e.Error(), e.Message, 1), e.Hint
	}
	if st, ok := status.FromError(err); ok {
		return st.Message(), statusHint(st)
	}
	return err.Error(), ""
}

// statusHint returns what a status code suggests; what the service itself
// advises is part of its message.
func statusHint(st *status.Status) string {
	switch st.Code() {
	case codes.Unavailable, codes.DeadlineExceeded:
		return "is memberwatch serve running there? Name another address with --server"
	case codes.Unimplemented:
		return "the server speaks another version of the contract; compare memberwatch version and memberwatch stats"
	default:
		return ""
	}
}
