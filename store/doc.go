// Package store keeps everything that must survive a restart in bbolt files:
// one file per partition with states, ledger rows, outbox and producers' marks,
// and platform.db with the registry, control changes, epochs, the fleet's
// history and the published signals.
//
// [Partition.Commit] is one fsynced transaction: either all of a checkpoint is
// on the disk or none of it. [Platform] has one short transaction per call.
// Values are framed with a version byte and a CRC-32C, because bbolt does not
// checksum what it stores; encodings are canonical, so that [Dump] can compare
// two directories byte for byte.
//
// The package knows files, keys and encodings. It must not know what the states
// mean (they are bytes to it), nor events, windows in progress, or who asks.
package store
