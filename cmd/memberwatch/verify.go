package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/monitor"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/wire"
)

// errNotVerified ends a verification that found something.
var errNotVerified = hinted{errors.New("not all that is stored follows from its evidence"), "compare with a backup, and with the evidence hashes in incident packets and the audit log"}

func newVerify() *cobra.Command {
	cmd := &cobra.Command{
		Use: "verify", Short: "Prove that a data directory is whole and its signals follow from their evidence", Args: exactly(),
		Long: "verify reads every page of a data directory that nobody serves, such as a backup, makes the findings of all\n" +
			"signals again from what is stored of their inputs, and compares them byte for byte with what is stored. It\n" +
			"changes nothing. Ask a running service with memberwatch signals verify.",
	}
	dir := cmd.Flags().String("data-dir", "", "the data directory")
	format := formatFlag(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *dir == "" {
			return usagef("name the directory with --data-dir")
		}
		t := tally{out: cmd.OutOrStdout(), format: format.value}
		err := monitor.VerifyDirectory(*dir, func(v memberwatch.Verification) error {
			return t.add(string(v.Signal), wire.EncodeVerification(&v))
		})
		return cmp.Or(err, t.end())
	}
	return cmd
}

func newSignalsVerify() *cobra.Command {
	cmd := &cobra.Command{
		Use: "verify SIGNAL... | --all", Short: "Make the findings of signals again and compare them with what is stored",
		Long: "verify asks the service to make the findings of signals again from what is stored of their inputs. VERIFIED\n" +
			"means the same bytes, DIFFERS that somebody changed what is stored, UNVERIFIABLE that another version of the\n" +
			"models made them. It ends with status 1 if any signal differs.",
	}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	all := cmd.Flags().Bool("all", false, "verify all signals")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *all == (len(args) > 0) {
			return usagef("name signals, or all of them with --all")
		}
		conn, err := dial(cmd.Context(), *server)
		if err != nil {
			return err
		}
		defer conn.Close() //nolint:errcheck // only read from
		if *all {
			signals, err := listSignals(cmd, conn, &pb.ListSignalsRequest{}, 0)
			if err != nil {
				return err
			}
			for _, s := range signals {
				args = append(args, s.GetName())
			}
		}
		return verifySignals(cmd, conn, args, format.value)
	}
	return cmd
}

func verifySignals(cmd *cobra.Command, conn *grpc.ClientConn, names []string, format string) error {
	t := tally{out: cmd.OutOrStdout(), format: format}
	for _, name := range names {
		answer, err := pb.NewSignalServiceClient(conn).VerifySignal(cmd.Context(), &pb.VerifySignalRequest{Name: signalName(name)})
		if err != nil {
			return err
		}
		if err := t.add(bare(signalName(name)), answer); err != nil {
			return err
		}
	}
	return t.end()
}

// tally prints verifications as they come and counts them.
type tally struct {
	out                            io.Writer
	format                         string
	verified, differ, unverifiable int
}

func (t *tally) add(signal string, v *pb.VerifySignalResponse) error {
	switch v.GetResult() {
	case pb.VerificationResult_VERIFICATION_RESULT_VERIFIED:
		t.verified++
	case pb.VerificationResult_VERIFICATION_RESULT_UNVERIFIABLE:
		t.unverifiable++
	default:
		t.differ++
	}
	if t.format == "json" {
		return writeJSON(t.out, v)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %-12s  %s  %s\n", signal, resultName(v.GetResult()), plural(len(v.GetFindings()), "finding"), v.GetEvidenceSha256())
	for _, p := range v.GetProblems() {
		b.WriteString(indent(p, "    "))
	}
	for _, f := range v.GetFindings() {
		if f.GetDetail() != "" {
			b.WriteString(indent(fmt.Sprintf("finding %d: %s: %s", f.GetNumber(), resultName(f.GetResult()), f.GetDetail()), "    "))
		}
	}
	_, err := io.WriteString(t.out, b.String())
	return err
}

func resultName(r pb.VerificationResult) string {
	return strings.TrimPrefix(r.String(), "VERIFICATION_RESULT_")
}

// end sums up, and is an error if something differs.
func (t *tally) end() error {
	if t.format != "json" {
		if _, err := fmt.Fprintf(t.out, "%d verified, %d unverifiable, %d differ\n", t.verified, t.unverifiable, t.differ); err != nil {
			return err
		}
	}
	if t.differ > 0 {
		return errNotVerified
	}
	return nil
}
