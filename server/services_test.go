package server

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/memberwatch/memberwatch"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

// day is the first day of the tests' events.
var day = time.Date(2019, 4, 1, 0, 0, 0, 0, time.UTC)

func TestAppsAreDeclaredSeenAndListed(t *testing.T) {
	s := start(t, Options{Version: "v1.2.3"})
	registry := pb.NewRegistryServiceClient(s)
	declared := &pb.App{
		Name: "apps/app-03", Developer: "dev-x", DisplayName: "Three", Category: "games", Installs: 5,
		Purposes: []*pb.Purpose{{DataClass: "group_membership", Purpose: "moderation"}}, CertifyTime: timestamppb.New(day),
	}
	put, err := registry.PutApp(t.Context(), &pb.PutAppRequest{App: declared})
	if err != nil || put.GetRevision() != 1 || put.GetApp().GetCreateTime() == nil {
		t.Fatalf("put: %v, %v", put, err)
	}
	p := s.open(t, "gw-1")
	p.append(events(1, 200)...)
	p.acked()

	got, err := registry.GetApp(t.Context(), &pb.GetAppRequest{Name: "apps/app-03"})
	if err != nil {
		t.Fatal(err)
	}
	app := got.GetApp()
	if !app.GetDeclared() || app.GetEventCount() == 0 || app.GetFirstEventTime() == nil || app.GetCategory() != "games" || !proto.Equal(app.GetPurposes()[0], declared.GetPurposes()[0]) {
		t.Errorf("app is %v", app)
	}
	var names []string
	request := &pb.ListAppsRequest{PageSize: 6}
	for pages := 1; ; pages++ {
		page, err := registry.ListApps(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		for _, app := range page.GetApps() {
			names = append(names, app.GetName())
		}
		if request.PageToken = page.GetNextPageToken(); request.GetPageToken() == "" {
			if pages != 4 {
				t.Errorf("20 apps came on %d pages of 6", pages)
			}
			break
		}
	}
	if len(names) != 20 || !slices.IsSorted(names) {
		t.Errorf("listed %v", names)
	}
	for filter, want := range map[string]int{`declared = true`: 1, `category = "game*"`: 1, `developer = dev-0`: 3, `learning_state != READY AND declared = false`: 19} {
		if page, err := registry.ListApps(t.Context(), &pb.ListAppsRequest{Filter: filter}); err != nil || len(page.GetApps()) != want {
			t.Errorf("%s: %d apps, %v; want %d", filter, len(page.GetApps()), err, want)
		}
	}
	if m := s.stats(t); m.GetVersion() != "v1.2.3" || m.GetUptime().AsDuration() <= 0 || m.GetApps() != 20 || m.GetControlRevision() != 1 || len(m.GetPartitions()) != 2 {
		t.Errorf("stats %v", m)
	}
}

func TestRestrictions(t *testing.T) {
	s := start(t, Options{})
	registry := pb.NewRegistryServiceClient(s)
	for i := range 3 {
		r := &pb.Restriction{
			Name: fmt.Sprintf("restrictions/r%d", i), DataClass: "group_membership", Apps: []string{"apps/a"}, ExemptApps: []string{"apps/b"},
			EffectiveTime: timestamppb.New(day), Grace: durationpb.New(time.Hour), Reason: "why not", Revision: 99,
		}
		m, err := registry.PutRestriction(t.Context(), &pb.PutRestrictionRequest{Restriction: r})
		if err != nil {
			t.Fatal(err)
		}
		r.Revision = int64(i) + 1
		if !proto.Equal(m.GetRestriction(), r) {
			t.Errorf("recorded %v, want %v", m.GetRestriction(), r)
		}
	}
	lift := timestamppb.New(day.AddDate(0, 0, 5))
	lifted, err := registry.LiftRestriction(t.Context(), &pb.LiftRestrictionRequest{Name: "restrictions/r1", LiftTime: lift})
	if err != nil || !proto.Equal(lifted.GetRestriction().GetLiftTime(), lift) {
		t.Errorf("lifted %v, %v", lifted, err)
	}
	first, err := registry.ListRestrictions(t.Context(), &pb.ListRestrictionsRequest{PageSize: 2})
	if err != nil || len(first.GetRestrictions()) != 2 || first.GetNextPageToken() == "" {
		t.Fatalf("first page %v, %v", first, err)
	}
	second, err := registry.ListRestrictions(t.Context(), &pb.ListRestrictionsRequest{PageSize: 2, PageToken: first.GetNextPageToken()})
	if err != nil || len(second.GetRestrictions()) != 1 || second.GetNextPageToken() != "" || second.GetRestrictions()[0].GetName() != "restrictions/r2" {
		t.Errorf("second page %v, %v", second, err)
	}
}

func TestCanariesAndAttestations(t *testing.T) {
	s := start(t, Options{})
	registry := pb.NewRegistryServiceClient(s)
	put, err := registry.PutCanaries(t.Context(), &pb.PutCanariesRequest{Members: []uint64{3, 1 << 60}})
	if err != nil || put.GetRevision() != 1 {
		t.Errorf("canaries: %v, %v", put, err)
	}
	if _, err := registry.PutCanaries(t.Context(), &pb.PutCanariesRequest{}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("no canaries: %v", err)
	}
	a := &pb.Attestation{App: "apps/a", AttestTime: timestamppb.New(day), Note: "signed by the developer", Revision: 99}
	recorded, err := registry.PutAttestation(t.Context(), &pb.PutAttestationRequest{Attestation: a})
	a.Revision = 2
	if err != nil || !proto.Equal(recorded.GetAttestation(), a) {
		t.Errorf("recorded %v, %v; want %v", recorded, err, a)
	}
	if _, err := registry.PutAttestation(t.Context(), &pb.PutAttestationRequest{Attestation: &pb.Attestation{App: "apps/a"}}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("attestation without a time: %v", err)
	}
}

// signalling returns a service with a signal open for each of 3 apps, by access after a restriction.
func signalling(t *testing.T, o Options) (*system, *producer) {
	s := start(t, o)
	_, err := s.monitor.PutRestriction(t.Context(), memberwatch.Restriction{ID: "r", Class: "group_membership", Effective: day})
	if err != nil {
		t.Fatal(err)
	}
	p := s.open(t, "gw-1")
	p.append(reading("crm", 1), reading("bot", 2), reading("tv", 3))
	p.acked()
	linked := &pb.ListSignalsRequest{Filter: "triage = LINKED"} // triage is a change, too
	for {
		page, err := pb.NewSignalServiceClient(s).ListSignals(t.Context(), linked)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.GetSignals()) == 3 {
			return s, p
		}
		time.Sleep(time.Millisecond)
	}
}

