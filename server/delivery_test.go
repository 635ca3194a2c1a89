package server

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/memberwatch/memberwatch"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/store"
)

// startDeliveries brings up a service that delivers, and returns a client and the journal.
func startDeliveries(t *testing.T) (pb.DeliveryServiceClient, *store.Platform) {
	t.Helper()
	s := start(t, Options{})
	return pb.NewDeliveryServiceClient(s), s.monitor.Platform()
}

// journal appends notices n1, n2, … as a feed would.
func journal(t *testing.T, p *store.Platform, n int) {
	t.Helper()
	var all []memberwatch.Notice
	for i := range n {
		id := "n" + string(rune('1'+i))
		all = append(all, memberwatch.Notice{ID: id, Type: "case.decided", Subject: "cases/" + id, Time: time.Now(), Data: []byte("{}")})
	}
	if err := p.AppendNotices("", 0, all, time.Now()); err != nil {
		t.Fatal(err)
	}
}

func TestEndpointLife(t *testing.T) {
	client, platform := startDeliveries(t)
	journal(t, platform, 3)
	var arrived atomic.Int32
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived.Add(1) }))
	defer receiver.Close()
	created, err := client.CreateEndpoint(t.Context(), &pb.CreateEndpointRequest{
		Endpoint: &pb.Endpoint{Name: "endpoints/siem", Url: receiver.URL, AllowPrivate: true, Types: []string{"case.*"}}, FromStart: true,
	})
	if err != nil || !strings.HasPrefix(created.GetVerificationKey(), "whsec_") || created.GetEndpoint().GetState() != pb.Endpoint_STATE_ACTIVE {
		t.Fatalf("created %v, %v", created, err)
	}
	var page *pb.ListDeliveriesResponse
	for began := time.Now(); len(page.GetDeliveries()) < 2 || page.GetNextPageToken() == ""; {
		page, err = client.ListDeliveries(t.Context(), &pb.ListDeliveriesRequest{Endpoint: "endpoints/siem", State: pb.Delivery_STATE_DELIVERED, PageSize: 2})
		if err != nil || time.Since(began) > 10*time.Second {
			t.Fatalf("delivered: %v, %v", page, err)
		}
	}
	rest, err := client.ListDeliveries(t.Context(), &pb.ListDeliveriesRequest{
		Endpoint: "endpoints/siem", State: pb.Delivery_STATE_DELIVERED, PageSize: 2, PageToken: page.GetNextPageToken(),
	})
	if err != nil || len(rest.GetDeliveries()) != 1 || rest.GetDeliveries()[0].GetMessageId() != "n1" || rest.GetDeliveries()[0].GetAttempts() != 1 {
		t.Errorf("second page %v, %v", rest, err)
	}
	replayed, err := client.ReplayDeliveries(t.Context(), &pb.ReplayDeliveriesRequest{Endpoint: "endpoints/siem", FirstSequence: 2, LastSequence: 3})
	if err != nil || replayed.GetCount() != 2 {
		t.Errorf("replayed %v, %v", replayed, err)
	}
	ping, err := client.PingEndpoint(t.Context(), &pb.PingEndpointRequest{Name: "endpoints/siem"})
	if err != nil || ping.GetStatus() != http.StatusOK || ping.GetError() != "" {
		t.Errorf("ping %v, %v", ping, err)
	}
	rotated, err := client.RotateEndpointKey(t.Context(), &pb.RotateEndpointKeyRequest{Name: "endpoints/siem", Key: &pb.KeyRequest{Asymmetric: true}})
	keys := rotated.GetEndpoint().GetKeys()
	if err != nil || len(keys) != 2 || keys[0].GetPublicKey() != rotated.GetVerificationKey() || keys[1].GetExpireTime() == nil {
		t.Errorf("rotated %v, %v", rotated, err)
	}
	disabled, err := client.DisableEndpoint(t.Context(), &pb.DisableEndpointRequest{Name: "endpoints/siem", Reason: "upgrade"})
	if err != nil || disabled.GetEndpoint().GetDisableReason() != "upgrade" {
		t.Errorf("disabled %v, %v", disabled, err)
	}
	_, err = client.EnableEndpoint(t.Context(), &pb.EnableEndpointRequest{Name: "endpoints/siem", Etag: created.GetEndpoint().GetEtag()})
	expect(t, err, codes.Aborted, "ETAG_MISMATCH")
	enabled, err := client.EnableEndpoint(t.Context(), &pb.EnableEndpointRequest{Name: "endpoints/siem", Etag: disabled.GetEndpoint().GetEtag()})
	if err != nil || enabled.GetEndpoint().GetState() != pb.Endpoint_STATE_ACTIVE {
		t.Errorf("enabled %v, %v", enabled, err)
	}
	changed, err := client.UpdateEndpoint(t.Context(), &pb.UpdateEndpointRequest{
		Endpoint:   &pb.Endpoint{Name: "endpoints/siem", Payload: pb.Payload_PAYLOAD_FULL, MinSeverity: pb.Severity_SEVERITY_HIGH},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"payload", "types"}},
	})
	if e := changed.GetEndpoint(); err != nil || e.GetPayload() != pb.Payload_PAYLOAD_FULL || len(e.GetTypes()) != 0 || e.GetMinSeverity() != 0 || e.GetUrl() != receiver.URL {
		t.Errorf("changed %v, %v", changed, err)
	}
	if _, err := client.DeleteEndpoint(t.Context(), &pb.DeleteEndpointRequest{Name: "endpoints/siem"}); err != nil {
		t.Error(err)
	}
	_, err = client.GetEndpoint(t.Context(), &pb.GetEndpointRequest{Name: "endpoints/siem"})
	expect(t, err, codes.NotFound, "ENDPOINT_NOT_FOUND")
}

