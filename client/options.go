package client

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/memberwatch/memberwatch"
)

// DefaultTarget is where memberwatch serve listens unless told otherwise.
const DefaultTarget = "127.0.0.1:7600"

// Policy says what Append does when the buffer is full.
type Policy uint8

// Policies.
const (
	// Block makes Append wait for acknowledgements to make room.
	Block Policy = iota
	// Drop makes Append drop the oldest events that were not sent yet, or the
	// new one if all were. The service learns of it by a gap mark.
	Drop
)

// Options configures a client. Only Producer is required.
type Options struct {
	// Target is the service's address as gRPC takes it; empty: DefaultTarget.
	Target string
	// Producer is the durable name of this stream of events, one per gateway
	// shard. Two live processes must not share it: the newer fences the older.
	Producer memberwatch.ProducerID
	// InstanceID names this process to people; empty: host name and process id.
	InstanceID string
	// MaxBufferedBytes bounds the encoded events kept; 0: 64 MiB.
	MaxBufferedBytes int
	// Policy is what happens when the buffer is full.
	Policy Policy
	// BlockTimeout bounds how long Append waits under Block; 0: as long as its
	// context lets it.
	BlockTimeout time.Duration
	// BatchEvents and BatchBytes bound a batch; 0: 2,048 events, 256 KiB.
	// More than 1 MiB is taken as 1 MiB.
	BatchEvents, BatchBytes int
	// BatchDelay is how long an event may wait for its batch to fill; 0: 20 ms.
	BatchDelay time.Duration
	// AckTimeout is how long sent events may go without any acknowledgement
	// before the stream is taken for dead; 0: 60 s.
	AckTimeout time.Duration
	// Credentials secure the connection; nil: none to a loopback address, TLS
	// with the system's roots to any other.
	Credentials credentials.TransportCredentials
	// Token proves who the producer is, where the service demands it. It goes over
	// the wire, so an unsecured connection is for this machine alone.
	Token string
	// DialOptions are added to the connection's own.
	DialOptions []grpc.DialOption
	// OnRejected, if set, is called for the events that the service reports as
	// rejected (a sample of at most 32 per acknowledgement), one at a time. It
	// must not call the client.
	OnRejected func(Rejection)
	// Logger takes reports on the connection; nil: nowhere.
	Logger *slog.Logger
}

// Rejection says why the service did not apply an event.
type Rejection struct {
	Sequence int64  // of the event among all of its producer
	Reason   string // stable, in UPPER_SNAKE_CASE
	Message  string
}

// maxBatchBytes keeps a frame, with one event of the largest size on top, below
// the 4 MiB that gRPC servers take by default.
const maxBatchBytes = 1 << 20

// withDefaults returns the options with every zero replaced, or what is wrong
// with them.
func (o Options) withDefaults() (Options, error) {
	if o.Producer == "" {
		return o, &memberwatch.ReasonError{
			Kind: memberwatch.ErrInvalid, Reason: "PRODUCER_INVALID",
			Message: "client has no producer name",
			Hint:    "set Options.Producer to the durable name of this gateway shard",
		}
	}
	if o.MaxBufferedBytes < 0 || o.BatchEvents < 0 || o.BatchBytes < 0 {
		return o, fmt.Errorf("client options: %w: negative bound", memberwatch.ErrInvalid)
	}
	o.Target = cmp.Or(o.Target, DefaultTarget)
	o.InstanceID = cmp.Or(o.InstanceID, processName())
	o.MaxBufferedBytes = cmp.Or(o.MaxBufferedBytes, 64<<20)
	o.BatchEvents = cmp.Or(o.BatchEvents, 2048)
	o.BatchBytes = min(cmp.Or(o.BatchBytes, 256<<10), maxBatchBytes, o.MaxBufferedBytes)
	o.BatchDelay = cmp.Or(o.BatchDelay, 20*time.Millisecond)
	o.AckTimeout = cmp.Or(o.AckTimeout, time.Minute)
	if o.Credentials == nil {
		o.Credentials = DefaultCredentials(o.Target)
	}
	if o.Token != "" {
		o.DialOptions = append(slices.Clone(o.DialOptions), grpc.WithPerRPCCredentials(bearer(o.Token)))
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

// DefaultCredentials returns what a connection to a target uses unless told
// otherwise: none on loopback and Unix sockets, where the traffic does not leave
// the machine, and TLS with the system's roots to any other address.
func DefaultCredentials(target string) credentials.TransportCredentials {
	if strings.HasPrefix(target, "unix:") || strings.HasPrefix(target, "unix-abstract:") {
		return insecure.NewCredentials()
	}
	host := target[strings.LastIndexByte(target, '/')+1:]
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return insecure.NewCredentials()
	}
	return credentials.NewTLS(nil)
}

// bearer shows a token with each call.
type bearer string

// GetRequestMetadata returns the metadata that shows the token.
func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

// RequireTransportSecurity says no: connections are only unsecured on this
// machine, unless the caller chose so.
func (b bearer) RequireTransportSecurity() bool { return false }

// processName names this process for people who read the service's logs.
func processName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown-host"
	}
	return fmt.Sprintf("%.100s-%d", host, os.Getpid())
}
