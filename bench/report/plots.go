package report

import (
	"bytes"
	"fmt"
	"html/template"
	"image/color"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/memberwatch/memberwatch/bench/trial"
)

// Colours that stay apart for the colour-blind and in grey (Okabe and Ito 2008).
var (
	blue   = color.RGBA{R: 0, G: 114, B: 178, A: 255}
	orange = color.RGBA{R: 213, G: 94, B: 0, A: 255}
	grey   = color.RGBA{R: 120, G: 120, B: 120, A: 255}
	pale   = color.RGBA{R: 222, G: 238, B: 248, A: 255}
)

// newPlot returns an empty plot with a grid.
func newPlot(x, y string) *plot.Plot {
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = x, y
	for _, style := range []*text.Style{&p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label} {
		style.Font.Variant = "Sans" // as the page
	}
	p.X.Label.TextStyle.Font.Size, p.Y.Label.TextStyle.Font.Size = 10, 10
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = color.Gray{Y: 225}, color.Gray{Y: 225}
	p.Add(grid)
	return p
}

// svg draws a plot of a size in points, as an element for HTML.
func svg(p *plot.Plot, width, height vg.Length) (template.HTML, error) {
	canvas := vgsvg.New(width, height)
	p.Draw(draw.New(canvas))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return "", fmt.Errorf("draw: %w", err)
	}
	drawn := b.String()
	return template.HTML(drawn[strings.Index(drawn, "<svg"):]), nil //nolint:gosec // we drew it
}

// line adds a line, and dots when asked for.
func line(p *plot.Plot, points plotter.XYs, c color.Color, dashed bool) error {
	l, err := plotter.NewLine(points)
	if err != nil {
		return fmt.Errorf("draw a line: %w", err)
	}
	l.Color, l.Width = c, vg.Points(1.2)
	if dashed {
		l.Dashes = []vg.Length{vg.Points(4), vg.Points(3)}
	}
	p.Add(l)
	return nil
}

// dots adds dots of a shape.
func dots(p *plot.Plot, points plotter.XYs, c color.Color, shape draw.GlyphDrawer, radius vg.Length) error {
	if len(points) == 0 {
		return nil
	}
	s, err := plotter.NewScatter(points)
	if err != nil {
		return fmt.Errorf("draw dots: %w", err)
	}
	s.GlyphStyle = draw.GlyphStyle{Color: c, Radius: radius, Shape: shape}
	p.Add(s)
	return nil
}

// precisionRecall draws the recording's choices and marks the default budget's.
func precisionRecall(r *trial.Recording) (template.HTML, error) {
	p := newPlot("recall: share of planted abuse found", "precision: abuse in what is raised")
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, 1.05, 0, 1.05
	var curve, chosen plotter.XYs
	for _, c := range r.Choices() {
		at := plotter.XY{X: c.Recall, Y: c.Precision}
		curve = append(curve, at)
		if c.Budget == r.Budget {
			chosen = append(chosen, at)
		}
	}
	if err := line(p, curve, blue, false); err != nil {
		return "", err
	}
	if err := dots(p, curve, blue, draw.CircleGlyph{}, vg.Points(1.5)); err != nil {
		return "", err
	}
	if err := dots(p, chosen, orange, draw.CircleGlyph{}, vg.Points(5)); err != nil {
		return "", err
	}
	return svg(p, 440, 330)
}

// delayTicks are lengths of time that people know, in hours.
var delayTicks = plot.ConstantTicks{
	{Value: math.Log10(1.0 / 60), Label: "1 min"},
	{Value: math.Log10(10.0 / 60), Label: "10 min"},
	{Value: 0, Label: "1 h"},
	{Value: math.Log10(6), Label: "6 h"},
	{Value: math.Log10(24), Label: "1 day"},
	{Value: math.Log10(7 * 24), Label: "1 week"},
	{Value: math.Log10(30 * 24), Label: "30 days"},
}

// delays draws one mark for each incident at a rate: a dot when it was found,
// a cross, at its end, when it was missed.
func delays(outcomes []*trial.Outcome, rate float64) (template.HTML, error) {
	p := newPlot("from the first abusive call to the first signal", "")
	rows := make(map[string]int)
	var ids []string
	for _, o := range outcomes {
		for _, i := range o.Incidents {
			if _, known := rows[i.Scenario]; i.Abuse && i.Rate == rate && !known {
				rows[i.Scenario] = 0
				ids = append(ids, i.Scenario)
			}
		}
	}
	names := make([]string, len(ids))
	for n, id := range sorted(ids) {
		rows[id] = len(ids) - 1 - n
		names[rows[id]] = id
	}
	placed := make(map[string]int)
	var found, missed plotter.XYs
	for _, o := range outcomes {
		for _, i := range o.Incidents {
			if !i.Abuse || i.Rate != rate {
				continue
			}
			k := placed[i.Scenario]
			placed[i.Scenario]++
			spread := float64((k+2)%5-2) * 0.12 // so that equal dots do not hide each other
			at := plotter.XY{X: math.Log10(max(i.Delay.Hours(), 1.0/60)), Y: float64(rows[i.Scenario]) + spread}
			if i.Found {
				found = append(found, at)
			} else {
				missed = append(missed, at)
			}
		}
	}
	if err := dots(p, found, blue, draw.CircleGlyph{}, vg.Points(2.2)); err != nil {
		return "", err
	}
	if err := dots(p, missed, orange, draw.CrossGlyph{}, vg.Points(3)); err != nil {
		return "", err
	}
	p.NominalY(names...)
	p.Y.Min, p.Y.Max = -0.7, float64(len(ids))-0.3
	p.X.Tick.Marker = delayTicks
	p.X.Min, p.X.Max = math.Log10(1.0/70), math.Log10(100*24)
	return svg(p, 520, vg.Length(18*len(ids)+60))
}

