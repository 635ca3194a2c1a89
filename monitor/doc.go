// Package monitor is the shell around the pure detector: it owns clocks,
// goroutines, queues and files, and decides nothing about apps.
//
// [Monitor.Append] splits a producer's batch by partition. Each partition has
// one owner goroutine, which folds events into the states of its apps, closes
// windows behind its watermark, and hands checkpoints to a committer: one
// fsynced transaction with outbox, producers' marks, and either the events since
// the checkpoint before, as a journal, or the states and ledgers they led to.
// When all partitions have committed a batch, [Monitor.WaitCommitted] lets its
// producer forget it. A restart applies the journal to the states again. The
// fleet coordinator judges each window once every partition has closed it; the
// publisher makes committed signals visible.
//
// What is closed, judged and scored when depends on places in the streams
// alone, not on batches, queues or the wall clock, so that a stream replayed or
// resumed after a crash leads to the same bytes. The one use of the wall clock
// is to stop waiting for producers that have fallen silent.
//
// The package may know detector and store. It must not know gRPC, protobuf,
// configuration files or command lines: a replicated log could feed it as well
// as a server.
package monitor
