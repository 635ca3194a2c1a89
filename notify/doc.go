// Package notify tells others what happened: it journals the notices of its
// feeds, each once, and delivers them to endpoints by signed webhooks and to a
// file as lines of JSON. It knows how to encode, sign, send, wait and give up;
// it does not know what a notice means, who may create an endpoint, or where the
// feeds come from.
//
// The way of a notice is [Feed], journal (platform.db), delivery. A [Courier]
// owns the goroutines on it: one for each feed, one for each endpoint, one for
// the file. What they have done is in the store before they go on, and what they
// had begun is done again after a crash; a notice's id never changes, so
// receivers that remember ids see each notice once.
//
// A message is a CloudEvent 1.0 in structured JSON that is a body of Standard
// Webhooks 1.0.0 at the same time; see docs/delivery.md.
package notify
