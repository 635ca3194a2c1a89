package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/memberwatch/memberwatch/bench/feed"
	"github.com/memberwatch/memberwatch/bench/report"
	"github.com/memberwatch/memberwatch/bench/scenario"
	"github.com/memberwatch/memberwatch/bench/trial"
)

// scenarioFlags say what is planted where, and what must be found.
type scenarioFlags struct {
	plan     trial.Plan
	rates    []string
	own      string
	through  choice
	floors   []string
	met      []string
	maxFalse float64
	report   string
	include  []string
	format   *choice
}

func newBenchScenarios() *cobra.Command {
	cmd := &cobra.Command{
		Use: "scenarios", Short: "Measure recall, delay and false alerts on simulated abuse", Args: exactly(),
		Long: "scenarios simulates platforms on which some apps go bad in every known way, and others only look\n" +
			"as if, streams them into a service that knows nothing of it, and counts what was found at the\n" +
			"default budget, how late, after how many members, and how often honest apps were accused.\n" +
			"Each rate and seed is a platform of its own. The same seeds give the same result, byte for byte.",
		Example: "  memberwatch bench scenarios\n  memberwatch bench scenarios --only S05,B2 --rate 0.1,0.3,1,3 --seeds 10\n" +
			"  memberwatch bench scenarios --scenarios mine --only X01\n" +
			"  memberwatch bench scenarios --floor-recall S04=0.9 --max-false 1 --format json",
	}
	defaults := trial.Plan{}.WithDefaults()
	f := scenarioFlags{through: choice{value: "monitor", choices: []string{"monitor", "grpc"}}}
	flags := cmd.Flags()
	flags.StringSliceVar(&f.plan.Only, "only", nil, "ids of the scenarios to plant, such as S05,B2; none: all")
	flags.StringVar(&f.own, "scenarios", "", "folder with scenario files of your own, to plant beside the shipped ones")
	flags.IntVar(&f.plan.Apps, "apps", defaults.Apps, "apps of a platform")
	flags.IntVar(&f.plan.Days, "days", defaults.Days, "simulated days")
	flags.Uint64Var(&f.plan.Seed, "seed", defaults.Seed, "seed of the first platform; each further one has the next")
	flags.IntVar(&f.plan.Seeds, "seeds", defaults.Seeds, "platforms for each rate")
	flags.StringSliceVar(&f.rates, "rate", rateTexts(defaults.Rates), "multipliers of the abuse's amounts")
	flags.Var(&f.through, "through", "how events reach the detector: monitor (in this process) or grpc (the whole service)")
	flags.BoolVar(&f.plan.WithoutPurposes, "without-purposes", false, "simulate platforms that do not certify apps for purposes")
	flags.StringSliceVar(&f.floors, "floor-recall", nil, "fail if a scenario's recall is less, such as S04=0.9 or S04@0.3=0.5")
	flags.StringSliceVar(&f.met, "floor-met", nil, "fail if a smaller share of a scenario's incidents meets its target, such as S07=0.9")
	flags.Float64Var(&f.maxFalse, "max-false", 0, "fail if there are more false alerts in 200 app-weeks; 0: never")
	flags.StringVar(&f.report, "report", "", "directory for a page of HTML with tables and plots; it takes one more platform")
	flags.StringSliceVar(&f.include, "include", nil, "results of bench calibration and bench throughput in JSON, for the page")
	f.format = formatFlag(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return f.run(cmd) }
	return cmd
}

func rateTexts(rates []float64) []string {
	var texts []string
	for _, r := range rates {
		texts = append(texts, strconv.FormatFloat(r, 'g', -1, 64))
	}
	return texts
}

