package wire_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/wire"
	"pgregory.net/rapid"
)

func TestEndpointRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := memberwatch.Endpoint{
			ID: memberwatch.EndpointID(rapid.StringMatching(`[a-z]{1,9}`).Draw(t, "id")), URL: rapid.String().Draw(t, "url"),
			Types:       rapid.SliceOfN(rapid.String(), 1, 3).Draw(t, "types"),
			MinSeverity: memberwatch.Severity(rapid.IntRange(0, 4).Draw(t, "severity")), Payload: memberwatch.Payload(rapid.IntRange(0, 1).Draw(t, "payload")),
			Silenced: rapid.Bool().Draw(t, "silenced"), AllowPrivate: rapid.Bool().Draw(t, "private"),
		}
		got, err := wire.DecodeEndpoint(wire.EncodeEndpoint(&memberwatch.EndpointStatus{Endpoint: want}))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%v\n got %+v\nwant %+v", err, got, want)
		}
	})
}

// A secret must not leave the service by a message that lists endpoints.
func TestEndpointMessageHasNoSecret(t *testing.T) {
	m := wire.EncodeEndpoint(&memberwatch.EndpointStatus{Endpoint: memberwatch.Endpoint{
		ID: "siem", Keys: []memberwatch.Key{{Secret: "whsk_x", Public: "whpk_y", Created: time.Unix(1, 0)}}, Disabled: "gone",
	}})
	if k := m.GetKeys()[0]; k.GetPublicKey() != "whpk_y" || m.GetState() != pb.Endpoint_STATE_DISABLED {
		t.Errorf("message %v", m)
	}
	if text := m.String(); strings.Contains(text, "whsk_") {
		t.Errorf("message %s", text)
	}
}

func TestDeliveryStates(t *testing.T) {
	for state := range memberwatch.DeliveryStates {
		m := wire.EncodeDelivery(&memberwatch.Delivery{Endpoint: "siem", State: state})
		got, err := wire.DecodeDeliveryState(m.GetState())
		if err != nil || got != state {
			t.Errorf("state %d became %d, %v", state, got, err)
		}
	}
	if _, err := wire.DecodeDeliveryState(99); !errors.Is(err, memberwatch.ErrInvalid) {
		t.Errorf("state 99: %v", err)
	}
	if _, err := wire.DecodeEtag("W/1"); !errors.Is(err, memberwatch.ErrInvalid) {
		t.Errorf("etag: %v", err)
	}
}
