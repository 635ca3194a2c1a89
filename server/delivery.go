package server

import (
	"context"
	"errors"
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/filter"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/wire"
)

// Deliveries keeps endpoints and what is delivered to them.
type Deliveries interface {
	// CreateEndpoint adds an endpoint with a key and delivers to it, all that is kept or what comes from now on.
	CreateEndpoint(ctx context.Context, e memberwatch.Endpoint, key memberwatch.KeyRequest, fromStart bool) (memberwatch.Endpoint, error)
	// Endpoint returns one endpoint.
	Endpoint(ctx context.Context, id memberwatch.EndpointID) (memberwatch.EndpointStatus, error)
	// Endpoints returns up to limit endpoints that match, in the order of their ids, beginning after one.
	Endpoints(ctx context.Context, after memberwatch.EndpointID, limit int, match func(*memberwatch.Endpoint) bool) ([]memberwatch.EndpointStatus, error)
	// UpdateEndpoint changes an endpoint, which must have the revision unless that is 0.
	UpdateEndpoint(ctx context.Context, id memberwatch.EndpointID, revision int64, change func(e *memberwatch.Endpoint) error) (memberwatch.Endpoint, error)
	// RotateKey gives an endpoint a new key; those it had go on signing for the overlap.
	RotateKey(ctx context.Context, id memberwatch.EndpointID, key memberwatch.KeyRequest, overlap time.Duration) (memberwatch.Endpoint, error)
	// RemoveEndpoint removes an endpoint with its deliveries.
	RemoveEndpoint(ctx context.Context, id memberwatch.EndpointID) error
	// Ping sends an endpoint one message at once.
	Ping(ctx context.Context, id memberwatch.EndpointID) (memberwatch.Attempt, error)
	// Deliveries returns up to limit deliveries of an endpoint in one state that match, the newest first, before a
	// sequence if it is not 0.
	Deliveries(ctx context.Context, id memberwatch.EndpointID, state memberwatch.DeliveryState, before int64, limit int, match func(*memberwatch.Delivery) bool) ([]memberwatch.Delivery, error)
	// Replay delivers notices from first to last again, 0 standing for the newest, and returns how many.
	Replay(ctx context.Context, id memberwatch.EndpointID, first, last int64, deadOnly bool) (int, error)
}

// deliveryService serves DeliveryService.
type deliveryService struct {
	pb.UnimplementedDeliveryServiceServer
	deliveries Deliveries
	audit      Auditor // nil: replays are not recorded
}

// endpointFilters are what endpoints can be filtered by.
var endpointFilters = []filter.Field[memberwatch.Endpoint]{
	filter.Text("url", func(e *memberwatch.Endpoint) string { return e.URL }),
	filter.Text("types", func(e *memberwatch.Endpoint) string { return joined(e.Types) }),
	filter.Enum("min_severity", enumNames(pb.Severity_name, "SEVERITY_"), func(e *memberwatch.Endpoint) int { return int(e.MinSeverity) }),
	filter.Bool("disabled", func(e *memberwatch.Endpoint) bool { return e.Disabled != "" }),
}

// deliveryFilters are what deliveries can be filtered by.
var deliveryFilters = []filter.Field[memberwatch.Delivery]{
	filter.Text("type", func(d *memberwatch.Delivery) string { return d.Type }),
	filter.Text("subject", func(d *memberwatch.Delivery) string { return d.Subject }),
	filter.Number("attempts", func(d *memberwatch.Delivery) float64 { return float64(d.Attempts) }),
	filter.Number("status", func(d *memberwatch.Delivery) float64 { return float64(d.Status) }),
	filter.Text("error", func(d *memberwatch.Delivery) string { return d.Error }),
	filter.Time("try_time", func(d *memberwatch.Delivery) int64 { return nanosOf(d.Last) }),
}