func (f *scenarioFlags) run(cmd *cobra.Command) error {
	floors, err := f.parse()
	if err != nil {
		return err
	}
	if f.own != "" {
		if err := f.addOwn(); err != nil {
			return err
		}
	}
	trials, warnings, err := f.plan.Trials()
	if err == nil {
		err = f.plan.CheckFloors(floors)
	}
	if err != nil {
		return &usageError{message: err.Error(), hint: "see memberwatch bench scenarios --help"}
	}
	others, err := report.ReadOthers(f.include)
	if err != nil {
		return hinted{err, "make one with memberwatch bench calibration or bench throughput, --format json"}
	}
	stderr := cmd.ErrOrStderr()
	first, last := trials[0].Seed, trials[len(trials)-1].Seed
	fmt.Fprintf(stderr, "memberwatch: %s of %s over %s, seeds %d to %d\n",
		plural(len(trials), "platform"), plural(f.plan.Apps, "app"), plural(f.plan.Days, "day"), first, last)
	for _, w := range warnings {
		fmt.Fprintf(stderr, "memberwatch: %s\n", w)
	}
	outcomes, err := f.runAll(cmd, trials)
	if err != nil {
		return hinted{err, "scenarios need some hundred apps over some months, such as --apps 600 --days 120"}
	}
	result := trial.Summarise(f.plan, outcomes, warnings)
	for _, w := range result.Warnings[len(warnings):] {
		fmt.Fprintf(stderr, "memberwatch: %s\n", w)
	}
	if f.report != "" {
		if err := f.writeReport(cmd, report.Input{Result: result, Outcomes: outcomes, Others: others}); err != nil {
			return err
		}
	}
	if f.format.value == "json" {
		err = writeResult(cmd.OutOrStdout(), result)
	} else {
		err = printScenarios(cmd.OutOrStdout(), result)
	}
	if err != nil {
		return err
	}
	if missed := result.Missed(floors); len(missed) > 0 {
		return hinted{
			fmt.Errorf("floors are missed: %s", strings.Join(missed, "; ")),
			"compare with an earlier version's result, or lower the floor if the loss is meant",
		}
	}
	return nil
}

// addOwn takes in scenario files from outside.
func (f *scenarioFlags) addOwn() error {
	shipped, err := scenario.DefaultCatalogue()
	if err != nil {
		return err
	}
	if f.plan.Catalogue, err = shipped.With(f.own); err != nil {
		return hinted{err, "bench/scenario/catalogue in memberwatch's source explains the keys; copy the file that is closest"}
	}
	return nil
}

// parse reads what cobra leaves as text.
func (f *scenarioFlags) parse() (trial.Floors, error) {
	floors := trial.Floors{Recall: make(map[string]float64), Met: make(map[string]float64), MaxFalse: f.maxFalse}
	if f.plan.Seeds < 1 || f.plan.Apps < 1 || f.plan.Days < 1 {
		return floors, usagef("--seeds, --apps and --days must be at least 1")
	}
	f.plan.Rates = nil
	for _, text := range f.rates {
		rate, err := strconv.ParseFloat(text, 64)
		if err != nil || rate <= 0 || rate > 1000 {
			return floors, usagef("--rate %q must be a number above 0, such as 0.3", text)
		}
		f.plan.Rates = append(f.plan.Rates, rate)
	}
	err := parseFloors("--floor-recall", f.floors, floors.Recall)
	if err == nil {
		err = parseFloors("--floor-met", f.met, floors.Met)
	}
	return floors, err
}

// parseFloors reads what one flag says.
func parseFloors(flag string, texts []string, floors map[string]float64) error {
	for _, text := range texts {
		id, value, _ := strings.Cut(text, "=")
		floor, err := strconv.ParseFloat(value, 64)
		if err != nil || floor < 0 || floor > 1 {
			return usagef("%s %q must read like S04=0.9", flag, text)
		}
		floors[id] = floor
	}
	return nil
}

