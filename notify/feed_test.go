package notify

import (
	"context"
	"fmt"
	"testing"

	"github.com/memberwatch/memberwatch"
)

// source is a source in which one signal has changed.
type source memberwatch.Signal

func (s source) NextSignals(_ context.Context, after int64) ([]memberwatch.Signal, int64, error) {
	return []memberwatch.Signal{memberwatch.Signal(s)}, after + 1, nil
}

// A signal's first notice is its creation, however late it was first seen.
func TestSignalsBecomeNotices(t *testing.T) {
	open := memberwatch.Signal{ID: "s1", App: "crm", Opened: 1, Last: 2, Revision: 3, Severity: memberwatch.SeverityLow}
	ended := open
	ended.Ended, ended.Revision = 9, 5
	tests := map[string]struct {
		signal memberwatch.Signal
		known  bool
		want   string
	}{
		"opened":               {open, false, "[signal.created s1-created 1]"},
		"changed":              {open, true, "[signal.updated s1-3 2]"},
		"ended":                {ended, true, "[signal.closed s1-5 9]"},
		"ended before it told": {ended, false, "[signal.created s1-created 1 signal.closed s1-5 9]"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := Signals{Source: source(tt.signal), Known: func(string) (bool, error) { return tt.known, nil }}
			notices, through, err := f.Next(t.Context(), 4)
			must(t, err)
			var got []any
			for _, n := range notices {
				must(t, n.Validate())
				got = append(got, n.Type, n.ID, n.Time.UnixNano())
			}
			if s := fmt.Sprint(got); s != tt.want || through != 5 {
				t.Errorf("notices %s to place %d, want %s", s, through, tt.want)
			}
		})
	}
}
