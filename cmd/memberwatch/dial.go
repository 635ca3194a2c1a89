package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/memberwatch/memberwatch/client"
)

// callTimeout bounds one question to the server.
const callTimeout = time.Minute

// serverFlag adds --server and returns where the address will be.
func serverFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("server", client.DefaultTarget, "address of the server")
}

// dial connects to the server for questions, as the identity in ctx says.
func dial(ctx context.Context, address string) (*grpc.ClientConn, error) {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(credentialsFor(ctx, address)),
		grpc.WithUnaryInterceptor(identify), grpc.WithDefaultServiceConfig(retryPolicy))
	if err != nil {
		return nil, usagef("connect to %q: %v", address, err)
	}
	return conn, nil
}

// retryPolicy tries again what the service could not take. What changes something
// carries a request id, so it is not done twice.
const retryPolicy = `{"methodConfig": [{"name": [{}], "retryPolicy": {
	"maxAttempts": 4, "initialBackoff": "0.2s", "maxBackoff": "2s", "backoffMultiplier": 2, "retryableStatusCodes": ["UNAVAILABLE"]}}]}`

// identify gives a request that takes an id a random one.
func identify(ctx context.Context, method string, request, answer any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	if r, ok := request.(proto.Message); ok {
		m := r.ProtoReflect()
		if field := m.Descriptor().Fields().ByName("request_id"); field != nil && !m.Has(field) {
			m.Set(field, protoreflect.ValueOfString(newUUID()))
		}
	}
	return invoke(ctx, method, request, answer, conn, options...)
}

// newUUID returns a random UUID of version 4, after RFC 9562.
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// call is a method of a service's generated client.
type call[Q, A any] func(context.Context, Q, ...grpc.CallOption) (A, error)

// ask dials the server, asks one question by the method that pick chooses, and hangs up.
func ask[Q, A any](ctx context.Context, address string, pick func(*grpc.ClientConn) call[Q, A], question Q) (answer A, err error) {
	conn, err := dial(ctx, address)
	if err != nil {
		return answer, err
	}
	defer conn.Close() //nolint:errcheck // the answer is here
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return pick(conn)(ctx, question)
}

// pages asks for page after page until there are no more, or enough items came.
// largest is the largest page the contract gives; next asks for the page of a
// token and returns how many items it had.
func pages(limit, largest int, next func(token string, size int) (items int, nextToken string, err error)) error {
	for token, got := "", 0; ; {
		size := largest
		if limit > 0 {
			size = min(size, limit-got)
		}
		n, following, err := next(token, size)
		if err != nil {
			return err
		}
		if got += n; following == "" || limit > 0 && got >= limit {
			return nil
		}
		token = following
	}
}

// maxPage is the largest page of a list.
const maxPage = 1000

// checkLimit refuses a negative number of items.
func checkLimit(limit int) error {
	if limit < 0 {
		return usagef("--limit %d is negative", limit)
	}
	return nil
}

// plural writes a number with a noun.
func plural[T int | int64 | int32](n T, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%s %ss", number(n), noun)
}
