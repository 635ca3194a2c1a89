package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/client"
	"github.com/memberwatch/memberwatch/monitor"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

// demoKey hashes members when no key is given. Everybody knows it, so hashes
// made with it protect nobody: good for trials, not for a platform's own data.
const demoKey = "memberwatch demo key: not secret"

// replayFlags say what is replayed and where to.
type replayFlags struct {
	files                      []string
	server, dataDir, producer  string
	embedded, strict, complete bool
	assignments                []string
	mappingFile, key, keyFile  string
	shownBadLines              int
	format                     *choice
}

func newReplay() *cobra.Command {
	cmd := &cobra.Command{
		Use: "replay FILE...", Short: "Stream events from files into a service",
		Long: "replay streams events from files, in their order, through gRPC into a running service or, with\n" +
			"--embedded, one of its own. A file holds an AccessEvent of the contract per line as JSON, or CSV\n" +
			"with a header; it may be compressed with gzip, and - is standard input.\n\n" +
			"A mapping says what the columns of a CSV file are. A value is the name of a column, a text with\n" +
			"columns in braces such as {day}-{address}, or a fixed text behind an equals sign such as =web.\n" +
			"Fields are " + mappingFields + ".\n" +
			"Members and actors are hashed with --key, so that no ids leave this machine. Rows of calls that\n" +
			"did not succeed disclose nobody: whom they list counts as asked for.",
		Example: "  memberwatch replay --embedded --mapping docs/examples/edgar.yaml events.csv.gz\n" +
			"  memberwatch replay --map app=client_id,time=at,members=user,classes==profile access.csv",
	}
	var f replayFlags
	flags := cmd.Flags()
	server := serverFlag(cmd)
	f.format = formatFlag(cmd, "table", "json")
	flags.BoolVar(&f.embedded, "embedded", false, "start a service for this replay and print the signals it found")
	flags.StringVar(&f.dataDir, "data-dir", "", "data directory with --embedded; none: a temporary one")
	flags.StringVar(&f.producer, "producer", "replay", "name of the producer; two replays into one service at a time need two names")
	flags.StringSliceVar(&f.assignments, "map", nil, "mapping of columns, FIELD=VALUE,...")
	flags.StringVar(&f.mappingFile, "mapping", "", "YAML file with a mapping; --map adds to it")
	flags.StringVar(&f.key, "key", "", "key for hashing members, at least 16 bytes; default: a demo key that everybody knows")
	flags.StringVar(&f.keyFile, "key-file", "", "file that holds the key")
	flags.BoolVar(&f.strict, "strict", false, "stop at the first bad line")
	flags.BoolVar(&f.complete, "complete", true, "say at the end that the newest event's day is over, so that it is judged; "+
		"turn off when more of that day follows")
	flags.IntVar(&f.shownBadLines, "show-bad-lines", 10, "report so many bad lines one by one")
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return &usageError{message: "replay needs a file", hint: "write memberwatch replay FILE..., or - for standard input"}
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		f.files, f.server = args, *server
		if f.dataDir != "" && !f.embedded {
			return usagef("--data-dir goes with --embedded")
		}
		return replay(cmd, &f)
	}
	return cmd
}

// replay sends all files and says how it went.
func replay(cmd *cobra.Command, f *replayFlags) error {
	r, err := newReplayer(cmd, f)
	if err != nil {
		return err
	}
	if !f.embedded {
		return r.run(cmd.Context(), f.server)
	}
	dir := f.dataDir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "memberwatch-replay-"); err != nil {
			return fmt.Errorf("make a data directory: %w", err)
		}
		defer os.RemoveAll(dir) //nolint:errcheck // it is temporary
	}
	log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	s, err := startService(cmd.Context(), serviceOptions{listen: "127.0.0.1:0", monitor: monitor.Options{Dir: dir, Logger: log}})
	if err != nil {
		return err
	}
	err = r.run(cmd.Context(), s.address)
	if err == nil {
		err = r.signals(cmd, s)
	}
	return errors.Join(err, s.stop(cmd.Context()))
}

