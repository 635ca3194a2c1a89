package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

func newBackup() *cobra.Command {
	cmd := &cobra.Command{
		Use: "backup DIR", Short: "Copy the data of a running service", Args: exactly("DIR"),
		Long: "backup writes all files of the service's data directory into a new directory, as they were at one moment\n" +
			"between two checkpoints. To restore, serve it: memberwatch serve --data-dir DIR. Prove that it is whole\n" +
			"with memberwatch verify --data-dir DIR.",
	}
	server := serverFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		conn, err := dial(cmd.Context(), *server)
		if err != nil {
			return err
		}
		defer conn.Close() //nolint:errcheck // only read from
		dir := filepath.Clean(args[0])
		if _, err := os.Lstat(dir); err == nil {
			return hinted{fmt.Errorf("%s exists already", dir), "name a directory that does not exist yet"}
		}
		stream, err := pb.NewAdminServiceClient(conn).Backup(cmd.Context(), &pb.BackupRequest{})
		if err != nil {
			return err
		}
		files, size, err := receiveBackup(stream, dir)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s, %s bytes in %s\n", plural(files, "file"), number(size), dir)
		return err
	}
	return cmd
}

// receiveBackup writes the files beside dir and gives them its name when all are
// there and on the disk: what has the name is whole.
func receiveBackup(stream grpc.ServerStreamingClient[pb.BackupResponse], dir string) (files int, size int64, err error) {
	partial := dir + ".partial"
	if err := os.MkdirAll(partial, 0o700); err != nil {
		return 0, 0, fmt.Errorf("make %s: %w", partial, err)
	}
	r := &download{dir: partial}
	for err == nil {
		var m *pb.BackupResponse
		if m, err = stream.Recv(); err == nil {
			err = r.take(m)
		}
	}
	if errors.Is(err, io.EOF) {
		err = r.finish()
	}
	if err == nil {
		err = os.Rename(partial, dir)
	}
	if err == nil {
		err = syncDirectory(filepath.Dir(dir))
	}
	if err != nil {
		return 0, 0, errors.Join(err, r.abandon())
	}
	return r.files, r.size, nil
}

// download writes the files of a backup as their pieces come.
type download struct {
	dir   string
	name  string
	file  *os.File // under way; nil between files
	sum   hash.Hash
	files int
	size  int64
}

func (r *download) take(m *pb.BackupResponse) error {
	if r.file == nil {
		if err := r.begin(m.GetFile()); err != nil {
			return err
		}
	}
	if m.GetFile() != r.name {
		return fmt.Errorf("backup: %s ended before its checksum came", r.name)
	}
	r.sum.Write(m.GetChunk())
	r.size += int64(len(m.GetChunk()))
	if _, err := r.file.Write(m.GetChunk()); err != nil {
		return fmt.Errorf("write %s: %w", r.name, err)
	}
	if len(m.GetSha256()) == 0 {
		return nil
	}
	if !bytes.Equal(r.sum.Sum(nil), m.GetSha256()) {
		return fmt.Errorf("backup: %s was damaged on the way", r.name)
	}
	err := errors.Join(r.file.Sync(), r.file.Close())
	r.file = nil
	r.files++
	return err
}

// begin makes a file; its name comes from the server and must be no path.
func (r *download) begin(name string) (err error) {
	if name != filepath.Base(name) || !strings.HasSuffix(name, ".db") {
		return fmt.Errorf("backup: the server names a file %q", name)
	}
	r.name, r.sum = name, sha256.New()
	r.file, err = os.OpenFile(filepath.Join(r.dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return hinted{fmt.Errorf("%s holds an earlier try", r.dir), "remove it and try again"}
	}
	return err
}

func (r *download) finish() error {
	if r.file != nil || r.files == 0 {
		return errors.New("backup: it ended early")
	}
	return syncDirectory(r.dir)
}

// abandon removes what a failed try has written; nothing else is in its way.
func (r *download) abandon() error {
	if r.file != nil {
		_ = r.file.Close() // it goes
	}
	if r.files == 0 && r.file == nil {
		return nil
	}
	return os.RemoveAll(r.dir)
}

// syncDirectory makes the names in a directory durable.
func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
