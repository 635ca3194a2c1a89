package notify

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/store"
)

// Bounds of what goes on at once.
const (
	maxInFlight = 4   // attempts at one endpoint
	maxSending  = 16  // attempts at all of them
	window      = 256 // deliveries of one endpoint in memory
	page        = 256 // notices read in one transaction
)

// DefaultRetention is how long the journal is kept. It is longer than the retry
// schedule, so that nothing is forgotten while it is tried.
const DefaultRetention = 30 * 24 * time.Hour

// MinRetention is the shortest time to keep the journal for: the schedule takes
// about 75 hours.
const MinRetention = 7 * 24 * time.Hour

// Options say what a courier delivers and how. The zero value of every field
// but Store means the default named beside it.
type Options struct {
	// Store holds journal, endpoints and deliveries.
	Store *store.Platform
	// Feeds are journalled (none).
	Feeds []Feed
	// BaseURL is where people find this service, the source of all messages and
	// the beginning of all links in them. Without it nothing can be delivered.
	BaseURL string
	// Version is this program's version (none).
	Version string
	// File is what else is written (nothing).
	File File
	// Retention is how long the journal is kept (30 days, at least 7).
	Retention time.Duration
	// Log takes what is worth telling an operator (discarded).
	Log *slog.Logger
}

// Courier journals notices and delivers them. Make one with New; it is safe for
// concurrent use.
type Courier struct {
	options Options
	store   *store.Platform
	encoder *Encoder
	log     *slog.Logger
	public  *http.Client // reaches public addresses only
	private *http.Client // reaches all
	sending chan struct{}
	waits   []time.Duration // before each attempt
	timeout time.Duration   // of one attempt

	lifetime context.Context // of all goroutines; ends with Close
	stop     context.CancelFunc
	running  sync.WaitGroup

	admin       sync.Mutex // one change of endpoints at a time
	mu          sync.Mutex
	grown       chan struct{} // closed when the journal has grown
	dispatchers map[memberwatch.EndpointID]*dispatcher
}

// New starts a courier. It fails when the file cannot be written or the
// endpoints cannot be read. The store must outlive it.
func New(o Options) (*Courier, error) {
	c, err := newCourier(o)
	if err != nil {
		return nil, err
	}
	if err := c.start(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// newCourier returns a courier that does nothing yet: tests change how it dials.
func newCourier(o Options) (*Courier, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Retention == 0 {
		o.Retention = DefaultRetention
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	return &Courier{
		options: o, store: o.Store, log: o.Log, encoder: &Encoder{BaseURL: o.BaseURL, Version: o.Version},
		public: newClient(guardedDial()), private: newClient(plainDial()), sending: make(chan struct{}, maxSending),
		waits: schedule, timeout: attemptTimeout,
		lifetime: ctx, stop: stop, grown: make(chan struct{}), dispatchers: make(map[memberwatch.EndpointID]*dispatcher),
	}, nil
}

// start begins all goroutines.
func (c *Courier) start() error {
	if err := c.dispatchAll(); err != nil {
		return err
	}
	if c.options.File.Path != "" {
		sink, err := openSink(c.options.File)
		if err != nil {
			return err
		}
		c.running.Go(func() { c.fill(c.lifetime, sink) })
	}
	for _, feed := range c.options.Feeds {
		c.running.Go(func() { c.collect(c.lifetime, feed) })
	}
	c.running.Go(func() { c.forget(c.lifetime) })
	return nil
}

// dispatchAll starts to deliver to all endpoints.
func (c *Courier) dispatchAll() error {
	for after := memberwatch.EndpointID(""); ; {
		endpoints, err := c.store.Endpoints(after, page, nil)
		if err != nil || len(endpoints) == 0 {
			return err
		}
		for i := range endpoints {
			after = endpoints[i].ID
			c.dispatch(after)
		}
	}
}

// Close ends all deliveries and waits for them. What was under way is done again
// by the next courier of the store.
func (c *Courier) Close() {
	c.mu.Lock()
	c.stop() // nobody dispatches any more
	c.mu.Unlock()
	c.running.Wait()
	c.public.CloseIdleConnections()
	c.private.CloseIdleConnections()
}

// dispatch starts to deliver to an endpoint, or lets its dispatcher look at it
// again.
func (c *Courier) dispatch(id memberwatch.EndpointID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d := c.dispatchers[id]; d != nil {
		d.reload()
		return
	}
	if c.lifetime.Err() != nil {
		return
	}
	d := newDispatcher(c, id)
	c.dispatchers[id] = d
	c.running.Go(func() { d.run(c.lifetime) })
}

// dismiss ends deliveries to an endpoint, and waits for them.
func (c *Courier) dismiss(id memberwatch.EndpointID) {
	c.mu.Lock()
	d := c.dispatchers[id]
	delete(c.dispatchers, id)
	c.mu.Unlock()
	if d != nil {
		close(d.removed)
		<-d.ended
	}
}

// announce wakes everybody who waits for the journal to grow.
func (c *Courier) announce() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.grown)
	c.grown = make(chan struct{})
}

// growth returns a channel that closes when the journal grows.
func (c *Courier) growth() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.grown
}

// forgetPeriod is how often old notices are looked for, forgetPage how many go
// in one transaction.
const (
	forgetPeriod = time.Hour
	forgetPage   = 1000
)

// forget drops old notices until ctx ends.
func (c *Courier) forget(ctx context.Context) {
	for ctx.Err() == nil {
		n, err := c.store.DropNotices(time.Now().Add(-c.options.Retention), forgetPage)
		if err != nil {
			c.log.Error("cannot drop old notices, trying again later", "error", err)
		}
		if n < forgetPage {
			sleep(ctx, forgetPeriod)
		}
	}
}