// replayer sends the events of files.
type replayer struct {
	flags    *replayFlags
	stdin    io.Reader
	stderr   io.Writer
	source   sourceOptions
	progress *progress
	sent     int64
	bad      int64
	back     int64    // events further back in time than the service allows for
	span     [2]int64 // earliest and latest event time
}

// newReplayer checks all that can be checked before anything is sent.
func newReplayer(cmd *cobra.Command, f *replayFlags) (*replayer, error) {
	hasher, err := f.hasher()
	if err != nil {
		return nil, err
	}
	r := &replayer{flags: f, stdin: cmd.InOrStdin(), stderr: cmd.ErrOrStderr()}
	r.source = sourceOptions{hasher: hasher, consumed: new(atomic.Int64)}
	if f.mappingFile != "" || len(f.assignments) > 0 {
		var m mapping
		if f.mappingFile != "" {
			if m, err = readMapping(f.mappingFile); err != nil {
				return nil, err
			}
		}
		if err := m.set(f.assignments); err != nil {
			return nil, err
		}
		r.source.mapping = &m
	}
	var total int64
	for _, name := range f.files {
		if name == "-" {
			total = -1 << 62 // unknown, whatever the rest adds
			continue
		}
		info, err := os.Stat(name)
		if err != nil {
			return nil, err
		}
		total += info.Size()
	}
	r.progress = newProgress(r.stderr, max(total, 0), "events")
	return r, nil
}

// hasher returns the hasher for the key of the flags.
func (f *replayFlags) hasher() (*client.Hasher, error) {
	switch {
	case f.key != "" && f.keyFile != "":
		return nil, usagef("--key and --key-file exclude each other")
	case f.keyFile != "":
		b, err := os.ReadFile(f.keyFile)
		if err != nil {
			return nil, fmt.Errorf("read key: %w", err)
		}
		return client.NewHasher([]byte(strings.TrimSpace(string(b))))
	case f.key != "":
		return client.NewHasher([]byte(f.key))
	default:
		return client.NewHasher([]byte(demoKey))
	}
}

// run sends all files to a service and waits until it has them.
func (r *replayer) run(ctx context.Context, target string) error {
	began := time.Now()
	c, err := client.New(client.Options{
		Target: target, Producer: memberwatch.ProducerID(r.flags.producer), OnRejected: r.reportRejection,
		Credentials: credentialsFor(ctx, target), Token: tokenIn(ctx),
	})
	if err != nil {
		return err
	}
	err = r.send(ctx, c)
	closeCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if err == nil {
		r.progress.clear()
		if err = c.Flush(ctx); err == nil {
			r.complete(c)
		}
	}
	r.progress.clear()
	if closeErr := c.Close(closeCtx); err == nil {
		err = closeErr
	}
	r.summarize(c.Stats(), time.Since(began))
	return err
}

// complete ends the newest event's day, the service's lateness included, if that
// day is over by the clock too.
func (r *replayer) complete(c *client.Client) {
	if !r.flags.complete || r.sent == 0 {
		return
	}
	until := time.Unix(0, r.span[1]).UTC().Truncate(24 * time.Hour).Add(24*time.Hour + 5*time.Minute)
	if until.Before(time.Now()) {
		c.Complete(until)
	}
}

// readyTimeout bounds how long replay looks for the service.
const readyTimeout = 10 * time.Second

// send reads the files and hands their events over, in order.
func (r *replayer) send(ctx context.Context, c *client.Client) error {
	readyCtx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if _, err := c.Ready(readyCtx); err != nil {
		return hinted{err, "start memberwatch serve, name another address with --server, or use --embedded"}
	}
	for _, name := range r.flags.files {
		if err := r.sendFile(ctx, c, name); err != nil {
			return err
		}
	}
	return nil
}

func (r *replayer) sendFile(ctx context.Context, c *client.Client, name string) error {
	s, err := openSource(name, r.stdin, r.source)
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // only read from
	for {
		ev, err := s.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = r.sendEvent(ctx, c, ev)
		}
		if bad, ok := errors.AsType[*badLine](err); ok {
			err = r.reportBadLine(bad)
		}
		if err != nil {
			return err
		}
		r.progress.show(r.source.consumed.Load(), r.sent)
	}
}

