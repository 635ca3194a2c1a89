package wire

import (
	"strconv"

	"github.com/memberwatch/memberwatch"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

const endpointCollection = "endpoints/"

// EndpointName returns the resource name of an endpoint, or nothing for none.
func EndpointName(id memberwatch.EndpointID) string {
	return resourceName(endpointCollection, string(id))
}

// ParseEndpointName returns the endpoint that a resource name such as endpoints/siem names.
func ParseEndpointName(name string) (memberwatch.EndpointID, error) {
	id, err := parseName(endpointCollection, name)
	return memberwatch.EndpointID(id), err
}

// EncodeEndpoint returns the message for an endpoint, without the secrets of its keys.
func EncodeEndpoint(e *memberwatch.EndpointStatus) *pb.Endpoint {
	m := &pb.Endpoint{
		Name:            EndpointName(e.ID),
		Url:             e.URL,
		Types:           e.Types,
		MinSeverity:     pb.Severity(e.MinSeverity),
		Payload:         pb.Payload_PAYLOAD_THIN,
		IncludeSilenced: e.Silenced,
		AllowPrivate:    e.AllowPrivate,
		State:           pb.Endpoint_STATE_ACTIVE,
		DisableReason:   e.Disabled,
		DisableTime:     encodeTime(e.DisabledAt),
		WaitingCount:    int32(e.Waiting),
		DeadCount:       int32(e.Dead),
		CreateTime:      encodeTime(e.Created),
		UpdateTime:      encodeTime(e.Updated),
		Etag:            strconv.FormatInt(e.Revision, 10),
	}
	if e.Payload == memberwatch.PayloadFull {
		m.Payload = pb.Payload_PAYLOAD_FULL
	}
	if e.Disabled != "" {
		m.State = pb.Endpoint_STATE_DISABLED
	}
	for i := range e.Keys {
		k := &e.Keys[i]
		m.Keys = append(m.Keys, &pb.EndpointKey{PublicKey: k.Public, CreateTime: encodeTime(k.Created), ExpireTime: encodeTime(k.Expires)})
	}
	return m
}

// DecodeEndpoint returns the endpoint of a message, as far as callers choose it: the rest stays zero.
func DecodeEndpoint(m *pb.Endpoint) (memberwatch.Endpoint, error) {
	var d decoder
	e := memberwatch.Endpoint{
		ID:           parse(&d, "name", ParseEndpointName, m.GetName()),
		URL:          m.GetUrl(),
		Types:        m.GetTypes(),
		MinSeverity:  decodeSeverity(m.GetMinSeverity()),
		Silenced:     m.GetIncludeSilenced(),
		AllowPrivate: m.GetAllowPrivate(),
	}
	if m.GetPayload() == pb.Payload_PAYLOAD_FULL {
		e.Payload = memberwatch.PayloadFull
	}
	return e, d.err
}

// DecodeEtag returns the revision that an etag stands for, 0 for none.
func DecodeEtag(etag string) (int64, error) {
	if etag == "" {
		return 0, nil
	}
	revision, err := strconv.ParseInt(etag, 10, 64)
	if err != nil || revision <= 0 {
		return 0, invalid("ETAG_INVALID", "etag "+strconv.Quote(etag)+" is not one of this service", "pass it on as it came, or leave it out")
	}
	return revision, nil
}

// EncodeDelivery returns the message for a delivery.
func EncodeDelivery(v *memberwatch.Delivery) *pb.Delivery {
	return &pb.Delivery{
		Endpoint:        EndpointName(v.Endpoint),
		Sequence:        v.Sequence,
		MessageId:       v.Notice,
		Type:            v.Type,
		Subject:         v.Subject,
		State:           pb.Delivery_State(v.State + 1), // the contract's first is none
		Attempts:        int32(v.Attempts),
		NextAttemptTime: encodeTime(v.Next),
		LastAttemptTime: encodeTime(v.Last),
		LastStatus:      int32(v.Status),
		LastError:       v.Error,
	}
}

// DecodeDeliveryState returns the state that a list is asked for: dead ones where none is given.
func DecodeDeliveryState(s pb.Delivery_State) (memberwatch.DeliveryState, error) {
	switch s {
	case pb.Delivery_STATE_WAITING:
		return memberwatch.DeliveryWaiting, nil
	case pb.Delivery_STATE_DELIVERED:
		return memberwatch.DeliveryDelivered, nil
	case pb.Delivery_STATE_DEAD, pb.Delivery_STATE_UNSPECIFIED:
		return memberwatch.DeliveryDead, nil
	default:
		return 0, invalid("STATE_INVALID", "state "+strconv.Itoa(int(s))+" is not known", "states are WAITING, DELIVERED and DEAD")
	}
}