// CreateEndpoint adds an endpoint.
func (s *deliveryService) CreateEndpoint(ctx context.Context, r *pb.CreateEndpointRequest) (*pb.CreateEndpointResponse, error) {
	e, err := wire.DecodeEndpoint(r.GetEndpoint())
	if err == nil {
		err = e.Validate()
	}
	if err != nil {
		return nil, wire.InField("endpoint", err)
	}
	e, err = s.deliveries.CreateEndpoint(ctx, e, keyRequest(r.GetKey()), r.GetFromStart())
	if err != nil {
		return nil, err
	}
	return &pb.CreateEndpointResponse{Endpoint: wire.EncodeEndpoint(&memberwatch.EndpointStatus{Endpoint: e}), VerificationKey: e.Keys[0].Verification()}, nil
}

func keyRequest(m *pb.KeyRequest) memberwatch.KeyRequest {
	return memberwatch.KeyRequest{Secret: m.GetSecret(), Asymmetric: m.GetAsymmetric()}
}

// GetEndpoint returns one endpoint.
func (s *deliveryService) GetEndpoint(ctx context.Context, r *pb.GetEndpointRequest) (*pb.GetEndpointResponse, error) {
	e, err := s.endpoint(ctx, r.GetName())
	return &pb.GetEndpointResponse{Endpoint: e}, err
}

func (s *deliveryService) endpoint(ctx context.Context, name string) (*pb.Endpoint, error) {
	id, err := wire.ParseEndpointName(name)
	if err != nil {
		return nil, wire.InField("name", err)
	}
	e, err := s.deliveries.Endpoint(ctx, id)
	if err != nil {
		return nil, err
	}
	return wire.EncodeEndpoint(&e), nil
}

// ListEndpoints returns a page of endpoints.
func (s *deliveryService) ListEndpoints(ctx context.Context, r *pb.ListEndpointsRequest) (*pb.ListEndpointsResponse, error) {
	size, after, err := listPages.open(r)
	if err != nil {
		return nil, err
	}
	selected, err := filter.Parse(r.GetFilter(), endpointFilters)
	if err != nil {
		return nil, wire.InField("filter", err)
	}
	endpoints, err := s.deliveries.Endpoints(ctx, memberwatch.EndpointID(after), size+1, selected.Match)
	if err != nil {
		return nil, err
	}
	m := &pb.ListEndpointsResponse{}
	if len(endpoints) > size {
		endpoints = endpoints[:size]
		m.NextPageToken = newToken(r, string(endpoints[size-1].ID))
	}
	for i := range endpoints {
		m.Endpoints = append(m.Endpoints, wire.EncodeEndpoint(&endpoints[i]))
	}
	return m, nil
}

// change updates an endpoint and returns it as it is then.
func (s *deliveryService) change(ctx context.Context, name, etag string, change func(e *memberwatch.Endpoint) error) (*pb.Endpoint, error) {
	id, err := wire.ParseEndpointName(name)
	if err != nil {
		return nil, wire.InField("name", err)
	}
	revision, err := wire.DecodeEtag(etag)
	if err != nil {
		return nil, wire.InField("etag", err)
	}
	e, err := s.deliveries.UpdateEndpoint(ctx, id, revision, change)
	if err != nil {
		return nil, err
	}
	now, err := s.deliveries.Endpoint(ctx, id)
	if err != nil && !errors.Is(err, memberwatch.ErrNotFound) {
		return nil, err
	}
	now.Endpoint = e // a repeated request is given what the first one made of it, even if it is gone
	return wire.EncodeEndpoint(&now), nil
}

// UpdateEndpoint changes what an endpoint is and takes.
func (s *deliveryService) UpdateEndpoint(ctx context.Context, r *pb.UpdateEndpointRequest) (*pb.UpdateEndpointResponse, error) {
	wanted, err := wire.DecodeEndpoint(r.GetEndpoint())
	if err != nil {
		return nil, wire.InField("endpoint", err)
	}
	paths := r.GetUpdateMask().GetPaths()
	if len(paths) == 0 {
		for path, f := range endpointFields {
			if f.set(&wanted) {
				paths = append(paths, path)
			}
		}
	}
	for _, path := range paths {
		if _, ok := endpointFields[path]; !ok {
			return nil, invalidField("update_mask", "FIELD_UNKNOWN", "field "+strconv.Quote(path)+" cannot be changed",
				"it must be one of url, types, min_severity, payload, include_silenced and allow_private")
		}
	}
	e, err := s.change(ctx, r.GetEndpoint().GetName(), r.GetEndpoint().GetEtag(), func(e *memberwatch.Endpoint) error {
		for _, path := range paths {
			endpointFields[path].put(e, &wanted)
		}
		return nil
	})
	return &pb.UpdateEndpointResponse{Endpoint: e}, err
}

