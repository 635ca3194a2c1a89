package filter_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/filter"
)

func TestParseOrder(t *testing.T) {
	fields := map[string]memberwatch.OrderField{"open_time": memberwatch.ByOpening, "severity": memberwatch.BySeverity}
	for text, want := range map[string]struct {
		order memberwatch.Order
		err   string
	}{
		"":                         {},
		"  ":                       {},
		"severity":                 {order: memberwatch.Order{By: memberwatch.BySeverity, Ascending: true}},
		"severity asc":             {order: memberwatch.Order{By: memberwatch.BySeverity, Ascending: true}},
		" severity   desc ":        {order: memberwatch.Order{By: memberwatch.BySeverity}},
		"open_time desc":           {},
		"colour":                   {err: `unknown field "colour", fields are open_time, severity`},
		"severity up":              {err: `"up" after field "severity" is no direction`},
		"severity desc desc":       {err: `is no direction`},
		"severity desc, open_time": {err: "more than one field"},
	} {
		got, err := filter.ParseOrder(text, fields)
		if want.err == "" && err == nil && got == want.order {
			continue
		}
		if want.err == "" || !errors.Is(err, memberwatch.ErrInvalid) || !strings.Contains(err.Error(), want.err) {
			t.Errorf("order %q is %+v, error %v", text, got, err)
		}
	}
}
