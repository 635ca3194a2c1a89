package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/bench/scenario"
	"github.com/memberwatch/memberwatch/client"
	"github.com/memberwatch/memberwatch/monitor"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/server"
	"github.com/memberwatch/memberwatch/wire"
)

// demoFlags say what platform is simulated and where the service works.
type demoFlags struct {
	seed       uint64
	until      moment
	apps, days int
	dataDir    string
	listen     string
	once       bool
	format     *choice
}

func newDemo() *cobra.Command {
	cmd := &cobra.Command{
		Use: "demo", Short: "Watch a simulated platform on which some apps go bad", Args: exactly(),
		Long: "demo starts a service in a fresh directory and streams a simulated platform into it through the\n" +
			"gRPC client: honest apps, apps that only look bad, and apps that harvest, enumerate, or go on\n" +
			"reading a data class after it was closed to them. It prints signals as they open, compares them\n" +
			"with what was planted, and goes on serving until interrupted.",
		Example: "  memberwatch demo\n  memberwatch demo --once --seed 7 --format json",
	}
	var f demoFlags
	flags := cmd.Flags()
	flags.Uint64Var(&f.seed, "seed", 1, "chooses everything that is random")
	flags.IntVar(&f.apps, "apps", 320, "number of apps")
	flags.IntVar(&f.days, "days", 60, "simulated days")
	flags.Var(&f.until, "until", "day before which simulated time ends, to repeat an earlier demo; default: today")
	flags.StringVar(&f.dataDir, "data-dir", "", "data directory, which must be empty or new; none: a temporary one")
	flags.StringVar(&f.listen, "listen", client.DefaultTarget, "address to listen on; only this machine may reach it")
	flags.BoolVar(&f.once, "once", false, "end after the comparison")
	f.format = formatFlag(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return runDemo(cmd, &f) }
	return cmd
}

// demoEventsPerApp is the ordinary volume of an app a day, on average: enough
// for baselines, and few enough for a demo that takes seconds.
const demoEventsPerApp = 75

// demoPlan is what is planted. Rates below 1 are for scenarios whose amounts,
// taken from real incidents, would fill the demo with one app's events.
func demoPlan() []scenario.Planting {
	return []scenario.Planting{
		{Scenario: "S01"},
		{Scenario: "S02"},
		{Scenario: "S04", Count: 2, Rate: 0.3},
		{Scenario: "S05", Rate: 0.1},
		{Scenario: "S06"},
		{Scenario: "S08", Rate: 0.1},
		{Scenario: "S09", Rate: 0.1},
		{Scenario: "S17"},
		{Scenario: "B1", Count: 2},
		{Scenario: "B2"},
		{Scenario: "B3"},
		{Scenario: "B5"},
		{Scenario: "B6", Rate: 0.1},
		{Scenario: "B7"},
		{Scenario: "B9"},
		{Scenario: "B12"},
	}
}

// simulator returns the platform of the flags. It ends with a midnight that has
// passed, because a service takes no events of the future.
func (f *demoFlags) simulator() (*scenario.Simulator, error) {
	if f.until.time.After(time.Now()) {
		return nil, usagef("--until %s lies in the future", f.until.text)
	}
	if f.days < 1 || f.apps < 1 {
		return nil, usagef("--days and --apps must be at least 1, not %d and %d", f.days, f.apps)
	}
	sim, err := scenario.New(scenario.Config{
		Seed: f.seed, Apps: f.apps, Days: f.days, Members: 1_000_000, EventsPerDay: demoEventsPerApp * f.apps, Rest: 1,
		Start: f.until.time.UTC().Truncate(24*time.Hour).AddDate(0, 0, -f.days), Plant: demoPlan(),
	})
	if err != nil {
		return nil, hinted{err, "the demo is made for some hundred apps over some weeks, such as --apps 320 --days 60"}
	}
	return sim, nil
}

// runDemo does it all: service, stream, comparison.
func runDemo(cmd *cobra.Command, f *demoFlags) error {
	if f.until.time.IsZero() {
		f.until.time = time.Now()
	}
	sim, err := f.simulator()
	if err != nil {
		return err
	}
	dir, remove, err := freshDir(f.dataDir)
	if err != nil {
		return err
	}
	defer remove()
	listen := f.listen
	if f.once && !cmd.Flags().Changed("listen") {
		listen = "127.0.0.1:0" // nobody needs to find it
	}
	stderr := cmd.ErrOrStderr()
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s, err := startService(cmd.Context(), serviceOptions{
		listen: listen, monitor: monitor.Options{Dir: dir, MaxQueuedBytes: 16 << 20, MaxUncommittedBytes: 32 << 20, Logger: log}, server: server.Options{Log: log},
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "memberwatch: %s over %s, seed %d; listening on %s, data in %s\n",
		plural(f.apps, "app"), plural(f.days, "day"), f.seed, s.address, dir)
	err = f.perform(cmd, s, sim)
	if err == nil && !f.once {
		fmt.Fprintf(stderr, "memberwatch: still serving; interrupt to end\nhint: memberwatch signals list --server %s\n", s.address)
		select {
		case <-cmd.Context().Done():
		case err = <-s.failed:
		}
	}
	return errors.Join(err, s.stop(cmd.Context()))
}

// freshDir returns a data directory that holds nothing yet, and what undoes it.
func freshDir(given string) (dir string, remove func(), err error) {
	if given == "" {
		if dir, err = os.MkdirTemp("", "memberwatch-"); err != nil {
			return "", nil, fmt.Errorf("make a data directory: %w", err)
		}
		return dir, func() { os.RemoveAll(dir) }, nil //nolint:errcheck // it is temporary
	}
	entries, err := os.ReadDir(given)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", nil, fmt.Errorf("look into the data directory: %w", err)
	}
	if len(entries) > 0 {
		return "", nil, &usageError{message: fmt.Sprintf("data directory %q is not empty", given), hint: "name a new one, or look at this one with memberwatch serve --data-dir " + given}
	}
	return given, func() {}, nil
}

