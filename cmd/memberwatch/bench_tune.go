package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/bench/feed"
	"github.com/memberwatch/memberwatch/bench/trial"
	"github.com/memberwatch/memberwatch/bench/tune"
	"github.com/memberwatch/memberwatch/client"
	"github.com/memberwatch/memberwatch/detector"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/wire"
)

// tuneFlags say where evidence and labels come from, and what is wanted.
type tuneFlags struct {
	events, mapping string
	assignments     []string
	from, labels    string
	budget          string
	fragment        string
	format          *choice
}

func newBenchTune() *cobra.Command {
	cmd := &cobra.Command{
		Use: "tune", Short: "Choose the budget that meets a number of alerts a day", Args: exactly(),
		Long: "tune takes evidence, from a file of events that it scores once or from what a running service has\n" +
			"recorded, and labels of apps, and decides every finding again under other budgets, shares and\n" +
			"kinds, without scoring anything again. It proposes the smallest change of the budget that meets\n" +
			"the wanted number of alerts a day, chosen on one half of the apps and checked on the other, and\n" +
			"prints it as a fragment of the file for serve --config.\n\n" +
			"Labels are CSV: app,label,from,to with abuse or benign, the times being optional; the app * stands\n" +
			"for all others. Events are files as for replay; every app in them needs a label.",
		Example: "  memberwatch bench tune --events access.csv.gz --mapping mapping.yaml --labels labels.csv --budget 5/day\n" +
			"  memberwatch bench tune --from 127.0.0.1:7443 --labels labels.csv --budget 5/day",
	}
	var f tuneFlags
	flags := cmd.Flags()
	flags.StringVar(&f.events, "events", "", "file of events, as for replay")
	flags.StringVar(&f.mapping, "mapping", "", "YAML file that says what the columns of a CSV file are, as for replay")
	flags.StringSliceVar(&f.assignments, "map", nil, "mapping of columns, FIELD=VALUE,..., as for replay")
	flags.StringVar(&f.from, "from", "", "address of a running service whose recorded evidence to use")
	flags.StringVar(&f.labels, "labels", "", "CSV file of labels")
	flags.StringVar(&f.budget, "budget", "", "wanted number of alerts, such as 5/day or 10/week")
	flags.StringVar(&f.fragment, "fragment", "", "file to write the configuration fragment to; none: print it")
	f.format = formatFlag(cmd, "table", "json")
	cobra.CheckErr(errors.Join(cmd.MarkFlagRequired("labels"), cmd.MarkFlagRequired("budget")))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return f.run(cmd) }
	return cmd
}

func (f *tuneFlags) run(cmd *cobra.Command) error {
	if (f.events == "") == (f.from == "") {
		return &usageError{message: "evidence comes from --events or from --from", hint: "name one of them"}
	}
	wanted, err := perDay(f.budget)
	if err != nil {
		return err
	}
	file, err := os.Open(f.labels)
	if err != nil {
		return err
	}
	labels, err := tune.ReadLabels(f.labels, file)
	if err = errors.Join(err, file.Close()); err != nil {
		return hinted{err, "labels are CSV: app,label,from,to, the label being abuse or benign"}
	}
	var evidence *tune.Evidence
	if f.events != "" {
		evidence, err = f.score(cmd, labels)
	} else {
		evidence, err = fetchEvidence(cmd.Context(), f.from, labels)
	}
	if err != nil {
		return err
	}
	proposal := evidence.Propose(wanted, detector.DefaultConfig().Budget)
	if f.fragment != "" && proposal.Chosen != nil {
		if err := os.WriteFile(f.fragment, []byte(proposal.Fragment()), 0o644); err != nil { //nolint:gosec // settings are no secret
			return fmt.Errorf("write fragment: %w", err)
		}
	}
	if f.format.value == "json" {
		return writeResult(cmd.OutOrStdout(), proposal)
	}
	return printProposal(cmd.OutOrStdout(), proposal, f.fragment)
}

// perDay reads a number of alerts in a time.
func perDay(text string) (float64, error) {
	amount, unit, _ := strings.Cut(text, "/")
	n, err := strconv.ParseFloat(amount, 64)
	days, known := map[string]float64{"day": 1, "week": 7}[unit]
	if err != nil || n <= 0 || math.IsInf(n, 0) || !known {
		return 0, &usageError{message: fmt.Sprintf("--budget %q is no number of alerts", text), hint: "write --budget 5/day or --budget 10/week"}
	}
	return n / days, nil
}

