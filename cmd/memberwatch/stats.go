package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

func newStats() *cobra.Command {
	cmd := &cobra.Command{Use: "stats", Short: "Show the service's counters", Args: exactly()}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		answer, err := ask(cmd.Context(), *server, func(c *grpc.ClientConn) call[*pb.GetStatsRequest, *pb.GetStatsResponse] {
			return pb.NewAdminServiceClient(c).GetStats
		}, &pb.GetStatsRequest{})
		if err != nil {
			return err
		}
		if format.value == "json" {
			return writeJSON(cmd.OutOrStdout(), answer)
		}
		return printStats(cmd.OutOrStdout(), answer)
	}
	return cmd
}

func printStats(w io.Writer, s *pb.GetStatsResponse) error {
	t := table{columns: []column{left("SERVICE"), right(s.GetVersion())}}
	t.add("uptime", s.GetUptime().AsDuration().Round(time.Second).String())
	t.add("events applied", number(s.GetEventsApplied()))
	t.add("events known before", number(s.GetEventsDuplicate()))
	t.add("events late", number(s.GetEventsLate()))
	t.add("events lost by producers", number(s.GetEventsLostByProducers()))
	t.add("signals opened", number(s.GetSignalsOpened()))
	t.add("signals open", number(s.GetSignalsOpen()))
	t.add("apps", number(s.GetApps()))
	t.add("apps in memory", number(s.GetAppsResident()))
	t.add("control revision", number(s.GetControlRevision()))
	for _, c := range s.GetRejected() {
		t.add("rejected "+c.GetName(), number(c.GetCount()))
	}
	for _, c := range s.GetCallErrors() {
		t.add("call error "+c.GetName(), number(c.GetCount()))
	}
	for _, c := range s.GetUnknownDataClasses() {
		t.add("undeclared class "+c.GetName(), number(c.GetCount()))
	}
	if err := t.writeTo(w); err != nil {
		return err
	}
	if s.GetStorageError() != "" {
		fmt.Fprintf(w, "\n%s", indent("STORAGE ERROR: "+s.GetStorageError(), ""))
	}
	return printParts(w, s)
}

// printParts prints producers and partitions.
func printParts(w io.Writer, s *pb.GetStatsResponse) error {
	producers := table{columns: []column{left("PRODUCER"), left("LIVE"), right("EPOCH"), right("COMMITTED"), left("NEWEST EVENT")}}
	for _, p := range s.GetProducers() {
		live := "no"
		if p.GetLive() {
			live = "yes"
		}
		producers.add(p.GetProducer(), live, number(p.GetEpoch()), number(p.GetCommittedSequence()), instant(p.GetNewestEventTime()))
	}
	partitions := table{columns: []column{
		right("PARTITION"), left("CLOSED UP TO"), right("EVENTS"), right("IN MEMORY"), right("CHECKPOINTS"), right("LAST TOOK"), right("FILE"),
	}}
	for _, p := range s.GetPartitions() {
		partitions.add(number(p.GetPartition()), instant(p.GetWatermark()), number(p.GetEventsApplied()), number(p.GetAppsResident()),
			number(p.GetCheckpoints()), p.GetLastCheckpoint().AsDuration().Round(100*time.Microsecond).String(), byteSize(p.GetFileBytes()))
	}
	for _, t := range []*table{&producers, &partitions} {
		if len(t.rows) == 0 {
			continue
		}
		fmt.Fprintln(w)
		if err := t.writeTo(w); err != nil {
			return err
		}
	}
	return nil
}
