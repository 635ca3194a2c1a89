package monitor_test

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector"
	"github.com/memberwatch/memberwatch/monitor"
	"github.com/memberwatch/memberwatch/store"
)

// plunder makes a stream in which app-00 meets a restriction and, at the end,
// reads far more than ever.
func plunder(n int) []memberwatch.Event {
	events := stream(n, 6)
	slices.SortFunc(events, func(a, b memberwatch.Event) int { return int(a.Time - b.Time) })
	last := &events[len(events)-1]
	last.App, last.Developer = "app-00", "dev-0"
	for m := range uint64(50_000) {
		last.Disclosed = append(last.Disclosed, m<<20)
	}
	later := *last
	later.Time += 3 * memberwatch.Day.Length()
	return append(events, later)
}

// plundered returns a data directory that holds what came of it.
func plundered(t *testing.T, dir string) {
	m := open(t, monitor.Options{Dir: dir, Partitions: 2})
	r := memberwatch.Restriction{ID: "r", Class: "group_membership", Apps: []memberwatch.AppID{"app-00"}, Effective: time.Unix(0, begin).AddDate(0, 0, 4)}
	if _, err := m.PutRestriction(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	events := plunder(7000)
	at := openStream(t, m, "gw")
	for i := 0; i < len(events); i += 1000 {
		batch := events[i:min(i+1000, len(events))]
		send(t, m, "gw", at.Epoch, int64(i)+1, batch)
	}
	awaitCommitted(t, m, "gw", at.Epoch, int64(len(events)))
	shut(t, m)
}

// verified verifies a directory and returns the results by kind of signal.
func verified(t *testing.T, dir string) map[memberwatch.Kind][]memberwatch.Verification {
	t.Helper()
	all := make(map[memberwatch.Kind][]memberwatch.Verification)
	err := monitor.VerifyDirectory(dir, func(v memberwatch.Verification) error {
		all[v.Findings[0].Kind] = append(all[v.Findings[0].Kind], v)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestStoredEvidenceIsMadeAgain verifies what a service has stored, and what a
// backup of it holds; then each of several changes must show.
func TestStoredEvidenceIsMadeAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	plundered(t, dir)
	all := verified(t, dir)
	for _, kind := range []memberwatch.Kind{memberwatch.KindRestricted, memberwatch.KindPerActorBurst} {
		if len(all[kind]) == 0 {
			t.Fatalf("no signal of kind %s among %v: the test shows nothing", kind, all)
		}
	}
	for kind, list := range all {
		for _, v := range list {
			if v.Result() != memberwatch.CheckVerified {
				t.Errorf("%s: %+v", kind, v)
			}
		}
	}
	m := open(t, monitor.Options{Dir: dir})
	backup := filepath.Join(t.TempDir(), "backup")
	copyBackup(t, m, backup)
	burst := all[memberwatch.KindPerActorBurst][0]
	live, err := m.VerifySignal(t.Context(), burst.Signal)
	if err != nil || live.Result() != memberwatch.CheckVerified || live.Evidence != burst.Evidence {
		t.Errorf("after a restart: %+v, %v", live, err)
	}
	shut(t, m)
	if dump(t, dir) != dump(t, backup) {
		t.Error("the backup holds something else")
	}
	if again := verified(t, backup); again[memberwatch.KindPerActorBurst][0].Evidence != burst.Evidence {
		t.Error("the backup's evidence has another hash")
	}
	for name, change := range map[string]func(*memberwatch.Signal, *memberwatch.Finding){
		"p-value":      func(_ *memberwatch.Signal, f *memberwatch.Finding) { f.Factors[0].P *= 1 + 1e-12 },
		"members":      func(_ *memberwatch.Signal, f *memberwatch.Finding) { f.Members.Low++ },
		"sentence":     func(_ *memberwatch.Signal, f *memberwatch.Finding) { f.Sentence += "!" },
		"severity":     func(s *memberwatch.Signal, _ *memberwatch.Finding) { s.Severity-- },
		"opening":      func(s *memberwatch.Signal, _ *memberwatch.Finding) { s.Opened-- },
		"learning":     func(s *memberwatch.Signal, _ *memberwatch.Finding) { s.LearningDays++ },
		"headline":     func(s *memberwatch.Signal, _ *memberwatch.Finding) { s.Sentence = "app-00 did nothing" },
		"strongest":    func(s *memberwatch.Signal, _ *memberwatch.Finding) { s.Strongest.ReturnPeriod *= 2 },
		"lost finding": func(s *memberwatch.Signal, _ *memberwatch.Finding) { s.Occurrences++ },
		"other app": func(_ *memberwatch.Signal, f *memberwatch.Finding) {
			f.Basis.App = "app-01"
		},
	} {
		t.Run(name, func(t *testing.T) {
			forged := filepath.Join(t.TempDir(), "forged")
			if err := os.CopyFS(forged, os.DirFS(backup)); err != nil {
				t.Fatal(err)
			}
			forge(t, forged, burst.Signal, change)
			for _, v := range verified(t, forged)[memberwatch.KindPerActorBurst] {
				if v.Signal == burst.Signal && v.Result() != memberwatch.CheckDiffers {
					t.Errorf("%+v", v)
				}
				if v.Signal == burst.Signal && v.Evidence == burst.Evidence {
					t.Error("the evidence hash is the same")
				}
			}
		})
	}
}

// TestAForgeryShowsWhateverTheKind changes one figure of a finding by a rule and of
// one by statistics.
func TestAForgeryShowsWhateverTheKind(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	plundered(t, dir)
	all := verified(t, dir)
	if len(all) < 2 {
		t.Fatalf("only %d kinds: the test shows little", len(all))
	}
	for kind, list := range all {
		forge(t, dir, list[0].Signal, func(_ *memberwatch.Signal, f *memberwatch.Finding) { f.Factors[0].Observed++ })
		if v := verified(t, dir)[kind]; !slices.ContainsFunc(v, func(v memberwatch.Verification) bool {
			return v.Signal == list[0].Signal && v.Result() == memberwatch.CheckDiffers
		}) {
			t.Errorf("%s: %+v", kind, v)
		}
	}
}

// forgeries numbers what is forged: an outbox gives each row a number of its own.
var forgeries atomic.Uint64

// forge changes a stored signal and its strongest finding.
func forge(t *testing.T, dir string, id memberwatch.SignalID, change func(*memberwatch.Signal, *memberwatch.Finding)) {
	t.Helper()
	s, err := store.Open(dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	signal, err := s.Platform.Signal(id)
	if err != nil {
		t.Fatal(err)
	}
	findings, err := s.Platform.Findings(id)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(findings, func(f memberwatch.Finding) bool { return f.Number == signal.Strongest.Number })
	change(&signal, &findings[i])
	signal.Revision++
	update := memberwatch.Update{Signal: signal, Finding: &findings[i]}
	if err := s.Platform.Publish(99, []store.OutboxRow{{Sequence: forgeries.Add(1), Update: update}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func copyBackup(t *testing.T, m *monitor.Monitor, dir string) {
	t.Helper()
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	var files []*os.File
	err := m.Backup(t.Context(), func(name string, _ int64) (io.Writer, error) {
		f, err := os.Create(filepath.Join(dir, name))
		files = append(files, f)
		return f, err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestBackupUnderLoad takes backups while events stream in. Each opens, knows
// nothing that the service did not call durable, and, given the rest of the
// stream, ends as the undisturbed service does, byte for byte.
func TestBackupUnderLoad(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	m := open(t, monitor.Options{Dir: dir, Partitions: 3, CheckpointInterval: 5 * time.Millisecond})
	events := plunder(4000)
	at := openStream(t, m, "gw")
	backups := make([]string, 3)
	for i := 0; i < len(events); i += 100 {
		send(t, m, "gw", at.Epoch, int64(i)+1, events[i:min(i+100, len(events))])
		if i%1300 == 1200 {
			backups[i/1300] = filepath.Join(t.TempDir(), "backup")
			copyBackup(t, m, backups[i/1300])
		}
	}
	awaitCommitted(t, m, "gw", at.Epoch, int64(len(events)))
	shut(t, m)
	want := dump(t, dir)
	for i, backup := range backups {
		m := open(t, monitor.Options{Dir: backup})
		at := openStream(t, m, "gw")
		if at.Committed >= int64(len(events)) {
			t.Errorf("backup %d has the whole stream: the test shows nothing", i)
		}
		send(t, m, "gw", at.Epoch, at.Next, events[at.Next-1:])
		awaitCommitted(t, m, "gw", at.Epoch, int64(len(events)))
		shut(t, m)
		if dump(t, backup) != want {
			t.Errorf("backup %d, taken after %d events, ends otherwise", i, at.Committed)
		}
	}
}

// TestAnotherModelsFindingsAreNotJudged: what other models made is neither right
// nor wrong.
func TestAnotherModelsFindingsAreNotJudged(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s, err := store.Open(dir, store.Options{Partitions: 1})
	if err != nil {
		t.Fatal(err)
	}
	f := memberwatch.Finding{Number: 1, Kind: memberwatch.KindCanary, Basis: memberwatch.Basis{App: "a", Model: "0"}}
	signal := memberwatch.Signal{ID: "s1", App: "a", Kind: f.Kind, Occurrences: 1, Revision: 1, Strongest: f}
	if err := s.Platform.Publish(0, []store.OutboxRow{{Sequence: 1, Update: memberwatch.Update{Signal: signal, Finding: &f}}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	v := verified(t, dir)[memberwatch.KindCanary][0]
	if v.Result() != memberwatch.CheckUnverifiable || v.Findings[0].Detail != detector.ErrNoRecord.Error() {
		t.Errorf("%+v", v)
	}
}
