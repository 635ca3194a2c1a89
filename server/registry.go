package server

import (
	"context"
	"strings"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/filter"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/wire"
)

// Registry keeps what the platform has declared. Writes return once they are durable and sure to come before all events
// appended afterwards.
type Registry interface {
	// PutApp records an app and returns it with the number of the control change.
	PutApp(ctx context.Context, app memberwatch.App) (memberwatch.App, int64, error)
	// App returns an app, declared or only seen.
	App(ctx context.Context, id memberwatch.AppID) (memberwatch.AppView, error)
	// Apps returns up to limit apps that match, in the order of their ids, beginning after one.
	Apps(ctx context.Context, after memberwatch.AppID, limit int, match func(*memberwatch.AppView) bool) ([]memberwatch.AppView, error)
	// PutRestriction records a restriction.
	PutRestriction(ctx context.Context, r memberwatch.Restriction) (memberwatch.Restriction, error)
	// LiftRestriction ends a restriction from a time on.
	LiftRestriction(ctx context.Context, id memberwatch.RestrictionID, at time.Time) (memberwatch.Restriction, error)
	// Restrictions returns up to limit restrictions that match, in the order of their ids, beginning after one.
	Restrictions(ctx context.Context, after memberwatch.RestrictionID, limit int, match func(*memberwatch.Restriction) bool) ([]memberwatch.Restriction, error)
	// PutCanaries declares or withdraws planted members and returns the number of the control change.
	PutCanaries(ctx context.Context, c memberwatch.Canaries) (int64, error)
	// PutAttestation records that an app's data is attested to be deleted.
	PutAttestation(ctx context.Context, a memberwatch.Attestation) (memberwatch.Attestation, error)
}

// registryService serves RegistryService.
type registryService struct {
	pb.UnimplementedRegistryServiceServer
	registry Registry
}

// appFields are what apps can be filtered by.
var appFields = []filter.Field[memberwatch.AppView]{
	filter.Text("developer", func(v *memberwatch.AppView) string { return string(v.Developer) }),
	filter.Text("category", func(v *memberwatch.AppView) string { return v.Category }),
	filter.Enum("learning_state", enumNames(pb.LearningState_name, "LEARNING_STATE_"), func(v *memberwatch.AppView) int { return int(v.Learning) }),
	filter.Time("certification_expire_time", func(v *memberwatch.AppView) int64 { return nanosOf(v.FirstExpiry()) }),
	filter.Bool("declared", func(v *memberwatch.AppView) bool { return v.Declared }),
}

// restrictionFields are what restrictions can be filtered by, at a time.
func restrictionFields(now time.Time) []filter.Field[memberwatch.Restriction] {
	return []filter.Field[memberwatch.Restriction]{
		filter.Text("data_class", func(r *memberwatch.Restriction) string { return string(r.Class) }),
		filter.Text("endpoint", func(r *memberwatch.Restriction) string { return r.Endpoint }),
		filter.Text("apps", func(r *memberwatch.Restriction) string { return joined(r.Apps) }),
		filter.Text("exempt", func(r *memberwatch.Restriction) string { return joined(r.Exempt) }),
		filter.Bool("active", func(r *memberwatch.Restriction) bool { return r.InForce(now.UnixNano()) }),
		filter.Time("effective_time", func(r *memberwatch.Restriction) int64 { return nanosOf(r.Effective) }),
		filter.Text("reason", func(r *memberwatch.Restriction) string { return r.Reason }),
	}
}

// joined makes one text of a list, to look for what it contains.
func joined[T ~string](list []T) string {
	var b strings.Builder
	for i, item := range list {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(string(item))
	}
	return b.String()
}

// PutApp creates or replaces an app.
func (s *registryService) PutApp(ctx context.Context, r *pb.PutAppRequest) (*pb.PutAppResponse, error) {
	declared, err := wire.DecodeApp(r.GetApp())
	if err != nil {
		return nil, err
	}
	app := declared.App
	app.Created, app.Updated = time.Time{}, time.Time{} // the registry's to know
	if err := app.Validate(); err != nil {
		return nil, wire.InField("app", err)
	}
	recorded, revision, err := s.registry.PutApp(ctx, app)
	if err != nil {
		return nil, err
	}
	return &pb.PutAppResponse{App: wire.EncodeApp(&memberwatch.AppView{App: recorded, Declared: true}), Revision: revision}, nil
}

// GetApp returns one app.
func (s *registryService) GetApp(ctx context.Context, r *pb.GetAppRequest) (*pb.GetAppResponse, error) {
	id, err := wire.ParseAppName(r.GetName())
	if err != nil {
		return nil, wire.InField("name", err)
	}
	view, err := s.registry.App(ctx, id)
	if err != nil {
		return nil, err
	}
	return &pb.GetAppResponse{App: wire.EncodeApp(&view)}, nil
}

