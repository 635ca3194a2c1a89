package memberwatch_test

import (
	"reflect"
	"regexp"
	"testing"

	"github.com/memberwatch/memberwatch"
)

// TestNamesOnPaper holds everything that the audit log, webhooks or packets write
// down as JSON to names in snake case, as the contract's are: a name of Go would
// change with the code.
func TestNamesOnPaper(t *testing.T) {
	snake := regexp.MustCompile(`^[a-z][a-z0-9_]*(,|$)`)
	for _, v := range []any{
		memberwatch.App{},
		memberwatch.Purpose{},
		memberwatch.Restriction{},
		memberwatch.Attestation{},
		memberwatch.Exclusion{},
		memberwatch.Tuning{},
		memberwatch.Silence{},
		memberwatch.Matcher{},
		memberwatch.Case{},
		memberwatch.Clocks{},
		memberwatch.Remediation{},
		memberwatch.Effect{},
		memberwatch.Decision{},
		memberwatch.Expect{},
		memberwatch.Step{},
		memberwatch.AuditEntry{},
		memberwatch.Packet{},
		memberwatch.PacketClass{},
		memberwatch.PacketStep{},
		memberwatch.PacketAttest{},
		memberwatch.PacketSignal{},
		memberwatch.PacketDecision{},
		memberwatch.PacketHead{},
		memberwatch.Interval{},
	} {
		for _, field := range reflect.VisibleFields(reflect.TypeOf(v)) {
			if tag := field.Tag.Get("json"); !snake.MatchString(tag) {
				t.Errorf("%T.%s is written as %q", v, field.Name, tag)
			}
		}
	}
}
