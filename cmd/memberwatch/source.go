package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/client"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/wire"
)

// badLine is a line that is no event. Reading goes on behind it.
type badLine struct {
	file string
	line int
	err  error
}

func (b *badLine) Error() string { return fmt.Sprintf("%s:%d: %v", b.file, b.line, b.err) }

func (b *badLine) Unwrap() error { return b.err }

// source is one file of events, or standard input.
type source struct {
	name   string
	closes []io.Closer
	read   func() (memberwatch.Event, int, error) // an event and its line
	line   int                                    // of the newest event
}

// next returns the next event, a *badLine, or io.EOF.
func (s *source) next() (memberwatch.Event, error) {
	ev, line, err := s.read()
	s.line = line
	if err == nil { // what the service would reject is refused while the line is known
		err = ev.Validate(time.Now().UnixNano())
	}
	switch {
	case err == nil || errors.Is(err, io.EOF):
		return ev, err
	case line > 0:
		return ev, &badLine{file: s.name, line: line, err: err}
	default:
		return ev, fmt.Errorf("read %s: %w", s.name, err)
	}
}

// Close closes the files behind the source.
func (s *source) Close() error {
	var err error
	for _, c := range s.closes {
		err = errors.Join(err, c.Close())
	}
	return err
}

// sourceOptions say how files are read.
type sourceOptions struct {
	mapping  *mapping // nil: columns go by the names of fields
	hasher   *client.Hasher
	consumed *atomic.Int64 // bytes read from the files
}

// openSource opens a file of events, "-" being standard input. What it holds
// shows in its first bytes: gzip by its magic number, NDJSON by a brace.
func openSource(name string, stdin io.Reader, o sourceOptions) (*source, error) {
	s := &source{name: name}
	raw := stdin
	if name == "-" {
		s.name = "stdin"
	} else {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		s.closes = append(s.closes, f)
		raw = f
	}
	if err := s.detect(&countingReader{raw, o.consumed}, o); err != nil {
		return nil, errors.Join(fmt.Errorf("read %s: %w", s.name, err), s.Close())
	}
	return s, nil
}

// detect looks at the first bytes and sets the reader.
func (s *source) detect(raw io.Reader, o sourceOptions) error {
	in := bufio.NewReaderSize(raw, 1<<16)
	if head, _ := in.Peek(2); bytes.Equal(head, []byte{0x1f, 0x8b}) {
		unzipped, err := gzip.NewReader(in)
		if err != nil {
			return err
		}
		s.closes = append([]io.Closer{unzipped}, s.closes...)
		in = bufio.NewReaderSize(unzipped, 1<<16)
	}
	if head, _ := in.Peek(3); bytes.Equal(head, []byte("\xef\xbb\xbf")) {
		_, _ = in.Discard(len(head)) // a byte order mark; it is in the buffer
	}
	head, err := in.Peek(1)
	switch {
	case errors.Is(err, io.EOF):
		s.read = func() (memberwatch.Event, int, error) { return memberwatch.Event{}, 0, io.EOF }
		return nil
	case err != nil:
		return err
	case head[0] != '{':
		return s.readCSV(in, o)
	case o.mapping != nil:
		return hinted{errors.New("it holds JSON, which takes no mapping"), "leave --map and --mapping out, or name a CSV file"}
	}
	s.readNDJSON(in)
	return nil
}

// readCSV reads rows below a header.
func (s *source) readCSV(in io.Reader, o sourceOptions) error {
	table := csv.NewReader(in)
	table.ReuseRecord, table.FieldsPerRecord = true, -1
	header, err := table.Read()
	if err != nil {
		return fmt.Errorf("header: %w", err)
	}
	header = append([]string(nil), header...)
	m := defaultMapping(header)
	if o.mapping != nil {
		m = *o.mapping
	}
	rows, err := newRowReader(m, header, o.hasher)
	if err != nil {
		return err
	}
	s.read = func() (memberwatch.Event, int, error) {
		row, err := table.Read()
		if parse, ok := errors.AsType[*csv.ParseError](err); ok {
			return memberwatch.Event{}, parse.Line, parse.Err
		}
		if err != nil {
			return memberwatch.Event{}, 0, err
		}
		line, _ := table.FieldPos(0)
		if len(row) != len(header) {
			return memberwatch.Event{}, line, fmt.Errorf("row has %d columns, the header has %d", len(row), len(header))
		}
		ev, err := rows.event(row)
		return ev, line, err
	}
	return nil
}

// maxLine bounds a line of NDJSON: an event with the most members takes about 3 MiB.
const maxLine = 8 << 20

// readNDJSON reads an event of the contract per line.
func (s *source) readNDJSON(in *bufio.Reader) {
	lines := lineReader{in: in}
	s.read = func() (memberwatch.Event, int, error) {
		for {
			text, err := lines.next()
			if err != nil {
				return memberwatch.Event{}, lines.badLine, err
			}
			if len(bytes.TrimSpace(text)) == 0 {
				continue
			}
			m := new(pb.AccessEvent)
			if err := protojson.Unmarshal(text, m); err != nil {
				return memberwatch.Event{}, lines.number, jsonReason(err)
			}
			return wire.DecodeEvents(nil, []*pb.AccessEvent{m})[0], lines.number, nil
		}
	}
}

// jsonReason drops the prefix that protojson puts before its reasons, whose
// space differs from build to build on purpose, and its line, which is always 1.
func jsonReason(err error) error {
	text := strings.TrimLeft(strings.TrimPrefix(err.Error(), "proto:"), " \u00a0")
	return errors.New(strings.Replace(text, "(line 1:", "(column ", 1))
}

// lineReader reads lines and skips the ones that are too long.
type lineReader struct {
	in      *bufio.Reader
	number  int // of the line last read, from 1
	badLine int // its number if it was too long, else 0
	line    []byte
}

func (l *lineReader) next() ([]byte, error) {
	l.line, l.badLine = l.line[:0], 0
	size := 0
	for {
		part, err := l.in.ReadSlice('\n')
		size += len(part)
		if size <= maxLine {
			l.line = append(l.line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && (!errors.Is(err, io.EOF) || size == 0):
			return nil, err
		}
		l.number++
		if size > maxLine {
			l.badLine = l.number
			return nil, fmt.Errorf("line has %d bytes, the limit is %d", size, maxLine)
		}
		return l.line, nil
	}
}

// countingReader counts what is read, for the progress bar.
type countingReader struct {
	io.Reader
	n *atomic.Int64
}

func (c *countingReader) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n.Add(int64(n))
	return n, err
}
