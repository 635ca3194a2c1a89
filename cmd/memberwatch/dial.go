package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

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
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(credentialsFor(ctx, address)))
	if err != nil {
		return nil, usagef("connect to %q: %v", address, err)
	}
	return conn, nil
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
