package server

import (
	"context"
	"crypto/sha256"
	"hash"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

// backupChunk is how many bytes of a file go in one message.
const backupChunk = 256 << 10

// backupPatience is how long a client may take to read one message: meanwhile the files keep what the backup needs.
const backupPatience = 30 * time.Second

// Backup sends all files as they were at one moment.
func (s *adminService) Backup(_ *pb.BackupRequest, g grpc.ServerStreamingServer[pb.BackupResponse]) error {
	ctx, cancel := context.WithCancelCause(g.Context())
	defer cancel(nil)
	if err := record(ctx, s.audit, "backup", "backup", nil); err != nil {
		return err
	}
	slow := time.AfterFunc(backupPatience, func() {
		cancel(status.Errorf(codes.DeadlineExceeded, "backup: nothing was read for %v", backupPatience))
	})
	defer slow.Stop()
	b := &backup{ctx: ctx, stream: g, slow: slow}
	err := s.observed.Backup(ctx, b.open)
	if err == nil {
		err = b.end()
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// backup sends files in pieces.
type backup struct {
	ctx    context.Context
	stream grpc.ServerStreamingServer[pb.BackupResponse]
	slow   *time.Timer
	file   string
	sum    hash.Hash
	chunk  []byte
}

// open begins a file.
func (b *backup) open(name string, _ int64) (io.Writer, error) {
	if err := b.end(); err != nil {
		return nil, err
	}
	b.file, b.sum, b.chunk = name, sha256.New(), make([]byte, 0, backupChunk)
	return b, nil
}

// Write sends what fills a message.
func (b *backup) Write(p []byte) (n int, err error) {
	for n < len(p) {
		take := min(len(p)-n, backupChunk-len(b.chunk))
		b.chunk = append(b.chunk, p[n:n+take]...)
		n += take
		if len(b.chunk) == backupChunk {
			if err := b.send(nil); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// end sends the rest of the file with its checksum, if there is one under way.
func (b *backup) end() error {
	if b.file == "" {
		return nil
	}
	b.sum.Write(b.chunk)
	return b.send(b.sum.Sum(nil))
}

func (b *backup) send(sum []byte) error {
	if sum == nil {
		b.sum.Write(b.chunk)
	}
	if err := b.ctx.Err(); err != nil {
		return err
	}
	b.slow.Reset(backupPatience)
	err := b.stream.Send(&pb.BackupResponse{File: b.file, Chunk: b.chunk, Sha256: sum})
	b.chunk = make([]byte, 0, backupChunk) // the old one may still be on its way
	return err
}