// runAll runs as many trials at a time as there are processors: a trial by itself
// keeps one of them busy and a half. Outcomes are in the order of the trials, and
// no trial knows of another.
func (f *scenarioFlags) runAll(cmd *cobra.Command, trials []trial.Trial) ([]*trial.Outcome, error) {
	span := int64(f.plan.Days) * int64(24*time.Hour)
	bar := newProgress(cmd.ErrOrStderr(), span*int64(len(trials)), "events")
	defer bar.clear()
	ctx, cancel := context.WithCancelCause(cmd.Context())
	defer cancel(nil)
	var (
		workers  sync.WaitGroup
		showing  sync.Mutex // guards what follows
		done     = make([][2]int64, len(trials))
		outcomes = make([]*trial.Outcome, len(trials))
	)
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for n, t := range trials {
		slots <- struct{}{}
		workers.Go(func() {
			defer func() { <-slots }()
			o, err := f.runOne(ctx, t, func(simulated, events int64) {
				showing.Lock()
				defer showing.Unlock()
				done[n] = [2]int64{simulated, events}
				bar.show(sums(done))
			})
			if err != nil {
				cancel(err)
				return
			}
			showing.Lock()
			defer showing.Unlock()
			done[n], outcomes[n] = [2]int64{span, o.Events}, o
		})
	}
	workers.Wait()
	return outcomes, context.Cause(ctx)
}

// sums adds up pairs.
func sums(pairs [][2]int64) (first, second int64) {
	for _, p := range pairs {
		first, second = first+p[0], second+p[1]
	}
	return first, second
}

// runOne runs a trial through a service of its own.
func (f *scenarioFlags) runOne(ctx context.Context, t trial.Trial, watch trial.Watcher) (*trial.Outcome, error) {
	open := openFeed
	if f.through.value == "grpc" {
		open = openGateway
	}
	service, end, err := open(ctx)
	if err != nil {
		return nil, err
	}
	o, err := trial.Run(ctx, t, service, watch)
	if endErr := end(); err == nil {
		err = endErr
	}
	return o, err
}

// writeReport records one more platform at rate 1, with the seed behind the
// last, and writes the page.
func (f *scenarioFlags) writeReport(cmd *cobra.Command, in report.Input) error {
	plan := f.plan
	plan.Seeds, plan.Rates = 1, []float64{1}
	plan.Seed += uint64(len(in.Outcomes))
	trials, _, err := plan.Trials()
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	service, err := feed.Open(ctx, feed.Options{Detector: trial.RecordingConfig()})
	if err != nil {
		return err
	}
	bar := newProgress(cmd.ErrOrStderr(), int64(plan.Days)*int64(24*time.Hour), "events for the report")
	in.Recording, err = trial.Record(ctx, trials[0], service, bar.show)
	bar.clear()
	if err = errors.Join(err, service.Close()); err != nil {
		return err
	}
	path, err := report.Write(f.report, in)
	if err == nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "memberwatch: report in %s\n", path)
	}
	return err
}

// openFeed starts a service in this process.
func openFeed(ctx context.Context) (trial.Service, func() error, error) {
	s, err := feed.Open(ctx, feed.Options{})
	if err != nil {
		return nil, nil, err
	}
	return s, s.Close, nil
}

