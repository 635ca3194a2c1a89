package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/server"
)

// TestReviewKilledAtAnyMoment kills a real service while reviewers decide. What
// was answered must be there afterwards, every record must be what the audit log
// leads to, and each approved restriction must stand in the registry.
func TestReviewKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	kills := 8
	if testing.Short() {
		kills = 2
	}
	v := &victim{dir: t.TempDir(), address: freeAddress(t)}
	v.start(t)
	defer v.kill()
	acked := make(map[string]int64) // revision of each case that was answered
	restricted := make(map[string]string)
	random := rand.New(rand.NewPCG(4, 2))
	for round := 0; round < kills || len(restricted) == 0 && round < 10*kills; round++ {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := 0; ctx.Err() == nil; i++ {
				if err := reviewOnce(ctx, v.address, fmt.Sprintf("app-%d-%d", round, i), acked, restricted); err != nil {
					return // it was killed
				}
			}
		}()
		slower := time.Duration(1 + round/kills) // a crowded machine may answer nothing in time at first
		time.Sleep(slower * time.Duration(50+random.IntN(200)) * time.Millisecond)
		v.kill()
		cancel()
		<-done
		v.start(t)
	}
	if len(acked) == 0 || len(restricted) == 0 {
		t.Fatalf("%d cases and %d restrictions were answered: the test proves nothing", len(acked), len(restricted))
	}
	var out, stderr strings.Builder
	if status := run(t.Context(), []string{"audit", "verify", "--server", v.address}, nil, &out, &stderr); status != exitOK {
		t.Errorf("audit verify: status %d\n%s", status, &stderr)
	}
	t.Logf("%d cases and %d restrictions answered; %s", len(acked), len(restricted), strings.TrimSpace(stderr.String()))
	checkAnswered(t, v.address, acked, restricted)
	v.stop(t)
}

// reviewOnce takes a case from its opening to an approved restriction and notes
// each answer.
func reviewOnce(ctx context.Context, address, app string, acked map[string]int64, restricted map[string]string) error {
	conn, err := dial(ctx, address)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nothing is left to send
	cases := pb.NewCaseServiceClient(conn)
	ana := metadata.AppendToOutgoingContext(ctx, server.PersonKey, "ana")
	ben := metadata.AppendToOutgoingContext(ctx, server.PersonKey, "ben")
	opened, err := cases.OpenCase(ana, &pb.OpenCaseRequest{App: appName(app), Title: "x"})
	if err != nil {
		return err
	}
	name := opened.GetCase().GetName()
	acked[name] = revisionOf(opened.GetCase())
	verdict := &pb.Decision{Action: pb.Action_ACTION_DECIDE, Verdict: pb.Verdict_VERDICT_ABUSE, Reason: "harvesting", Comment: "x"}
	decided, err := cases.DecideCase(ana, &pb.DecideCaseRequest{Name: name, Decision: verdict})
	if err != nil {
		return err
	}
	acked[name] = revisionOf(decided.GetCase())
	proposed, err := cases.ProposeRemediation(ana, &pb.ProposeRemediationRequest{Case: name, Kind: pb.Remediation_KIND_RESTRICT_APP})
	if err != nil {
		return err
	}
	approved, err := cases.AdvanceRemediation(ben, &pb.AdvanceRemediationRequest{Name: proposed.GetRemediation().GetName(), Move: pb.Move_MOVE_APPROVE})
	if err == nil {
		restricted[approved.GetRemediation().GetRestriction()] = appName(app)
	}
	return err
}

func revisionOf(c *pb.Case) int64 {
	n, err := strconv.ParseInt(c.GetEtag(), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// checkAnswered looks for everything that was answered.
func checkAnswered(t *testing.T, address string, acked map[string]int64, restricted map[string]string) {
	t.Helper()
	for name, revision := range acked {
		got, err := ask(t.Context(), address, func(c *grpc.ClientConn) call[*pb.GetCaseRequest, *pb.GetCaseResponse] {
			return pb.NewCaseServiceClient(c).GetCase
		}, &pb.GetCaseRequest{Name: name})
		if err != nil || revisionOf(got.GetCase()) < revision {
			t.Errorf("%s was answered at revision %d, and is %v: %v", name, revision, got.GetCase(), err)
		}
	}
	conn, err := dial(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	err = pages(0, maxPage, func(token string, size int) (int, string, error) {
		answer, err := pb.NewRegistryServiceClient(conn).ListRestrictions(t.Context(), &pb.ListRestrictionsRequest{PageSize: int32(size), PageToken: token})
		for _, r := range answer.GetRestrictions() {
			if app, ok := restricted[r.GetName()]; ok && (len(r.GetApps()) != 1 || r.GetApps()[0] != app) {
				t.Errorf("%s is on %v, want %s", r.GetName(), r.GetApps(), app)
			}
			delete(restricted, r.GetName())
		}
		return len(answer.GetRestrictions()), answer.GetNextPageToken(), err
	})
	if err := errors.Join(err, conn.Close()); err != nil {
		t.Fatal(err)
	}
	if len(restricted) > 0 {
		t.Errorf("restrictions were answered and are gone: %v", restricted)
	}
}
