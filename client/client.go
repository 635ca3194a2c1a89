package client

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/memberwatch/memberwatch"
)

// ErrClosed means that Append was called after Close.
var ErrClosed = errors.New("client is closed")

// ErrFull means that an event was not kept because the buffer was full. Under
// Drop the service will learn of it by a gap mark.
var ErrFull = fmt.Errorf("%w: client buffer is full", memberwatch.ErrExhausted)

// Client streams the events of one producer. Its methods are safe for
// concurrent use; events of one goroutine keep their order.
type Client struct {
	options Options
	cancel  context.CancelFunc
	done    chan struct{} // closed when run has ended

	wake chan struct{} // tells the sender to look again; holds one

	mu       sync.Mutex
	buffer   buffer
	encoder  encoder
	changed  chan struct{} // closed and replaced when something below or the buffer's room changes
	closing  bool
	opened   bool  // a stream has been open at some time
	open     bool  // a stream is open now
	stopped  bool  // run has ended or is about to
	err      error // why the client stopped for good; nil when it was closed
	lastErr  error // why the newest stream broke
	counters Stats
	highest  int64 // sequence number of the last event ever sent
	complete int64 // event time up to which all has been appended; 0: not said
}

// New returns a client and starts to connect. It does not wait for the service:
// events are kept meanwhile. The caller must call Close.
func New(options Options) (*Client, error) {
	options, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &Client{
		options: options,
		cancel:  cancel,
		done:    make(chan struct{}),
		wake:    make(chan struct{}, 1),
		changed: make(chan struct{}),
		buffer: buffer{
			limit: options.MaxBufferedBytes, batchBytes: options.BatchBytes, batchEvents: options.BatchEvents,
		},
	}
	go c.run(ctx)
	return c, nil
}

// Append keeps an event until the service has made it durable. It returns nil
// if and only if the event is kept; nothing that happens later turns into an
// error of a later Append, except that the client stopped for good (see Err).
// The event and what it points to belong to the caller again afterwards.
func (c *Client) Append(ctx context.Context, ev memberwatch.Event) error {
	// Whether the event lies in the future is for the service's clock to say.
	if err := ev.Validate(math.MaxInt64 - int64(memberwatch.MaxAhead)); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	size := c.encoder.load(&ev)
	if size > c.options.MaxBufferedBytes {
		return fmt.Errorf("event of %d bytes: %w: the client buffers at most %d", size, memberwatch.ErrInvalid, c.options.MaxBufferedBytes)
	}
	if err := c.makeRoom(ctx, size, ev.Time); err != nil {
		return err
	}
	c.encoder.load(&ev) // others may have used the encoder while this call waited
	space, look := c.buffer.grow(size, ev.Time, time.Now())
	if err := c.encoder.store(space); err != nil {
		panic(fmt.Sprintf("client: event does not fit the size it said it had: %v", err))
	}
	c.counters.Appended++
	if look {
		c.wakeSender()
	}
	return nil
}

// makeRoom returns when an event of some size fits into the buffer, or says why
// it never will. It is called with the lock held, and lets go of it to wait.
func (c *Client) makeRoom(ctx context.Context, size int, eventTime int64) error {
	var timeout <-chan time.Time
	for {
		if err := c.refuses(); err != nil {
			return err
		}
		if c.buffer.fits(size) {
			return nil
		}
		if c.options.Policy == Drop {
			if err := c.drop(eventTime); err != nil {
				return err
			}
			continue
		}
		if timeout == nil && c.options.BlockTimeout > 0 {
			timer := time.NewTimer(c.options.BlockTimeout)
			defer timer.Stop()
			timeout = timer.C
		}
		if err := c.wait(ctx, timeout); err != nil {
			return err
		}
	}
}

// refuses says why the client takes no events, or nil.
func (c *Client) refuses() error {
	if c.err != nil {
		return c.err
	}
	if c.closing {
		return ErrClosed
	}
	return nil
}

// drop gives up the oldest events not sent yet or, if there are none, the new one.
func (c *Client) drop(eventTime int64) error {
	if n := c.buffer.dropOldest(); n > 0 {
		c.counters.Dropped += int64(n)
		c.broadcast()
		return nil
	}
	c.buffer.dropNew(eventTime)
	c.counters.Dropped++
	return ErrFull
}