// mostBudget is where the plots of evidence end: beyond it lie rules, and what
// is as good as certain.
const mostBudget = 1e8

// evidence draws the return periods of one case against the default budget.
func evidence(r *trial.Recording, c *trial.Case) (template.HTML, error) {
	p := newPlot("days since it began", "app-days")
	days := func(m trial.Moment) float64 { return m.Time.Sub(c.Start).Hours() / 24 }
	length := c.End.Sub(c.Start).Hours() / 24
	from, to := -max(0.15*length, 1), length+max(0.15*length, 1)
	low, high := math.Log10(r.Least)-0.3, math.Log10(mostBudget)+0.6
	span, err := plotter.NewPolygon(plotter.XYs{{X: 0, Y: low}, {X: length, Y: low}, {X: length, Y: high}, {X: 0, Y: high}})
	if err != nil {
		return "", fmt.Errorf("draw a span: %w", err)
	}
	span.Color, span.Width = pale, 0
	p.Add(span)
	if err := line(p, plotter.XYs{{X: from, Y: math.Log10(r.Budget)}, {X: to, Y: math.Log10(r.Budget)}}, grey, true); err != nil {
		return "", err
	}
	var raised, below plotter.XYs
	drawn := make(map[plotter.XY]bool)
	for _, m := range c.Points {
		at := plotter.XY{X: days(m), Y: math.Log10(min(m.Budget, mostBudget))}
		seen := plotter.XY{X: math.Round((at.X - from) / (to - from) * 200), Y: math.Round(at.Y * 15)}
		switch {
		case at.X < from || at.X > to || drawn[seen]: // a fleet has thousands that nobody could tell apart
		case m.Budget > r.Budget:
			raised = append(raised, at)
			drawn[seen] = true
		default:
			below = append(below, at)
			drawn[seen] = true
		}
	}
	if err := dots(p, below, grey, draw.RingGlyph{}, vg.Points(1.8)); err != nil {
		return "", err
	}
	if err := dots(p, raised, blue, draw.CircleGlyph{}, vg.Points(1.8)); err != nil {
		return "", err
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = from, to, low, high
	p.X.Tick.Marker = dayTicks(length, to)
	p.Y.Tick.Marker = plot.ConstantTicks{{Value: 2, Label: "100"}, {Value: 4, Label: "10⁴"}, {Value: 6, Label: "10⁶"}, {Value: 8, Label: "10⁸"}}
	return svg(p, 230, 140)
}

// dayTicks marks whole days up to an end, about five for each length.
func dayTicks(length, end float64) plot.ConstantTicks {
	step := 1.0
	for _, s := range []float64{1, 2, 5, 10, 20, 50} {
		if step = s; length/s <= 5 {
			break
		}
	}
	var ticks plot.ConstantTicks
	for d := 0.0; d <= end; d += step {
		ticks = append(ticks, plot.Tick{Value: d, Label: fmt.Sprintf("%g", d)})
	}
	return ticks
}

// calibration draws realised over nominal rates of the sets of another result.
func calibration(sets []calibrationSet) (template.HTML, error) {
	p := newPlot("nominal p", "realised p")
	levels := []struct {
		key string
		log float64
	}{{"1e-2", -2}, {"1e-3", -3}, {"1e-4", -4}}
	if err := line(p, plotter.XYs{{X: -4.2, Y: -4.2}, {X: -1.8, Y: -1.8}}, grey, true); err != nil {
		return "", err
	}
	var points plotter.XYs
	for n, s := range sets {
		for _, level := range levels {
			if ratio := s.Realised[level.key]; ratio > 0 {
				spread := (float64(n) - float64(len(sets)-1)/2) * 0.3 / float64(max(len(sets), 1))
				points = append(points, plotter.XY{X: level.log + spread, Y: level.log + math.Log10(ratio)})
			}
		}
	}
	if err := dots(p, points, blue, draw.CircleGlyph{}, vg.Points(2)); err != nil {
		return "", err
	}
	ticks := plot.ConstantTicks{{Value: -5, Label: "10⁻⁵"}, {Value: -4, Label: "10⁻⁴"}, {Value: -3, Label: "10⁻³"}, {Value: -2, Label: "10⁻²"}, {Value: -1, Label: "10⁻¹"}}
	p.X.Tick.Marker, p.Y.Tick.Marker = ticks, ticks
	return svg(p, 420, 300)
}

// speeds draws the service's rate as a bar against that of a server which drops
// the same events, and the half of that which is asked of it.
func speeds(t *throughput) (template.HTML, error) {
	p := newPlot("million events a second", "")
	for n, v := range []float64{t.Scored, t.Drain} {
		bar, err := plotter.NewBarChart(plotter.Values{v / 1e6}, vg.Points(22))
		if err != nil {
			return "", fmt.Errorf("draw a bar: %w", err)
		}
		bar.Horizontal, bar.XMin, bar.LineStyle.Width = true, float64(n), 0
		if bar.Color = blue; n > 0 {
			bar.Color = grey
		}
		p.Add(bar)
	}
	half := t.Drain / 2 / 1e6
	if err := line(p, plotter.XYs{{X: half, Y: -0.6}, {X: half, Y: 1.6}}, orange, true); err != nil {
		return "", err
	}
	p.NominalY("scored and durable", "dropped unread")
	p.X.Min, p.Y.Min, p.Y.Max = 0, -0.6, 1.6
	return svg(p, 460, 130)
}
