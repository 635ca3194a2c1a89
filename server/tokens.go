package server

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/filter"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/wire"
)

// tokenFields are what tokens can be filtered by, at a time.
func tokenFields(now time.Time) []filter.Field[memberwatch.Token] {
	return []filter.Field[memberwatch.Token]{
		filter.Text("person", func(t *memberwatch.Token) string { return string(t.Person) }),
		filter.Text("role", func(t *memberwatch.Token) string {
			names := make([]string, len(t.Roles))
			for i, r := range t.Roles {
				names[i] = r.String()
			}
			return strings.Join(names, " ")
		}),
		filter.Bool("good", func(t *memberwatch.Token) bool { return t.Good(now) }),
	}
}

// tokens returns who keeps tokens, or says that this server has none.
func (s *adminService) tokens() (Access, error) {
	if s.access == nil {
		return nil, status.Error(codes.Unimplemented, "this server keeps no tokens")
	}
	return s.access, nil
}

// CreateToken makes a token.
func (s *adminService) CreateToken(ctx context.Context, r *pb.CreateTokenRequest) (*pb.CreateTokenResponse, error) {
	keeper, err := s.tokens()
	if err != nil {
		return nil, err
	}
	want, err := wire.DecodeToken(r.GetToken())
	if err != nil {
		return nil, wire.InField("token", err)
	}
	made, secret, err := keeper.Make(ctx, memberwatch.PersonIn(ctx), want)
	if err != nil {
		return nil, err
	}
	return &pb.CreateTokenResponse{Token: wire.EncodeToken(&made), Secret: secret}, nil
}

// ListTokens returns a page of tokens.
func (s *adminService) ListTokens(ctx context.Context, r *pb.ListTokensRequest) (*pb.ListTokensResponse, error) {
	keeper, err := s.tokens()
	if err != nil {
		return nil, err
	}
	size, before, err := numberedPage(r)
	if err != nil {
		return nil, err
	}
	selected, err := filter.Parse(r.GetFilter(), tokenFields(time.Now()))
	if err != nil {
		return nil, wire.InField("filter", err)
	}
	list, err := keeper.Tokens(ctx, before, size+1, selected.Match)
	if err != nil {
		return nil, err
	}
	m := &pb.ListTokensResponse{}
	if len(list) > size {
		list = slices.Delete(list, size, len(list))
		n, _ := list[size-1].ID.TokenNumber()
		m.NextPageToken = newToken(r, strconv.FormatInt(n, 10))
	}
	for i := range list {
		m.Tokens = append(m.Tokens, wire.EncodeToken(&list[i]))
	}
	return m, nil
}

// RevokeToken ends a token.
func (s *adminService) RevokeToken(ctx context.Context, r *pb.RevokeTokenRequest) (*pb.RevokeTokenResponse, error) {
	keeper, err := s.tokens()
	if err != nil {
		return nil, err
	}
	id, err := wire.ParseTokenName(r.GetName())
	if err != nil {
		return nil, wire.InField("name", err)
	}
	revoked, err := keeper.Revoke(ctx, memberwatch.PersonIn(ctx), id, r.GetComment())
	if err != nil {
		return nil, err
	}
	return &pb.RevokeTokenResponse{Token: wire.EncodeToken(&revoked)}, nil
}
