package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/memberwatch/memberwatch"
)

// File is a file to which notices are appended, one line of JSON each.
type File struct {
	// Path is where it is; empty for none.
	Path string
	// Payload is how much a line holds.
	Payload memberwatch.Payload
	// OCSF makes each line a bare finding, for shippers that know no CloudEvents.
	// Notices about anything but signals are left out then.
	OCSF bool
}

func (f *File) check() error {
	if f.Path != "" && !filepath.IsAbs(f.Path) {
		return &memberwatch.ReasonError{
			Kind: memberwatch.ErrInvalid, Reason: "FILE_INVALID", Message: fmt.Sprintf("webhooks.file.path %q is relative", f.Path),
			Hint: "write the whole path: the service may be started from anywhere",
		}
	}
	return nil
}

// fileCursor names the file's cursor in the store. It is the same for every
// path: a new file goes on where the old one ended.
const fileCursor = "sink/file"

// sink appends lines to a file. A line is whole or not there: what a crash left
// of one is cut off before the next.
type sink struct {
	File
	file *os.File // nil after a failure
}

func openSink(f File) (*sink, error) {
	s := &sink{File: f}
	return s, s.open()
}

// open opens the file for appending and makes its name durable.
func (s *sink) open() error {
	file, err := os.OpenFile(s.Path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open file for notices: %w", err)
	}
	if err := errors.Join(cutTorn(file), syncFolder(filepath.Dir(s.Path))); err != nil {
		return errors.Join(err, file.Close())
	}
	s.file = file
	return nil
}

func syncFolder(folder string) error {
	d, err := os.Open(folder)
	if err != nil {
		return fmt.Errorf("open folder of file for notices: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

// cutTorn cuts off what follows the last end of a line.
func cutTorn(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("look at file for notices: %w", err)
	}
	block := make([]byte, 64<<10)
	for end := info.Size(); end > 0; {
		start := max(end-int64(len(block)), 0)
		b := block[:end-start]
		if _, err := file.ReadAt(b, start); err != nil {
			return fmt.Errorf("read end of file for notices: %w", err)
		}
		if i := bytes.LastIndexByte(b, '\n'); i >= 0 || start == 0 {
			return file.Truncate(start + int64(i) + 1)
		}
		end = start
	}
	return nil
}

// append writes lines durably. When another file lies under the path, or none,
// because somebody rotated it, it goes on with a new one.
func (s *sink) append(lines []byte) error {
	if s.file != nil && s.rotated() {
		if err := s.close(); err != nil {
			return err
		}
	}
	if s.file == nil {
		if err := s.open(); err != nil {
			return err
		}
	}
	_, err := s.file.Write(lines)
	if err == nil {
		err = s.file.Sync()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("append notices: %w", err), s.close())
	}
	return nil
}

func (s *sink) rotated() bool {
	named, err := os.Stat(s.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	open, err2 := s.file.Stat()
	return err == nil && err2 == nil && !os.SameFile(named, open)
}

func (s *sink) close() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	return err
}

// fill appends notices to the file until ctx ends.
func (c *Courier) fill(ctx context.Context, s *sink) {
	defer func() {
		if err := s.close(); err != nil {
			c.log.Error("cannot close the file for notices", "error", err)
		}
	}()
	for ctx.Err() == nil {
		grown := c.growth()
		n, err := c.fillSome(s)
		switch {
		case err != nil:
			c.log.Error("cannot write notices, trying again", "file", s.Path, "error", err)
			sleep(ctx, retryPause)
		case n == 0:
			select {
			case <-grown:
			case <-ctx.Done():
			}
		}
	}
}

// fillSome appends the next notices, then notes that it has. A crash in between
// writes them again.
func (c *Courier) fillSome(s *sink) (int, error) {
	cursor, err := c.store.NoticeCursor(fileCursor)
	if err != nil {
		return 0, err
	}
	notices, err := c.store.Notices(cursor, page)
	if err != nil || len(notices) == 0 {
		return 0, err
	}
	var lines []byte
	for i := range notices {
		line, err := c.line(&s.File, &notices[i])
		if err != nil {
			return 0, err
		}
		if line != nil {
			lines = append(append(lines, line...), '\n')
		}
	}
	if err := s.append(lines); err != nil {
		return 0, err
	}
	return len(notices), c.store.MoveNoticeCursor(fileCursor, notices[len(notices)-1].Sequence)
}

// line returns the line for a notice; nil for none.
func (c *Courier) line(f *File, n *memberwatch.Notice) ([]byte, error) {
	switch {
	case !f.OCSF:
		return c.encoder.Encode(n, f.Payload)
	case n.Signal == nil:
		return nil, nil
	default:
		return json.Marshal(c.encoder.Finding(n))
	}
}
