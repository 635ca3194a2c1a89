package wire

import (
	"github.com/memberwatch/memberwatch"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

const tokenCollection = "tokens/"

// TokenName returns the resource name of a token, or nothing for none.
func TokenName(id memberwatch.TokenID) string { return resourceName(tokenCollection, string(id)) }

// ParseTokenName returns the token that a resource name such as tokens/t3 names.
func ParseTokenName(name string) (memberwatch.TokenID, error) {
	id, err := parseName(tokenCollection, name)
	return memberwatch.TokenID(id), err
}

// EncodeToken returns the message for a token; it has no field for the hash.
func EncodeToken(t *memberwatch.Token) *pb.Token {
	m := &pb.Token{
		Name: TokenName(t.ID), Person: string(t.Person), Comment: t.Comment, ExpireTime: encodeTime(t.Expires),
		CreateTime: encodeTime(t.Created), Creator: string(t.CreatedBy), RevokeTime: encodeTime(t.Revoked), Revoker: string(t.RevokedBy),
		UseTime: encodeTime(t.Used),
	}
	for _, r := range t.Roles {
		m.Roles = append(m.Roles, pb.Role(r))
	}
	return m
}

// DecodeToken returns the token that somebody wants.
func DecodeToken(m *pb.Token) (memberwatch.Token, error) {
	var d decoder
	t := memberwatch.Token{
		Person: memberwatch.Person(m.GetPerson()), Comment: m.GetComment(), Expires: parse(&d, "expire_time", decodeTime, m.GetExpireTime()),
	}
	for _, r := range m.GetRoles() {
		t.Roles = append(t.Roles, bounded[memberwatch.Role](r, pb.Role_ROLE_ADMIN))
	}
	return t, d.err
}
