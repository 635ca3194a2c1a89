package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// requirement is a floor or ceiling for one figure of a result, such as
// ratio>=0.5. The figure goes by its key in the JSON of the result.
type requirement struct {
	key   string
	least bool // else the most
	bound float64
}

// requirements is a flag that may be given several times.
type requirements []requirement

// requireFlag adds --require and returns where the requirements will be.
func requireFlag(cmd *cobra.Command) *requirements {
	r := new(requirements)
	cmd.Flags().Var(r, "require", "figure of the JSON result to hold to a bound, such as 'ratio>=0.5'; exit status 1 when it is missed")
	return r
}

// String writes the requirements as they were given.
func (r *requirements) String() string {
	var words []string
	for _, one := range *r {
		words = append(words, one.String())
	}
	return strings.Join(words, " ")
}

func (r requirement) String() string {
	sign := "<="
	if r.least {
		sign = ">="
	}
	return r.key + sign + strconv.FormatFloat(r.bound, 'g', -1, 64)
}

// Type names the flag's kind in help texts.
func (*requirements) Type() string { return "KEY>=N" }

// Set takes one requirement.
func (r *requirements) Set(text string) error {
	key, bound, least := strings.Cut(text, ">=")
	if !least {
		var most bool
		if key, bound, most = strings.Cut(text, "<="); !most {
			return errors.New("write it as KEY>=N or KEY<=N")
		}
	}
	number, err := strconv.ParseFloat(strings.TrimSpace(bound), 64)
	if err != nil {
		return fmt.Errorf("%q is not a number", bound)
	}
	*r = append(*r, requirement{key: strings.TrimSpace(key), least: least, bound: number})
	return nil
}

// check holds a result to its requirements and names those it misses.
func (r requirements) check(result any) error {
	encoded, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("encode the result: %w", err)
	}
	var figures map[string]any
	if err := json.Unmarshal(encoded, &figures); err != nil {
		return fmt.Errorf("read the result back: %w", err)
	}
	var missed []string
	for _, one := range r {
		figure, ok := figures[one.key].(float64)
		switch {
		case !ok:
			return usagef("--require %s: the result has no figure %q", one, one.key)
		case one.least && figure < one.bound, !one.least && figure > one.bound:
			missed = append(missed, fmt.Sprintf("%s is %s, required %s", one.key, strconv.FormatFloat(figure, 'g', 6, 64), one))
		}
	}
	if len(missed) > 0 {
		return errors.New(strings.Join(missed, "; "))
	}
	return nil
}