func TestEndpointsAreRefused(t *testing.T) {
	client, _ := startDeliveries(t)
	create := func(e *pb.Endpoint, secret string) error {
		_, err := client.CreateEndpoint(t.Context(), &pb.CreateEndpointRequest{Endpoint: e, Key: &pb.KeyRequest{Secret: secret}})
		return err
	}
	if err := create(&pb.Endpoint{Name: "endpoints/siem", Url: "https://siem.example/in"}, ""); err != nil {
		t.Fatal(err)
	}
	good := &pb.Endpoint{Name: "endpoints/siem-2", Url: "https://siem.example"}
	_, rotate := client.RotateEndpointKey(t.Context(), &pb.RotateEndpointKeyRequest{Name: "endpoints/siem", Overlap: durationpb.New(-time.Second)})
	_, mask := client.UpdateEndpoint(t.Context(), &pb.UpdateEndpointRequest{Endpoint: &pb.Endpoint{Name: "endpoints/siem"}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"name"}}})
	_, silent := client.DisableEndpoint(t.Context(), &pb.DisableEndpointRequest{Name: "endpoints/siem"})
	_, backwards := client.ReplayDeliveries(t.Context(), &pb.ReplayDeliveriesRequest{Endpoint: "endpoints/siem", FirstSequence: 5, LastSequence: 4})
	_, unknown := client.ListDeliveries(t.Context(), &pb.ListDeliveriesRequest{Endpoint: "endpoints/nobody"})
	_, ping := client.PingEndpoint(t.Context(), &pb.PingEndpointRequest{Name: "endpoints/nobody"})
	tests := map[string]struct {
		err    error
		code   codes.Code
		reason string
	}{
		"taken name":         {create(&pb.Endpoint{Name: "endpoints/siem", Url: "https://siem.example"}, ""), codes.Aborted, "ENDPOINT_EXISTS"},
		"name of no kind":    {create(&pb.Endpoint{Name: "siem", Url: "https://siem.example"}, ""), codes.InvalidArgument, "NAME_INVALID"},
		"bad name":           {create(&pb.Endpoint{Name: "endpoints/Siem", Url: "https://siem.example"}, ""), codes.InvalidArgument, "ENDPOINT_INVALID"},
		"http in public":     {create(&pb.Endpoint{Name: "endpoints/x", Url: "http://siem.example"}, ""), codes.InvalidArgument, "ENDPOINT_INVALID"},
		"password in url":    {create(&pb.Endpoint{Name: "endpoints/x", Url: "https://u:p@siem.example"}, ""), codes.InvalidArgument, "ENDPOINT_INVALID"},
		"file url":           {create(&pb.Endpoint{Name: "endpoints/x", Url: "file:///etc/passwd", AllowPrivate: true}, ""), codes.InvalidArgument, "ENDPOINT_INVALID"},
		"no url":             {create(&pb.Endpoint{Name: "endpoints/x"}, ""), codes.InvalidArgument, "ENDPOINT_INVALID"},
		"type of no kind":    {create(&pb.Endpoint{Name: "endpoints/x", Url: "https://siem.example", Types: []string{"*.created"}}, ""), codes.InvalidArgument, "ENDPOINT_INVALID"},
		"weak secret":        {create(good, "whsec_aGVsbG8="), codes.InvalidArgument, "SECRET_INVALID"},
		"negative overlap":   {rotate, codes.InvalidArgument, "DURATION_INVALID"},
		"unknown field":      {mask, codes.InvalidArgument, "FIELD_UNKNOWN"},
		"disabled for what":  {silent, codes.InvalidArgument, "REASON_INVALID"},
		"range backwards":    {backwards, codes.InvalidArgument, "RANGE_INVALID"},
		"deliveries of none": {unknown, codes.NotFound, "ENDPOINT_NOT_FOUND"},
		"ping of none":       {ping, codes.NotFound, "ENDPOINT_NOT_FOUND"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { expect(t, tt.err, tt.code, tt.reason) })
	}
}