// score runs a file of events through a service that records more than it would
// raise by default.
func (f *tuneFlags) score(cmd *cobra.Command, labels *tune.Labels) (*tune.Evidence, error) {
	source, err := f.open(cmd)
	if err != nil {
		return nil, err
	}
	defer source.Close() //nolint:errcheck // only read from
	config := trial.RecordingConfig()
	ctx := cmd.Context()
	service, err := feed.Open(ctx, feed.Options{Detector: config})
	if err != nil {
		return nil, err
	}
	defer service.Close() //nolint:errcheck // its directory goes anyhow
	seen, first, last, err := f.send(ctx, service, source, labels)
	if err != nil {
		return nil, err
	}
	if err := labels.CheckKnown(func(app memberwatch.AppID) bool { return seen[app] }); err != nil {
		return nil, err
	}
	end := memberwatch.WindowAt(memberwatch.Day, last).End()
	if err := service.Complete(ctx, end+memberwatch.Hour.Length()); err != nil {
		return nil, err
	}
	signals, err := service.Signals(ctx)
	if err != nil {
		return nil, err
	}
	var records []tune.Record
	for _, s := range signals {
		findings, err := service.Findings(ctx, s.ID)
		if err != nil {
			return nil, err
		}
		records = append(records, tune.Record{Signal: s, Findings: findings})
	}
	days := float64(end-memberwatch.WindowAt(memberwatch.Day, first).Start) / float64(memberwatch.Day.Length())
	return tune.NewEvidence(*config, records, labels, days, len(seen)), nil
}

// open opens the file of events as replay does.
func (f *tuneFlags) open(cmd *cobra.Command) (*source, error) {
	hasher, err := client.NewHasher([]byte(demoKey)) // nothing leaves this process
	if err != nil {
		return nil, err
	}
	o := sourceOptions{hasher: hasher, consumed: new(atomic.Int64)}
	if f.mapping != "" || len(f.assignments) > 0 {
		var m mapping
		if f.mapping != "" {
			if m, err = readMapping(f.mapping); err != nil {
				return nil, err
			}
		}
		if err := m.set(f.assignments); err != nil {
			return nil, err
		}
		o.mapping = &m
	}
	return openSource(f.events, cmd.InOrStdin(), o)
}

// send feeds all events. A row that is no event ends it: what is tuned on half
// of a file holds for half of it.
func (f *tuneFlags) send(ctx context.Context, service *feed.Feed, in *source, labels *tune.Labels) (seen map[memberwatch.AppID]bool, first, last int64, err error) {
	seen = make(map[memberwatch.AppID]bool)
	for {
		ev, err := in.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, 0, 0, err
		}
		if !seen[ev.App] {
			if !labels.Has(ev.App) {
				return nil, 0, 0, hinted{
					fmt.Errorf("%s:%d: app %q has no label in %s", in.name, in.line, ev.App, labels.File),
					"label it abuse or benign, or all others with a row *,benign",
				}
			}
			seen[memberwatch.AppID(strings.Clone(string(ev.App)))] = true
		}
		if first == 0 || ev.Time < first {
			first = ev.Time
		}
		last = max(last, ev.Time)
		if err := service.Append(ctx, &ev); err != nil {
			return nil, 0, 0, err
		}
	}
	if len(seen) == 0 {
		return nil, 0, 0, fmt.Errorf("%s:1: empty file: expected events", in.name)
	}
	return seen, first, last, nil
}

// fetchEvidence takes what a running service has recorded.
func fetchEvidence(ctx context.Context, target string, labels *tune.Labels) (*tune.Evidence, error) {
	conn, err := dial(ctx, target)
	if err != nil {
		return nil, err
	}
	defer conn.Close() //nolint:errcheck // only read from
	known, span, err := fetchApps(ctx, conn)
	if err != nil {
		return nil, err
	}
	if err := labels.CheckKnown(func(app memberwatch.AppID) bool { return known[app] }); err != nil {
		return nil, err
	}
	for app := range known {
		if !labels.Has(app) {
			return nil, hinted{fmt.Errorf("%s: app %q of %s has no label", labels.File, app, target), "label it, or all others with a row *,benign"}
		}
	}
	signals, err := fetchSignals(ctx, conn)
	if err != nil {
		return nil, err
	}
	var records []tune.Record
	for _, s := range signals {
		answer, err := pb.NewSignalServiceClient(conn).ExplainSignal(ctx, &pb.ExplainSignalRequest{Name: wire.SignalName(s.ID)})
		if err != nil {
			return nil, err
		}
		record := tune.Record{Signal: s}
		for _, m := range answer.GetFindings() {
			finding, err := wire.DecodeFinding(s.Kind, m)
			if err != nil {
				return nil, err
			}
			record.Findings = append(record.Findings, finding)
		}
		records = append(records, record)
	}
	return tune.NewEvidence(detector.DefaultConfig(), records, labels, max(span.Hours()/24, 1), len(known)), nil
}

