package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/pprof"

	"github.com/spf13/cobra"

	"github.com/memberwatch/memberwatch/bench/throughput"
	"github.com/memberwatch/memberwatch/monitor"
	"github.com/memberwatch/memberwatch/server"
)

func newBenchThroughput() *cobra.Command {
	cmd := &cobra.Command{
		Use: "throughput", Short: "Compare the service with a server that drops what it receives", Args: exactly(),
		Long: "throughput sends the same events, in turns, to a server that drops them unread and to the whole\n" +
			"service, which scores them and writes them to disk. Both are processes of their own on this\n" +
			"machine, fed over the same gRPC stream by the client that gateways use. How fast batches that\n" +
			"were encoded beforehand can be dropped, the limit of gRPC itself, stands beside.",
		Example: "  memberwatch bench throughput\n  memberwatch bench throughput --apps 2000 --events 500000 --format json --require 'ratio>=0.5'",
	}
	c := throughput.Defaults()
	flags := cmd.Flags()
	flags.IntVar(&c.Apps, "apps", c.Apps, "apps on the platform")
	flags.IntVar(&c.Events, "events", c.Events, "events of a round, for each server")
	flags.IntVar(&c.Members, "members", c.Members, "members disclosed by each event")
	flags.IntVar(&c.Rounds, "rounds", c.Rounds, "rounds; the figures are medians over them")
	flags.IntVar(&c.Batch, "batch", c.Batch, "events in a message")
	flags.IntVar(&c.Streams, "streams", c.Streams, "producers that send side by side")
	flags.IntVar(&c.Pace, "pace", c.Pace, "events in a second of event time")
	flags.IntVar(&c.Idle, "idle-acks", c.Idle, "acknowledgements to time without load")
	flags.BoolVar(&c.Encoded, "encoded", c.Encoded, "send batches encoded beforehand, so that producers cost next to nothing")
	flags.Uint64Var(&c.Seed, "seed", c.Seed, "chooses everything that is random")
	dataDir := flags.String("data-dir", "", "directory on the disk to measure, which must be empty or new; none: a temporary one")
	profile := flags.String("cpu-profile", "", "file for a profile of the service's processor time")
	format := formatFlag(cmd, "table", "json")
	require := requireFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := c.Check(); err != nil {
			return usagef("%v", err)
		}
		result, err := runThroughput(cmd, c, *dataDir, *profile)
		if err != nil {
			return err
		}
		if err := printResult(cmd.OutOrStdout(), format, result, throughputTable); err != nil {
			return err
		}
		return require.check(result)
	}
	cmd.AddCommand(newThroughputPeer())
	return cmd
}

// runThroughput starts the two servers and measures them.
func runThroughput(cmd *cobra.Command, c throughput.Config, dataDir, profile string) (*throughput.Result, error) {
	ctx, stderr := cmd.Context(), cmd.ErrOrStderr()
	dir, remove, err := freshDir(dataDir)
	if err != nil {
		return nil, err
	}
	defer remove()
	fmt.Fprintf(stderr, "memberwatch: seed %d, data in %s\n", c.Seed, dir)
	peer := []string{"bench", "throughput", "peer"}
	drain, err := throughput.Start(ctx, stderr, append(peer, "--drop-batches-of", fmt.Sprint(c.Batch))...)
	if err != nil {
		return nil, err
	}
	service, err := throughput.Start(ctx, stderr, append(peer, "--data-dir", dir, "--cpu-profile", profile)...)
	if err != nil {
		return nil, errors.Join(err, drain.Stop())
	}
	bar := newProgress(stderr, 1, "steps")
	result, err := throughput.Run(ctx, c, drain, service, bar.steps)
	bar.clear()
	return result, errors.Join(err, drain.Stop(), service.Stop())
}

// newThroughputPeer is the process that throughput starts twice.
func newThroughputPeer() *cobra.Command {
	cmd := &cobra.Command{Use: "peer", Short: "Serve as one of the two servers of bench throughput", Args: exactly(), Hidden: true}
	flags := cmd.Flags()
	perBatch := flags.Int("drop-batches-of", 0, "drop batches of so many events; 0: be the whole service")
	dataDir := flags.String("data-dir", "", "data directory of the service")
	profile := flags.String("cpu-profile", "", "file for a profile of the processor time")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *perBatch > 0 {
			return attendDrain(cmd, *perBatch)
		}
		stop, err := startProfile(*profile)
		if err != nil {
			return err
		}
		return errors.Join(attendService(cmd, *dataDir), stop())
	}
	return cmd
}

func attendDrain(cmd *cobra.Command, perBatch int) error {
	lis, err := server.Listen(cmd.Context(), "127.0.0.1:0", false)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(cmd.Context())
	ended := make(chan error, 1)
	go func() { ended <- throughput.Drain(ctx, lis, perBatch) }()
	err = throughput.Attend(cmd.InOrStdin(), cmd.OutOrStdout(), lis.Addr().String())
	cancel()
	return errors.Join(err, <-ended)
}

func attendService(cmd *cobra.Command, dataDir string) error {
	s, err := startService(cmd.Context(), serviceOptions{listen: "127.0.0.1:0", monitor: monitor.Options{Dir: dataDir}})
	if err != nil {
		return err
	}
	return errors.Join(throughput.Attend(cmd.InOrStdin(), cmd.OutOrStdout(), s.address), s.stop(cmd.Context()))
}

// throughputTable prints a result for people.
func throughputTable(w io.Writer, r *throughput.Result) error {
	t := table{columns: []column{left(""), right("DROPPED"), right("SCORED")}}
	t.add("events/s", number(int64(r.DrainEventsPerS)), number(int64(r.ScoredEventsPerS)))
	t.add("events/s, encoded beforehand", number(int64(r.WireEventsPerS)), "")
	t.add("members/s", "", number(int64(r.MembersPerS)))
	t.add("server CPU per event", number(int64(r.DrainCPU))+" ns", number(int64(r.ServerCPU))+" ns")
	t.add("allocations per event", "", fmt.Sprintf("%.3f", r.AllocsPerEvent))
	t.add("ack under load, p50 and p99", "", fmt.Sprintf("%.0f, %.0f ms", r.AckP50, r.AckP99))
	t.add("ack of an idle service", "", fmt.Sprintf("%.0f, %.0f ms", r.IdleAckP50, r.IdleAckP99))
	t.add("memory per active app", "", byteSize(int64(r.BytesPerApp)))
	if err := t.writeTo(w); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nscored / dropped: %.2f, median of %s of %s each; %s bytes an event, %s active\n",
		r.Ratio, plural(len(r.Rounds), "round"), plural(r.Config.Events, "event"), number(int64(r.EventBytes)), plural(r.ActiveApps, "app"))
	return err
}

// startProfile begins to write a profile, unless the file has no name, and
// returns what ends it.
func startProfile(file string) (stop func() error, err error) {
	if file == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(fmt.Errorf("profile: %w", err), f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}