// ListApps returns a page of apps.
func (s *registryService) ListApps(ctx context.Context, r *pb.ListAppsRequest) (*pb.ListAppsResponse, error) {
	size, after, err := listPages.open(r)
	if err != nil {
		return nil, err
	}
	selected, err := filter.Parse(r.GetFilter(), appFields)
	if err != nil {
		return nil, wire.InField("filter", err)
	}
	views, err := s.registry.Apps(ctx, memberwatch.AppID(after), size+1, selected.Match)
	if err != nil {
		return nil, err
	}
	m := &pb.ListAppsResponse{}
	if len(views) > size {
		views = views[:size]
		m.NextPageToken = newToken(r, string(views[size-1].ID))
	}
	for i := range views {
		m.Apps = append(m.Apps, wire.EncodeApp(&views[i]))
	}
	return m, nil
}

// PutRestriction creates or replaces a restriction.
func (s *registryService) PutRestriction(ctx context.Context, r *pb.PutRestrictionRequest) (*pb.PutRestrictionResponse, error) {
	restriction, err := wire.DecodeRestriction(r.GetRestriction())
	if err != nil {
		return nil, err
	}
	restriction.Revision = 0 // the registry's to know
	if err := restriction.Validate(); err != nil {
		return nil, wire.InField("restriction", err)
	}
	recorded, err := s.registry.PutRestriction(ctx, restriction)
	if err != nil {
		return nil, err
	}
	return &pb.PutRestrictionResponse{Restriction: wire.EncodeRestriction(&recorded)}, nil
}

// LiftRestriction ends a restriction.
func (s *registryService) LiftRestriction(ctx context.Context, r *pb.LiftRestrictionRequest) (*pb.LiftRestrictionResponse, error) {
	id, err := wire.ParseRestrictionName(r.GetName())
	if err != nil {
		return nil, wire.InField("name", err)
	}
	at := time.Now()
	if lift := r.GetLiftTime(); lift != nil {
		if err := lift.CheckValid(); err != nil {
			return nil, invalidField("lift_time", "TIME_INVALID", err.Error(), "leave it out for now")
		}
		at = lift.AsTime()
	}
	lifted, err := s.registry.LiftRestriction(ctx, id, at)
	if err != nil {
		return nil, err
	}
	return &pb.LiftRestrictionResponse{Restriction: wire.EncodeRestriction(&lifted)}, nil
}

// ListRestrictions returns a page of restrictions.
func (s *registryService) ListRestrictions(ctx context.Context, r *pb.ListRestrictionsRequest) (*pb.ListRestrictionsResponse, error) {
	size, after, err := listPages.open(r)
	if err != nil {
		return nil, err
	}
	selected, err := filter.Parse(r.GetFilter(), restrictionFields(time.Now()))
	if err != nil {
		return nil, wire.InField("filter", err)
	}
	restrictions, err := s.registry.Restrictions(ctx, memberwatch.RestrictionID(after), size+1, selected.Match)
	if err != nil {
		return nil, err
	}
	m := &pb.ListRestrictionsResponse{}
	if len(restrictions) > size {
		restrictions = restrictions[:size]
		m.NextPageToken = newToken(r, string(restrictions[size-1].ID))
	}
	for i := range restrictions {
		m.Restrictions = append(m.Restrictions, wire.EncodeRestriction(&restrictions[i]))
	}
	return m, nil
}

// PutCanaries declares or withdraws planted members.
func (s *registryService) PutCanaries(ctx context.Context, r *pb.PutCanariesRequest) (*pb.PutCanariesResponse, error) {
	canaries := wire.DecodeCanaries(r)
	if err := canaries.Validate(); err != nil {
		return nil, wire.InField("members", err)
	}
	revision, err := s.registry.PutCanaries(ctx, canaries)
	if err != nil {
		return nil, err
	}
	return &pb.PutCanariesResponse{Revision: revision}, nil
}

// PutAttestation records that an app's data is attested to be deleted.
func (s *registryService) PutAttestation(ctx context.Context, r *pb.PutAttestationRequest) (*pb.PutAttestationResponse, error) {
	attestation, err := wire.DecodeAttestation(r.GetAttestation())
	if err != nil {
		return nil, wire.InField("attestation", err)
	}
	attestation.Revision = 0 // the registry's to know
	if err := attestation.Validate(); err != nil {
		return nil, wire.InField("attestation", err)
	}
	recorded, err := s.registry.PutAttestation(ctx, attestation)
	if err != nil {
		return nil, err
	}
	return &pb.PutAttestationResponse{Attestation: wire.EncodeAttestation(&recorded)}, nil
}
