package main

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/review"
)

// allowance is how long a case of a severity may take.
type allowance struct {
	Acknowledge duration `yaml:"acknowledge"`
	Decide      duration `yaml:"decide"`
	Remediate   duration `yaml:"remediate"`
}

// terms returns what the config says of reviews.
func (c *config) terms(log *slog.Logger) (review.Options, error) {
	o := review.Options{Reasons: make(memberwatch.Reasons), Allowances: make(map[memberwatch.Severity]memberwatch.Allowance), Logger: log}
	for name, list := range c.Reasons {
		var v memberwatch.Verdict
		if err := v.UnmarshalText([]byte(strings.ToUpper(name))); err != nil || v == memberwatch.VerdictUnspecified {
			return o, hinted{fmt.Errorf("config: reasons: %q is no verdict", name), "verdicts are abuse, expected, benign, inconclusive and duplicate"}
		}
		o.Reasons[v] = list
	}
	for name, a := range c.Allowances {
		var s memberwatch.Severity
		if err := s.UnmarshalText([]byte(strings.ToUpper(name))); err != nil || s == memberwatch.SeverityUnspecified {
			return o, hinted{fmt.Errorf("config: allowances: %q is no severity", name), "severities are low, medium, high and critical"}
		}
		if a.Acknowledge.Duration <= 0 || a.Decide.Duration <= 0 || a.Remediate.Duration <= 0 {
			return o, hinted{fmt.Errorf("config: allowances: %s lacks acknowledge, decide or remediate", name), "give all three, such as acknowledge: 4h, decide: 2d, remediate: 30d"}
		}
		o.Allowances[s] = memberwatch.Allowance{Acknowledge: a.Acknowledge.Duration, Decide: a.Decide.Duration, Remediate: a.Remediate.Duration}
	}
	return o, nil
}
