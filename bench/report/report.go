package report

import (
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/memberwatch/memberwatch/bench/scenario"
	"github.com/memberwatch/memberwatch/bench/trial"
)

//go:embed page.html
var page embed.FS

// Input is what a page is made of.
type Input struct {
	Result    *trial.Result
	Outcomes  []*trial.Outcome
	Recording *trial.Recording // nil: no plots of evidence
	Others    *Others          // nil: none
}

// Others are results of other benchmarks, to be shown beside.
type Others struct {
	sets       []calibrationSet
	throughput *throughput
}

// calibrationSet is what the page shows of one set of bench calibration.
type calibrationSet struct {
	Name     string             `json:"name"`
	Stratum  string             `json:"stratum"`
	Points   int                `json:"points"`
	Realised map[string]float64 `json:"realised_over_nominal"`
	Budget   float64            `json:"budget_realised_over_nominal"`
}

// throughput is what the page shows of bench throughput.
type throughput struct {
	Drain  float64 `json:"drain_events_per_s"`
	Scored float64 `json:"scored_events_per_s"`
	Ratio  float64 `json:"ratio"`
	CPU    float64 `json:"server_cpu_ns_per_event"`
	AckP99 float64 `json:"ack_ms_p99"`
}

// figure is a plot with what it shows in words.
type figure struct {
	ID, Title string
	Words     string
	Plot      template.HTML
}

// contents is what the template renders.
type contents struct {
	*trial.Result
	Rates           []float64
	Grid            []gridRow
	PrecisionRecall template.HTML
	Chosen          trial.Choice
	Delays          template.HTML
	DelaysAt        float64 // the rate that Delays shows
	Evidence        []figure
	Sets            []calibrationSet
	Calibration     template.HTML
	Throughput      *throughput
	Speeds          template.HTML
}

// gridRow is a scenario's recall over the rates.
type gridRow struct {
	ID, Kind string
	Cells    []trial.Row
}

