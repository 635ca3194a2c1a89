package server

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/fnv"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// pageBounds are the sizes of a list's pages.
type pageBounds struct{ standard, largest int }

// Bounds as the contract documents them.
var (
	listPages   = pageBounds{standard: 50, largest: 1000}
	accessPages = pageBounds{standard: 1000, largest: 50_000}
)

// pageRequest is what all requests for a page have.
type pageRequest interface {
	proto.Message
	GetPageSize() int32
	GetPageToken() string
}

// open returns how many entries to answer a request with, and the cursor where they begin; it is empty at the start.
func (b pageBounds) open(r pageRequest) (size int, cursor string, err error) {
	if size, err = b.size(r.GetPageSize()); err == nil && r.GetPageToken() != "" {
		cursor, err = readToken(r, "page_token", r.GetPageToken())
	}
	return size, cursor, err
}

// size returns how many entries to answer with when so many are wanted.
func (b pageBounds) size(wanted int32) (int, error) {
	switch {
	case wanted < 0:
		return 0, invalidField("page_size", "PAGE_SIZE_INVALID", fmt.Sprintf("page size %d is negative", wanted), "leave it out for the standard one")
	case wanted == 0:
		return b.standard, nil
	}
	return min(int(wanted), b.largest), nil
}

const (
	tokenVersion = 1
	tokenHead    = 1 + 8 // version, fingerprint
)

// newToken returns the token for what comes after a cursor. It holds a fingerprint of the request, so that nobody goes on
// with another list than the one begun.
func newToken(r proto.Message, cursor string) string {
	b := binary.BigEndian.AppendUint64([]byte{tokenVersion}, fingerprint(r))
	return base64.RawURLEncoding.EncodeToString(append(b, cursor...))
}

// readToken returns the cursor of the token in a field of a request.
func readToken(r proto.Message, field, token string) (string, error) {
	b, err := base64.RawURLEncoding.DecodeString(token)
	switch {
	case err != nil || len(b) < tokenHead || b[0] != tokenVersion:
		return "", tokenInvalid(field, token)
	case binary.BigEndian.Uint64(b[1:]) != fingerprint(r):
		return "", invalidField(field, "TOKEN_MISMATCH", "token belongs to another request",
			"repeat the other fields of the first request, or leave the token out to start again")
	}
	return string(b[tokenHead:]), nil
}

func tokenInvalid(field, token string) error {
	return invalidField(field, "TOKEN_INVALID", fmt.Sprintf("token %q is not one of this service", token),
		"pass it on as it came, or leave it out to start again")
}

// fingerprint hashes what must stay equal while a list goes on, or a request is repeated: the kind of request and all its
// fields but those of paging.
func fingerprint(r proto.Message) uint64 {
	m := unpaged(r).ProtoReflect()
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m.Interface())
	if err != nil {
		panic(fmt.Sprintf("server: marshal a request that was just unmarshalled: %v", err))
	}
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\x00%s", m.Descriptor().FullName(), b)
	return h.Sum64()
}

// unpaged copies a request without the fields of paging.
func unpaged(r proto.Message) proto.Message {
	same := proto.Clone(r)
	m := same.ProtoReflect()
	for _, name := range []protoreflect.Name{"page_size", "page_token", "resume_token"} {
		if field := m.Descriptor().Fields().ByName(name); field != nil {
			m.Clear(field)
		}
	}
	return same
}
