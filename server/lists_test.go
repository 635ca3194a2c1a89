package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/memberwatch/memberwatch"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

// listing is a method of the contract that answers in pages.
type listing struct {
	method  protoreflect.MethodDescriptor
	request *dynamicpb.Message
}

// listings finds the lists of the contract. fixed holds the texts that a request
// needs beside those of paging.
func listings(fixed map[string]map[string]string) (all []*listing) {
	for _, file := range []protoreflect.FileDescriptor{
		pb.File_memberwatch_v1_case_proto, pb.File_memberwatch_v1_registry_proto, pb.File_memberwatch_v1_delivery_proto,
		pb.File_memberwatch_v1_signal_proto, pb.File_memberwatch_v1_admin_proto, pb.File_memberwatch_v1_tuning_proto,
	} {
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				m := methods.Get(j)
				if m.Input().Fields().ByName("page_token") == nil {
					continue
				}
				l := &listing{m, dynamicpb.NewMessage(m.Input())}
				for field, text := range fixed[string(m.Name())] {
					l.set(field, protoreflect.ValueOfString(text))
				}
				all = append(all, l)
			}
		}
	}
	return all
}

func (l *listing) set(field string, v protoreflect.Value) {
	l.request.Set(l.method.Input().Fields().ByName(protoreflect.Name(field)), v)
}

// page asks for some rows, by their names if they have any, and the next token.
func (l *listing) page(ctx context.Context, s *system, size int32, token string) (rows []string, next string, err error) {
	l.set("page_size", protoreflect.ValueOfInt32(size))
	l.set("page_token", protoreflect.ValueOfString(token))
	answer := dynamicpb.NewMessage(l.method.Output())
	method := fmt.Sprintf("/%s/%s", l.method.Parent().FullName(), l.method.Name())
	if err := s.Invoke(ctx, method, l.request, answer); err != nil {
		return nil, "", err
	}
	items := l.method.Output().Fields().ByNumber(1)
	list := answer.Get(items).List()
	for i := range list.Len() {
		rows = append(rows, rowName(items, list.Get(i)))
	}
	return rows, answer.Get(l.method.Output().Fields().ByName("next_page_token")).String(), nil
}

