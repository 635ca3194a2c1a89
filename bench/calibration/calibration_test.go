package calibration

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
)

// stationary is a fleet of overdispersed counts with a week's season and no
// change at all: every signal is false.
func stationary(series, days int) Set {
	rng := rand.New(rand.NewPCG(11, 11))
	set := Set{Name: "stationary", Scale: memberwatch.Day, Start: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)}
	for k := range series {
		s := Series{Name: fmt.Sprint(k), Stratum: "made"}
		level, spread := math.Exp(2.5+3*rng.Float64()), 0.1+0.3*rng.Float64()
		for d := range days {
			mean := level * math.Exp(spread*rng.NormFloat64())
			if d%7 >= 5 {
				mean *= 0.6
			}
			s.Counts = append(s.Counts, math.Round(max(0, mean+math.Sqrt(mean)*rng.NormFloat64())))
		}
		set.Series = append(set.Series, s)
	}
	return set
}

// TestMeasure: on a fleet that never changes p-values keep their word, the
// budget holds, bursts of ten times are found on their day, and the same seed
// gives the same bytes.
func TestMeasure(t *testing.T) {
	o := Options{Budgets: []float64{350, 1400}, Warmup: 150, Plantings: 30, Seed: 3}
	measure := func() (*Report, []byte) {
		r, err := Measure([]Set{stationary(80, 450)}, o)
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		return r, b
	}
	r, first := measure()
	all := r.Sets[1]
	if len(r.Sets) != 3 || all.Stratum != whole || all.Series != 80 || all.EntityDays != 80*300 {
		t.Fatalf("sets %+v", r.Sets)
	}
	if p := all.Realised; p.Percent < 0.5 || p.Percent > 2 || p.Thousandth > 2.5 {
		t.Errorf("p-values realised over nominal: %+v", p)
	}
	for _, b := range all.Budgets {
		if b.Realised > 1.5 {
			t.Errorf("%d signals under a budget of %.0f app-days, expected %.1f", b.Signals, b.AppDays, b.Expected)
		}
	}
	found := make(map[string]Injection)
	for _, x := range r.Injections {
		if x.AppDays == 1400 {
			found[x.Kind] = x
		}
	}
	if x := found["b10"]; x.Runs != 30 || x.Found < 0.9 || x.Delay != 0 {
		t.Errorf("bursts of ten times: %+v", x)
	}
	if x := found["s100"]; x.Found < 0.7 || x.Leaked > 0.7 || x.Low >= x.Found || x.High <= x.Found {
		t.Errorf("doubled for 41 days: %+v", x)
	}
	if _, second := measure(); !bytes.Equal(first, second) {
		t.Error("the same seed gives another result")
	}
	if err := r.Check(0, 0); err != nil {
		t.Errorf("no factor, yet: %v", err)
	}
	if err := r.Check(1.0001, 0); err == nil {
		t.Error("p-values are not exact to four digits, and Check lets them pass")
	}
}

// TestPerUser: honest growth of users is not a signal of records per user, a
// harvest through the same users is.
func TestPerUser(t *testing.T) {
	set := stationary(60, 330)
	rng := rand.New(rand.NewPCG(5, 5))
	for k := range set.Series {
		for _, v := range set.Series[k].Counts {
			set.Series[k].Totals = append(set.Series[k].Totals, math.Round(v*(2+0.2*rng.NormFloat64())))
		}
	}
	r, err := Measure([]Set{set}, Options{Budgets: []float64{1400}, Warmup: 150, Plantings: 20, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]float64)
	for _, x := range r.Injections {
		if strings.HasSuffix(x.Set, "per user") {
			found[x.Kind] = x.Found
		}
	}
	if found["s100"] < 0.9 || found["users x3 for a day"] > 0.2 {
		t.Errorf("found %v", found)
	}
}

