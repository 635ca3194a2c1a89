package server

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/monitor"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

// mutation is a call that changes something. The later ones of a list build on
// the earlier ones.
type mutation struct {
	name    string
	request identified
	call    func(ctx context.Context, s *system, r any) (proto.Message, error)
}

// mutating makes a mutation of a method of a service's client.
func mutating[Q identified, A proto.Message](name string, request Q, method func(context.Context, *system, Q) (A, error)) mutation {
	return mutation{name, request, func(ctx context.Context, s *system, r any) (proto.Message, error) { return method(ctx, s, r.(Q)) }}
}

func mutations() []mutation {
	until := timestamppb.New(time.Now().Add(24 * time.Hour))
	return []mutation{
		mutating("PutApp", &pb.PutAppRequest{App: &pb.App{Name: "apps/crm", Developer: "acme"}},
			func(ctx context.Context, s *system, r *pb.PutAppRequest) (*pb.PutAppResponse, error) {
				return pb.NewRegistryServiceClient(s).PutApp(ctx, r)
			}),
		mutating("PutRestriction", &pb.PutRestrictionRequest{Restriction: &pb.Restriction{Name: "restrictions/r", DataClass: "name", EffectiveTime: timestamppb.New(day)}},
			func(ctx context.Context, s *system, r *pb.PutRestrictionRequest) (*pb.PutRestrictionResponse, error) {
				return pb.NewRegistryServiceClient(s).PutRestriction(ctx, r)
			}),
		mutating("LiftRestriction", &pb.LiftRestrictionRequest{Name: "restrictions/r"},
			func(ctx context.Context, s *system, r *pb.LiftRestrictionRequest) (*pb.LiftRestrictionResponse, error) {
				return pb.NewRegistryServiceClient(s).LiftRestriction(ctx, r)
			}),
		mutating("PutCanaries", &pb.PutCanariesRequest{Members: []uint64{7}},
			func(ctx context.Context, s *system, r *pb.PutCanariesRequest) (*pb.PutCanariesResponse, error) {
				return pb.NewRegistryServiceClient(s).PutCanaries(ctx, r)
			}),
		mutating("PutAttestation", &pb.PutAttestationRequest{Attestation: &pb.Attestation{App: "apps/crm", AttestTime: timestamppb.New(day)}},
			func(ctx context.Context, s *system, r *pb.PutAttestationRequest) (*pb.PutAttestationResponse, error) {
				return pb.NewRegistryServiceClient(s).PutAttestation(ctx, r)
			}),
		mutating("OpenCase", &pb.OpenCaseRequest{App: "apps/crm", Title: "a look"},
			func(ctx context.Context, s *system, r *pb.OpenCaseRequest) (*pb.OpenCaseResponse, error) {
				return pb.NewCaseServiceClient(s).OpenCase(ctx, r)
			}),
		mutating("NextCase", &pb.NextCaseRequest{},
			func(ctx context.Context, s *system, r *pb.NextCaseRequest) (*pb.NextCaseResponse, error) {
				return pb.NewCaseServiceClient(s).NextCase(ctx, r)
			}),
		mutating("DecideCases", &pb.DecideCasesRequest{Filter: "state = IN_REVIEW", Decision: &pb.Decision{
			Action: pb.Action_ACTION_DECIDE, Verdict: pb.Verdict_VERDICT_ABUSE, Reason: "harvesting", Comment: "clear",
		}}, func(ctx context.Context, s *system, r *pb.DecideCasesRequest) (*pb.DecideCasesResponse, error) {
			return pb.NewCaseServiceClient(s).DecideCases(ctx, r)
		}),
		mutating("DecideCase", &pb.DecideCaseRequest{Name: "cases/c1", Decision: &pb.Decision{Action: pb.Action_ACTION_NOTE, Comment: "noted"}},
			func(ctx context.Context, s *system, r *pb.DecideCaseRequest) (*pb.DecideCaseResponse, error) {
				return pb.NewCaseServiceClient(s).DecideCase(ctx, r)
			}),
		mutating("ProposeRemediation", &pb.ProposeRemediationRequest{Case: "cases/c1", Kind: pb.Remediation_KIND_REQUEST_DELETION, Comment: "all of it"},
			func(ctx context.Context, s *system, r *pb.ProposeRemediationRequest) (*pb.ProposeRemediationResponse, error) {
				return pb.NewCaseServiceClient(s).ProposeRemediation(ctx, r)
			}),
		mutating("AdvanceRemediation", &pb.AdvanceRemediationRequest{Name: "cases/c1/remediations/r1", Move: pb.Move_MOVE_APPROVE},
			func(ctx context.Context, s *system, r *pb.AdvanceRemediationRequest) (*pb.AdvanceRemediationResponse, error) {
				return pb.NewCaseServiceClient(s).AdvanceRemediation(ctx, r)
			}),
		mutating("CreateSilence", &pb.CreateSilenceRequest{Silence: &pb.Silence{App: "apps/crm", EndTime: until, Comment: "a test"}},
			func(ctx context.Context, s *system, r *pb.CreateSilenceRequest) (*pb.CreateSilenceResponse, error) {
				return pb.NewCaseServiceClient(s).CreateSilence(ctx, r)
			}),
		mutating("EndSilence", &pb.EndSilenceRequest{Name: "silences/s1", Comment: "over"},
			func(ctx context.Context, s *system, r *pb.EndSilenceRequest) (*pb.EndSilenceResponse, error) {
				return pb.NewCaseServiceClient(s).EndSilence(ctx, r)
			}),
		mutating("CreateEndpoint", &pb.CreateEndpointRequest{Endpoint: &pb.Endpoint{Name: "endpoints/siem", Url: "https://siem.example"}},
			func(ctx context.Context, s *system, r *pb.CreateEndpointRequest) (*pb.CreateEndpointResponse, error) {
				return pb.NewDeliveryServiceClient(s).CreateEndpoint(ctx, r)
			}),
		mutating("UpdateEndpoint", &pb.UpdateEndpointRequest{Endpoint: &pb.Endpoint{Name: "endpoints/siem", Url: "https://other.example", Etag: "1"}},
			func(ctx context.Context, s *system, r *pb.UpdateEndpointRequest) (*pb.UpdateEndpointResponse, error) {
				return pb.NewDeliveryServiceClient(s).UpdateEndpoint(ctx, r)
			}),
		mutating("DisableEndpoint", &pb.DisableEndpointRequest{Name: "endpoints/siem", Reason: "a pause"},
			func(ctx context.Context, s *system, r *pb.DisableEndpointRequest) (*pb.DisableEndpointResponse, error) {
				return pb.NewDeliveryServiceClient(s).DisableEndpoint(ctx, r)
			}),
		mutating("EnableEndpoint", &pb.EnableEndpointRequest{Name: "endpoints/siem"},
			func(ctx context.Context, s *system, r *pb.EnableEndpointRequest) (*pb.EnableEndpointResponse, error) {
				return pb.NewDeliveryServiceClient(s).EnableEndpoint(ctx, r)
			}),
		mutating("RotateEndpointKey", &pb.RotateEndpointKeyRequest{Name: "endpoints/siem"},
			func(ctx context.Context, s *system, r *pb.RotateEndpointKeyRequest) (*pb.RotateEndpointKeyResponse, error) {
				return pb.NewDeliveryServiceClient(s).RotateEndpointKey(ctx, r)
			}),
		mutating("DeleteEndpoint", &pb.DeleteEndpointRequest{Name: "endpoints/siem"},
			func(ctx context.Context, s *system, r *pb.DeleteEndpointRequest) (*pb.DeleteEndpointResponse, error) {
				return pb.NewDeliveryServiceClient(s).DeleteEndpoint(ctx, r)
			}),
	}
}

