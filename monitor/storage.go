package monitor

import (
	"log/slog"
	"sync"
)

// Writers besides the partitions that may meet a failing disk.
const (
	fleetStorage     = -1
	publisherStorage = -2
)

// storage knows which writers cannot write at the moment, and why.
type storage struct {
	log     *slog.Logger
	mu      sync.Mutex
	errs    map[int]error
	changed chan struct{}
}

func newStorage(log *slog.Logger) *storage {
	return &storage{log: log, errs: make(map[int]error), changed: make(chan struct{})}
}

// fail notes that a writer failed and will try again.
func (s *storage) fail(writer int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.errs[writer] == nil {
		s.log.Error("cannot write, trying again", "error", err)
	}
	s.errs[writer] = err
	close(s.changed)
	s.changed = make(chan struct{})
}

// clear notes that a writer has succeeded.
func (s *storage) clear(writer int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.errs[writer] == nil {
		return
	}
	delete(s.errs, writer)
	if len(s.errs) == 0 {
		s.log.Info("writing works again")
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

// failure returns why something cannot be written, or nil.
func (s *storage) failure() error {
	_, err := s.watch()
	return err
}

// watch returns a channel that closes when the failure may have changed, and the
// failure: the lowest writer's if there are several.
func (s *storage) watch() (<-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	lowest := 0
	for writer, e := range s.errs {
		if err == nil || writer < lowest {
			lowest, err = writer, e
		}
	}
	return s.changed, err
}
