// Package review is the shell around the rules of review: it owns the clock, the
// numbers of cases and the transactions, while what a case, a remediation or a
// silence may do next is decided by the pure state machines of the root package.
//
// Whatever a person decides is one transaction on platform.db: the case, the
// control changes that its verdict makes, the line in the audit log, and the
// events that tell others. Signals come in from the feed of committed ones: each
// is silenced, or linked to the open case of its app, or opens one. A sweep wakes
// cases on hold and announces what is overdue or runs out.
//
// The package may know store. Control changes reach the detector through
// [Monitor.Commit], so that all partitions see one order. It must not know gRPC,
// protobuf or command lines, nor how anything was detected.
package review
