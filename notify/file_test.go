package notify

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/notify/ocsf"
	"github.com/memberwatch/memberwatch/store"
)

// lines returns the ids of the messages in a file, with the text of what is no message.
func lines(t *testing.T, name string) []string {
	t.Helper()
	b, err := os.ReadFile(name)
	if os.IsNotExist(err) {
		return nil
	}
	must(t, err)
	var all []string
	for line := range bytes.Lines(b) {
		var m Message
		if err := json.Unmarshal(line, &m); err != nil {
			m.ID = string(line)
		}
		all = append(all, m.ID)
	}
	return all
}

func fileCourier(t *testing.T, p *store.Platform, feed Feed, f File) *Courier {
	t.Helper()
	c, err := New(Options{Store: p, Feeds: []Feed{feed}, BaseURL: "https://memberwatch.example", File: f})
	must(t, err)
	t.Cleanup(c.Close)
	return c
}

// The file loses nothing to rotation, and what a crash left of a line is cut off.
func TestFile(t *testing.T) {
	p, feed, name := openPlatform(t, t.TempDir()), newTape(), filepath.Join(t.TempDir(), "notices.jsonl")
	c := fileCourier(t, p, feed, File{Path: name})
	feed.tell("n1", "cases/1")
	eventually(t, "first line", func() bool { return slices.Equal(lines(t, name), []string{"n1"}) })

	must(t, os.Rename(name, name+".1"))
	feed.tell("n2", "cases/1")
	eventually(t, "line in the new file", func() bool { return slices.Equal(lines(t, name), []string{"n2"}) })

	must(t, os.Rename(name, name+".2"))
	must(t, os.WriteFile(name, []byte(`{"id":"torn`), 0o600)) // a new file is there already
	feed.tell("n3", "cases/1")
	eventually(t, "line in the file of others", func() bool { return slices.Equal(lines(t, name), []string{"n3"}) })
	c.Close()

	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = f.Write(append([]byte(`{"id":"`), bytes.Repeat([]byte("x"), 100<<10)...)) // longer than a block
	must(t, err)
	must(t, f.Close())
	feed.tell("n4", "cases/1")
	fileCourier(t, p, feed, File{Path: name})
	eventually(t, "line after a crash", func() bool { return slices.Equal(lines(t, name), []string{"n3", "n4"}) })
	if got := slices.Concat(lines(t, name+".1"), lines(t, name+".2")); !slices.Equal(got, []string{"n1", "n2"}) {
		t.Errorf("rotated files hold %v", got)
	}
}

func TestFileOfFindings(t *testing.T) {
	p, feed, name := openPlatform(t, t.TempDir()), newTape(), filepath.Join(t.TempDir(), "findings.jsonl")
	fileCourier(t, p, feed, File{Path: name, OCSF: true})
	feed.tell("n1", "cases/1") // no finding
	at := time.Date(2026, 9, 21, 0, 0, 0, 0, time.UTC)
	feed.mu.Lock()
	feed.notices = append(feed.notices, memberwatch.Notice{
		ID: "s1-created", Type: memberwatch.NoticeSignalCreated, Subject: "signals/s1", Time: at,
		Signal: &memberwatch.Signal{ID: "s1", App: "quizfun", Kind: "denials", Opened: at.UnixNano(), Last: at.UnixNano()},
	})
	feed.mu.Unlock()
	feed.tell("n2", "cases/1")
	eventually(t, "a line", func() bool { b, err := os.ReadFile(name); return err == nil && len(b) > 0 })
	b, err := os.ReadFile(name)
	must(t, err)
	if err := ocsf.Check(b); err != nil || bytes.Count(b, []byte("\n")) != 1 {
		t.Errorf("file: %v\n%s", err, b)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	p := openPlatform(t, t.TempDir())
	for name, o := range map[string]Options{
		"file without base url": {File: File{Path: "/tmp/x"}},
		"relative file":         {BaseURL: "https://m.example", File: File{Path: "x"}},
		"base url with slash":   {BaseURL: "https://m.example/"},
		"base url without host": {BaseURL: "m.example"},
		"short retention":       {Retention: time.Hour},
		"file in no folder":     {BaseURL: "https://m.example", File: File{Path: filepath.Join(t.TempDir(), "no", "x")}},
	} {
		o.Store = p
		if c, err := New(o); err == nil {
			c.Close()
			t.Errorf("%s: no error", name)
		}
	}
	c, err := New(Options{Store: p})
	must(t, err)
	defer c.Close()
	if _, err := c.CreateEndpoint(t.Context(), memberwatch.Endpoint{ID: "siem", URL: "https://siem.example"}, memberwatch.KeyRequest{}, false); err == nil {
		t.Error("endpoint without a base url")
	}
}
