package server

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/bench/cpu"
	"github.com/memberwatch/memberwatch/monitor"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/store"
)

// as returns a context in which a person calls.
func as(ctx context.Context, person string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, PersonKey, person)
}

// opened opens n cases by hand, of n apps.
func opened(t testing.TB, s *system, n int) []*pb.Case {
	t.Helper()
	var cases []*pb.Case
	for i := range n {
		m, err := pb.NewCaseServiceClient(s).OpenCase(as(t.Context(), "ana"), &pb.OpenCaseRequest{App: fmt.Sprintf("apps/app-%d", i), Title: "a look", Another: true})
		if err != nil {
			t.Fatal(err)
		}
		cases = append(cases, m.GetCase())
	}
	return cases
}

func TestTwoReviewersOneCase(t *testing.T) {
	s := start(t, Options{})
	cases := pb.NewCaseServiceClient(s)
	c := opened(t, s, 1)[0]
	note := &pb.DecideCaseRequest{Name: c.GetName(), Etag: c.GetEtag(), Decision: &pb.Decision{Action: pb.Action_ACTION_NOTE, Comment: "odd"}}
	first, err := cases.DecideCase(as(t.Context(), "ana"), note)
	if err != nil {
		t.Fatal(err)
	}
	_, err = cases.DecideCase(as(t.Context(), "ben"), note)
	info := expect(t, err, codes.Aborted, "ETAG_MISMATCH")
	if fresh := info.GetMetadata()["etag"]; fresh != first.GetCase().GetEtag() {
		t.Errorf("fresh etag %q, want %q", fresh, first.GetCase().GetEtag())
	}
	note.Etag = info.GetMetadata()["etag"]
	if _, err := cases.DecideCase(as(t.Context(), "ben"), note); err != nil {
		t.Fatal(err)
	}
	history, err := cases.ListDecisions(t.Context(), &pb.ListDecisionsRequest{Name: c.GetName()})
	if err != nil || len(history.GetDecisions()) != 3 || history.GetDecisions()[1].GetPerson() != "ana" || history.GetDecisions()[2].GetPerson() != "ben" {
		t.Errorf("history %v, %v: something is lost", history, err)
	}
}

func TestReviewRefusals(t *testing.T) {
	s := start(t, Options{})
	cases := pb.NewCaseServiceClient(s)
	name := opened(t, s, 1)[0].GetName()
	ana := as(t.Context(), "ana")
	decide := func(ctx context.Context, d *pb.Decision) error {
		_, err := cases.DecideCase(ctx, &pb.DecideCaseRequest{Name: name, Decision: d})
		return err
	}
	expect(t, decide(t.Context(), &pb.Decision{Action: pb.Action_ACTION_CLAIM}), codes.InvalidArgument, "PERSON_MISSING")
	expect(t, decide(as(t.Context(), "memberwatch"), &pb.Decision{Action: pb.Action_ACTION_CLAIM}), codes.InvalidArgument, "PERSON_INVALID")
	expect(t, decide(ana, &pb.Decision{}), codes.InvalidArgument, "ACTION_UNKNOWN")
	expect(t, decide(ana, &pb.Decision{Action: 99}), codes.InvalidArgument, "ACTION_UNKNOWN")
	expect(t, decide(ana, &pb.Decision{Action: pb.Action_ACTION_REMEDIATE}), codes.InvalidArgument, "ACTION_NOT_YOURS")
	expect(t, decide(ana, &pb.Decision{Action: pb.Action_ACTION_CLOSE}), codes.FailedPrecondition, "CASE_STATE_FORBIDS")
	expect(t, decide(ana, &pb.Decision{Action: pb.Action_ACTION_DECIDE, Verdict: pb.Verdict_VERDICT_BENIGN, Reason: "mood", Comment: "x"}), codes.InvalidArgument, "REASON_UNKNOWN")
	_, err := cases.GetCase(ana, &pb.GetCaseRequest{Name: "cases/c99"})
	expect(t, err, codes.NotFound, "CASE_NOT_FOUND")
	_, err = cases.GetCase(ana, &pb.GetCaseRequest{Name: "cases/c01"})
	expect(t, err, codes.NotFound, "CASE_NOT_FOUND")
	_, err = cases.ListCases(ana, &pb.ListCasesRequest{Filter: "colour = red"})
	if info := expect(t, err, codes.InvalidArgument, "FILTER_INVALID"); info.GetMetadata()["field"] != "filter" {
		t.Errorf("metadata %v", info.GetMetadata())
	}
	_, err = cases.DecideCases(ana, &pb.DecideCasesRequest{Decision: &pb.Decision{Action: pb.Action_ACTION_CLAIM}})
	expect(t, err, codes.InvalidArgument, "FILTER_MISSING")
	_, err = cases.AdvanceRemediation(ana, &pb.AdvanceRemediationRequest{Name: "cases/c1/remediations/r1", Move: pb.Move_MOVE_APPROVE})
	expect(t, err, codes.NotFound, "REMEDIATION_NOT_FOUND")
	_, err = cases.CreateSilence(ana, &pb.CreateSilenceRequest{Silence: &pb.Silence{Comment: "all of them"}})
	expect(t, err, codes.InvalidArgument, "SILENCE_INVALID")
}

