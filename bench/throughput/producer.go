package throughput

import (
	"context"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/client"
)

// producer sends events as gateways do: through the client.
type producer struct {
	client *client.Client
	pool   []memberwatch.Event
	turn   int // of the pool's next event
	clock  time.Time
	step   time.Duration // between two events
}

// open starts the client. Its batches have one size, so that the drain knows
// without looking how many events each holds.
func (p *producer) open(c *Config, address, name string) (err error) {
	p.client, err = client.New(client.Options{
		Target: address, Producer: memberwatch.ProducerID(name), MaxBufferedBytes: c.Credit / c.Streams,
		BatchEvents: c.Batch, BatchBytes: 1 << 20, BatchDelay: time.Minute,
	})
	return err
}

// send appends whole batches of events and waits until all are acknowledged.
func (p *producer) send(ctx context.Context, events int) error {
	for range events {
		ev := &p.pool[p.turn]
		p.turn = (p.turn + 1) % len(p.pool)
		ev.Time = p.clock.UnixNano()
		p.clock = p.clock.Add(p.step)
		if err := p.client.Append(ctx, *ev); err != nil {
			return err
		}
	}
	return p.client.Flush(ctx)
}

func (p *producer) close(ctx context.Context) error { return p.client.Close(ctx) }
