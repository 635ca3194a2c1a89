package server

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"

	"google.golang.org/grpc/stats"

	"github.com/memberwatch/memberwatch"
)

// counters count what went wrong, by reason. Nothing is counted when all is well, so one lock serves.
type counters struct {
	mu     sync.Mutex
	counts map[string]int64
}

func (c *counters) add(reason string, n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = make(map[string]int64)
	}
	c.counts[reason] += n
}

// snapshot returns the counters by name.
func (c *counters) snapshot() []memberwatch.Count {
	c.mu.Lock()
	counts := maps.Clone(c.counts)
	c.mu.Unlock()
	var list []memberwatch.Count
	for name, n := range counts {
		list = append(list, memberwatch.Count{Name: name, Count: n})
	}
	slices.SortFunc(list, func(a, b memberwatch.Count) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// callErrors counts failed calls. It watches gRPC from below, because calls that fail before their handler begins, such
// as oversized ones, pass no interceptor.
type callErrors struct{ counters *counters }

// TagRPC leaves the context as it is.
func (callErrors) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// HandleRPC counts a call that ended with an error.
func (h callErrors) HandleRPC(_ context.Context, s stats.RPCStats) {
	if end, ok := s.(*stats.End); ok && end.Error != nil {
		h.counters.add(reasonOf(end.Error), 1)
	}
}

// TagConn leaves the context as it is.
func (callErrors) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn counts nothing.
func (callErrors) HandleConn(context.Context, stats.ConnStats) {}