// wait lets go of the lock until something changes, the context ends or the
// timeout strikes.
func (c *Client) wait(ctx context.Context, timeout <-chan time.Time) error {
	changed := c.changed
	c.mu.Unlock()
	defer c.mu.Lock()
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrFull, context.Cause(ctx))
	case <-timeout:
		return fmt.Errorf("%w for %v", ErrFull, c.options.BlockTimeout)
	}
}

// broadcast wakes everyone who waits for a change. It needs the lock.
func (c *Client) broadcast() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// wakeSender makes the sender look at the buffer again.
func (c *Client) wakeSender() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// await waits with the lock held until a condition holds, the client has
// stopped for good, or the context ends.
func (c *Client) await(ctx context.Context, what string, holds func() bool) error {
	for !holds() {
		if c.err != nil {
			return c.err
		}
		if c.stopped {
			return ErrClosed
		}
		changed := c.changed
		c.mu.Unlock()
		select {
		case <-changed:
			c.mu.Lock()
		case <-ctx.Done():
			c.mu.Lock()
			return c.unfinished(what, context.Cause(ctx))
		}
	}
	return nil
}

// unfinished is the error for a wait that was given up.
func (c *Client) unfinished(what string, cause error) error {
	if c.lastErr != nil && !c.open {
		return fmt.Errorf("%s: %w (last: %w)", what, cause, c.lastErr)
	}
	return fmt.Errorf("%s: %w", what, cause)
}

// Ready waits until the service has taken up the client's first stream and
// returns the sequence number of the first event that the client was given. For
// a producer that has sent before it continues where the service stands, which
// tells a producer with a log of its own where to go on reading.
func (c *Client) Ready(ctx context.Context) (int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.await(ctx, "connect to "+c.options.Target, func() bool { return c.opened }); err != nil {
		return 0, err
	}
	return c.counters.First, nil
}

// Flush waits until every event kept before the call is durable at the service
// or, under Drop, given up.
func (c *Client) Flush(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := c.buffer.seal()
	if last == nil {
		return c.err
	}
	c.wakeSender()
	return c.await(ctx, "flush", func() bool { return last.gone })
}

// Complete tells the service that every event up to an event time has been
// appended: what is appended later is late if its hour lies before. It lets
// windows close although nothing newer comes, as at the end of a replayed file or
// in a quiet night. The mark travels behind everything appended so far; nothing
// acknowledges it, and it is sent again when the stream has to be opened anew.
func (c *Client) Complete(until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.complete = max(c.complete, until.UnixNano())
	c.buffer.seal()
	c.wakeSender()
}

// Close flushes, ends the stream and stops the client. When the context ends
// first, the error says how many events were given up.
func (c *Client) Close(ctx context.Context) error {
	c.mu.Lock()
	c.closing = true
	c.broadcast()
	c.mu.Unlock()
	err := c.Flush(ctx)
	c.mu.Lock()
	if err != nil && c.buffer.events > 0 {
		err = fmt.Errorf("close: %d events are not acknowledged: %w", c.buffer.events, err)
	}
	if err != nil || !c.open {
		c.cancel() // there is nobody to say goodbye to
	}
	c.mu.Unlock()
	c.wakeSender()
	select {
	case <-c.done:
	case <-ctx.Done():
	}
	c.cancel()
	<-c.done
	return err
}

// Err says why the client stopped for good, or nil.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Stats are counters of one client.
type Stats struct {
	Connected      bool  // a stream is open
	BufferedEvents int64 // kept and not acknowledged
	BufferedBytes  int64 // of the encoded events kept
	Appended       int64 // events ever kept
	Sent           int64 // events sent, repeated ones included
	Resent         int64 // events sent again after a stream broke
	Acked          int64 // events durable at the service
	Rejected       int64 // events the service did not apply
	Dropped        int64 // events given up under Drop
	Reconnects     int64 // streams opened after the first
	First          int64 // sequence number of the client's first event; 0 until connected
	Committed      int64 // sequence number of the last durable event
}

// Stats returns the counters as they are now.
func (c *Client) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.counters
	s.Connected = c.open
	s.BufferedEvents, s.BufferedBytes = int64(c.buffer.events), int64(c.buffer.bytes)
	s.Committed = c.buffer.committed
	if c.opened {
		s.Acked = s.Committed - s.First + 1
	}
	return s
}