func rowName(items protoreflect.FieldDescriptor, v protoreflect.Value) string {
	if items.Message() == nil {
		return string(v.Bytes())
	}
	if name := items.Message().Fields().ByName("name"); name != nil {
		return v.Message().Get(name).String()
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(v.Message().Interface())
	if err != nil {
		panic("bug: " + err.Error())
	}
	return string(b)
}

// founded opens the case that rows of crowd belong to.
func founded(ctx context.Context, s *system) error {
	cases := pb.NewCaseServiceClient(s)
	if _, err := cases.OpenCase(ctx, &pb.OpenCaseRequest{App: "apps/app-first", Title: "first"}); err != nil {
		return err
	}
	abuse := &pb.Decision{Action: pb.Action_ACTION_DECIDE, Verdict: pb.Verdict_VERDICT_ABUSE, Reason: "harvesting", Comment: "clear"}
	_, err := cases.DecideCase(ctx, &pb.DecideCaseRequest{Name: "cases/c1", Decision: abuse})
	return err
}

// crowd gives every list of the contract some rows, from a number on.
func crowd(ctx context.Context, s *system, from, n int) error {
	registry, cases, deliveries := pb.NewRegistryServiceClient(s), pb.NewCaseServiceClient(s), pb.NewDeliveryServiceClient(s)
	for i := from; i < from+n; i++ {
		app := fmt.Sprintf("apps/app-%03d", i*37%1000) // between those that are there
		restriction := &pb.Restriction{Name: fmt.Sprintf("restrictions/r-%03d", i*37%1000), DataClass: "other", EffectiveTime: timestamppb.New(day)}
		for _, call := range []func() error{
			func() error { _, err := registry.PutApp(ctx, &pb.PutAppRequest{App: &pb.App{Name: app}}); return err },
			func() error {
				_, err := registry.PutRestriction(ctx, &pb.PutRestrictionRequest{Restriction: restriction})
				return err
			},
			func() error {
				_, err := cases.OpenCase(ctx, &pb.OpenCaseRequest{App: app, Title: "a look"})
				return err
			},
			func() error {
				_, err := cases.DecideCase(ctx, &pb.DecideCaseRequest{Name: "cases/c1", Decision: &pb.Decision{Action: pb.Action_ACTION_NOTE, Comment: app}})
				return err
			},
			func() error {
				_, err := cases.ProposeRemediation(ctx, &pb.ProposeRemediationRequest{Case: "cases/c1", Kind: pb.Remediation_KIND_NOTIFY_DEVELOPER, Comment: "tell"})
				return err
			},
			func() error {
				silence := &pb.Silence{App: app, EndTime: timestamppb.New(time.Now().Add(time.Hour)), Comment: "a test"}
				_, err := cases.CreateSilence(ctx, &pb.CreateSilenceRequest{Silence: silence})
				return err
			},
			func() error {
				e := &pb.Endpoint{Name: fmt.Sprintf("endpoints/e-%03d", i*37%1000), Url: "https://siem.example"}
				_, err := deliveries.CreateEndpoint(ctx, &pb.CreateEndpointRequest{Endpoint: e})
				return err
			},
		} {
			if err := call(); err != nil {
				return err
			}
		}
	}
	return nil
}

// TestListsStandStillWhileOthersWrite pages through every list of the contract
// while others write to all of them: each row that was there before comes exactly
// once.
func TestListsStandStillWhileOthersWrite(t *testing.T) {
	s := start(t, Options{})
	ana := as(t.Context(), "ana")
	if _, err := s.monitor.PutRestriction(t.Context(), memberwatch.Restriction{ID: "r", Class: "group_membership", Effective: day}); err != nil {
		t.Fatal(err)
	}
	if err := founded(ana, s); err != nil {
		t.Fatal(err)
	}
	p := s.open(t, "gw-1")
	for i := range 8 {
		p.append(reading(fmt.Sprintf("reader-%d", i), i))
	}
	p.acked()
	if err := crowd(ana, s, 1, 8); err != nil {
		t.Fatal(err)
	}
	lists := listings(map[string]map[string]string{"ListDecisions": {"name": "cases/c1"}, "ListDeliveries": {"endpoint": "endpoints/e-037"}})
	before := make(map[*listing][]string)
	for _, l := range lists {
		rows, _, err := l.page(ana, s, 1000, "")
		if err != nil {
			t.Fatalf("%s: %v", l.method.Name(), err)
		}
		before[l] = rows
	}
	writing, stop := context.WithCancel(ana)
	var writers sync.WaitGroup
	for w := range 2 {
		writers.Go(func() {
			for i := 100 * (w + 1); writing.Err() == nil && i < 100*(w+1)+80; i++ {
				if err := crowd(ana, s, i, 1); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for _, l := range lists {
		came := make(map[string]int)
		for token, more := "", true; more; more = token != "" {
			rows, next, err := l.page(ana, s, 3, token)
			if err != nil {
				t.Fatalf("%s: %v", l.method.Name(), err)
			}
			for _, row := range rows {
				came[row]++
			}
			token = next
		}
		for _, row := range before[l] {
			if came[row] != 1 {
				t.Errorf("%s: %q came %d times", l.method.Name(), row, came[row])
			}
		}
		for row, n := range came {
			if n > 1 {
				t.Errorf("%s: %q came %d times", l.method.Name(), row, n)
			}
		}
	}
	stop()
	writers.Wait()
}

// refusesOrders checks that a list refuses orders that it does not offer, and tokens
// of another order.
func (l *listing) refusesOrders(ctx context.Context, t *testing.T, s *system) {
	t.Helper()
	filter := l.method.Input().Fields().ByName("filter")
	was := l.request.Get(filter)
	l.request.Clear(filter)
	defer l.request.Set(filter, was)
	l.set("order_by", protoreflect.ValueOfString("severity desc"))
	_, token, err := l.page(ctx, s, 1, "")
	if err != nil {
		t.Fatal(err)
	}
	l.set("order_by", protoreflect.ValueOfString("severity"))
	if token != "" {
		_, _, err = l.page(ctx, s, 1, token)
		expect(t, err, codes.InvalidArgument, "TOKEN_MISMATCH")
	}
	l.set("order_by", protoreflect.ValueOfString("colour"))
	_, _, err = l.page(ctx, s, 1, "")
	info := expect(t, err, codes.InvalidArgument, "ORDER_INVALID")
	if info.GetMetadata()["field"] != "order_by" || !strings.Contains(err.Error(), `unknown field "colour", fields are `) {
		t.Errorf("%v, metadata %v", err, info.GetMetadata())
	}
	l.request.Clear(l.method.Input().Fields().ByName("order_by"))
}

// TestListsRefuseWhatTheyDoNotKnow holds every list of the contract to one way of
// refusing fields, sizes and tokens.
func TestListsRefuseWhatTheyDoNotKnow(t *testing.T) {
	s := start(t, Options{})
	ana := as(t.Context(), "ana")
	if err := errors.Join(founded(ana, s), crowd(ana, s, 1, 2)); err != nil {
		t.Fatal(err)
	}
	fixed := map[string]map[string]string{"ListDecisions": {"name": "cases/c1"}, "ListDeliveries": {"endpoint": "endpoints/e-037"}}
	for _, l := range listings(fixed) {
		t.Run(string(l.method.Name()), func(t *testing.T) {
			_, _, err := l.page(ana, s, -1, "")
			expect(t, err, codes.InvalidArgument, "PAGE_SIZE_INVALID")
			_, _, err = l.page(ana, s, 1, "nonsense")
			expect(t, err, codes.InvalidArgument, "TOKEN_INVALID")
			_, token, err := l.page(ana, s, 1, "")
			if err != nil {
				t.Fatal(err)
			}
			l.set("filter", protoreflect.ValueOfString("colour = red"))
			_, _, err = l.page(ana, s, 1, "")
			info := expect(t, err, codes.InvalidArgument, "FILTER_INVALID")
			if info.GetMetadata()["field"] != "filter" || !strings.Contains(err.Error(), `unknown field "colour", fields are `) {
				t.Errorf("%v, metadata %v", err, slices.Collect(maps.Values(info.GetMetadata())))
			}
			if l.method.Input().Fields().ByName("order_by") != nil {
				l.refusesOrders(ana, t, s)
			}
			if token != "" {
				_, _, err = l.page(ana, s, 1, token)
				expect(t, err, codes.InvalidArgument, "TOKEN_MISMATCH")
			}
		})
	}
}
