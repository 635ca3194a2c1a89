//go:build unix

package server

import (
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

// fullDisk tells a child process to play a full disk.
const fullDisk = "MEMBERWATCH_TEST_FULL_DISK"

// TestFullDiskStopsTheIntakeOnly lets the kernel play a full disk: a child process may not write beyond the first pages
// of its files for a while.
func TestFullDiskStopsTheIntakeOnly(t *testing.T) {
	if os.Getenv(fullDisk) != "" {
		liveThroughFullDisk(t)
		return
	}
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	child.Env = append(os.Environ(), fullDisk+"=1")
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func liveThroughFullDisk(t *testing.T) {
	signal.Ignore(syscall.SIGXFSZ)
	s := start(t, Options{})
	list := events(1, 4000)
	p := s.open(t, "gw-1")
	p.append(list[:2000]...)
	p.acked()
	s.turns(t, healthpb.HealthCheckResponse_SERVING)

	old := limitFiles(t, syscall.Rlimit{Cur: 64 << 10})
	p.append(list[2000:]...)
	err := p.ends()
	expect(t, err, codes.ResourceExhausted, "STORAGE_FULL")
	if delay := retryAfter(err); delay <= 0 {
		t.Error("status does not say when to try again")
	}
	s.turns(t, healthpb.HealthCheckResponse_NOT_SERVING)
	if s.stats(t).GetStorageError() == "" {
		t.Error("stats do not tell of the full disk")
	}
	late := s.connect(t)
	late.send(openMessage("gw-2"))
	expect(t, late.ends(), codes.ResourceExhausted, "STORAGE_FULL")
	if page, err := pb.NewRegistryServiceClient(s).ListApps(as(t.Context(), "ana"), &pb.ListAppsRequest{}); err != nil || len(page.GetApps()) == 0 {
		t.Errorf("reading on a full disk: %d apps, %v", len(page.GetApps()), err)
	}
	// What leaves the service is written down first, or stays: some lines still fit into pages that are there.
	for range 1000 {
		if _, err = pb.NewReportServiceClient(s).QueryAccess(as(t.Context(), "ana"), &pb.QueryAccessRequest{Since: timestamppb.New(day)}); err != nil {
			break
		}
	}
	expect(t, err, codes.ResourceExhausted, "STORAGE_FULL")
	for _, part := range []string{"not given, as the audit log cannot say so", "free space on the disk"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not say %q", err, part)
		}
	}
	if m, err := healthpb.NewHealthClient(s).Check(t.Context(), &healthpb.HealthCheckRequest{Service: "memberwatch.v1.SignalService"}); err != nil || m.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("health of what reads: %v, %v", m, err)
	}

	limitFiles(t, old)
	s.turns(t, healthpb.HealthCheckResponse_SERVING)
	again := s.open(t, "gw-1")
	again.append(list[again.next-1:]...)
	again.next = int64(len(list)) + 1
	if again.opened.GetCommittedSequence() < 4000 {
		again.acked()
	}
	if applied := s.stats(t).GetEventsApplied(); applied != 4000 {
		t.Errorf("%d events applied, want 4000", applied)
	}
}

// turns waits until the health of the whole and of the intake is as wanted.
func (s *system) turns(t *testing.T, want healthpb.HealthCheckResponse_ServingStatus) {
	t.Helper()
	for _, service := range []string{"", "memberwatch.v1.IngestService"} {
		feed, err := healthpb.NewHealthClient(s).Watch(t.Context(), &healthpb.HealthCheckRequest{Service: service})
		if err != nil {
			t.Fatal(err)
		}
		for {
			m, err := feed.Recv()
			if err != nil {
				t.Fatalf("health of %q never became %v: %v", service, want, err)
			}
			if m.GetStatus() == want {
				break
			}
		}
	}
}

// retryAfter returns how long a status asks to wait.
func retryAfter(err error) time.Duration {
	for _, detail := range status.Convert(err).Details() {
		if r, ok := detail.(*errdetails.RetryInfo); ok {
			return r.GetRetryDelay().AsDuration()
		}
	}
	return 0
}

// limitFiles sets how large files may grow and returns the old limit.
func limitFiles(t *testing.T, limit syscall.Rlimit) syscall.Rlimit {
	t.Helper()
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	limit.Max = old.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	return old
}
