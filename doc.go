// Package memberwatch holds the words of the domain: events, apps,
// restrictions, findings, signals, ledger rows, and the pure rules about them.
// It knows nothing of gRPC, bbolt or clocks and imports only the standard
// library.
package memberwatch