// Write writes index.html into a directory, making it if need be, and returns
// its path.
func Write(dir string, in Input) (string, error) {
	c, err := in.contents()
	if err != nil {
		return "", err
	}
	t, err := template.New("page.html").Funcs(template.FuncMap{
		"percent": func(v float64) string { return fmt.Sprintf("%.1f %%", 100*v) },
		"two":     func(v float64) string { return fmt.Sprintf("%.2f", v) },
		"hours":   hours,
		"spent":   spent,
		"whole":   whole,
		"number":  func(n int64) string { return whole(float64(n)) },
		"shade":   shade,
	}).ParseFS(page, "page.html")
	if err != nil {
		return "", fmt.Errorf("page: %w", err)
	}
	var b strings.Builder
	if err := t.Execute(&b, c); err != nil {
		return "", fmt.Errorf("page: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // a report is made to be shown
		return "", fmt.Errorf("write report: %w", err)
	}
	path := filepath.Join(dir, "index.html")
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil { //nolint:gosec // likewise
		return "", fmt.Errorf("write report: %w", err)
	}
	return path, nil
}

// contents draws everything.
func (in *Input) contents() (c *contents, err error) {
	c = &contents{Result: in.Result, Rates: in.Result.Rates, Grid: grid(in.Result)}
	rate := c.Rates[0]
	if slices.Contains(c.Rates, 1) {
		rate = 1
	}
	if len(c.Scenarios) > 0 {
		c.DelaysAt = rate
		if c.Delays, err = delays(in.Outcomes, rate); err != nil {
			return nil, err
		}
	}
	if in.Recording != nil {
		if err := c.record(in.Recording); err != nil {
			return nil, err
		}
	}
	if in.Others != nil {
		err = c.include(in.Others)
	}
	return c, err
}

// record draws what a recording shows: one case of each scenario.
func (c *contents) record(r *trial.Recording) (err error) {
	if c.PrecisionRecall, err = precisionRecall(r); err != nil {
		return err
	}
	for _, choice := range r.Choices() {
		if choice.Budget == r.Budget {
			c.Chosen = choice
		}
	}
	drawn := make(map[string]bool)
	for i := range r.Cases {
		one := &r.Cases[i]
		if !one.Abuse || one.Empty || drawn[one.Scenario] {
			continue
		}
		drawn[one.Scenario] = true
		picture, err := evidence(r, one)
		if err != nil {
			return err
		}
		most := 0.0
		for _, m := range one.Points {
			most = max(most, m.Budget)
		}
		words := fmt.Sprintf("%d findings, none beyond %s app-days", len(one.Points), whole(most))
		if most >= mostBudget {
			words = fmt.Sprintf("%d findings, some as good as certain", len(one.Points))
		}
		c.Evidence = append(c.Evidence, figure{ID: one.Scenario, Title: one.Scenario + " " + one.Kind, Words: words, Plot: picture})
	}
	return nil
}

// include draws what other benchmarks measured.
func (c *contents) include(o *Others) (err error) {
	if c.Sets = o.sets; len(c.Sets) > 0 {
		if c.Calibration, err = calibration(c.Sets); err != nil {
			return err
		}
	}
	if c.Throughput = o.throughput; c.Throughput != nil {
		c.Speeds, err = speeds(c.Throughput)
	}
	return err
}

// ReadOthers reads results of bench calibration and bench throughput in JSON,
// which it knows by their keys. The error names the file.
func ReadOthers(files []string) (*Others, error) {
	o := &Others{}
	for _, name := range files {
		if err := o.read(name); err != nil {
			return nil, err
		}
	}
	return o, nil
}

func (o *Others) read(name string) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("read a result: %w", err)
	}
	var known struct {
		Sets []calibrationSet `json:"sets"`
		throughput
	}
	if err := json.Unmarshal(b, &known); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	switch {
	case len(known.Sets) > 0:
		o.sets = append(o.sets, known.Sets...)
	case known.Drain > 0:
		o.throughput = &known.throughput
	default:
		return fmt.Errorf("%s: it holds no result of bench calibration or bench throughput in JSON", name)
	}
	return nil
}

// grid groups rows by scenario.
func grid(r *trial.Result) []gridRow {
	var rows []gridRow
	for _, row := range r.Scenarios {
		if n := len(rows); n == 0 || rows[n-1].ID != row.ID {
			rows = append(rows, gridRow{ID: row.ID, Kind: row.Kind})
		}
		last := &rows[len(rows)-1]
		last.Cells = append(last.Cells, row)
	}
	return rows
}

// sorted orders S2 before S10.
func sorted(ids []string) []string {
	return slices.SortedFunc(slices.Values(ids), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
}

// spent words what was spent of a target.
func spent(unit string, v float64) string {
	switch scenario.Unit(unit) {
	case scenario.Hours:
		return hours(v)
	case scenario.LeakShare:
		return fmt.Sprintf("%.1f %%", 100*v)
	case scenario.Loss:
		return fmt.Sprintf("%.0f points", 100*v)
	case scenario.Level:
		return fmt.Sprintf("×%.2f", v)
	default:
		return whole(v) + " " + unit
	}
}

// whole writes a number without places, its thousands apart.
func whole(v float64) string {
	digits := strconv.FormatFloat(math.Round(v), 'f', -1, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// hours words a length of time.
func hours(h float64) string {
	switch {
	case h < 1.0/60:
		return "at once"
	case h < 2:
		return fmt.Sprintf("%.0f min", h*60)
	case h < 72:
		return fmt.Sprintf("%.0f h", h)
	default:
		return fmt.Sprintf("%.1f days", h/24)
	}
}

// shade returns a background for a share: pale blue for all, orange for none.
func shade(v float64) template.CSS {
	switch {
	case v >= 0.9:
		return "background:#cfe8f5"
	case v >= 0.5:
		return "background:#eef6fa"
	case v > 0:
		return "background:#fbeee0"
	default:
		return "background:#f6d3b5"
	}
}