// fetchApps lists the apps that made events, and how long those go on.
func fetchApps(ctx context.Context, conn *grpc.ClientConn) (known map[memberwatch.AppID]bool, span time.Duration, err error) {
	known = make(map[memberwatch.AppID]bool)
	var first, last time.Time
	err = pages(0, maxPage, func(token string, size int) (int, string, error) {
		answer, err := pb.NewRegistryServiceClient(conn).ListApps(ctx, &pb.ListAppsRequest{PageSize: int32(size), PageToken: token})
		for _, a := range answer.GetApps() {
			if a.GetFirstEventTime() == nil {
				continue
			}
			known[memberwatch.AppID(bare(a.GetName()))] = true
			if t := a.GetFirstEventTime().AsTime(); first.IsZero() || t.Before(first) {
				first = t
			}
			if t := a.GetLastEventTime().AsTime(); t.After(last) {
				last = t
			}
		}
		return len(answer.GetApps()), answer.GetNextPageToken(), err
	})
	if err == nil && len(known) == 0 {
		err = hinted{errors.New("the service has seen no events"), "stream some first"}
	}
	return known, last.Sub(first), err
}

func printProposal(w io.Writer, r *tune.Proposal, file string) error {
	t := table{columns: []column{
		left("SETTING"), right("ALERTS A DAY"), right("PRECISION"), right("FOUND"), right("RECALL"), right("95 %"), right("COST"),
	}}
	add := func(what string, p *tune.Point) {
		if p != nil {
			t.add(what, fmt.Sprintf("%.2f", p.AlertsPerDay), fmt.Sprintf("%.2f", p.Precision), fmt.Sprintf("%d of %d", p.Found, p.Cases),
				fmt.Sprintf("%.2f", p.Recall), fmt.Sprintf("%.2f–%.2f", p.RecallLow, p.RecallHigh), number(int64(p.Cost)))
		}
	}
	add("now: "+r.Before.Describe(), &r.Before)
	if r.Chosen != nil {
		add("proposed: "+r.Chosen.Describe(), r.Chosen)
	}
	add("  on the half it was chosen on", r.Train)
	add("  on the other half", r.Test)
	for i := range r.Others[:min(len(r.Others), 5)] {
		add("instead: "+r.Others[i].Describe(), &r.Others[i])
	}
	if err := t.writeTo(w); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nprecision, recall and cost (a missed abuse counts as %d false alerts) over budgets:\n\n", tune.MissCost)
	curve := table{columns: []column{right("BUDGET (APP-DAYS)"), right("ALERTS A DAY"), right("PRECISION"), right("RECALL"), right("COST")}}
	for _, p := range thinned(r.Curve, 20) {
		curve.add(number(int64(p.Budget)), fmt.Sprintf("%.2f", p.AlertsPerDay), fmt.Sprintf("%.2f", p.Precision), fmt.Sprintf("%.2f", p.Recall), number(int64(p.Cost)))
	}
	if err := curve.writeTo(w); err != nil {
		return err
	}
	switch {
	case r.Chosen == nil:
		_, err := fmt.Fprintln(w, "\n"+strings.Join(r.Reasons, "\n"))
		return err
	case file != "":
		_, err := fmt.Fprintf(w, "\nwritten to %s, for serve --config\n", file)
		return err
	default:
		_, err := fmt.Fprintf(w, "\nfor serve --config:\n\n%s", r.Fragment())
		return err
	}
}

// thinned returns at most n points, the first and last among them.
func thinned(points []tune.Point, n int) []tune.Point {
	if len(points) <= n {
		return points
	}
	var some []tune.Point
	for i := range n {
		some = append(some, points[i*(len(points)-1)/(n-1)])
	}
	return some
}
