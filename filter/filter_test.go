package filter_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/filter"
)

type row struct {
	app, kind string
	severity  int
	period    float64
	declared  bool
	opened    int64
}

var fields = []filter.Field[row]{
	filter.Name("app", "apps/", func(r *row) string { return r.app }),
	filter.Text("kind", func(r *row) string { return r.kind }),
	filter.Enum("severity", []string{"LOW", "MEDIUM", "HIGH"}, func(r *row) int { return r.severity }),
	filter.Number("period", func(r *row) float64 { return r.period }),
	filter.Bool("declared", func(r *row) bool { return r.declared }),
	filter.Time("open_time", func(r *row) int64 { return r.opened }),
}

// crm is the row that all filters of the tests look at.
var crm = row{
	app: "crm", kind: "volume-burst", severity: 1, period: 4380.5, declared: true,
	opened: time.Date(2018, 4, 4, 12, 0, 0, 0, time.UTC).UnixNano(),
}

func TestMatch(t *testing.T) {
	for text, want := range map[string]bool{
		"":                                      true,
		"  ":                                    true,
		`app = "crm"`:                           true,
		`app=crm`:                               true,
		`app = 'crm'`:                           true,
		`app = apps/crm`:                        true,
		`app != crm`:                            false,
		`app = cr`:                              false,
		`app < d`:                               true,
		`kind = "volume-*"`:                     true,
		`kind = *burst`:                         true,
		`kind = v*e-b*t`:                        true,
		`kind = v*x*t`:                          false,
		`kind = volume-burst*volume-burst`:      false,
		`kind != "*rise"`:                       true,
		`kind = "volume-\*"`:                    false,
		`kind : BURST`:                          true,
		`kind:*`:                                true,
		`kind:nothing`:                          false,
		`severity = MEDIUM`:                     true,
		`severity >= SEVERITY_MEDIUM`:           true,
		`severity > MEDIUM`:                     false,
		`severity < HIGH`:                       true,
		`period > 4380`:                         true,
		`period <= 4.3805e3`:                    true,
		`period > -1`:                           true,
		`declared = true`:                       true,
		`declared != true`:                      false,
		`open_time > 2018-04-04`:                true,
		`open_time = 2018-04-04T14:00:00+02:00`: true,
		`open_time < "2018-04-04T12:00:00Z"`:    false,
		`NOT app = crm`:                         false,
		`-app = crm`:                            false,
		`- NOT app = crm`:                       true,
		`app = crm AND kind = x`:                false,
		`app = crm kind = x`:                    false,
		`app = crm kind:burst`:                  true,
		`app = x OR kind:burst`:                 true,
		// OR binds tighter: false AND (true OR true).
		`app = x AND app = crm OR app = crm`:   false,
		`(app = x AND app = crm) OR app = crm`: true,
		`NOT (app = x OR app = y)`:             true,
		`(((app = crm)))`:                      true,
		`app = "a b" OR app = ORANGE`:          false,
	} {
		t.Run(text, func(t *testing.T) {
			f, err := filter.Parse(text, fields)
			if err != nil {
				t.Fatal(err)
			}
			if got := f.Match(&crm); got != want {
				t.Errorf("match is %v, want %v", got, want)
			}
		})
	}
}

func TestParseSaysWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		`colour = red`:           `at byte 0: unknown field "colour", fields are app, kind, severity, period, declared, open_time`,
		`app = crm AND`:          `at byte 13: expected a field, found ""`,
		`app`:                    `at byte 3: expected one of != <= >= = < > : after field "app", found ""`,
		`app ~ crm`:              `at byte 4: expected one of`,
		`app =`:                  `at byte 5: expected a value`,
		`app = )`:                `at byte 6: expected a value`,
		`app = "crm`:             `at byte 6: string without its closing "`,
		`(app = crm`:             `at byte 10: missing )`,
		`app = crm)`:             `at byte 9: unexpected ")"`,
		`"crm"`:                  `at byte 0: expected a field, found "\"crm\""`,
		`severity = LOUD`:        `unknown value "LOUD", values are LOW, MEDIUM, HIGH`,
		`severity = *`:           `unknown value "*"`,
		`period = many`:          `"many" is not a number`,
		`period = NaN`:           `"NaN" is not a number`,
		`declared = 1`:           `"1" is neither true nor false`,
		`declared > false`:       `> does not apply to true and false`,
		`open_time > -60d`:       `"-60d" is not a time`,
		`open_time > 0001-01-01`: `"0001-01-01" is not a time`,
		`kind > a*`:              `> takes no wildcard`,
		`kind : a*`:              `: takes no wildcard but * alone`,
		strings.Repeat("(", 40) + "app = crm" + strings.Repeat(")", 40): "nested deeper than 16",
		strings.Repeat("app = crm ", 65):                                "more than 64 comparisons",
		strings.Repeat(" ", 5000):                                       "filter has 5000 bytes",
	} {
		t.Run(text[:min(len(text), 30)], func(t *testing.T) {
			_, err := filter.Parse(text, fields)
			reason, ok := errors.AsType[*memberwatch.ReasonError](err)
			if !ok || !errors.Is(err, memberwatch.ErrInvalid) || reason.Reason != "FILTER_INVALID" {
				t.Fatalf("error %v is not of kind ErrInvalid with reason FILTER_INVALID", err)
			}
			if !strings.Contains(reason.Message, want) {
				t.Errorf("message %q does not say %q", reason.Message, want)
			}
		})
	}
}

// tree is a filter with its result: what the parser must find again in the text.
type tree struct {
	text string
	pass bool
}

// drawTree builds a filter by the rules of the language, level 0 being a whole expression, 1 a factor, 2 a term.
func drawTree(t *rapid.T, level, depth int) tree {
	switch level {
	case 0, 1:
		result, word := tree{pass: level == 0}, []string{" AND ", " "}
		if level == 1 {
			word = []string{" OR "}
		}
		for i := range rapid.IntRange(1, 3).Draw(t, "operands") {
			operand := drawTree(t, level+1, depth)
			if i > 0 {
				result.text += rapid.SampledFrom(word).Draw(t, "join")
			}
			result.text += operand.text
			if level == 0 {
				result.pass = result.pass && operand.pass
			} else {
				result.pass = result.pass || operand.pass
			}
		}
		return result
	}
	if depth < 3 && rapid.Bool().Draw(t, "nested") {
		inner := drawTree(t, 0, depth+1)
		inner.text = "(" + inner.text + ")"
		if rapid.Bool().Draw(t, "negated") {
			return tree{rapid.SampledFrom([]string{"NOT ", "-"}).Draw(t, "not") + inner.text, !inner.pass}
		}
		return inner
	}
	n := rapid.IntRange(-3, 3).Draw(t, "n")
	return tree{fmt.Sprintf("period < %d", n), 0 < n}
}

func TestParseFollowsTheGrammar(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawTree(t, 0, 0)
		f, err := filter.Parse(want.text, fields)
		if err != nil {
			if strings.Contains(err.Error(), "limit") || strings.Contains(err.Error(), "more than") {
				t.Skip("too large")
			}
			t.Fatal(err)
		}
		if got := f.Match(&row{}); got != want.pass {
			t.Fatalf("%s is %v, want %v", want.text, got, want.pass)
		}
	})
}

func TestMatchAllocatesNothing(t *testing.T) {
	f, err := filter.Parse(`kind:BURST AND app = c*m AND severity >= LOW AND (period > 1 OR declared = false) AND open_time > 2018-01-01`, fields)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		if !f.Match(&crm) {
			t.Fatal("no match")
		}
	}); n > 0 {
		t.Errorf("a match costs %v allocations", n)
	}
}

// FuzzParse checks that no text makes the parser panic, and that the negation of what it takes matches the opposite.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{``, `app = "c\*m" OR NOT (kind:* AND -severity >= HIGH)`, `period > 1e3 open_time < 2018-04-04`, `a='`, `((`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := filter.Parse(text, fields)
		if err != nil || strings.TrimSpace(text) == "" {
			return
		}
		negated, err := filter.Parse("NOT ("+text+")", fields)
		if err != nil {
			return // one level too deep, or a few bytes too long
		}
		if parsed.Match(&crm) == negated.Match(&crm) {
			t.Errorf("%q and its negation match alike", text)
		}
	})
}