// endpointFields are what callers may change of an endpoint: whether a field is set in a message, and how it is taken.
var endpointFields = map[string]struct {
	set func(from *memberwatch.Endpoint) bool
	put func(e, from *memberwatch.Endpoint)
}{
	"url":           {func(f *memberwatch.Endpoint) bool { return f.URL != "" }, func(e, f *memberwatch.Endpoint) { e.URL = f.URL }},
	"types":         {func(f *memberwatch.Endpoint) bool { return len(f.Types) > 0 }, func(e, f *memberwatch.Endpoint) { e.Types = f.Types }},
	"min_severity":  {func(f *memberwatch.Endpoint) bool { return f.MinSeverity != 0 }, func(e, f *memberwatch.Endpoint) { e.MinSeverity = f.MinSeverity }},
	"payload":       {func(f *memberwatch.Endpoint) bool { return f.Payload != 0 }, func(e, f *memberwatch.Endpoint) { e.Payload = f.Payload }},
	"allow_private": {func(f *memberwatch.Endpoint) bool { return f.AllowPrivate }, func(e, f *memberwatch.Endpoint) { e.AllowPrivate = f.AllowPrivate }},
	"include_silenced": {
		func(f *memberwatch.Endpoint) bool { return f.Silenced }, func(e, f *memberwatch.Endpoint) { e.Silenced = f.Silenced },
	},
}

// EnableEndpoint lets deliveries go on.
func (s *deliveryService) EnableEndpoint(ctx context.Context, r *pb.EnableEndpointRequest) (*pb.EnableEndpointResponse, error) {
	e, err := s.change(ctx, r.GetName(), r.GetEtag(), func(e *memberwatch.Endpoint) error {
		e.Disabled, e.DisabledAt = "", time.Time{}
		return nil
	})
	return &pb.EnableEndpointResponse{Endpoint: e}, err
}

// DisableEndpoint holds deliveries.
func (s *deliveryService) DisableEndpoint(ctx context.Context, r *pb.DisableEndpointRequest) (*pb.DisableEndpointResponse, error) {
	if r.GetReason() == "" || len(r.GetReason()) > memberwatch.MaxNameBytes {
		return nil, invalidField("reason", "REASON_INVALID", "a reason of 1 to "+strconv.Itoa(memberwatch.MaxNameBytes)+" bytes is missing", "say why")
	}
	e, err := s.change(ctx, r.GetName(), r.GetEtag(), func(e *memberwatch.Endpoint) error {
		e.Disabled, e.DisabledAt = r.GetReason(), time.Now().UTC()
		return nil
	})
	return &pb.DisableEndpointResponse{Endpoint: e}, err
}

// DeleteEndpoint removes an endpoint.
func (s *deliveryService) DeleteEndpoint(ctx context.Context, r *pb.DeleteEndpointRequest) (*pb.DeleteEndpointResponse, error) {
	id, err := wire.ParseEndpointName(r.GetName())
	if err != nil {
		return nil, wire.InField("name", err)
	}
	return &pb.DeleteEndpointResponse{}, s.deliveries.RemoveEndpoint(ctx, id)
}

// standardOverlap is how long old keys go on signing where the caller does not say.
const standardOverlap = 24 * time.Hour

