// Package memberwatch holds the words of the domain: events, apps,
// restrictions, findings, signals, ledger rows, and the pure rules about them.
// It knows nothing of gRPC, bbolt or clocks and imports only the standard
// library. The rest of this comment is a tour of the code, from the bottom up.
//
// # An event becomes evidence
//
// A platform's gateway reports each API call of a third-party app as an
// [Event]: which app, when, which members it disclosed, as keyed hashes. Package
// detector/sketch counts distinct members in small, mergeable, order-insensitive
// sketches. Package detector/series expects what one series of numbers will hold
// next, with the laws of detector/tails, and knows none of the words here;
// detector/codec gives all that is kept its bytes. Package detector is the pure
// core. Its Engine folds an event into the State of an app: the open hour and day
// [Window], the daily ledger, and the rules that need no statistics, such as a
// [Restriction]. When a window's time is over, each feature of it is compared with what the app's own past expects;
// the surprise becomes a p-value by its rank among the whole fleet's recent
// windows; and p-values become evidence for a burst or a slow change, each with
// a share of the one alert budget. The result is a [Finding], and a run of
// findings of one [Kind] is a [Signal].
//
// The core sees event time and positions, never a clock, a lock or a map's
// order. The same events give the same bytes, which is what makes exactly-once,
// replay and tests by comparison possible.
//
// # Evidence becomes durable
//
// Package store is the only user of bbolt: one file for each partition, and
// platform.db for what the platform has declared, the signals and the fleet's
// history. States are bytes to it. Package monitor is the shell around the
// core. It routes each [Batch] to partitions by developer, one owner goroutine
// each; writes events, or what they changed, in one fsynced transaction for each
// partition and checkpoint, with the producers' marks; and acks a batch once every
// partition has committed it. A coordinator gathers the partitions' tallies of
// closed windows, judges by how much the whole fleet moved, and renews the
// calibration each day, lagged so that a replay finds the same one. A publisher
// carries committed signals to the lists and feeds that people and programs
// read. A [Change] of the registry is numbered and reaches every partition in
// order.
//
// # Signals become decisions
//
// Package review is the other shell, around the rules of review. Signals from the
// committed feed find their [Silence] or their [Case]; a [Decision] moves the case
// along its state machine, and a [Verdict] changes detection only by named
// effects, such as an [Exclusion], which reopening undoes. A [Remediation] is
// followed until the data is accounted for. Each step is one transaction with its
// line in the audit log, an [AuditEntry], and a [ReviewEvent] in the outbox.
//
// # The faces
//
// Package proto/memberwatch/v1 is the contract, package wire translates it to
// the words here, decoding batches without copying, and package server speaks
// it: it validates events, keeps streams and acks, pages and filters lists (the
// language is in package filter), and alone chooses status codes. Package access
// tells it whose a [Token] is; what each [Role] opens is a table in server. Package client
// is the SDK for producers: a buffer bounded in bytes, batches, credit,
// reconnects, resumption. Command memberwatch wires all of it: serve, demo,
// replay, and the questions a reviewer asks.
//
// # How good it is
//
// Package bench/scenario simulates a platform on which abuse of every known kind
// and its honest look-alikes are planted, with the truth beside the events. The
// other packages below bench measure the detector against it and against public
// yardsticks. docs/benchmark.md holds the figures and the commands behind them,
// docs/decisions what was chosen and why.
//
// The imports among all these packages are a table in arch_test.go.
package memberwatch
