// Package throughput measures what a service that scores events and makes them
// durable costs beside one that only receives them.
//
// Two processes serve the same gRPC stream: the drain, which drops the bytes of
// each batch unread and acknowledges them, and the full service. They take the
// same bytes in turns within one run, so that a busy machine slows both alike.
// Each is a process of its own, for its processor time to be its own.
//
// The package knows the contract and the workload. It must not know what the
// full service is made of: whoever starts the processes does.
package throughput