// sendEvent hands one good event over.
func (r *replayer) sendEvent(ctx context.Context, c *client.Client, ev memberwatch.Event) error {
	if err := c.Append(ctx, ev); err != nil {
		return err
	}
	if r.sent == 0 {
		r.span = [2]int64{ev.Time, ev.Time}
	}
	r.sent++
	if ev.Time < r.span[1]-int64(2*time.Minute) {
		r.back++
	}
	r.span = [2]int64{min(r.span[0], ev.Time), max(r.span[1], ev.Time)}
	return nil
}

// reportBadLine counts a bad line and shows the first ones. Under --strict it
// ends the replay.
func (r *replayer) reportBadLine(bad *badLine) error {
	r.bad++
	if r.flags.strict {
		return bad
	}
	if r.bad <= int64(r.flags.shownBadLines) {
		r.progress.clear()
		message, _ := explain(bad)
		fmt.Fprintf(r.stderr, "memberwatch: %s\n", message)
	}
	return nil
}

// reportRejection shows what the service itself did not take.
func (r *replayer) reportRejection(rejection client.Rejection) {
	fmt.Fprintf(r.stderr, "memberwatch: event %d was rejected: %s\n", rejection.Sequence, rejection.Message)
}

// summarize tells people how the replay went.
func (r *replayer) summarize(s client.Stats, took time.Duration) {
	line := fmt.Sprintf("memberwatch: %s durable in %s (%s/s)", plural(s.Acked, "event"), took.Round(10*time.Millisecond),
		number(int64(float64(s.Acked)/max(took.Seconds(), 0.001))))
	if r.sent > 0 {
		line += fmt.Sprintf(", from %s to %s", time.Unix(0, r.span[0]).UTC().Format(time.RFC3339), time.Unix(0, r.span[1]).UTC().Format(time.RFC3339))
	}
	fmt.Fprintln(r.stderr, line)
	if r.bad > 0 {
		fmt.Fprintf(r.stderr, "memberwatch: %s skipped\n", plural(r.bad, "bad line"))
	}
	if s.Rejected > 0 {
		fmt.Fprintf(r.stderr, "memberwatch: %s rejected by the service\n", plural(s.Rejected, "event"))
	}
	if r.back > 0 {
		fmt.Fprintf(r.stderr, "memberwatch: %s more than 2 minutes behind earlier ones; they count in reports but are not scored\n", plural(r.back, "event"))
		fmt.Fprintln(r.stderr, "hint: sort the file by time")
	}
	if !r.flags.embedded && s.Acked > 0 {
		fmt.Fprintf(r.stderr, "hint: memberwatch signals list --server %s\n", r.flags.server)
	}
}

// signals prints what an embedded service found, most severe first, then rarest.
func (r *replayer) signals(cmd *cobra.Command, s *service) error {
	if err := s.monitor.Settle(cmd.Context()); err != nil {
		return err
	}
	conn, err := dial(cmd.Context(), s.address)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // only read from
	found, err := listSignals(cmd, conn, &pb.ListSignalsRequest{}, 0)
	if err != nil {
		return err
	}
	slices.SortStableFunc(found, func(a, b *pb.Signal) int {
		return cmp.Or(cmp.Compare(b.GetSeverity(), a.GetSeverity()), cmp.Compare(b.GetReturnPeriodDays(), a.GetReturnPeriodDays()),
			cmp.Compare(b.GetMembersExposed().GetValue(), a.GetMembersExposed().GetValue()))
	})
	fmt.Fprintf(r.stderr, "memberwatch: %s\n", plural(len(found), "signal"))
	if dir := r.flags.dataDir; dir != "" {
		fmt.Fprintf(r.stderr, "hint: memberwatch serve --data-dir %s\n", filepath.Clean(dir))
	}
	return printSignals(cmd.OutOrStdout(), found, r.flags.format.value)
}