// access is one call of an app, some hours into the first day.
func reading(app string, hours int) *pb.AccessEvent {
	return &pb.AccessEvent{
		App: app, Developer: "dev-" + app, TimeUnixNano: uint64(day.Add(time.Duration(hours) * time.Hour).UnixNano()),
		DataClasses: []string{"group_membership"}, DisclosedMembers: []uint64{1, 2, 3},
	}
}

func TestSignalsAreListedAndExplained(t *testing.T) {
	s, _ := signalling(t, Options{})
	signals := pb.NewSignalServiceClient(s)
	var apps []string
	request := &pb.ListSignalsRequest{PageSize: 1, Filter: `state = OPEN AND kind = "access-*" AND open_time >= 2019-04-01`}
	for {
		page, err := signals.ListSignals(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		for _, signal := range page.GetSignals() {
			apps = append(apps, signal.GetApp())
		}
		if request.PageToken = page.GetNextPageToken(); request.GetPageToken() == "" {
			break
		}
	}
	if want := []string{"apps/tv", "apps/bot", "apps/crm"}; !slices.Equal(apps, want) {
		t.Errorf("signals of %v, want the newest first: %v", apps, want)
	}
	page, err := signals.ListSignals(t.Context(), &pb.ListSignalsRequest{Filter: "app = apps/crm severity >= LOW"})
	if err != nil || len(page.GetSignals()) != 1 {
		t.Fatalf("signals of crm: %v, %v", page, err)
	}
	want := page.GetSignals()[0]
	got, err := signals.GetSignal(t.Context(), &pb.GetSignalRequest{Name: want.GetName()})
	if err != nil || !proto.Equal(got.GetSignal(), want) || want.GetRestriction() != "restrictions/r" {
		t.Errorf("signal %v, %v", got, err)
	}
	explained, err := signals.ExplainSignal(t.Context(), &pb.ExplainSignalRequest{Name: want.GetName()})
	if err != nil || len(explained.GetFindings()) != 1 || explained.GetFindings()[0].GetRestriction() != "restrictions/r" || explained.GetFindings()[0].GetStream() != "rule" {
		t.Errorf("explained %v, %v", explained, err)
	}
}

func TestWatchGoesOnWhereItEnded(t *testing.T) {
	s, p := signalling(t, Options{Bookmark: 50 * time.Millisecond})
	signals := pb.NewSignalServiceClient(s)
	watch := func(token string) (func() *pb.WatchSignalsResponse, context.CancelFunc) {
		ctx, cancel := context.WithCancel(t.Context())
		feed, err := signals.WatchSignals(ctx, &pb.WatchSignalsRequest{Filter: "app != bot", ResumeToken: token})
		if err != nil {
			t.Fatal(err)
		}
		return func() *pb.WatchSignalsResponse {
			m, err := feed.Recv()
			if err != nil {
				t.Fatalf("watch: %v", err)
			}
			return m
		}, cancel
	}
	next, cancel := watch("")
	var apps []string
	for range 2 {
		m := next()
		if m.GetType() != pb.WatchSignalsResponse_TYPE_SNAPSHOT {
			t.Errorf("snapshot holds %v", m)
		}
		apps = append(apps, m.GetSignal().GetApp())
	}
	slices.Sort(apps)
	if !slices.Equal(apps, []string{"apps/crm", "apps/tv"}) {
		t.Errorf("snapshot of %v", apps)
	}
	for range 2 { // the end of the snapshot, then a silence
		if m := next(); m.GetType() != pb.WatchSignalsResponse_TYPE_BOOKMARK || m.GetSignal() != nil {
			t.Errorf("%v is no bookmark", m)
		}
	}
	token := next().GetResumeToken()
	cancel()

	p.append(reading("new", 4), reading("bot", 4)) // while nobody watches
	p.acked()
	next, cancel = watch(token)
	defer cancel()
	m := next()
	for m.GetType() == pb.WatchSignalsResponse_TYPE_BOOKMARK {
		m = next()
	}
	if m.GetType() != pb.WatchSignalsResponse_TYPE_CHANGED || m.GetSignal().GetApp() != "apps/new" {
		t.Errorf("resumed with %v", m)
	}
}

func TestQueryAccess(t *testing.T) {
	s := start(t, Options{})
	p := s.open(t, "gw-1")
	p.append(reading("crm", 1), reading("crm", 30), reading("bot", 2), reading("tv", 3))
	p.acked()
	reports := pb.NewReportServiceClient(s)
	request := &pb.QueryAccessRequest{DataClass: "group_membership", Since: timestamppb.New(day.Add(time.Hour)), PageSize: 2}
	first, err := reports.QueryAccess(t.Context(), request)
	if err != nil || len(first.GetRows()) != 2 || first.GetNextPageToken() == "" {
		t.Fatalf("first page %v, %v", first, err)
	}
	if total := first.GetTotal(); total.GetCalls() != 4 || total.GetMembers().GetValue() != 3 {
		t.Errorf("total %v, want 4 calls and 3 members", total)
	}
	request.PageToken = first.GetNextPageToken()
	second, err := reports.QueryAccess(t.Context(), request)
	if err != nil || len(second.GetRows()) != 1 || second.GetNextPageToken() != "" {
		t.Fatalf("second page %v, %v", second, err)
	}
	one, err := reports.QueryAccess(t.Context(), &pb.QueryAccessRequest{Since: timestamppb.New(day), Until: timestamppb.New(day), App: "apps/crm"})
	if err != nil || len(one.GetRows()) != 1 || one.GetRows()[0].GetCalls() != 1 {
		t.Errorf("first day of crm: %v, %v", one, err)
	}
}

func TestGetBaseline(t *testing.T) {
	s := start(t, Options{})
	p := s.open(t, "gw-1")
	for d := range 20 {
		call := reading("crm", 24*d+10)
		call.DisclosedMembers = nil
		for m := range uint64(100) {
			call.DisclosedMembers = append(call.DisclosedMembers, m*0x9e3779b97f4a7c15)
		}
		p.append(call)
	}
	p.append(reading("young", 24*19+11))
	p.acked()
	if _, err := pb.NewRegistryServiceClient(s).PutApp(t.Context(), &pb.PutAppRequest{App: &pb.App{Name: "apps/unseen"}}); err != nil {
		t.Fatal(err)
	}
	reports := pb.NewReportServiceClient(s)
	got, err := reports.GetBaseline(t.Context(), &pb.GetBaselineRequest{App: "apps/crm"})
	if err != nil {
		t.Fatal(err)
	}
	b := got.GetBaseline()
	if b.GetApp() != "apps/crm" || b.GetLearningState() != pb.LearningState_LEARNING_STATE_READY || b.GetLearningDays() != 19 {
		t.Errorf("baseline %v", b)
	}
	today := day.AddDate(0, 0, 19)
	for scale, start := range map[string]time.Time{"day": today, "hour": today.Add(10 * time.Hour)} {
		i := slices.IndexFunc(b.GetExpectations(), func(x *pb.Expectation) bool { return x.GetFeature() == "reach" && x.GetWindow().GetScale() == scale })
		if i < 0 {
			t.Fatalf("no reach by %s in %v", scale, b)
		}
		x := b.GetExpectations()[i]
		if v := x.GetValue(); v.GetValue() < 95 || v.GetValue() > 105 || v.GetLow() >= 100 || v.GetHigh() <= 100 || !x.GetWindow().GetStartTime().AsTime().Equal(start) {
			t.Errorf("reach by %s: %v, want about 100 from %v", scale, x, start)
		}
	}
	for _, app := range []string{"apps/young", "apps/unseen"} {
		got, err := reports.GetBaseline(t.Context(), &pb.GetBaselineRequest{App: app})
		if b := got.GetBaseline(); err != nil || b.GetApp() != app || len(b.GetExpectations()) != 0 || b.GetLearningDays() != 0 {
			t.Errorf("baseline of %s: %v, %v", app, b, err)
		}
	}
}

// TestBadRequests holds each unary call to the status it documents.
func TestBadRequests(t *testing.T) {
	s := start(t, Options{})
	apps, signals, reports := pb.NewRegistryServiceClient(s), pb.NewSignalServiceClient(s), pb.NewReportServiceClient(s)
	for i := range 2 {
		if _, err := apps.PutApp(t.Context(), &pb.PutAppRequest{App: &pb.App{Name: fmt.Sprintf("apps/a%d", i)}}); err != nil {
			t.Fatal(err)
		}
	}
	page, err := apps.ListApps(t.Context(), &pb.ListAppsRequest{PageSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	token := page.GetNextPageToken()
	if _, err := apps.ListApps(t.Context(), &pb.ListAppsRequest{PageSize: 500, PageToken: token}); err != nil {
		t.Errorf("another page size with the same token: %v", err)
	}
	for name, test := range map[string]struct {
		call   func(context.Context) error
		code   codes.Code
		reason string
		field  string
	}{
		"app without name": {func(ctx context.Context) error { _, err := apps.PutApp(ctx, &pb.PutAppRequest{}); return err }, codes.InvalidArgument, "NAME_INVALID", "name"},
		"negative installs": {func(ctx context.Context) error {
			_, err := apps.PutApp(ctx, &pb.PutAppRequest{App: &pb.App{Name: "apps/a", Installs: -1}})
			return err
		}, codes.InvalidArgument, "APP_INVALID", "app"},
		"unknown app": {func(ctx context.Context) error {
			_, err := apps.GetApp(ctx, &pb.GetAppRequest{Name: "apps/x"})
			return err
		}, codes.NotFound, "", ""},
		"restriction of nothing": {func(ctx context.Context) error {
			_, err := apps.PutRestriction(ctx, &pb.PutRestrictionRequest{Restriction: &pb.Restriction{Name: "restrictions/r", EffectiveTime: timestamppb.Now()}})
			return err
		}, codes.InvalidArgument, "RESTRICTION_INVALID", "restriction"},
		"unknown restriction": {func(ctx context.Context) error {
			_, err := apps.LiftRestriction(ctx, &pb.LiftRestrictionRequest{Name: "restrictions/x"})
			return err
		}, codes.NotFound, "", ""},
		"unknown signal": {func(ctx context.Context) error {
			_, err := signals.ExplainSignal(ctx, &pb.ExplainSignalRequest{Name: "signals/x"})
			return err
		}, codes.NotFound, "", ""},
		"negative page size": {func(ctx context.Context) error {
			_, err := apps.ListApps(ctx, &pb.ListAppsRequest{PageSize: -1})
			return err
		}, codes.InvalidArgument, "PAGE_SIZE_INVALID", "page_size"},
		"made-up token": {func(ctx context.Context) error {
			_, err := apps.ListApps(ctx, &pb.ListAppsRequest{PageToken: "abc"})
			return err
		}, codes.InvalidArgument, "TOKEN_INVALID", "page_token"},
		"token of another filter": {func(ctx context.Context) error {
			_, err := apps.ListApps(ctx, &pb.ListAppsRequest{PageToken: token, Filter: "declared = true"})
			return err
		}, codes.InvalidArgument, "TOKEN_MISMATCH", "page_token"},
		"token of another list": {func(ctx context.Context) error {
			_, err := signals.ListSignals(ctx, &pb.ListSignalsRequest{PageToken: token})
			return err
		}, codes.InvalidArgument, "TOKEN_MISMATCH", "page_token"},
		"filter by an unknown field": {func(ctx context.Context) error {
			_, err := signals.ListSignals(ctx, &pb.ListSignalsRequest{Filter: "colour = red"})
			return err
		}, codes.InvalidArgument, "FILTER_INVALID", "filter"},
		"watch with a bad filter": {func(ctx context.Context) error {
			feed, err := signals.WatchSignals(ctx, &pb.WatchSignalsRequest{Filter: "severity = LOUD"})
			if err != nil {
				return err
			}
			_, err = feed.Recv()
			return err
		}, codes.InvalidArgument, "FILTER_INVALID", "filter"},
		"watch from beyond the end": {func(ctx context.Context) error {
			r := &pb.WatchSignalsRequest{}
			r.ResumeToken = newToken(r, "77")
			feed, err := signals.WatchSignals(ctx, r)
			if err != nil {
				return err
			}
			_, err = feed.Recv()
			return err
		}, codes.OutOfRange, "RESUME_EXPIRED", ""},
		"report without since": {func(ctx context.Context) error {
			_, err := reports.QueryAccess(ctx, &pb.QueryAccessRequest{})
			return err
		}, codes.InvalidArgument, "SINCE_MISSING", "since"},
		"baseline of no app": {func(ctx context.Context) error {
			_, err := reports.GetBaseline(ctx, &pb.GetBaselineRequest{App: "crm"})
			return err
		}, codes.InvalidArgument, "NAME_INVALID", "app"},
		"baseline of an unknown app": {func(ctx context.Context) error {
			_, err := reports.GetBaseline(ctx, &pb.GetBaselineRequest{App: "apps/x"})
			return err
		}, codes.NotFound, "", ""},
		"report that ends first": {func(ctx context.Context) error {
			_, err := reports.QueryAccess(ctx, &pb.QueryAccessRequest{Since: timestamppb.New(day), Until: timestamppb.New(day.AddDate(0, 0, -1))})
			return err
		}, codes.InvalidArgument, "RANGE_INVALID", "until"},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.call(t.Context())
			if test.reason == "" { // the monitor's to choose
				test.reason = reasonOf(err)
			}
			expect(t, err, test.code, test.reason)
			if field := blamed(err); field != test.field {
				t.Errorf("BadRequest blames %q, want %q", field, test.field)
			}
			if strings.TrimSpace(status.Convert(err).Message()) == "" {
				t.Error("status says nothing")
			}
		})
	}
}

// blamed returns the field in an error's BadRequest.
func blamed(err error) string {
	for _, detail := range status.Convert(err).Details() {
		if bad, ok := detail.(*errdetails.BadRequest); ok {
			return bad.GetFieldViolations()[0].GetField()
		}
	}
	return ""
}