// RotateEndpointKey gives an endpoint a new key.
func (s *deliveryService) RotateEndpointKey(ctx context.Context, r *pb.RotateEndpointKeyRequest) (*pb.RotateEndpointKeyResponse, error) {
	id, err := wire.ParseEndpointName(r.GetName())
	if err != nil {
		return nil, wire.InField("name", err)
	}
	overlap := standardOverlap
	if d := r.GetOverlap(); d != nil {
		if overlap = d.AsDuration(); overlap < 0 || d.CheckValid() != nil {
			return nil, invalidField("overlap", "DURATION_INVALID", "overlap "+overlap.String()+" is negative", "leave it out for 24 hours, or give 0s")
		}
	}
	e, err := s.deliveries.RotateKey(ctx, id, keyRequest(r.GetKey()), overlap)
	if err != nil {
		return nil, err
	}
	return &pb.RotateEndpointKeyResponse{Endpoint: wire.EncodeEndpoint(&memberwatch.EndpointStatus{Endpoint: e}), VerificationKey: e.Keys[0].Verification()}, nil
}

// PingEndpoint sends one message.
func (s *deliveryService) PingEndpoint(ctx context.Context, r *pb.PingEndpointRequest) (*pb.PingEndpointResponse, error) {
	id, err := wire.ParseEndpointName(r.GetName())
	if err != nil {
		return nil, wire.InField("name", err)
	}
	a, err := s.deliveries.Ping(ctx, id)
	if err != nil {
		return nil, err
	}
	return &pb.PingEndpointResponse{Status: int32(a.Status), Error: a.Error, Elapsed: durationpb.New(a.Elapsed)}, nil
}

// ListDeliveries returns a page of deliveries.
func (s *deliveryService) ListDeliveries(ctx context.Context, r *pb.ListDeliveriesRequest) (*pb.ListDeliveriesResponse, error) {
	size, cursor, err := listPages.open(r)
	if err != nil {
		return nil, err
	}
	id, err := wire.ParseEndpointName(r.GetEndpoint())
	if err != nil {
		return nil, wire.InField("endpoint", err)
	}
	state, err := wire.DecodeDeliveryState(r.GetState())
	if err != nil {
		return nil, wire.InField("state", err)
	}
	before := int64(0)
	if cursor != "" {
		if before, err = strconv.ParseInt(cursor, 10, 64); err != nil {
			return nil, tokenInvalid("page_token", r.GetPageToken())
		}
	}
	selected, err := filter.Parse(r.GetFilter(), deliveryFilters)
	if err != nil {
		return nil, wire.InField("filter", err)
	}
	deliveries, err := s.deliveries.Deliveries(ctx, id, state, before, size+1, selected.Match)
	if err != nil {
		return nil, err
	}
	m := &pb.ListDeliveriesResponse{}
	if len(deliveries) > size {
		deliveries = deliveries[:size]
		m.NextPageToken = newToken(r, strconv.FormatInt(deliveries[size-1].Sequence, 10))
	}
	for i := range deliveries {
		m.Deliveries = append(m.Deliveries, wire.EncodeDelivery(&deliveries[i]))
	}
	return m, nil
}

// ReplayDeliveries delivers notices again.
func (s *deliveryService) ReplayDeliveries(ctx context.Context, r *pb.ReplayDeliveriesRequest) (*pb.ReplayDeliveriesResponse, error) {
	id, err := wire.ParseEndpointName(r.GetEndpoint())
	if err != nil {
		return nil, wire.InField("endpoint", err)
	}
	first, last := max(r.GetFirstSequence(), 1), r.GetLastSequence()
	if r.GetFirstSequence() < 0 || last < 0 || last != 0 && last < first {
		return nil, invalidField("last_sequence", "RANGE_INVALID",
			"range from "+strconv.FormatInt(r.GetFirstSequence(), 10)+" to "+strconv.FormatInt(last, 10)+" is none", "the first may not be after the last; 0 stands for the ends")
	}
	detail, err := detailOf(r)
	if err != nil {
		return nil, err
	}
	if err := record(ctx, s.audit, "endpoint.replay", r.GetEndpoint(), detail); err != nil {
		return nil, err
	}
	n, err := s.deliveries.Replay(ctx, id, first, last, r.GetDeadOnly())
	return &pb.ReplayDeliveriesResponse{Count: int32(n)}, err
}
