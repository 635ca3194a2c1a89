// Package sketch holds the two bounded summaries of member keys that the
// detector keeps per app: [Distinct] counts different members, [Sample]
// remembers a coordinated random part of them with the time each was first
// seen.
//
// The package knows 64-bit keys, arithmetic and its own checksummed bytes. It
// must not know apps, windows, events, clocks, stores or randomness.
//
// Both summaries are functions of the set of keys alone: order, repetition and
// the way in which parts were merged change neither the state nor the encoded
// bytes. That is what lets producers interleave freely and replays compare
// byte for byte. Neither type is safe for concurrent use with a writer;
// concurrent readers are fine. A plain assignment shares memory: copy with
// CopyFrom.
package sketch
