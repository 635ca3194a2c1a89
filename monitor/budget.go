package monitor

import (
	"context"
	"sync"
)

// budget is a bound on bytes. Those who wait for some are served in order, so
// that a large batch is not starved by small ones.
type budget struct {
	mu      sync.Mutex
	size    int64
	used    int64
	waiters []*claim
}

// claim is somebody waiting for bytes; ready is closed when they are granted.
type claim struct {
	bytes int64
	ready chan struct{}
}

// acquire takes bytes, waiting for them until ctx is done or stop is closed; it
// returns whether it got them. More than the whole budget is granted as soon as
// nobody else has any.
func (b *budget) acquire(ctx context.Context, stop <-chan struct{}, bytes int64) bool {
	b.mu.Lock()
	if len(b.waiters) == 0 && b.fits(bytes) {
		b.used += bytes
		b.mu.Unlock()
		return true
	}
	c := &claim{bytes: bytes, ready: make(chan struct{})}
	b.waiters = append(b.waiters, c)
	b.mu.Unlock()
	select {
	case <-c.ready:
		return true
	case <-ctx.Done():
	case <-stop:
	}
	return !b.withdraw(c)
}

func (b *budget) fits(bytes int64) bool { return b.used == 0 || b.used+bytes <= b.size }

// withdraw takes a claim out of the queue. It returns false when the bytes had
// been granted meanwhile: the caller then owns them.
func (b *budget) withdraw(c *claim) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, other := range b.waiters {
		if other == c {
			b.waiters = append(b.waiters[:i], b.waiters[i+1:]...)
			b.grant()
			return true
		}
	}
	return false
}

// release gives bytes back.
func (b *budget) release(bytes int64) {
	b.mu.Lock()
	b.used -= bytes
	b.grant()
	b.mu.Unlock()
}

func (b *budget) grant() {
	for len(b.waiters) > 0 && b.fits(b.waiters[0].bytes) {
		b.used += b.waiters[0].bytes
		close(b.waiters[0].ready)
		b.waiters = b.waiters[1:]
	}
}
