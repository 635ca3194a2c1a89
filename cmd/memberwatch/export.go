package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/notify/ocsf"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/wire"
)

func newExport() *cobra.Command {
	return group("export", "Print data for other systems", newExportOCSF())
}

func newExportOCSF() *cobra.Command {
	cmd := &cobra.Command{
		Use: "ocsf", Short: "Print signals as OCSF 1.8.0 Detection Findings, one JSON object per line", Args: exactly(),
		Long: "ocsf prints each signal as it is now, the newest first. What changes later comes by webhooks or signals watch;\n" +
			"finding_info.uid stays the same.",
		Example: "  memberwatch export ocsf --filter 'severity >= HIGH' --base-url https://memberwatch.example > findings.jsonl",
	}
	server := serverFlag(cmd)
	filter := cmd.Flags().String("filter", "", "only signals that match, "+filterHelp)
	limit := cmd.Flags().Int("limit", 0, "print at most so many; 0 prints all")
	base := cmd.Flags().String("base-url", "", "where people find the service: findings link to it; none: no links")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkLimit(*limit); err != nil {
			return err
		}
		conn, err := dial(cmd.Context(), *server)
		if err != nil {
			return err
		}
		defer conn.Close() //nolint:errcheck // only read from
		signals, err := listSignals(cmd, conn, &pb.ListSignalsRequest{Filter: *filter, Export: true}, *limit)
		if err != nil {
			return err
		}
		for _, m := range signals {
			if err := exportSignal(cmd.OutOrStdout(), m, strings.TrimSuffix(*base, "/")); err != nil {
				return err
			}
		}
		return nil
	}
	return cmd
}

// exportSignal prints a signal as a finding that the schema accepts.
func exportSignal(w io.Writer, m *pb.Signal, base string) error {
	s, err := wire.DecodeSignal(m)
	if err != nil {
		return err
	}
	if s.Strongest.ReturnPeriod > 0 {
		s.Strongest.Stream = memberwatch.StreamBurst // the message does not say which of the two statistical ones
	}
	c := ocsf.Change{Activity: ocsf.Update, UID: fmt.Sprintf("%s-%d", s.ID, s.Revision), Time: s.Last, ProductVersion: version()}
	switch {
	case !s.Open():
		c.Activity, c.Time = ocsf.Close, s.Ended
	case s.Revision == 1:
		c.Activity = ocsf.Create
	}
	if base != "" {
		c.SignalURL = base + "/" + m.GetName()
		c.VerdictURL = c.SignalURL + "/verdict"
		if m.GetCase() != "" {
			c.VerdictURL = base + "/" + m.GetCase() + "/verdict"
		}
	}
	line, err := json.Marshal(ocsf.Encode(&s, c))
	if err != nil {
		return fmt.Errorf("encode signal %q: %w", s.ID, err)
	}
	if err := ocsf.Check(line); err != nil {
		return fmt.Errorf("signal %q makes no sound finding: %w", s.ID, err)
	}
	_, err = w.Write(append(line, '\n'))
	return err
}