func identify(r proto.Message, id string) {
	m := r.ProtoReflect()
	m.Set(m.Descriptor().Fields().ByName("request_id"), protoreflect.ValueOfString(id))
}

// TestRepeatedRequests sends every request that changes something, stops the
// service, and sends them all again to the next one: the answers are the same and
// nothing has happened twice. Then others borrow the ids.
func TestRepeatedRequests(t *testing.T) {
	dir := t.TempDir()
	s := startIn(t, dir, monitor.Options{}, Options{})
	list := mutations()
	var answers []proto.Message
	for i, m := range list {
		identify(m.request, fmt.Sprintf("00000000-0000-4000-8000-%012d", i))
		answer, err := m.call(as(t.Context(), "ana"), s, m.request)
		if err != nil {
			t.Fatalf("%s: %v", m.name, err)
		}
		answers = append(answers, answer)
	}
	entries := logged(t, s)
	s.stop()
	s = startIn(t, dir, monitor.Options{}, Options{})
	for i, m := range list {
		answer, err := m.call(as(t.Context(), "ana"), s, m.request)
		if err != nil {
			t.Errorf("%s again: %v", m.name, err)
		} else if !proto.Equal(answer, answers[i]) {
			t.Errorf("%s answers %v again, at first %v", m.name, answer, answers[i])
		}
		_, err = m.call(as(t.Context(), "ben"), s, m.request)
		expect(t, err, codes.InvalidArgument, "REQUEST_ID_REUSED")
	}
	if n := logged(t, s); n != entries {
		t.Errorf("%d audit entries after the repetitions, %d before", n, entries)
	}
	silence := list[11].request.(*pb.CreateSilenceRequest)
	silence.Silence.Comment = "another"
	_, err := pb.NewCaseServiceClient(s).CreateSilence(as(t.Context(), "ana"), silence)
	expect(t, err, codes.InvalidArgument, "REQUEST_ID_REUSED")
	silence.RequestId = "12345"
	_, err = pb.NewCaseServiceClient(s).CreateSilence(as(t.Context(), "ana"), silence)
	if info := expect(t, err, codes.InvalidArgument, "REQUEST_ID_INVALID"); info.GetMetadata()["field"] != "request_id" {
		t.Errorf("metadata %v", info.GetMetadata())
	}
}

