package diff_test

import (
	"math"
	"strings"
	"testing"

	"github.com/memberwatch/memberwatch/bench/diff"
)

func read(t *testing.T, text string) *diff.Samples {
	t.Helper()
	s, err := diff.Read("a.json", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFilesTellNoiseFromChange(t *testing.T) {
	before := read(t, `{"rate":1,"same":7,"x":1,"list":[{"id":"S01","rate":1,"recall":0.5,"recall_low":0.4,"recall_high":0.6}],"text":"no"}
		{"rate":2,"same":7} {"rate":3,"same":7} {"rate":4,"same":7}`)
	after := read(t, `[{"rate":5,"same":7,"y":1,"list":[{"id":"S01","rate":1,"recall":0.9,"recall_low":0.8,"recall_high":1}]},
		{"rate":6,"same":7},{"rate":7,"same":7},{"rate":8,"same":7}]`)
	got := make(map[string]diff.Row)
	for _, row := range diff.Files(before, after) {
		got[row.Name] = row
	}
	rate := got["rate"]
	if !rate.Differs || math.Abs(rate.P-2.0/70) > 1e-12 || rate.Change != 160 || rate.Old != (diff.Summary{Median: 2.5, Low: 1, High: 4, N: 4}) {
		t.Errorf("rate: %+v", rate) // 2 of the 70 orders of four and four are as extreme
	}
	if same := got["same"]; same.Differs || same.P != 1 || same.Change != 0 {
		t.Errorf("same: %+v", same)
	}
	if recall := got["list.S01,rate=1.recall"]; !recall.Differs || recall.Measured != "intervals" || recall.New.Low != 0.8 {
		t.Errorf("recall: %+v", recall)
	}
	if _, ok := got["list.S01,rate=1.recall_low"]; ok || len(got) != 4 { // with the list's own rate
		t.Errorf("%d rows: %v", len(got), got)
	}
}

// The p-values come from trying all ways to split the pooled samples; with ties
// from the normal law, written out: U = 2.5, variance 25/12 (11 - 36/90).
func TestRankSum(t *testing.T) {
	for name, test := range map[string]struct {
		a, b string
		p    float64
	}{
		"interleaved":  {"1 3 5 7 9", "2 4 6 8 10", 0.690476},
		"apart":        {"1 2 3 4 5", "6 7 8 9 10", 0.007937},
		"with ties":    {"1 2 2 3 4", "3 4 4 5 6", 0.043220},
		"uneven sizes": {"1 2 3 10", "4 5 6 7 8 9", 0.257143},
	} {
		t.Run(name, func(t *testing.T) {
			object := func(values string) string { return `{"v":` + strings.ReplaceAll(values, " ", `} {"v":`) + "}" }
			rows := diff.Files(read(t, object(test.a)), read(t, object(test.b)))
			if math.Abs(rows[0].P-test.p) > 5e-4 {
				t.Errorf("p is %.6f, want %.6f", rows[0].P, test.p)
			}
		})
	}
}

func TestBrokenFilesAreNamed(t *testing.T) {
	for text, want := range map[string]string{
		"":           "a.json: holds no result",
		`{"a":1} {b`: "a.json: byte",
		"3":          "a result must be an object",
	} {
		if _, err := diff.Read("a.json", strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gave %v, want %q", text, err, want)
		}
	}
}

// TestReadItems: items of a list never pass for samples of one figure.
func TestReadItems(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"told apart":  {`{"l":[{"kind":"k","about":"B2","n":4},{"kind":"k","about":"B5","n":13}]}`, "l.k,B2.n l.k,B5.n"},
		"of the same": {`{"l":[{"kind":"k","n":4},{"kind":"k","n":13}]}`, "l.k.n l.k,1.n"},
		"no name":     {`{"l":[{"n":4},{"n":13}]}`, "l.0.n l.1.n"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := diff.Read("r.json", strings.NewReader(test.text))
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(s.Names, " "); got != test.want {
				t.Errorf("figures %q, want %q", got, test.want)
			}
		})
	}
}
