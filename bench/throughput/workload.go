package throughput

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/memberwatch/memberwatch"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/wire"
)

// Field numbers of the contract that a frame is made of.
const (
	eventTime    = 3 // AccessEvent.time_unix_nano
	batchBase    = 1 // EventBatch.base_sequence
	batchEvents  = 2 // EventBatch.events
	requestBatch = 2 // AppendEventsRequest.batch
)

// batch is encoded events of which only the times change when it is sent again.
type batch struct {
	body  []byte
	times []int // where each event's time lies in body
	apps  []int32
	last  int64 // sequence number of its last event, 0 before it was sent
}

// classes are what the apps of the workload read.
var classes = [...]string{
	"group_membership", "profile_name", "profile_picture", "group_activity", "profile_location", "contact_email",
}

// generator makes events of a platform on which few apps make most calls: the
// app of rank k is chosen as by Zipf's law, (10+k)^-1.1, as in the detector's own
// benchmark, and reads the same 50 + 2,000,000/(10+k) members over and over.
type generator struct {
	random  *rand.Rand
	zipf    *rand.Zipf
	members int
	event   memberwatch.Event
	message pb.AccessEvent
}

func newGenerator(c *Config, stream uint64) *generator {
	random := rand.New(rand.NewPCG(c.Seed, stream))
	return &generator{random: random, zipf: rand.NewZipf(random, 1.1, 10, uint64(c.Apps-1)), members: c.Members}
}

// next fills in the next event, all but its time, and returns the rank of its app.
func (g *generator) next() int {
	rank := int(g.zipf.Uint64())
	reached := 50 + 2_000_000/(10+rank)
	first := rank % len(classes)
	read := []string{classes[first], classes[(first+1)%len(classes)]}[:1+rank%2]
	g.event = memberwatch.Event{
		App: memberwatch.AppID(fmt.Sprintf("app-%06d", rank)), Developer: memberwatch.DeveloperID(fmt.Sprintf("dev-%05d", rank/3)),
		Endpoint: "/groups/members", DataClasses: read, Group: fmt.Sprintf("group-%d-%d", rank, g.random.IntN(1+reached/100)),
		Actor: key(rank, uint64(g.random.IntN(1+reached/500))+1<<40), Credential: fmt.Sprintf("token-%06d", rank), Network: "AS64500",
		Outcome: memberwatch.OutcomeOK, Time: 1, Disclosed: g.event.Disclosed[:0],
	}
	for range g.members {
		g.event.Disclosed = append(g.event.Disclosed, key(rank, g.random.Uint64N(uint64(reached))))
	}
	return rank
}

// key stands for the keyed hash of a person: SplitMix64's finaliser (Steele, Lea
// and Flood 2014), so that the bits are uniform as a hash's are.
func key(rank int, person uint64) uint64 {
	x := uint64(rank)<<42 + person + 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// batch encodes some events, and gives them to a producer as they are.
func (g *generator) batch(events int, p *producer) (*batch, error) {
	b := &batch{}
	for range events {
		rank := g.next()
		kept := g.event
		kept.Disclosed = slices.Clone(g.event.Disclosed)
		p.pool = append(p.pool, kept)
		wire.EncodeEvent(&g.message, &g.event)
		encoded, err := g.message.MarshalVT()
		if err != nil {
			return nil, fmt.Errorf("encode an event: %w", err)
		}
		b.body = protowire.AppendTag(b.body, batchEvents, protowire.BytesType)
		b.body = protowire.AppendVarint(b.body, uint64(len(encoded)))
		at, err := fieldOffset(encoded, eventTime)
		if err != nil {
			return nil, err
		}
		b.times = append(b.times, len(b.body)+at)
		b.body = append(b.body, encoded...)
		b.apps = append(b.apps, int32(rank))
	}
	return b, nil
}

// fieldOffset returns where the value of a field begins in a message.
func fieldOffset(message []byte, field protowire.Number) (int, error) {
	for at := 0; at < len(message); {
		number, kind, n := protowire.ConsumeTag(message[at:])
		if n < 0 {
			return 0, fmt.Errorf("encoded event: %w", protowire.ParseError(n))
		}
		at += n
		if number == field {
			return at, nil
		}
		if n = protowire.ConsumeFieldValue(number, kind, message[at:]); n < 0 {
			return 0, fmt.Errorf("encoded event: %w", protowire.ParseError(n))
		}
		at += n
	}
	return 0, fmt.Errorf("encoded event has no field %d", field)
}

// stamp gives the events their times, the first and the step between two.
func (b *batch) stamp(first time.Time, step time.Duration) {
	at := uint64(first.UnixNano())
	for _, offset := range b.times {
		binary.LittleEndian.PutUint64(b.body[offset:], at)
		at += uint64(step)
	}
}