// write puts a file into a folder, packed if its name says so.
func write(t *testing.T, dir, name, text string) {
	t.Helper()
	b := []byte(text)
	if strings.HasSuffix(name, ".gz") {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		if _, err := z.Write(b); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		b = packed.Bytes()
	}
	if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestRead reads the three layouts.
func TestRead(t *testing.T) {
	t.Run("daily", func(t *testing.T) {
		dir := t.TempDir()
		write(t, dir, "daily_2020_unique.csv.gz", "day,a,b\n2020-01-01,1,2\n2020-01-02,3,4\n")
		write(t, dir, "daily_2020_total.csv.gz", "day,b,a\n2020-01-01,20,10\n2020-01-02,40,30\n")
		write(t, dir, "daily_2020_packages.csv", "package,mean,stratum\na,2,small\nb,3,big\n")
		sets, err := Read(dir)
		if err != nil || len(sets) != 1 {
			t.Fatalf("%v, %v", sets, err)
		}
		a := sets[0].Series[0]
		if sets[0].Scale != memberwatch.Day || a.Stratum != "small" || a.Counts[1] != 3 || a.Totals[1] != 30 {
			t.Errorf("read %+v", sets[0])
		}
		if at := sets[0].window(memberwatch.Day, 1); time.Unix(0, at.Start).UTC().Format(time.DateOnly) != "2020-01-02" {
			t.Errorf("second window starts at %v", at)
		}
	})
	t.Run("hourly", func(t *testing.T) {
		dir := t.TempDir()
		write(t, dir, "hourly.csv.gz", "t,s1,s2\n2020-01-01T01:00,5,\n2020-01-01T02:00,6,7\n2020-01-01T02:00,1,\n")
		sets, err := Read(dir)
		if err != nil || len(sets) != 1 {
			t.Fatalf("%v, %v", sets, err)
		}
		s := sets[0].Series
		if len(s[0].Counts) != 24 || !math.IsNaN(s[0].Counts[0]) || s[0].Counts[2] != 7 || !math.IsNaN(s[1].Counts[1]) || s[1].Counts[2] != 7 {
			t.Errorf("read %+v", s)
		}
	})
	t.Run("events", func(t *testing.T) {
		dir := t.TempDir()
		write(t, dir, "events.csv.gz", "t,app\n2020-01-01T01:10:00,x\n2020-01-01T01:50:00,x\n2020-01-02T00:00:01Z,y\n")
		sets, err := Read(dir)
		if err != nil || len(sets) != 1 {
			t.Fatalf("%v, %v", sets, err)
		}
		if s := sets[0].Series; len(s) != 2 || s[0].Counts[1] != 2 || s[0].Counts[0] != 0 || s[1].Counts[24] != 1 || len(s[0].Counts) != 48 {
			t.Errorf("read %+v", s)
		}
	})
	for name, c := range map[string]struct{ file, text, want string }{
		"empty":         {"README.md", "", "holds no daily_"},
		"only a header": {"events.csv.gz", "t,app\n", "events.csv.gz:2: no row"},
		"blank":         {"events.csv.gz", "", "events.csv.gz:1: no row"},
		"broken time":   {"hourly.csv.gz", "t,s\nnoon,1\n", `hourly.csv.gz:2: time "noon"`},
		"not a count":   {"hourly.csv.gz", "t,s\n2020-01-01T01:00,-1\n", `hourly.csv.gz:2: "-1" is not a count`},
		"no app":        {"events.csv.gz", "t,member\n2020-01-01T01:00,x\n", "events.csv.gz:2: no columns t and app"},
		"ragged":        {"hourly.csv.gz", "t,s\n2020-01-01T01:00,1,2\n", "hourly.csv.gz"},
		"backwards":     {"hourly.csv.gz", "t,s\n2020-01-02T01:00,1\n2020-01-01T01:00,1\n", "before the first row"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, c.file, c.text)
			if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// TestWilson compares with the interval of 7 in 10 in R's prop.test without
// continuity correction.
func TestWilson(t *testing.T) {
	low, high := wilson(0.7, 10)
	if math.Abs(low-0.3967781) > 1e-6 || math.Abs(high-0.8922087) > 1e-6 {
		t.Errorf("%v to %v", low, high)
	}
}

// TestRealCounts holds the model to its promise on real counts, where they are
// at hand.
func TestRealCounts(t *testing.T) {
	root := os.Getenv("MEMBERWATCH_DATA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "data")
	}
	dir := filepath.Join(root, "cran")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no counts in %s: name the folder that holds cran in MEMBERWATCH_DATA", dir)
	}
	if testing.Short() {
		t.Skip("takes seconds")
	}
	sets, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range sets { // users alone: the per-user run takes as long again
		for k := range sets[i].Series {
			sets[i].Series[k].Totals = nil
		}
	}
	r, err := Measure(sets, Options{Budgets: []float64{1400}, Warmup: 220})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Check(2, 0); err != nil {
		t.Error(err)
	}
}
