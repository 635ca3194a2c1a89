package memberwatch_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/memberwatch/memberwatch"
)

func TestTuningValidate(t *testing.T) {
	for name, test := range map[string]struct {
		tuning memberwatch.Tuning
		fails  string
	}{
		"as configured":   {memberwatch.Tuning{Configured: true}, ""},
		"all of it":       {memberwatch.Tuning{Budget: 700, Weights: map[string]float64{"reach": 0.5}, Shadow: []memberwatch.Kind{memberwatch.KindDenials}}, ""},
		"negative budget": {memberwatch.Tuning{Budget: -1}, "must be above 0"},
		"no budget":       {memberwatch.Tuning{Budget: math.NaN()}, "must be above 0"},
		"no weight":       {memberwatch.Tuning{Weights: map[string]float64{"reach": 0}}, "put it in shadow"},
		"unknown kind":    {memberwatch.Tuning{Shadow: []memberwatch.Kind{"bad"}}, `no kind of signal is called "bad"`},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.tuning.Validate()
			if test.fails == "" && err != nil || test.fails != "" && (err == nil || !strings.Contains(err.Error(), test.fails)) {
				t.Errorf("error %v, want %q", err, test.fails)
			}
		})
	}
}

// TestKinds: the list of kinds has every constant of the type.
func TestKinds(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "signal.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if typed, ok := spec.Type.(*ast.Ident); !ok || typed.Name != "Kind" {
			return true
		}
		declared++
		text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil || !slices.Contains(memberwatch.Kinds(), memberwatch.Kind(text)) {
			t.Errorf("Kinds lacks %q, %v", text, err)
		}
		return true
	})
	if len(memberwatch.Kinds()) != declared {
		t.Errorf("Kinds has %d, declared are %d", len(memberwatch.Kinds()), declared)
	}
}
