package tune

import (
	"fmt"
	"strings"
	"testing"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector"
)

func TestReadLabels(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"good":           {"app,label\na,abuse\n*,benign\n", ""},
		"times":          {"app,label,from,to\na,abuse,2024-01-01T00:00:00Z,\n", ""},
		"empty":          {"", "l.csv:1: empty file"},
		"header alone":   {"app,label\n", "l.csv:2: no label"},
		"other header":   {"app,verdict\na,abuse\n", "l.csv:1: header"},
		"unknown label":  {"app,label\na,abuse\nb,bad\n", `l.csv:3: label "bad" must be`},
		"no app":         {"app,label\n,abuse\n", "l.csv:2: there is no app"},
		"all abusive":    {"app,label\n*,abuse\n", "l.csv:2: not every app"},
		"no time":        {"app,label,from,to\na,abuse,monday,\n", `l.csv:2: from "monday"`},
		"backwards":      {"app,label,from,to\na,abuse,2024-01-02T00:00:00Z,2024-01-01T00:00:00Z\n", "l.csv:2: to must be after"},
		"contradiction":  {"app,label\nb,abuse\na,abuse\na,benign\n", `l.csv:4: app "a" is labelled the other way in line 3`},
		"changed once":   {"app,label,from,to\na,abuse,,2024-01-02T00:00:00Z\na,benign,2024-01-02T00:00:00Z,\n", ""},
		"too few":        {"app,label,from,to\na,abuse\n", "l.csv:2: 2 columns"},
		"broken quoting": {"app,label\na,\"abuse\n", "line 2"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ReadLabels("l.csv", strings.NewReader(test.text))
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
	l, err := ReadLabels("l.csv", strings.NewReader("app,label\na,abuse\nb,benign\n"))
	if err != nil {
		t.Fatal(err)
	}
	err = l.CheckKnown(func(app memberwatch.AppID) bool { return app == "a" })
	if err == nil || !strings.Contains(err.Error(), `l.csv:3: app "b" made no events`) {
		t.Errorf("a label of an app that is not there: %v", err)
	}
}

// record makes a signal that would still be raised under a budget.
func record(app string, kind memberwatch.Kind, budget float64) Record {
	f := memberwatch.Finding{Kind: kind, Window: memberwatch.Window{Scale: memberwatch.Day}, Stream: memberwatch.StreamBurst}
	if budget > 0 {
		c := detector.DefaultConfig()
		f.Factors = []memberwatch.Factor{{Feature: "reach", P: 1, ReturnPeriod: 1, Share: 1}}
		x := &f.Factors[0]
		share := c.Share(&f, x)
		f.ReturnPeriod = budget / share
		x.P, x.ReturnPeriod = share/budget, f.ReturnPeriod
	}
	return Record{Signal: memberwatch.Signal{App: memberwatch.AppID(app), Kind: kind, Strongest: f}, Findings: []memberwatch.Finding{f}}
}

// evidence has 40 honest apps with signals of rising strength, and 10 abusive
// ones with strong signals, one of them by a rule.
func evidence(t *testing.T, days float64) *Evidence {
	t.Helper()
	var text strings.Builder
	text.WriteString("app,label\n*,benign\n")
	var records []Record
	for n := range 40 {
		records = append(records, record(fmt.Sprintf("honest-%02d", n), memberwatch.KindVolumeBurst, 1_500+100*float64(n)))
	}
	for n := range 10 {
		app, budget := fmt.Sprintf("bad-%d", n), 4_000+1_000*float64(n)
		if n == 0 {
			budget = 0
		}
		text.WriteString(app + ",abuse\n")
		records = append(records, record(app, memberwatch.KindPerActorBurst, budget))
	}
	labels, err := ReadLabels("labels", strings.NewReader(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	return NewEvidence(detector.DefaultConfig(), records, labels, days, 50)
}

// TestCurve: a stricter budget never raises more, and rules outlast them all.
func TestCurve(t *testing.T) {
	e := evidence(t, 10)
	points := e.Curve(Setting{}, All)
	if first := points[0]; first.Alerts != 50 || first.Found != 10 || first.False != 40 || first.Precision != 0.2 || first.Cost != 40 {
		t.Errorf("as recorded: %+v", first)
	}
	if last := points[len(points)-1]; last.Alerts != 1 || last.Found != 1 || last.Precision != 1 || last.Cost != 9*MissCost {
		t.Errorf("at the strictest: %+v", last)
	}
	for n := 1; n < len(points); n++ {
		if points[n].Alerts > points[n-1].Alerts || points[n].Found > points[n-1].Found || points[n].Budget <= points[n-1].Budget {
			t.Errorf("%+v comes after %+v", points[n], points[n-1])
		}
	}
	train, test := e.At(Setting{}, Train), e.At(Setting{}, Test)
	if train.Alerts+test.Alerts != 50 || train.Cases != 5 || test.Cases != 5 {
		t.Errorf("halves: %+v and %+v", train, test)
	}
}

func TestPropose(t *testing.T) {
	e := evidence(t, 10)
	enough := e.Propose(10, 1_400)
	if enough.Chosen == nil || enough.Chosen.Budget != 1_400 || len(enough.Reasons) != 1 {
		t.Errorf("5 alerts a day where 10 are wanted: %+v", enough)
	}
	less := e.Propose(2, 1_400)
	if less.Chosen == nil || less.Chosen.Budget <= 1_400 || less.Train.AlertsPerDay > 2 || less.Before.AlertsPerDay != 5 {
		t.Fatalf("%+v", less)
	}
	if loosest := e.At(Setting{Budget: less.Chosen.Budget * 0.9}, Train); loosest.AlertsPerDay <= 2 {
		t.Errorf("a smaller change would do: %+v", loosest)
	}
	shadow := Setting{Budget: 1_400, Shadow: memberwatch.KindVolumeBurst}
	if len(less.Others) == 0 || less.Others[0].Setting != shadow || less.Others[0].Found != 10 {
		t.Errorf("not raising the loud kind is not among the others: %+v", less.Others)
	}
	for line := range strings.SplitSeq(strings.TrimSpace(less.Fragment()), "\n") {
		if !strings.HasPrefix(line, "# ") && line != fmt.Sprintf("budget: %g", less.Chosen.Budget) {
			t.Errorf("fragment line %q", line)
		}
	}
	if never := evidence(t, 0.01).Propose(1, 1_400); never.Chosen != nil || never.Fragment() != "" {
		t.Errorf("a rule fires 100 times a day, and %+v shall mend it", never.Chosen)
	}
}

// TestRaisedStaysRaised: what was raised as recorded is raised under the same
// setting, even if the shares that applied are not known.
func TestRaisedStaysRaised(t *testing.T) {
	r := record("x", memberwatch.KindColdStart, 20)
	labels, _ := ReadLabels("labels", strings.NewReader("app,label\n*,benign\n"))
	e := NewEvidence(detector.DefaultConfig(), []Record{r}, labels, 1, 1)
	if p := e.At(Setting{}, All); p.Alerts != 1 {
		t.Errorf("%+v", p)
	}
}
