// Package client streams access events from a platform's gateways to a
// memberwatch service, exactly once per producer.
//
// A [Client] keeps encoded events in a buffer of bounded bytes until the
// service has acknowledged them as durable, sends them in batches over one
// stream, reconnects with backoff when the stream breaks, and goes on from the
// sequence number the service names. [Client.Append] answers whether an event
// was kept; once kept, only [Client.Flush], [Client.Close] and [Client.Err]
// speak about it. A [Hasher] turns ids of members into the keyed hashes that
// the service works with, so that ids and key stay with the platform.
//
// The package knows the ingest half of the contract and nothing of how the
// service judges events.
package client
