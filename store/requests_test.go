package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/store"
)

// TestRequestsAreForgottenAfterADay repeats a request before and after its answer
// is over, and lets other requests forget it.
func TestRequestsAreForgottenAfterADay(t *testing.T) {
	s := openStore(t, t.TempDir())
	defer closeStore(t, s)
	begin, effects := time.Unix(1000, 0).UTC(), 0
	ask := func(id string, print uint64, after time.Duration) (answer string, err error) {
		err = s.Platform.Review(func(r *store.Review) error {
			text, err := r.OnceText(memberwatch.Request{ID: id, Print: print}, begin.Add(after), func() ([]byte, error) {
				effects++
				return fmt.Append(nil, "effect ", effects), nil
			})
			answer = string(text)
			return err
		})
		return answer, err
	}
	for _, c := range []struct {
		name   string
		id     string
		print  uint64
		after  time.Duration
		want   string
		reason string
	}{
		{"the first", "a", 1, 0, "effect 1", ""},
		{"repeated", "a", 1, time.Hour, "effect 1", ""},
		{"repeated at the last moment", "a", 1, memberwatch.RequestTTL - 1, "effect 1", ""},
		{"another under its id", "a", 2, time.Hour, "", "REQUEST_ID_REUSED"},
		{"without an id", "", 0, time.Hour, "effect 2", ""},
		{"without an id again", "", 0, time.Hour, "effect 3", ""},
		{"repeated too late", "a", 1, memberwatch.RequestTTL, "effect 4", ""},
		{"the id is taken anew", "a", 1, memberwatch.RequestTTL + time.Hour, "effect 4", ""},
		{"one that forgets", "b", 1, memberwatch.RequestTTL + 2*time.Hour, "effect 5", ""},
		{"what was taken anew stays", "a", 1, memberwatch.RequestTTL + 3*time.Hour, "effect 4", ""},
		{"all are forgotten", "c", 1, 3 * memberwatch.RequestTTL, "effect 6", ""},
	} {
		answer, err := ask(c.id, c.print, c.after)
		if c.reason != "" {
			expectReason(t, err, memberwatch.ErrInvalid, c.reason, `"a"`)
		} else if err != nil || answer != c.want {
			t.Errorf("%s: %q, %v, want %q", c.name, answer, err, c.want)
		}
	}
}
