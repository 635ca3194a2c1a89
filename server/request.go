package server

import (
	"context"
	"hash/fnv"

	"google.golang.org/protobuf/proto"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/wire"
)

// identified is what requests have that may be repeated without a second effect.
type identified interface {
	proto.Message
	GetRequestId() string
}

// withRequest notes the id of a request, if it has one, for whoever writes its effect.
func withRequest(ctx context.Context, r any) (context.Context, error) {
	m, ok := r.(identified)
	if !ok || m.GetRequestId() == "" {
		return ctx, nil
	}
	h := fnv.New64a()
	h.Write([]byte(memberwatch.PersonIn(ctx))) // another person's is another request
	request := memberwatch.Request{ID: m.GetRequestId(), Print: fingerprint(m) ^ h.Sum64()}
	if err := request.Validate(); err != nil {
		return nil, wire.InField("request_id", err)
	}
	return memberwatch.WithRequest(ctx, request), nil
}