// perform streams the platform and compares what the service found with what
// was planted.
func (f *demoFlags) perform(cmd *cobra.Command, s *service, sim *scenario.Simulator) error {
	conn, err := dial(cmd.Context(), s.address)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // only read from
	show := newStage(cmd, f, sim)
	watchCtx, stopWatching := context.WithCancel(cmd.Context())
	var watching sync.WaitGroup
	watching.Go(func() { show.watch(watchCtx, conn) })
	sent, took, err := show.stream(cmd.Context(), s.address, conn, sim)
	if err == nil {
		err = s.monitor.Settle(cmd.Context())
	}
	stopWatching()
	watching.Wait()
	show.progress.clear()
	if err != nil {
		return err
	}
	found, err := listSignals(cmd, conn, &pb.ListSignalsRequest{}, 0)
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "memberwatch: %s durable and scored in %s (%s/s)\n", plural(sent, "event"), took.Round(10*time.Millisecond),
		number(int64(float64(sent)/max(took.Seconds(), 0.001))))
	result := compare(sim.Truth(), found)
	if f.format.value == "json" {
		return result.writeJSON(cmd.OutOrStdout())
	}
	return result.writeTable(cmd.OutOrStdout())
}

// stage is what people watch during the demo: the bar, and signals as they
// open. The feed and the stream share it.
type stage struct {
	mu       sync.Mutex
	progress *progress
	start    time.Time
	signals  io.Writer // where signals go as they open
	stderr   io.Writer
	opened   map[string]bool // by name, of signals already printed
}

func newStage(cmd *cobra.Command, f *demoFlags, sim *scenario.Simulator) *stage {
	start := sim.End().AddDate(0, 0, -f.days)
	show := &stage{
		progress: newProgress(cmd.ErrOrStderr(), int64(sim.End().Sub(start)), "events"), start: start,
		signals: cmd.OutOrStdout(), stderr: cmd.ErrOrStderr(), opened: make(map[string]bool),
	}
	if f.format.value == "json" {
		show.signals = cmd.ErrOrStderr() // one object alone goes to standard output
	}
	return show
}

// advance moves the bar to an event time.
func (s *stage) advance(t, events int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.progress.show(t-s.start.UnixNano(), events)
}

// watch prints signals as they open, until its context ends.
func (s *stage) watch(ctx context.Context, conn *grpc.ClientConn) {
	feed, err := pb.NewSignalServiceClient(conn).WatchSignals(ctx, &pb.WatchSignalsRequest{})
	for err == nil {
		var step *pb.WatchSignalsResponse
		if step, err = feed.Recv(); err == nil {
			err = s.printOpened(step)
		}
	}
	if ctx.Err() == nil {
		fmt.Fprintf(s.stderr, "memberwatch: the feed of signals broke off: %v\n", err)
	}
}

// printOpened prints a signal when it is seen first.
func (s *stage) printOpened(step *pb.WatchSignalsResponse) error {
	signal := step.GetSignal()
	if signal == nil || s.opened[signal.GetName()] {
		return nil
	}
	s.opened[signal.GetName()] = true
	s.mu.Lock()
	defer s.mu.Unlock()
	s.progress.clear()
	_, err := fmt.Fprintf(s.signals, "%s  %-8s  %-24s  %s\n%s", instant(signal.GetOpenTime()), signal.GetSeverity().String()[len("SEVERITY_"):],
		signal.GetKind(), subject(signal), indent(signal.GetSentence(), "    "))
	return err
}

// barEvery is how many events are sent between two looks at the bar.
const barEvery = 512

// stream sends all events and declarations in their order, and waits until the
// service has them on disk.
func (s *stage) stream(ctx context.Context, target string, conn *grpc.ClientConn, sim *scenario.Simulator) (sent int64, took time.Duration, err error) {
	began := time.Now()
	gateway, err := client.New(client.Options{Target: target, Producer: "demo-gateway", MaxBufferedBytes: 16 << 20})
	if err != nil {
		return 0, 0, err
	}
	err = s.send(ctx, gateway, conn, sim)
	if err == nil {
		err = gateway.Flush(ctx)
	}
	took = time.Since(began)
	closeCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if closeErr := gateway.Close(closeCtx); err == nil {
		err = closeErr
	}
	return gateway.Stats().Acked, took, err
}

func (s *stage) send(ctx context.Context, gateway *client.Client, conn *grpc.ClientConn, sim *scenario.Simulator) error {
	registry := pb.NewRegistryServiceClient(conn)
	declared := sim.Declarations()
	var event memberwatch.Event
	for sent := int64(0); sim.Next(&event); sent++ {
		for len(declared) > 0 && declared[0].Time.UnixNano() <= event.Time {
			if err := declare(ctx, registry, &declared[0]); err != nil {
				return err
			}
			declared = declared[1:]
		}
		if err := gateway.Append(ctx, event); err != nil {
			return err
		}
		if sent%barEvery == 0 {
			s.advance(event.Time, sent)
		}
	}
	return nil
}

// declare tells the registry of an app or a restriction.
func declare(ctx context.Context, registry pb.RegistryServiceClient, change *memberwatch.Change) error {
	if change.App != nil {
		_, err := registry.PutApp(ctx, &pb.PutAppRequest{App: wire.EncodeApp(&memberwatch.AppView{App: *change.App})})
		return err
	}
	_, err := registry.PutRestriction(ctx, &pb.PutRestrictionRequest{Restriction: wire.EncodeRestriction(change.Restriction)})
	return err
}
