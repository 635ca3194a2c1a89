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

	"github.com/spf13/cobra"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/bench/feed"
	"github.com/memberwatch/memberwatch/bench/trial"
	"github.com/memberwatch/memberwatch/bench/tune"
	"github.com/memberwatch/memberwatch/client"
	"github.com/memberwatch/memberwatch/detector"
)

// tuneFlags say where evidence and labels come from, and what is wanted.
type tuneFlags struct {
	events, mapping string
	assignments     []string
	from, labels    string
	budget          string
	fragment        string
	days            int
	rescore, apply  bool
	format          *choice
}

func newBenchTune() *cobra.Command {
	cmd := &cobra.Command{
		Use: "tune", Short: "Choose the change that meets a number of alerts a day", Args: exactly(),
		Long: "tune takes evidence, from a file of events that it scores or from what a running service has kept of\n" +
			"closed windows, and labels of apps, and decides all of it again under other budgets, shares of\n" +
			"features and kinds. It proposes the smallest change that meets the wanted number of alerts a day,\n" +
			"chosen on one half of the apps and checked on the other, and prints it as a fragment of the file\n" +
			"for serve --config. --rescore also scores all events again under it; --apply makes the change in\n" +
			"the running service, and memberwatch tune revert takes it back.\n\n" +
			"Labels are CSV: app,label,from,to with abuse or benign, the times being optional; the app * stands\n" +
			"for all others. Events are files as for replay; every app in them needs a label. Without labels\n" +
			"the verdicts of the service's cases are taken, and apps without one count as honest.",
		Example: "  memberwatch bench tune --events access.csv.gz --mapping mapping.yaml --labels labels.csv --budget 5/day\n" +
			"  memberwatch bench tune --from 127.0.0.1:7600 --budget 5/day --days 60 --apply",
	}
	var f tuneFlags
	flags := cmd.Flags()
	flags.StringVar(&f.events, "events", "", "file of events, as for replay")
	flags.StringVar(&f.mapping, "mapping", "", "YAML file that says what the columns of a CSV file are, as for replay")
	flags.StringSliceVar(&f.assignments, "map", nil, "mapping of columns, FIELD=VALUE,..., as for replay")
	flags.StringVar(&f.from, "from", "", "address of a running service whose recorded evidence to use")
	flags.StringVar(&f.labels, "labels", "", "CSV file of labels; with --from and without it, the verdicts of cases")
	flags.StringVar(&f.budget, "budget", "", "wanted number of alerts, such as 5/day or 10/week")
	flags.StringVar(&f.fragment, "fragment", "", "file to write the configuration fragment to; none: print it")
	f.format = formatFlag(cmd, "table", "json")
	flags.IntVar(&f.days, "days", 28, "with --from: days of event time to look back, at most 400")
	flags.BoolVar(&f.rescore, "rescore", false, "with --events: score all events again under the proposed change and the best others")
	flags.BoolVar(&f.apply, "apply", false, "with --from: apply the proposed change to the service")
	requireFlags(cmd, "budget")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return f.run(cmd) }
	return cmd
}

func (f *tuneFlags) run(cmd *cobra.Command) error {
	if err := f.check(); err != nil {
		return err
	}
	wanted, err := perDay(f.budget)
	if err != nil {
		return err
	}
	labels, err := f.readLabels()
	if err != nil {
		return err
	}
	proposal, err := f.propose(cmd, labels, wanted)
	if err != nil {
		return err
	}
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

// check refuses flags that do not go together.
func (f *tuneFlags) check() error {
	switch {
	case (f.events == "") == (f.from == ""):
		return &usageError{message: "evidence comes from --events or from --from", hint: "name one of them"}
	case f.events != "" && f.labels == "":
		return &usageError{message: "--events needs --labels", hint: "a CSV file with the columns app,label"}
	case f.apply && f.from == "" || f.rescore && f.events == "":
		return &usageError{message: "--apply goes with --from, --rescore with --events", hint: "leave it out"}
	case f.days < 1 || f.days > 400:
		return usagef("--days %d must be 1 to 400", f.days)
	}
	return nil
}

// readLabels returns nothing when verdicts shall be the labels.
func (f *tuneFlags) readLabels() (*tune.Labels, error) {
	if f.labels == "" {
		return nil, nil
	}
	file, err := os.Open(f.labels)
	if err != nil {
		return nil, hinted{fmt.Errorf("read labels: %w", err), "name a CSV file with the columns app,label"}
	}
	labels, err := tune.ReadLabels(f.labels, file)
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, hinted{err, "labels are CSV: app,label,from,to, the label being abuse or benign"}
	}
	return labels, nil
}

// propose takes evidence from where the flags say, and acts on the proposal.
func (f *tuneFlags) propose(cmd *cobra.Command, labels *tune.Labels, wanted float64) (*tune.Proposal, error) {
	if f.from != "" {
		return f.proposeFrom(cmd, labels, wanted)
	}
	evidence, err := f.score(cmd, labels, trial.RecordingConfig())
	if err != nil {
		return nil, err
	}
	proposal := evidence.Propose(wanted, detector.DefaultConfig().Budget)
	if !f.rescore || proposal.Chosen == nil {
		return proposal, nil
	}
	settings := []tune.Setting{proposal.Chosen.Setting}
	for i := range proposal.Others[:min(len(proposal.Others), rescored)] {
		settings = append(settings, proposal.Others[i].Setting)
	}
	for _, s := range settings {
		tuning := memberwatch.Tuning{}
		s.Apply(&tuning)
		config, err := detector.DefaultConfig().Tuned(&tuning)
		if err != nil {
			return nil, err
		}
		again, err := f.score(cmd, labels, &config)
		if err != nil {
			return nil, err
		}
		p := again.At(tune.Setting{Budget: config.Budget}, tune.All)
		p.Setting = s
		proposal.Rescored = append(proposal.Rescored, p)
	}
	return proposal, nil
}

// rescored is how many other changes are scored again beside the chosen one.
const rescored = 3

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

// score runs a file of events through a service with a configuration, such as one
// that records more than it would raise by default.
func (f *tuneFlags) score(cmd *cobra.Command, labels *tune.Labels, config *detector.Config) (*tune.Evidence, error) {
	source, err := f.open(cmd)
	if err != nil {
		return nil, err
	}
	defer source.Close() //nolint:errcheck // only read from
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
	if len(r.Rescored) > 0 {
		fmt.Fprintf(w, "\nall events scored again:\n\n")
		again := table{columns: t.columns}
		for i := range r.Rescored {
			p := &r.Rescored[i]
			again.add(p.Describe(), fmt.Sprintf("%.2f", p.AlertsPerDay), fmt.Sprintf("%.2f", p.Precision), fmt.Sprintf("%d of %d", p.Found, p.Cases),
				fmt.Sprintf("%.2f", p.Recall), fmt.Sprintf("%.2f–%.2f", p.RecallLow, p.RecallHigh), number(int64(p.Cost)))
		}
		if err := again.writeTo(w); err != nil {
			return err
		}
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