// printScenarios prints the result for people: weak points as plainly as strong
// ones.
func printScenarios(w io.Writer, r *trial.Result) error {
	t := table{columns: []column{
		left("SCENARIO"), left("KIND"), right("RATE"), right("FOUND"), right("RECALL"), right("95 %"),
		right("DELAY P50"), right("P90"), right("LEAKED P50"), right("P90"), left("FOUND BY"),
	}}
	for _, s := range r.Scenarios {
		t.add(s.ID, s.Kind, fmt.Sprintf("%g", s.Rate), fmt.Sprintf("%d of %d", s.Found, s.Runs), fmt.Sprintf("%.2f", s.Recall),
			fmt.Sprintf("%.2f–%.2f", s.RecallLow, s.RecallHigh), delay(s.DelayP50), delay(s.DelayP90),
			percent(s.LeakedShareP50), percent(s.LeakedShareP90), kindList(s.By, 2))
	}
	if err := t.writeTo(w); err != nil {
		return err
	}
	fmt.Fprintln(w)
	if err := printTargets(w, r); err != nil {
		return err
	}
	alike := table{columns: []column{left("LOOK-ALIKE"), left("KIND"), right("PLANTED"), right("ALERTED"), right("ALERTS"), left("BY")}}
	for _, b := range r.LookAlikes {
		alike.add(b.ID, b.Kind, number(b.Runs), number(b.Alerted), number(b.Alerts), kindList(b.By, 3))
	}
	if len(r.LookAlikes) > 0 {
		if err := alike.writeTo(w); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	return printFalse(w, r)
}

// printTargets prints how scenarios fare against their targets.
func printTargets(w io.Writer, r *trial.Result) error {
	t := table{columns: []column{
		left("SCENARIO"), left("KIND"), right("RATE"), left("TARGET"), right("MET"), right("95 %"), right("SPENT P50"), right("P90"),
	}}
	for _, s := range r.Scenarios {
		if s.Aim == nil {
			continue
		}
		t.add(s.ID, s.Kind, fmt.Sprintf("%g", s.Rate), s.Target, fmt.Sprintf("%.2f", s.Met), fmt.Sprintf("%.2f–%.2f", s.MetLow, s.MetHigh),
			spent(s.Unit, s.SpentP50), spent(s.Unit, s.SpentP90))
	}
	if len(t.rows) == 0 {
		return nil
	}
	if err := t.writeTo(w); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}

// spent words what was spent until a signal.
func spent(unit string, v float64) string {
	switch scenario.Unit(unit) {
	case scenario.Hours:
		return delay(v)
	case scenario.LeakShare:
		return percent(v)
	case scenario.Loss:
		return fmt.Sprintf("%.0f points", 100*v)
	case scenario.Level:
		return fmt.Sprintf("×%.2f", v)
	case scenario.Traps:
		if int64(v) == 1 {
			return "1 canary"
		}
		return number(int64(v)) + " " + unit
	default:
		return plural(int64(v), strings.TrimSuffix(unit, "s"))
	}
}

func printFalse(w io.Writer, r *trial.Result) error {
	t := table{columns: []column{left("FALSE ALERT"), left("ABOUT"), right("ALERTS")}}
	for _, f := range r.False {
		t.add(string(f.Kind), f.About, number(f.Alerts))
	}
	if len(t.rows) > 0 {
		if err := t.writeTo(w); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	budgets := table{columns: []column{right("BUDGET (APP-WEEKS PER ALERT)"), right("FALSE ALERTS PER 200 APP-WEEKS"), right("RECALL OF ALL")}}
	for _, o := range r.Stricter {
		budgets.add(number(int64(o.Budget/7)), fmt.Sprintf("%.2f", o.FalseAlerts), fmt.Sprintf("%.2f", o.Recall))
	}
	if err := budgets.writeTo(w); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%.2f false alerts in 200 app-weeks (95 %%: %.2f–%.2f), over %s app-weeks of honest apps\n"+
		"realised over nominal budget on ordinary traffic: %.2f (%.2f–%.2f)\n"+
		"%.1f incidents of abuse for 100 apps; %s, %s in the week after an abuse, %s silenced as declared to be expected\n",
		r.FalseAlerts, r.FalseAlertsLow, r.FalseAlertsHigh, number(int64(r.AppWeeks)), r.Realised, r.RealisedLow, r.RealisedHigh,
		100*r.Prevalence, plural(r.Fleet, "signal")+" on the whole population", plural(r.Aftermath, "signal"), plural(r.Silenced, "signal"))
	return err
}

func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }

// kindList names the most frequent kinds.
func kindList(by []trial.Count, most int) string {
	var texts []string
	for _, c := range by[:min(len(by), most)] {
		texts = append(texts, fmt.Sprintf("%s %d", c.Kind, c.N))
	}
	if len(by) > most {
		texts = append(texts, "...")
	}
	return strings.Join(texts, ", ")
}