// logged returns how many entries of the audit log tell of something decided.
func logged(t *testing.T, s *system) (n int) {
	t.Helper()
	m, err := pb.NewAdminServiceClient(s).ListAuditEntries(t.Context(), &pb.ListAuditEntriesRequest{PageSize: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range m.GetEntries() {
		if !bytes.Contains(entry, []byte(`"action":"login"`)) && !bytes.Contains(entry, []byte(`"action":"audit.`)) {
			n++
		}
	}
	return n
}

// TestRepeatedDismissal dismisses a signal that was taken out of its case, twice
// under one request id and once under another.
func TestRepeatedDismissal(t *testing.T) {
	s := start(t, Options{})
	ana := as(t.Context(), "ana")
	if _, err := s.monitor.PutRestriction(t.Context(), memberwatch.Restriction{ID: "r", Class: "group_membership", Effective: day}); err != nil {
		t.Fatal(err)
	}
	p := s.open(t, "gw-1")
	p.append(reading("crm", 1))
	p.acked()
	cases := pb.NewCaseServiceClient(s)
	var signals []string
	for range 200 {
		if m, err := cases.GetCase(ana, &pb.GetCaseRequest{Name: "cases/c1"}); err == nil {
			signals = m.GetCase().GetSignals()
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if _, err := cases.DecideCase(ana, &pb.DecideCaseRequest{Name: "cases/c1", Decision: &pb.Decision{Action: pb.Action_ACTION_DETACH, Signals: signals}}); err != nil {
		t.Fatal(err)
	}
	dismissal := &pb.DismissSignalsRequest{Signals: signals, Reason: "a test", RequestId: "6f1e2a54-0b7c-4d7e-9a41-3c2f6b8d9e10"}
	for range 2 {
		if _, err := cases.DismissSignals(ana, dismissal); err != nil {
			t.Error(err)
		}
	}
	dismissal.RequestId = "6f1e2a54-0b7c-4d7e-9a41-3c2f6b8d9e11"
	_, err := cases.DismissSignals(ana, dismissal)
	expect(t, err, codes.FailedPrecondition, "TRIAGE_STATE_FORBIDS")
}

// TestEveryMutationHasARequestID finds requests of the contract that change
// something and are in no list of mutations.
func TestEveryMutationHasARequestID(t *testing.T) {
	tested := make(map[protoreflect.Name]bool)
	for _, m := range mutations() {
		tested[m.request.ProtoReflect().Descriptor().Name()] = true
	}
	tested["DismissSignalsRequest"] = true // it needs signals: see TestRepeatedDismissal
	for _, file := range []protoreflect.FileDescriptor{pb.File_memberwatch_v1_case_proto, pb.File_memberwatch_v1_registry_proto, pb.File_memberwatch_v1_delivery_proto} {
		for i := range file.Messages().Len() {
			m := file.Messages().Get(i)
			if m.Fields().ByName("request_id") != nil && !tested[m.Name()] {
				t.Errorf("%s has a request_id that no test repeats", m.Name())
			}
		}
	}
}