// TestCasePagesStandStill opens and moves cases between two pages.
func TestCasePagesStandStill(t *testing.T) {
	s := start(t, Options{})
	cases := pb.NewCaseServiceClient(s)
	before := opened(t, s, 5)
	var names []string
	r := &pb.ListCasesRequest{PageSize: 2}
	for {
		page, err := cases.ListCases(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range page.GetCases() {
			names = append(names, c.GetName())
		}
		if r.PageToken = page.GetNextPageToken(); r.GetPageToken() == "" {
			break
		}
		opened(t, s, 1)
		d := &pb.Decision{Action: pb.Action_ACTION_NOTE, Comment: "moved"}
		if _, err := cases.DecideCase(as(t.Context(), "ana"), &pb.DecideCaseRequest{Name: before[0].GetName(), Decision: d}); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"cases/c5", "cases/c4", "cases/c3", "cases/c2", "cases/c1"}; !slices.Equal(names, want) {
		t.Errorf("pages held %q, want %q", names, want)
	}
}

func TestAuditOverTheWire(t *testing.T) {
	s := start(t, Options{})
	opened(t, s, 7)
	admin := pb.NewAdminServiceClient(s)
	old, err := admin.GetAuditHead(t.Context(), &pb.GetAuditHeadRequest{Size: 3})
	if err != nil {
		t.Fatal(err)
	}
	proof, err := admin.ProveAuditEntry(t.Context(), &pb.ProveAuditEntryRequest{Number: 2})
	if err != nil {
		t.Fatal(err)
	}
	root := tlog.Hash(proof.GetHead().GetRoot())
	if err := tlog.CheckRecord(hashes(proof.GetProof()), proof.GetHead().GetSize(), root, 2, tlog.RecordHash(proof.GetEntry())); err != nil {
		t.Error(err)
	}
	grown, err := admin.ProveAuditHead(t.Context(), &pb.ProveAuditHeadRequest{Since: 3})
	if err != nil {
		t.Fatal(err)
	}
	if err := tlog.CheckTree(hashes(grown.GetProof()), grown.GetHead().GetSize(), root, 3, tlog.Hash(old.GetHead().GetRoot())); err != nil {
		t.Error(err)
	}
	_, err = admin.ProveAuditHead(t.Context(), &pb.ProveAuditHeadRequest{Since: 99})
	expect(t, err, codes.InvalidArgument, "AUDIT_SIZE_INVALID")
	_, err = admin.ProveAuditEntry(t.Context(), &pb.ProveAuditEntryRequest{Number: 99})
	expect(t, err, codes.NotFound, "AUDIT_ENTRY_NOT_FOUND")
}

func hashes(proof [][]byte) []tlog.Hash {
	var list []tlog.Hash
	for _, hash := range proof {
		list = append(list, tlog.Hash(hash))
	}
	return list
}

// fill writes n signals of apps cases apps into a fresh directory; each app gets
// a case once the service runs.
func fill(b *testing.B, dir string, n, apps int) {
	b.Helper()
	files, err := store.Open(dir, store.Options{Partitions: 2})
	if err != nil {
		b.Fatal(err)
	}
	begin := time.Now().Add(-90 * 24 * time.Hour).UnixNano()
	for first := 0; first < n; first += 5000 {
		var rows []store.OutboxRow
		for i := first; i < min(first+5000, n); i++ {
			at := begin + int64(i)*int64(time.Minute)
			rows = append(rows, store.OutboxRow{Sequence: uint64(i + 1), Update: memberwatch.Update{Signal: memberwatch.Signal{
				ID: memberwatch.SignalID(fmt.Sprintf("s%06d", i)), App: memberwatch.AppID(fmt.Sprintf("app-%05d", i%apps)), Kind: memberwatch.KindVolumeBurst,
				Severity: memberwatch.Severity(1 + i%4), Sentence: "app read 48,213 distinct members in an hour, expected 1,100 to 3,900",
				Opened: at, Last: at, Occurrences: 1, Revision: 1, Model: "1",
				Strongest: memberwatch.Finding{Window: memberwatch.WindowAt(memberwatch.Hour, at), Factors: make([]memberwatch.Factor, 4)},
			}}})
		}
		if err := files.Platform.Publish(0, rows); err != nil {
			b.Fatal(err)
		}
	}
	if err := files.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkFirstPage lists the first page of 100,000 signals and 10,000 cases
// over gRPC, in every order, without a filter, with a usual one, and with one that
// matches nothing and so reads everything.
func BenchmarkFirstPage(b *testing.B) {
	const raised, apps = 100_000, 10_000
	dir := b.TempDir()
	fill(b, dir, raised, apps)
	s := startIn(b, dir, monitor.Options{}, Options{})
	cases, signals := pb.NewCaseServiceClient(s), pb.NewSignalServiceClient(s)
	for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		page, err := cases.ListCases(b.Context(), &pb.ListCasesRequest{PageSize: 1})
		if err != nil {
			b.Fatal(err)
		}
		left, err := signals.ListSignals(b.Context(), &pb.ListSignalsRequest{PageSize: 1, Filter: "triage = OPEN"})
		if err != nil {
			b.Fatal(err)
		}
		if len(page.GetCases()) == 1 && page.GetCases()[0].GetName() == fmt.Sprintf("cases/c%d", apps) && len(left.GetSignals()) == 0 {
			b.Logf("%d signals found their cases in %v", raised, time.Since(began).Round(time.Second))
			break
		}
	}
	for list, fields := range map[string]map[string]memberwatch.OrderField{"cases": caseOrders, "signals": signalOrders} {
		for _, field := range sortedKeys(fields) {
			for _, filter := range []string{"", "severity >= HIGH", "app = nobody"} {
				b.Run(list+" by "+field+"/"+filter, func(b *testing.B) {
					timed(b, func() (err error) {
						if list == "cases" {
							_, err = cases.ListCases(b.Context(), &pb.ListCasesRequest{Filter: filter, OrderBy: field + " desc"})
						} else {
							_, err = signals.ListSignals(b.Context(), &pb.ListSignalsRequest{Filter: filter, OrderBy: field + " desc"})
						}
						return err
					})
				})
			}
		}
	}
}

// timed calls again and again, and reports the processor time of a call too: it
// does not depend on what else the machine does.
func timed(b *testing.B, call func() error) {
	before, err := cpu.Time()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := call(); err != nil {
			b.Fatal(err)
		}
	}
	after, err := cpu.Time()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(after-before)/1e6/float64(b.N), "cpu-ms/op")
}
